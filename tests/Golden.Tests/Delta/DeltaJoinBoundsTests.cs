using System.Globalization;
using Apache.Arrow;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>What the other side of a join says of a column prunes files too where the engine derives it, and changes no answer.</summary>
public sealed class DeltaJoinBoundsTests : IAsyncLifetime
{
    private const int FileCount = 20;
    private const int RowsInFile = 50;

    private readonly HandMadeTable _facts = new("facts");
    private LakeInstance _lake = null!;
    private QuerySession _session = null!;

    // k: 0 to 999, 50 a file; p: the file's number modulo 4, a partition value; n: NULL in every seventh row; d: a day a file; x: k / 100.
    public async ValueTask InitializeAsync()
    {
        string[] adds = [.. Enumerable.Range(0, FileCount).Select(i =>
        {
            long size = _facts.WriteFile($"{i}.parquet", string.Create(CultureInfo.InvariantCulture,
                $"SELECT k::INTEGER AS k, CASE WHEN k % 7 > 0 THEN k % 13 END::INTEGER AS n, DATE '2024-01-01' + (k // {RowsInFile})::INTEGER AS d, (k / 100)::DECIMAL(9,2) AS x FROM range({i * RowsInFile}, {(i + 1) * RowsInFile}) r(k)"));
            string stats = string.Create(CultureInfo.InvariantCulture,
                $$$"""{"numRecords":{{{RowsInFile}}},"minValues":{"k":{{{i * RowsInFile}}},"n":0,"d":"{{{Day(i)}}}","x":{{{i * 0.5m}}}},"maxValues":{"k":{{{(i * RowsInFile) + RowsInFile - 1}}},"n":12,"d":"{{{Day(i)}}}","x":{{{(i * 0.5m) + 0.49m}}}},"nullCount":{"k":0,"n":7,"d":0,"x":0}}""");
            return HandMadeTable.Add($"{i}.parquet", size, stats, new() { ["p"] = (i % 4).ToString(CultureInfo.InvariantCulture) });
        })];
        _facts.Commit(0, [.. HandMadeTable.Create(["k integer", "n integer", "d date", "x decimal(9,2)", "p integer"], ["p"]), .. adds]);
        System.IO.Directory.CreateDirectory(_facts.File("dims"));
        _ = _facts.WriteFile("../dims/1.parquet", "SELECT i * 37 % 1100 AS k, i % 4 AS p, 'name ' || i AS name, CASE WHEN i % 5 > 0 THEN i % 13 END AS n FROM range(0, 60) r(i)");
        _lake = await LakeInstance.StartAsync(
            new LakeOptions
            {
                Sources = [new LakeSource { Name = "l", Root = new TableRoot(new LocalFolderStore(_facts.Folder), string.Empty) }],
                DataDirectory = _facts.File("cache/data"),
            },
            NullLoggerFactory.Instance,
            TimeProvider.System);
        _session = _lake.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
    }

    public async ValueTask DisposeAsync()
    {
        await _lake.DisposeAsync();
        _facts.Dispose();
    }

    // Lists are not handed on by the engine when it plans, nor is the side that may be missing: what it learns of them while it runs skips row groups.
    [Theory]
    [InlineData("FROM facts f JOIN dims d ON f.k = d.k WHERE d.k = 370", 1)]
    [InlineData("FROM facts f JOIN (SELECT k::INTEGER AS k FROM dims) d ON f.k = d.k WHERE d.k = 370", 1)]
    [InlineData("FROM facts f WHERE f.k::BIGINT = 370", 1)]
    [InlineData("FROM facts f WHERE TRY_CAST(f.k AS TINYINT) = 37", 1)]
    [InlineData("FROM facts f JOIN (SELECT DATE '2024-01-01' + (k::INTEGER // 37) AS d FROM dims) d ON f.d::TIMESTAMP = d.d::TIMESTAMP WHERE d.d::TIMESTAMP >= TIMESTAMP '2024-01-18 12:00:00'", FileCount)]
    [InlineData("FROM facts f JOIN (SELECT (DATE '2024-01-01' + (k // 37)::INTEGER)::TIMESTAMP AS d FROM dims) d ON f.d = d.d WHERE d.d >= TIMESTAMP '2024-01-19 00:00:00'", 2)]
    [InlineData("FROM facts f JOIN (SELECT (k / 10)::DECIMAL(18,3) AS x FROM dims) d ON f.x = d.x WHERE d.x = 3.7", 1)]
    [InlineData("FROM facts f JOIN dims d ON d.k = f.k WHERE d.k BETWEEN 120 AND 260", 4)]
    [InlineData("FROM facts f JOIN dims d USING (k) WHERE k >= 900", 2)]
    [InlineData("FROM facts f JOIN dims d ON f.k = d.k WHERE d.k IN (37, 74, 962)", FileCount)]
    [InlineData("FROM facts f JOIN dims d ON f.p = d.p WHERE d.p = 3", 5)]
    [InlineData("FROM facts f, dims d WHERE f.k = d.k AND d.k < 50 AND f.p = d.p", 1)]
    [InlineData("FROM dims d LEFT JOIN facts f ON f.k = d.k AND d.k = 370", FileCount)]
    [InlineData("FROM facts f LEFT JOIN dims d ON f.k = d.k AND d.k = 370", FileCount)]
    [InlineData("FROM facts f FULL JOIN dims d ON f.k = d.k AND d.k = 370", FileCount)]
    [InlineData("FROM facts f ANTI JOIN dims d ON f.k = d.k AND d.k = 370", FileCount)]
    public async Task A_condition_of_the_other_side_prunes_where_the_join_lets_it(string from, long files)
    {
        string[][] explained = await RowsAsync($"EXPLAIN LAKE SELECT count(*), sum(f.k), sum(f.n) {from}");
        Assert.Equal(files.ToString(CultureInfo.InvariantCulture), Assert.Single(explained, r => r[0] == "l.default.facts" && r[1] == "after statistics and indexes")[2]);
        await CompareAsync($"SELECT count(*), sum(f.k), sum(f.n) {from}");
    }

