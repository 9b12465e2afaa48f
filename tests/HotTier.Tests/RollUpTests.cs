using System.Globalization;
using System.Text.Json;

namespace LakeHolo.HotTier.Tests;

/// <summary>Roll-ups follow their table group by group, to the last bit of what their text gives.</summary>
public sealed class RollUpTests : IAsyncLifetime
{
    private const string All = "SELECT shop, kind % 2 AS odd, count(*) AS n, count(big) AS counted, sum(big) AS total, sum(price) AS revenue, avg(big) AS mean_big, avg(price) AS mean, avg(small) AS mean_small, "
        + "min(price) AS least, max(name) AS last, min(CAST(small AS DOUBLE)) AS d FROM dwd.sales WHERE small <> 7 GROUP BY shop, 2";

    private readonly SmallLake _lake = new();

    public async ValueTask InitializeAsync()
    {
        Write(1, 1, 4000);
        Commit([1], []);
        await _lake.StartAsync();
    }

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    [Fact]
    public async Task Random_files_come_change_and_go_and_every_group_is_what_the_query_gives()
    {
        await _lake.RowsAsync($"PROMOTE QUERY r AS {All}");
        var random = new Random(20261126);
        var files = new List<int> { 1 };
        var how = new HashSet<string>();
        for (int step = 2; step < 40; step++)
        {
            int[] gone = [.. files.Where(_ => random.Next(4) == 0)];
            int[] come = [.. Enumerable.Range(step * 10, random.Next(1, 4))];
            foreach (int file in come)
            {
                // Some hold what others held, so that groups come out as they were.
                Write(file, random.Next(3), random.Next(1, 3000));
            }

            files = [.. files.Except(gone), .. come];
            Commit(come, gone);
            await _lake.RowsAsync("REFRESH QUERY r");
            (string[] rows, string tiers) = await _lake.AnswerAsync("FROM hot.r");
            Assert.Equal("hot", tiers);
            Assert.Equal((await _lake.AnswerAsync(All)).Rows, rows);
            how.Add(await HowAsync());
        }

        Assert.Equal(["groups", "groups+looked up"], how.Order());
        Assert.Equal("verified", (await _lake.RowsAsync("VERIFY QUERY r"))[0].Split('|')[1]);
    }

