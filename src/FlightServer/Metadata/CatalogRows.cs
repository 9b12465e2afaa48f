using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Metadata;

/// <summary>Rows of the catalog commands.</summary>
internal static class CatalogRows
{
    private static readonly Schema NoColumns = new([], null);

    public static RecordBatch Catalogs(CatalogListing listing) => new(MetadataSchemas.Catalogs, [Text(listing.Catalogs)], listing.Catalogs.Count);

    public static RecordBatch Schemas(CatalogListing listing) => new(
        MetadataSchemas.DbSchemas, [Text(listing.Schemas.Select(s => s.Catalog)), Text(listing.Schemas.Select(s => s.Schema))], listing.Schemas.Count);

    public static RecordBatch Tables(CatalogListing listing, bool includeSchemas)
    {
        var columns = new List<IArrowArray>
        {
            Text(listing.Tables.Select(t => t.Catalog)), Text(listing.Tables.Select(t => t.Schema)), Text(listing.Tables.Select(t => t.Name)), Text(listing.Tables.Select(t => t.Type)),
        };
        if (includeSchemas)
        {
            var schemas = new BinaryArray.Builder();
            foreach (CatalogEntry table in listing.Tables)
            {
                schemas.Append(new EncodedSchema(table.ArrowSchema ?? NoColumns).Encapsulated.Span);
            }

            columns.Add(schemas.Build());
        }

        return new RecordBatch(includeSchemas ? MetadataSchemas.TablesWithSchemas : MetadataSchemas.Tables, columns, listing.Tables.Count);
    }

    public static RecordBatch TableTypes()
    {
        string[] types = ["SYSTEM TABLE", "TABLE"];
        return new RecordBatch(MetadataSchemas.TableTypes, [Text(types)], types.Length);
    }

    public static RecordBatch PrimaryKeys(CatalogListing listing, CommandGetPrimaryKeys command)
    {
        (CatalogEntry Table, string Column, int Sequence)[] keys =
        [
            .. listing.Tables.Where(t => t.Name == command.Table && (!command.HasDbSchema || t.Schema == command.DbSchema))
                .SelectMany(t => t.PrimaryKey.Select((column, i) => (t, column, i + 1))),
        ];
        var sequence = new Int32Array.Builder().AppendRange(keys.Select(k => k.Sequence)).Build();
        return new RecordBatch(
            MetadataSchemas.PrimaryKeys,
            [
                Text(keys.Select(k => k.Table.Catalog)), Text(keys.Select(k => k.Table.Schema)), Text(keys.Select(k => k.Table.Name)), Text(keys.Select(k => k.Column)), sequence,
                Text(keys.Select(_ => (string?)null)),
            ],
            keys.Length);
    }

    public static RecordBatch Empty(Schema schema) => new(schema, schema.FieldsList.Select(f => ArrowArrayFactory.BuildArray(EmptyData(f.DataType))), 0);

    internal static StringArray Text(IEnumerable<string?> values)
    {
        var builder = new StringArray.Builder();
        foreach (string? value in values)
        {
            builder.Append(value);
        }

        return builder.Build();
    }

    private static ArrayData EmptyData(Apache.Arrow.Types.IArrowType type) => type switch
    {
        Apache.Arrow.Types.StringType => new ArrayData(type, 0, 0, 0, [ArrowBuffer.Empty, new ArrowBuffer(new byte[4]), ArrowBuffer.Empty]),
        _ => new ArrayData(type, 0, 0, 0, [ArrowBuffer.Empty, ArrowBuffer.Empty]),
    };
}
