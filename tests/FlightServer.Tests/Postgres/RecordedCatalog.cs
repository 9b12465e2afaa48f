using System.IO.Compression;
using System.Text.Json;
using System.Text.RegularExpressions;
using LakeHolo.FlightServer.Tests.Harness;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>Statements about the catalog that 19 clients sent to a PostgreSQL 15, and the columns that it answered with.</summary>
internal static partial class RecordedCatalog
{
    /// <summary>Number and text of each statement.</summary>
    public static IReadOnlyList<(int Number, string Sql)> Statements { get; } = [.. Blocks().Split(Read("catalog-queries.sql")).Skip(1).Chunk(2).Where(c => c.Length == 2)
        .Select(c => (int.Parse(c[0]), c[1][(c[1].IndexOf('\n') + 1)..].Trim().TrimEnd(';')))];

    /// <summary>Names and types of the columns by number; none where there was no result.</summary>
    public static IReadOnlyDictionary<int, (string Name, string Type)[]> Results { get; } = Read("results.jsonl").Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(l => JsonDocument.Parse(l).RootElement)
        .GroupBy(r => r.GetProperty("query").GetInt32())
        .ToDictionary(g => g.Key, g => g.First().TryGetProperty("columns", out JsonElement columns) && columns.ValueKind == JsonValueKind.Array
            ? columns.EnumerateArray().Select(c => (c[0].GetString()!, c[1].GetString()!)).ToArray()
            : []);

    /// <summary>The catalog of the recorded server's tables.</summary>
    public static void Fill(DuckDbQueryService service)
    {
        service.Run("CREATE SCHEMA lakeholo");
        service.Run("CREATE TABLE lakeholo.tables(source VARCHAR, schema VARCHAR, name VARCHAR, layer VARCHAR, format VARCHAR, row_count BIGINT, size_bytes BIGINT, primary_key VARCHAR)");
        service.Run("INSERT INTO lakeholo.tables VALUES ('lake','dwd','orders','dwd','delta',100,4096,'order_id'), ('lake','dwd','products','dwd','paimon',3,1024,'sku, region'), ('lake','dws','sales_daily','dws','hudi',100,2048,'')");
        service.Run("CREATE TABLE lakeholo.columns(source VARCHAR, schema VARCHAR, \"table\" VARCHAR, position INTEGER, name VARCHAR, data_type VARCHAR, is_nullable BOOLEAN, comment VARCHAR)");
        (string Table, string Columns)[] tables =
        [
            ("dwd.orders", "order_id BIGINT,customer VARCHAR,amount DECIMAL(12;2),qty INTEGER,weight DOUBLE,ratio FLOAT,small SMALLINT,paid BOOLEAN,order_date DATE,at_time TIME,created_at TIMESTAMP,updated_at TIMESTAMPTZ,note VARCHAR,raw BLOB,doc JSON,tags VARCHAR[],nums INTEGER[]"),
            ("dwd.products", "sku VARCHAR,region VARCHAR,name VARCHAR,price DECIMAL(38;10)"),
            ("dws.sales_daily", "dt DATE,customer VARCHAR,total DECIMAL(18;2),cnt BIGINT"),
        ];
        foreach ((string table, string columns) in tables)
        {
            string[] each = columns.Split(',');
            for (int i = 0; i < each.Length; i++)
            {
                string[] parts = each[i].Split(' ', 2);
                string comment = parts[0] == "amount" ? "'with tax'" : "NULL";
                service.Run($"INSERT INTO lakeholo.columns VALUES ('lake','{table.Split('.')[0]}','{table.Split('.')[1]}',{i + 1},'{parts[0]}','{parts[1].Replace(';', ',')}',true,{comment})");
            }
        }
    }

    private static string Read(string name)
    {
        using ZipArchive zip = ZipFile.OpenRead(Path.Combine(AppContext.BaseDirectory, "Postgres", "recorded", "catalog.zip"));
        using var reader = new StreamReader(zip.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"^-- (\d+) \[", RegexOptions.Multiline)]
    private static partial Regex Blocks();
}
