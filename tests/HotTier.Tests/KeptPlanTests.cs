using System.Diagnostics.Metrics;
using System.Globalization;

namespace LakeHolo.HotTier.Tests;

/// <summary>Texts that come again over hot copies keep their plan at the engine, in which it has put what it knew of the rows: their number, the bounds of a column, how few bytes hold a value.
/// Each execution still answers for the rows of its moment.</summary>
public sealed class KeptPlanTests
{
    private static readonly string[] Statements =
    [
        "SELECT count(*) FROM dwd.t",
        "SELECT min(id), max(id), count(*) FROM dwd.t",
        "SELECT count(*) FROM dwd.t WHERE id > 100000",
        "SELECT id, name FROM dwd.t WHERE id = 100001",
        "SELECT id, count(*) FROM dwd.t GROUP BY id ORDER BY id DESC LIMIT 3",
        "SELECT DISTINCT kind FROM dwd.t ORDER BY 1",
        "SELECT count(kind), count(*), max(name) FROM dwd.t WHERE kind IS NULL OR id >= 0",
        "SELECT id, name FROM dwd.t ORDER BY id DESC LIMIT 2",
        "SELECT id FROM dwd.t ORDER BY id OFFSET 1005",
        "SELECT a.id, b.kind FROM dwd.t a JOIN dwd.t b ON a.id = b.id AND a.kind = b.kind WHERE a.id % 500 = 1 ORDER BY 1, 2",
        "SELECT count(*) FROM dwd.t a WHERE a.kind IN (SELECT max(kind) FROM dwd.t)",
        "WITH c AS MATERIALIZED (SELECT kind, count(*) AS n FROM dwd.t GROUP BY kind) SELECT x.kind, y.n FROM c x JOIN c y USING (kind) ORDER BY 1",
        "SELECT id, sum(id) OVER (ORDER BY id) FROM dwd.t ORDER BY id DESC LIMIT 2",
        "SELECT kind, name FROM dwd.t WHERE id < 2 UNION SELECT max(kind), max(name) FROM dwd.t ORDER BY ALL",
        "SELECT count(*) FROM dwd.t WHERE name LIKE 'm%'",
        "SELECT a.id, b.id FROM dwd.t a ASOF JOIN dwd.t b ON a.kind = b.kind AND a.id > b.id ORDER BY ALL", // run again, the plans of this and the next bring the engine down
        "SELECT count(*), sum(b.id) FROM dwd.t a JOIN dwd.t b ON a.id < b.id AND a.kind > b.kind",
        "SELECT count(*) FROM dwd.t a FULL JOIN dwd.t b ON a.id = b.id + 1",
        "SELECT kind, name, count(*) FROM dwd.t GROUP BY GROUPING SETS ((kind), (name), ()) ORDER BY ALL",
        "SELECT DISTINCT ON (kind) kind, id FROM dwd.t ORDER BY kind, id",
        "WITH RECURSIVE r AS (SELECT 1::BIGINT AS n UNION ALL SELECT n + 1 FROM r WHERE n < 20) SELECT n, name FROM r JOIN dwd.t ON n = id ORDER BY ALL",
        "SELECT id FROM dwd.t a WHERE NOT EXISTS (SELECT 1 FROM dwd.t b WHERE b.id = a.id + 1) ORDER BY 1",
    ];

    [Fact]
    public async Task Each_execution_answers_for_the_rows_of_its_moment()
    {
        await using SmallLake lake = await new SmallLake().StartAsync();
        lake.Write("dwd/t/a.parquet", "SELECT i AS id, 'n' || i % 10 AS name, (i % 5)::INTEGER AS kind FROM range(1000) t(i)");
        await lake.RowsAsync("SYNC");
        await lake.RowsAsync("PROMOTE TABLE dwd.t");
        for (int step = 0; step < 4; step++)
        {
            foreach (string sql in Statements)
            {
                await lake.RowsAsync("SET tier = 'lake'");
                (string[] expected, string lakeTier) = await lake.AnswerAsync(sql);
                Assert.StartsWith("lake", lakeTier, StringComparison.Ordinal);
                await lake.RowsAsync("SET tier = 'hot'");
                for (int again = 0; again < 4; again++)
                {
                    (string[] rows, string tier) = await lake.AnswerAsync(sql);
                    Assert.True(expected.SequenceEqual(rows), $"{sql}, step {step}, execution {again}: {string.Join(" / ", rows.Take(3))} for {string.Join(" / ", expected.Take(3))}");
                    Assert.StartsWith("hot", tier, StringComparison.Ordinal);
                }
            }

            // Rows beyond all that the engine knew: greater, less, NULL, and more of them; then fewer.
            string scale = (step switch { 0 => 100L, 1 => 100_000L, _ => 10_000_000_000L }).ToString(CultureInfo.InvariantCulture);
            lake.Write("dwd/t/b.parquet", $"SELECT (i - 3) * {scale} + 1 AS id, 'm' || i AS name, CASE WHEN i % 3 = 0 THEN NULL ELSE (i * 70000)::INTEGER END AS kind FROM range({10 * (4 - step)}) t(i)");
            await lake.RowsAsync("REFRESH TABLE dwd.t");
        }
    }

    [Fact]
    public async Task The_second_time_a_plan_is_made_to_be_kept_and_from_the_third_on_it_serves_as_long_as_the_rows_stand()
    {
        await using SmallLake lake = await new SmallLake().StartAsync();
        lake.Write("dwd/t/a.parquet", "SELECT i AS id FROM range(1000) t(i)");
        await lake.RowsAsync("SYNC");
        await lake.RowsAsync("PROMOTE TABLE dwd.t");
        long own = 0;
        using var listener = new MeterListener { InstrumentPublished = (i, l) => { if (i.Name == "lakeholo.statement.kept_plan") { l.EnableMeasurementEvents(i); } } };
        listener.SetMeasurementEventCallback<long>((_, n, _, _) => { own += Counted.Value ? n : 0; });
        listener.Start();
        foreach ((string sql, long expected) in new[]
        {
            ("SELECT count(*) FROM dwd.t WHERE id % 2 = 0", 3L), ("SELECT count(*) FROM dwd.t WHERE id % 2 = 0 OR id > random()", 0), ("SELECT id FROM dwd.t ORDER BY id LIMIT 1 OFFSET 7", 0),
            ("SELECT count(*) FROM dwd.t TABLESAMPLE reservoir(10 ROWS)", 0), ("SELECT count(*) FROM lakeholo.tables", 0),
        })
        {
            Assert.Equal(expected, await CountAsync(sql, 5));
        }

        lake.Write("dwd/t/b.parquet", "SELECT i AS id FROM range(1000, 1010) t(i)");
        await lake.RowsAsync("REFRESH TABLE dwd.t");
        Assert.Equal(4, await CountAsync("SELECT count(*) FROM dwd.t WHERE id % 2 = 0", 5));
        await lake.RowsAsync("SET tier = 'lake'");
        Assert.Equal(0, await CountAsync("SELECT count(*) FROM dwd.t WHERE id % 2 = 0", 5));

        async Task<long> CountAsync(string sql, int times)
        {
            own = 0;
            Counted.Value = true;
            for (int i = 0; i < times; i++)
            {
                await lake.RowsAsync(sql);
            }

            Counted.Value = false;
            return own;
        }
    }

    // Other tests run beside; what a statement does flows with its calls.
    private static readonly AsyncLocal<bool> Counted = new();
}
