using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Types;

namespace LakeHolo.FlightServer.Postgres.Catalog;

/// <summary>A table as the catalog shows it.</summary>
internal sealed record LakeTableInfo(
    string Schema, string Name, string? Layer, string? Format, long Rows, long Bytes, IReadOnlyList<string> PrimaryKey, IReadOnlyList<LakeColumnInfo> Columns);

/// <summary>A column of one.</summary>
internal sealed record LakeColumnInfo(string Name, string EngineType, bool IsNullable, string? Comment)
{
    public (PgType Type, int Modifier) Pg { get; } = EngineTypes.OfName(EngineType);
}

/// <summary>What a session may see of one source, read by its own rights.</summary>
internal sealed record CatalogContent(string Database, IReadOnlyList<string> Databases, IReadOnlyList<LakeTableInfo> Tables, string Fingerprint)
{
    public static async ValueTask<CatalogContent> ReadAsync(IQueryService service, QuerySession session, string database, CancellationToken cancellationToken)
    {
        CatalogListing listing = await service.ListCatalogAsync(session, new CatalogFilter(null, null, null, [], IncludeSchemas: false), cancellationToken);
        Dictionary<(string, string), List<LakeColumnInfo>> columns = [];
        foreach (string?[] c in await RowsAsync(service, session, "SELECT source, schema, \"table\", name, data_type, CAST(is_nullable AS VARCHAR), comment FROM lakeholo.columns ORDER BY source, schema, \"table\", position", cancellationToken))
        {
            if (c[0] == database)
            {
                if (!columns.TryGetValue((c[1]!, c[2]!), out List<LakeColumnInfo>? list))
                {
                    columns[(c[1]!, c[2]!)] = list = [];
                }

                list.Add(new LakeColumnInfo(c[3]!, c[4]!, c[5] != "false", c[6]));
            }
        }

        var tables = new List<LakeTableInfo>();
        foreach (string?[] t in await RowsAsync(
            service, session,
            "SELECT source, schema, name, layer, format, CAST(row_count AS VARCHAR), CAST(size_bytes AS VARCHAR), primary_key FROM lakeholo.tables ORDER BY source, schema, name",
            cancellationToken))
        {
            if (t[0] == database)
            {
                tables.Add(new LakeTableInfo(
                    t[1]!, t[2]!, t[3], t[4], Number(t[5]), Number(t[6]), [.. (t[7] ?? string.Empty).Split(", ", StringSplitOptions.RemoveEmptyEntries)],
                    columns.GetValueOrDefault((t[1]!, t[2]!), [])));
            }
        }

        return new CatalogContent(database, listing.Catalogs, tables, FingerprintOf(database, listing.Catalogs, tables));
    }

    private static long Number(string? text) => long.TryParse(text, CultureInfo.InvariantCulture, out long value) ? value : -1;

    private static string FingerprintOf(string database, IReadOnlyList<string> databases, List<LakeTableInfo> tables)
    {
        var text = new StringBuilder(database).AppendJoin('\n', databases);
        foreach (LakeTableInfo t in tables)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{t.Schema}\0{t.Name}\0{t.Layer}\0{t.Format}\0{t.Rows}\0{t.Bytes}\0").AppendJoin('\0', t.PrimaryKey);
            foreach (LakeColumnInfo c in t.Columns)
            {
                text.Append(CultureInfo.InvariantCulture, $"\0{c.Name}\0{c.EngineType}\0{c.IsNullable}\0{c.Comment}");
            }
        }

        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static async ValueTask<List<string?[]>> RowsAsync(IQueryService service, QuerySession session, string sql, CancellationToken cancellationToken)
    {
        var rows = new List<string?[]>();
        IPreparedQuery query = await service.PrepareAsync(session, sql, cancellationToken);
        await using IQueryResult result = await query.ExecuteAsync(session, null, 0, cancellationToken);
        await foreach (RecordBatch batch in result.ReadBatchesAsync(cancellationToken))
        {
            using (batch)
            {
                for (int r = 0; r < batch.Length; r++)
                {
                    rows.Add([.. Enumerable.Range(0, batch.ColumnCount).Select(c => ((StringArray)batch.Column(c)).GetString(r))]);
                }
            }
        }

        return rows;
    }
}