    [Theory]
    [InlineData("SELECT shop, sum(price) AS s FROM dwd.sales GROUP BY ALL ORDER BY s", "groups")]
    [InlineData("SELECT upper(s.shop) AS shout, max(s.big) AS m FROM dwd.sales s GROUP BY shout", "groups")]
    [InlineData("SELECT upper(s.shop) AS shout, kind, count(*) AS n FROM dwd.sales s GROUP BY kind, upper(shop)", "groups")]
    [InlineData("SELECT shop, sum(price) AS s FROM dwd.sales GROUP BY shop, kind", "rebuild: the query was run anew: its groups are not among its columns")]
    [InlineData("SELECT shop, sum(price) AS s FROM dwd.sales GROUP BY ROLLUP (shop)", "rebuild: the query was run anew: it has no groups, or several sets of them")]
    [InlineData("SELECT sum(price) AS s FROM dwd.sales", "rebuild: the query was run anew: it has no groups, or several sets of them")]
    [InlineData("SELECT shop, sum(price) AS s FROM dwd.sales GROUP BY shop HAVING count(*) > 5", "rebuild: the query was run anew: it leaves groups out")]
    [InlineData("SELECT shop, sum(price) AS s FROM dwd.sales GROUP BY shop ORDER BY s LIMIT 1", "rebuild: the query was run anew: it leaves groups out")]
    [InlineData("SELECT shop, sum(CAST(small AS DOUBLE)) AS s FROM dwd.sales GROUP BY shop", "rebuild: the query was run anew: sums of such numbers depend on the order in which they are added")]
    [InlineData("SELECT shop, count(DISTINCT kind) AS s FROM dwd.sales GROUP BY shop", "rebuild: the query was run anew: it has other columns than groups, count, sum, avg, min and max")]
    [InlineData("SELECT shop, sum(price) + 1 AS s FROM dwd.sales GROUP BY ALL", "rebuild: the query was run anew: its parts do not stand alone")]
    [InlineData("SELECT shop, sum(price) FILTER (kind > 3) AS s FROM dwd.sales GROUP BY shop", "rebuild: the query was run anew: it has other columns than groups, count, sum, avg, min and max")]
    [InlineData("SELECT a.shop, count(*) AS n FROM dwd.sales a JOIN dwd.sales b USING (id) GROUP BY a.shop", "rebuild: the query was run anew: it is not over one table")]
    public async Task It_says_whether_it_followed_or_why_it_was_run_anew_and_is_right_either_way(string sql, string how)
    {
        await _lake.RowsAsync($"PROMOTE QUERY r AS {sql}");
        Write(2, 5, 50);
        Commit([2], []);
        await _lake.RowsAsync("REFRESH QUERY r");
        Assert.Equal((await _lake.AnswerAsync(sql)).Rows, (await _lake.AnswerAsync("FROM hot.r")).Rows);
        Assert.StartsWith(how, await HowAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_goes_on_following_after_its_table_was_rewritten_and_its_file_was_written_anew()
    {
        await _lake.RowsAsync("PROMOTE QUERY r AS SELECT id % 20000 AS k, count(*) AS n, avg(price) AS mean FROM dwd.sales GROUP BY 1");
        for (int i = 0; i < 12; i++)
        {
            // Every group changes each time: the file would grow without bound.
            Write(i + 2, i, 60_000);
            Commit([i + 2], [i + 1]);
            await _lake.RowsAsync("REFRESH QUERY r");
            Assert.Equal("groups", await HowAsync());
        }

        Assert.Equal((await _lake.AnswerAsync("SELECT id % 20000 AS k, count(*) AS n, avg(price) AS mean FROM dwd.sales GROUP BY 1")).Rows, (await _lake.AnswerAsync("FROM hot.r")).Rows);
        long grown = long.Parse(await _lake.ValueAsync("SELECT size_bytes FROM lakeholo.hot_tables"), CultureInfo.InvariantCulture);
        await _lake.RowsAsync("DEMOTE QUERY r");
        await _lake.RowsAsync("PROMOTE QUERY r AS SELECT id % 20000 AS k, count(*) AS n, avg(price) AS mean FROM dwd.sales GROUP BY 1");
        long fresh = long.Parse(await _lake.ValueAsync("SELECT size_bytes FROM lakeholo.hot_tables"), CultureInfo.InvariantCulture);
        Assert.InRange(grown, 1, fresh * 3 / 2);
    }

    [Fact]
    public async Task Files_of_a_plain_folder_that_were_added_are_followed_and_what_was_replaced_is_read_anew()
    {
        const string Sql = "SELECT day, sum(x) AS s FROM dwd.plain GROUP BY day";
        _lake.Write("dwd/plain/1.parquet", "SELECT i % 5 AS day, i AS x FROM range(100) t(i)");
        await _lake.Instance.Catalog.SyncAsync(_lake.Instance.Catalog.Sources[0]);
        await _lake.RowsAsync($"PROMOTE QUERY r AS {Sql}");
        foreach ((string file, string how) in ((string, string)[])[("2", "groups"), ("2", "rebuild: what files held that were replaced cannot be read any more"), ("3", "groups")])
        {
            _lake.Write($"dwd/plain/{file}.parquet", $"SELECT i % 7 AS day, i + {how.Length} AS x FROM range(50) t(i)");
            await _lake.RowsAsync("REFRESH QUERY r");
            Assert.Equal(how, await HowAsync());
            Assert.Equal((await _lake.AnswerAsync(Sql)).Rows, (await _lake.AnswerAsync("FROM hot.r")).Rows);
        }
    }

    private async Task<string> HowAsync() => await _lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables");

    private static string Name(int file) => string.Create(CultureInfo.InvariantCulture, $"dwd/sales/{file}.parquet");

    // A commit of a Delta table: the files that come and those that go.
    private void Commit(int[] come, int[] gone)
    {
        string log = Path.Combine(_lake.Directory, "dwd/sales/_delta_log");
        Directory.CreateDirectory(log);
        int version = Directory.GetFiles(log).Length;
        (string Name, string Type)[] named = [("id", "long"), ("shop", "string"), ("kind", "integer"), ("big", "long"), ("price", "decimal(12,2)"), ("small", "integer"), ("name", "string")];
        string[] columns = [.. named.Select(c => JsonSerializer.Serialize(new { name = c.Name, type = c.Type, nullable = true, metadata = new { } }))];
        string schema = JsonSerializer.Serialize($"{{\"type\":\"struct\",\"fields\":[{string.Join(',', columns)}]}}");
        string[] start = version > 0 ? [] : ["""{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}""", $$$"""{"metaData":{"id":"1","format":{"provider":"parquet","options":{}},"schemaString":{{{schema}}},"partitionColumns":[],"configuration":{} } }"""];
        IEnumerable<string> adds = come.Select(f => $$$"""{"add":{"path":"{{{f}}}.parquet","partitionValues":{},"size":{{{new FileInfo(Path.Combine(_lake.Directory, Name(f))).Length}}},"modificationTime":0,"dataChange":true}}""");
        IEnumerable<string> removes = gone.Select(f => $$$"""{"remove":{"path":"{{{f}}}.parquet","dataChange":true,"deletionTimestamp":0}}""");
        string path = Path.Combine(log, version.ToString("D20", CultureInfo.InvariantCulture) + ".json");
        File.WriteAllLines(path + ".tmp", [.. start, .. removes, .. adds]);
        File.Move(path + ".tmp", path);
    }

    private void Write(int file, int seed, int rows) => _lake.Write(Name(file), string.Create(CultureInfo.InvariantCulture, $"""
        SELECT i AS id, CASE h % 5 WHEN 0 THEN NULL ELSE 'shop ' || (h % 3) END AS shop, (h % 7)::INTEGER AS kind,
          CASE WHEN h % 11 = 0 THEN NULL ELSE (h % 9000000000000)::BIGINT - 4000000000000 END AS big, CASE WHEN h % 13 = 0 THEN NULL ELSE ((h % 10000019)::BIGINT - 5000000)::DECIMAL(12, 2) / 100 END::DECIMAL(12, 2) AS price,
          (h % 1000)::INTEGER AS small, 'n' || (h % 100000) AS name
        FROM (SELECT i, hash(i + {seed}) // 4 AS h FROM range({rows}) t(i))
        """));
}
