using Apache.Arrow;
using Google.Protobuf.WellKnownTypes;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Sessions;

namespace LakeHolo.FlightServer.Metadata;

/// <summary>The commands that ask for the catalog: their tickets are the commands themselves.</summary>
internal static class MetadataCommands
{
    private static readonly CatalogFilter Everything = new(null, null, null, [], false);

    /// <summary>The schema of a command's rows; null if it is none of these.</summary>
    public static Schema? SchemaOf(Any command) => command switch
    {
        _ when command.Is(CommandGetCatalogs.Descriptor) => MetadataSchemas.Catalogs,
        _ when command.Is(CommandGetDbSchemas.Descriptor) => MetadataSchemas.DbSchemas,
        _ when command.Is(CommandGetTables.Descriptor) => command.Unpack<CommandGetTables>().IncludeSchema ? MetadataSchemas.TablesWithSchemas : MetadataSchemas.Tables,
        _ when command.Is(CommandGetTableTypes.Descriptor) => MetadataSchemas.TableTypes,
        _ when command.Is(CommandGetPrimaryKeys.Descriptor) => MetadataSchemas.PrimaryKeys,
        _ when command.Is(CommandGetExportedKeys.Descriptor) || command.Is(CommandGetImportedKeys.Descriptor) || command.Is(CommandGetCrossReference.Descriptor) => MetadataSchemas.ForeignKeys,
        _ when command.Is(CommandGetSqlInfo.Descriptor) => SqlInfo.Schema,
        _ when command.Is(CommandGetXdbcTypeInfo.Descriptor) => MetadataSchemas.XdbcTypes,
        _ => null,
    };

    /// <summary>The rows; null if the command is none of these.</summary>
    public static async ValueTask<RecordBatch?> RunAsync(IQueryService queries, ClientSession session, Any command, CancellationToken cancellationToken)
    {
        if (command.Is(CommandGetCatalogs.Descriptor))
        {
            return CatalogRows.Catalogs(await queries.ListCatalogAsync(session.Session, Everything, cancellationToken));
        }

        if (command.Is(CommandGetDbSchemas.Descriptor))
        {
            CommandGetDbSchemas c = command.Unpack<CommandGetDbSchemas>();
            var filter = new CatalogFilter(c.HasCatalog ? c.Catalog : null, c.HasDbSchemaFilterPattern ? c.DbSchemaFilterPattern : null, null, [], false);
            return CatalogRows.Schemas(await queries.ListCatalogAsync(session.Session, filter, cancellationToken));
        }

        if (command.Is(CommandGetTables.Descriptor))
        {
            CommandGetTables c = command.Unpack<CommandGetTables>();
            var filter = new CatalogFilter(
                c.HasCatalog ? c.Catalog : null, c.HasDbSchemaFilterPattern ? c.DbSchemaFilterPattern : null, c.HasTableNameFilterPattern ? c.TableNameFilterPattern : null,
                [.. c.TableTypes.Select(t => t == "BASE TABLE" ? "TABLE" : t)], c.IncludeSchema);
            return CatalogRows.Tables(await queries.ListCatalogAsync(session.Session, filter, cancellationToken), c.IncludeSchema);
        }

        if (command.Is(CommandGetPrimaryKeys.Descriptor))
        {
            CommandGetPrimaryKeys c = command.Unpack<CommandGetPrimaryKeys>();
            CatalogListing listing = await queries.ListCatalogAsync(session.Session, Everything with { Catalog = c.HasCatalog ? c.Catalog : null }, cancellationToken);
            return CatalogRows.PrimaryKeys(listing, c);
        }

        return command switch
        {
            _ when command.Is(CommandGetTableTypes.Descriptor) => CatalogRows.TableTypes(),
            _ when command.Is(CommandGetSqlInfo.Descriptor) => SqlInfo.Rows(command.Unpack<CommandGetSqlInfo>().Info),
            _ when command.Is(CommandGetXdbcTypeInfo.Descriptor) => XdbcTypes.Rows(command.Unpack<CommandGetXdbcTypeInfo>() is { HasDataType: true } x ? x.DataType : null),
            _ => SchemaOf(command) is { } schema ? CatalogRows.Empty(schema) : null,
        };
    }
}
