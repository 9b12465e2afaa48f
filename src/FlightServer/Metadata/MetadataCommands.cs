using Apache.Arrow;
using Google.Protobuf;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Metadata;

/// <summary>Answers the metadata commands. Their ticket is the command itself: nothing is kept between GetFlightInfo and DoGet.</summary>
internal sealed class MetadataCommands(IQueryService service)
{
    private static readonly EncodedSchema NoColumns = new(new Schema([], null));

    /// <summary>The schema of a command's answer; null when it is no metadata command.</summary>
    public static Schema? SchemaOf(IMessage command) => command switch
    {
        CommandGetCatalogs => MetadataSchemas.Catalogs,
        CommandGetDbSchemas => MetadataSchemas.DbSchemas,
        CommandGetTables { IncludeSchema: true } => MetadataSchemas.TablesWithSchema,
        CommandGetTables => MetadataSchemas.Tables,
        CommandGetTableTypes => MetadataSchemas.TableTypes,
        CommandGetPrimaryKeys => MetadataSchemas.PrimaryKeys,
        CommandGetExportedKeys or CommandGetImportedKeys or CommandGetCrossReference => MetadataSchemas.ForeignKeys,
        CommandGetSqlInfo => SqlInfo.Schema,
        CommandGetXdbcTypeInfo => MetadataSchemas.XdbcTypeInfo,
        _ => null,
    };

    /// <summary>The rows, or null for none.</summary>
    public async ValueTask<RecordBatch?> RowsAsync(ClientSession session, IMessage command, CancellationToken cancellationToken)
    {
        switch (command)
        {
            case CommandGetCatalogs:
                CatalogListing all = await service.ListCatalogAsync(session.Query, new CatalogFilter(null, null, null, [], false), cancellationToken);
                string[] names = [.. all.Catalogs.Distinct().Order(StringComparer.Ordinal)];
                return Batch(MetadataSchemas.Catalogs, names.Length, Text(names, n => n));
            case CommandGetDbSchemas c:
                return await SchemasAsync(session, c, cancellationToken);
            case CommandGetTables c:
                return await TablesAsync(session, c, cancellationToken);
            case CommandGetTableTypes:
                return Batch(MetadataSchemas.TableTypes, 2, Text(["TABLE", "VIEW"], t => t));
            case CommandGetPrimaryKeys c:
                return await PrimaryKeysAsync(session, c, cancellationToken);
            case CommandGetSqlInfo c:
                return SqlInfo.Rows(c.Info);
            case CommandGetXdbcTypeInfo c:
                return XdbcTypes.Rows(c.HasDataType ? c.DataType : null);
            default:
                // Lake formats declare no foreign keys.
                return null;
        }
    }

    private static RecordBatch Batch(Schema schema, int rows, params IArrowArray[] columns) => new(schema, columns, rows);

    private static StringArray Text<T>(IEnumerable<T> rows, Func<T, string> value) => new StringArray.Builder().AppendRange(rows.Select(value)).Build();

    private async ValueTask<RecordBatch> SchemasAsync(ClientSession session, CommandGetDbSchemas c, CancellationToken cancellationToken)
    {
        string? catalog = c.HasCatalog ? c.Catalog : null;
        string? pattern = c.HasDbSchemaFilterPattern ? c.DbSchemaFilterPattern : null;
        CatalogListing listing = await service.ListCatalogAsync(session.Query, new CatalogFilter(catalog, pattern, null, [], false), cancellationToken);
        (string Catalog, string Schema)[] rows =
        [
            .. listing.Schemas.Where(s => (catalog is null || s.Catalog == catalog) && LikePattern.Matches(pattern, s.Schema)).Distinct()
                .OrderBy(s => s.Catalog, StringComparer.Ordinal).ThenBy(s => s.Schema, StringComparer.Ordinal),
        ];
        return Batch(MetadataSchemas.DbSchemas, rows.Length, Text(rows, r => r.Catalog), Text(rows, r => r.Schema));
    }

    private async ValueTask<RecordBatch> TablesAsync(ClientSession session, CommandGetTables c, CancellationToken cancellationToken)
    {
        string? catalog = c.HasCatalog ? c.Catalog : null;
        string? schemas = c.HasDbSchemaFilterPattern ? c.DbSchemaFilterPattern : null;
        string? tables = c.HasTableNameFilterPattern ? c.TableNameFilterPattern : null;
        string[] types = [.. c.TableTypes.Select(t => t == "BASE TABLE" ? "TABLE" : t)];
        CatalogListing listing = await service.ListCatalogAsync(session.Query, new CatalogFilter(catalog, schemas, tables, types, c.IncludeSchema), cancellationToken);
        CatalogEntry[] rows =
        [
            .. listing.Tables
                .Where(t => (catalog is null || t.Catalog == catalog) && LikePattern.Matches(schemas, t.Schema) && LikePattern.Matches(tables, t.Name))
                .Where(t => types.Length == 0 || types.Contains(t.Type))
                .OrderBy(t => t.Catalog, StringComparer.Ordinal).ThenBy(t => t.Schema, StringComparer.Ordinal).ThenBy(t => t.Name, StringComparer.Ordinal),
        ];
        StringArray[] columns = [Text(rows, r => r.Catalog), Text(rows, r => r.Schema), Text(rows, r => r.Name), Text(rows, r => r.Type)];
        if (!c.IncludeSchema)
        {
            return Batch(MetadataSchemas.Tables, rows.Length, [.. columns]);
        }

        var encoded = new BinaryArray.Builder();
        foreach (CatalogEntry row in rows)
        {
            // A table that cannot be read is listed all the same, without columns.
            EncodedSchema schema = row.ArrowSchema is null ? NoColumns : new EncodedSchema(WireSchema.For(row.ArrowSchema, session.WantsJdbcTypes, (row.Catalog, row.Schema, row.Name)));
            encoded.Append(schema.Encapsulated.Span);
        }

        return Batch(MetadataSchemas.TablesWithSchema, rows.Length, [.. columns, encoded.Build()]);
    }

    private async ValueTask<RecordBatch> PrimaryKeysAsync(ClientSession session, CommandGetPrimaryKeys c, CancellationToken cancellationToken)
    {
        CatalogListing listing = await service.ListCatalogAsync(session.Query, new CatalogFilter(c.HasCatalog ? c.Catalog : null, null, null, [], false), cancellationToken);
        (CatalogEntry Table, string Column, int Sequence)[] rows =
        [
            .. listing.Tables
                .Where(t => t.Name == c.Table && (!c.HasCatalog || t.Catalog == c.Catalog) && (!c.HasDbSchema || t.Schema == c.DbSchema))
                .OrderBy(t => t.Catalog, StringComparer.Ordinal).ThenBy(t => t.Schema, StringComparer.Ordinal)
                .SelectMany(t => t.PrimaryKey.Select((column, i) => (t, column, i + 1))),
        ];
        return Batch(
            MetadataSchemas.PrimaryKeys, rows.Length, Text(rows, r => r.Table.Catalog), Text(rows, r => r.Table.Schema), Text(rows, r => r.Table.Name), Text(rows, r => r.Column),
            new Int32Array.Builder().AppendRange(rows.Select(r => r.Sequence)).Build(), Text(rows, r => r.Table.Name + "_pk"));
    }
}