    [Fact]
    public async Task Random_joins_give_what_they_give_over_all_files()
    {
        var random = new Random(20261126);
        string Pick(params string[] of) => of[random.Next(of.Length)];
        for (int i = 0; i < 150; i++)
        {
            string side = Pick("f", "d");
            string on = Pick("f.k = d.k", "f.p = d.p", "f.n = d.n", "f.k = d.k AND f.p = d.p", "f.n IS NOT DISTINCT FROM d.n", "f.k <= d.k", "f.k = d.k + 1", "f.k BETWEEN d.k AND d.k + 5");
            string column = Pick("k", "p", "n");
            string condition = string.Create(CultureInfo.InvariantCulture, $"{side}.{column} ") + Pick("= 3", "< 40", "BETWEEN 100 AND 220", "IN (1, 2, 74)", "IS NULL", ">= 900", "<> 0");
            string join = Pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN");
            string sql = Pick(
                $"SELECT count(*), sum(f.k), count(f.n), min(d.name), sum(d.k) FROM facts f {join} dims d ON {on} WHERE {condition}",
                $"SELECT count(*), sum(f.k), count(f.n), min(d.name), sum(d.k) FROM facts f {join} dims d ON {on} AND {condition}",
                $"SELECT count(*), sum(k) FROM facts f WHERE {Pick("EXISTS", "NOT EXISTS")} (SELECT 1 FROM dims d WHERE {on} AND {condition})",
                $"SELECT count(*), sum(k) FROM facts WHERE k {Pick("IN", "NOT IN")} (SELECT k FROM dims d WHERE d.p {Pick("= 1", "> 2", "IS NULL")})",
                $"SELECT f.k, d.name FROM facts f {join} dims d ON {on} WHERE {condition} ORDER BY f.k DESC NULLS LAST, d.name NULLS LAST LIMIT 7");
            await CompareAsync(sql);
        }
    }

    private static string Day(int file) => new DateOnly(2024, 1, 1).AddDays(file).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private async Task CompareAsync(string sql)
    {
        string facts = $"(SELECT k, n, d, x, (k // {RowsInFile} % 4)::INTEGER AS p FROM read_parquet('{_facts.TableFile("*.parquet")}'))";
        string whole = $"WITH facts AS MATERIALIZED {facts}, dims AS MATERIALIZED (FROM read_parquet('{_facts.File("dims/1.parquet")}')) {sql}";
        string[] ours = [.. (await RowsAsync($"SELECT COLUMNS(*)::VARCHAR FROM ({sql})")).Select(r => $"[{string.Join(", ", r)}]").Order(StringComparer.Ordinal)];
        Assert.Equal([sql, .. _facts.Rows(whole)], (string[])[sql, .. ours]);
    }

    private async Task<string[][]> RowsAsync(string sql)
    {
        IPreparedQuery prepared = await _lake.Engine.PrepareAsync(_session, sql, TestContext.Current.CancellationToken);
        await using IQueryResult result = await prepared.ExecuteAsync(_session, null, 0, TestContext.Current.CancellationToken);
        var rows = new List<string[]>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(TestContext.Current.CancellationToken))
        {
            using (batch)
            {
                rows.AddRange(Enumerable.Range(0, batch.Length).Select(r => Enumerable.Range(0, batch.ColumnCount).Select(c => batch.Column(c) switch
                {
                    StringArray a => a.GetString(r) ?? "NULL",
                    Int64Array a => a.GetValue(r)?.ToString(CultureInfo.InvariantCulture) ?? "NULL",
                    _ => "…",
                }).ToArray()));
            }
        }

        return [.. rows];
    }
}
