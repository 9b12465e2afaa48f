using System.Globalization;
using System.Text.Json;
using Apache.Arrow;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog;

namespace LakeHolo.HotTier.Tests;

/// <summary>Statements with parameters over hot copies keep their plan and their place at the engine: every execution still answers for its own values and for the snapshot of its start.</summary>
public sealed class PreparedOverCopiesTests
{
    private const string Table = "SELECT i AS id, 'n' || i % 10 AS name, (i * 1.5)::DOUBLE AS price, CASE WHEN i % 7 = 0 THEN NULL ELSE i % 5 END::INTEGER AS kind, {'x': i} AS place FROM range(1000) t(i)";

    [Fact]
    public async Task Answers_are_those_of_the_lake_for_whatever_values_come_in_whatever_order()
    {
        await using SmallLake lake = await PromotedAsync(Table);
        QuerySession hot = Open(lake, "hot");
        QuerySession cold = Open(lake, "lake");
        (string Sql, object?[][] Values)[] statements =
        [
            ("SELECT id, name FROM dwd.t WHERE id = $1", [[null], [7L], [7], [999L], [-1L], [(short)3], ["12"], [2.0], [null], [8L]]),
            ("SELECT * FROM dwd.t WHERE id = $1", [[1L], [2L], [3L], [null]]),
            ("SELECT count(*) FROM dwd.t WHERE $1", [[false], [true], [null], [true]]),
            ("SELECT count(*), sum(price) FROM dwd.t WHERE kind IS NOT DISTINCT FROM $1 AND name <> $2", [[null, "n1"], [1, "n2"], [2, null], [3, "n3"], [null, "n1"]]),
            ("SELECT a.id, b.name FROM dwd.t a JOIN dwd.t b ON a.id = b.kind WHERE b.id = $1 ORDER BY 1", [[8L], [9L], [7L], [8L]]),
            ("SELECT id + $1 AS moved FROM dwd.t WHERE id < 3 ORDER BY 1", [[1], [1L], [1.5], [2], [2L], [2.5]]),
            ("SELECT id, place.x FROM dwd.t WHERE place.x BETWEEN $1 AND $2 ORDER BY id LIMIT 5", [[0L, 3L], [990L, 2000L], [5L, 1L], [998L, 998L]]),
            ("SELECT name FROM dwd.t WHERE id = CAST($1 AS INTEGER)", [["1"], ["2"], ["3"]]),
            ("SELECT id FROM dwd.t WHERE id >= $1 ORDER BY id", [[990L], [0L], [995L], [0L], [990L]]),
        ];
        foreach ((string sql, object?[][] values) in statements)
        {
            IPreparedQuery inCopy = await lake.Instance.Engine.PrepareAsync(hot, sql, default);
            IPreparedQuery inLake = await lake.Instance.Engine.PrepareAsync(cold, sql, default);
            for (int round = 0; round < 3; round++)
            {
                foreach (object?[] row in values)
                {
                    (string expected, string tier) = await RunAsync(inLake, cold, row);
                    Assert.Equal("lake", tier);
                    Assert.Equal((expected, "hot"), await RunAsync(inCopy, hot, row));
                }
            }
        }
    }

    [Fact]
    public async Task An_error_of_a_value_is_told_each_time_and_hurts_no_other_execution()
    {
        await using SmallLake lake = await PromotedAsync(Table);
        QuerySession session = Open(lake, "hot");
        IPreparedQuery prepared = await lake.Instance.Engine.PrepareAsync(session, "SELECT name FROM dwd.t WHERE id = CAST($1 AS INTEGER)", default);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("n7", (await RunAsync(prepared, session, ["7"])).Rows);
            LakeException e = await Assert.ThrowsAsync<LakeException>(() => RunAsync(prepared, session, ["seven"]));
            Assert.Equal(LakeErrorKind.QueryInvalid, e.Kind);
            Assert.Contains("Could not convert string 'seven'", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Each_execution_sees_the_newest_snapshot_through_refreshes_rebuilds_and_demotion()
    {
        await using SmallLake lake = await PromotedAsync(Table);
        QuerySession session = Open(lake, "auto");
        IPreparedQuery prepared = await lake.Instance.Engine.PrepareAsync(session, "SELECT count(*) FROM dwd.t WHERE id >= $1", default);
        for (int i = 0; i < 6; i++)
        {
            string expected = (1000 + (i * 10)).ToString(CultureInfo.InvariantCulture);
            for (int again = 0; again < 3; again++)
            {
                Assert.Equal((expected, "hot"), await RunAsync(prepared, session, [0L]));
            }

            lake.Write($"dwd/t/more-{i}.parquet", $"SELECT i + {1000 + (i * 10)} AS id, 'm' AS name, 1.0::DOUBLE AS price, 1::INTEGER AS kind, {{'x': i}} AS place FROM range(10) t(i)");
            Assert.Equal(((1010 + (i * 10)).ToString(CultureInfo.InvariantCulture), "lake"), await RunAsync(prepared, session, [0L]));
            await lake.RowsAsync(i % 2 == 0 ? "REFRESH TABLE dwd.t" : "PROMOTE TABLE dwd.t");
        }

        await lake.RowsAsync("DEMOTE TABLE dwd.t");
        Assert.Equal(("1060", "lake"), await RunAsync(prepared, session, [0L]));
    }

    [Fact]
    public async Task Many_at_once_while_the_copy_is_refreshed_never_see_a_commit_in_part()
    {
        await using SmallLake lake = await PromotedAsync("SELECT i AS id, CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END AS v FROM range(1000) t(i)");
        using var stop = new CancellationTokenSource();
        var counts = new System.Collections.Concurrent.ConcurrentDictionary<string, bool>();
        Task[] readers = [.. Enumerable.Range(0, 16).Select(n => Task.Run(async () =>
        {
            QuerySession session = Open(lake, "auto", n % 2 == 0 ? "0s" : "10s");
            IPreparedQuery sums = await lake.Instance.Engine.PrepareAsync(session, "SELECT sum(v)::BIGINT, count(*) FROM dwd.t WHERE id >= $1", default);
            IPreparedQuery one = await lake.Instance.Engine.PrepareAsync(session, "SELECT id FROM dwd.t WHERE id = $1", default);
            for (long i = 0; !stop.IsCancellationRequested; i = (i + 7) % 1000)
            {
                string[] answer = (await RunAsync(sums, session, [0L])).Rows.Split('|');
                Assert.Equal("0", answer[0]);
                counts[answer[1]] = true;
                Assert.Equal(i.ToString(CultureInfo.InvariantCulture), (await RunAsync(one, session, [i])).Rows);
            }
        }))];
        try
        {
            for (int i = 0; i < 8; i++)
            {
                lake.Write($"dwd/t/more-{i}.parquet", $"SELECT {1000 + (i * 100)} + i AS id, CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END AS v FROM range(100) t(i)");
                await lake.RowsAsync("REFRESH TABLE dwd.t").WaitAsync(TimeSpan.FromMinutes(1));
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(readers).WaitAsync(TimeSpan.FromMinutes(1));
        }

        Assert.All(counts.Keys, c => Assert.Equal(0, int.Parse(c, CultureInfo.InvariantCulture) % 100));
        Assert.True(counts.Count > 1);
    }

    [Fact]
    public async Task What_depends_on_the_clock_on_chance_or_on_who_asks_is_told_anew_each_time()
    {
        await using SmallLake lake = await PromotedAsync(Table);
        QuerySession session = Open(lake, "hot");
        foreach (string changing in new[] { "epoch_us(now()) // 1000", "random()", "uuid()" })
        {
            IPreparedQuery prepared = await lake.Instance.Engine.PrepareAsync(session, $"SELECT ({changing})::VARCHAR FROM dwd.t WHERE id = $1", default);
            var seen = new HashSet<string>();
            for (int i = 0; i < 6; i++)
            {
                Assert.True(seen.Add((await RunAsync(prepared, session, [7L])).Rows), changing);
                await Task.Delay(3);
            }
        }

        for (int i = 0; i < 3; i++)
        {
            foreach (string user in new[] { "ann", "bob" })
            {
                QuerySession own = Open(lake, "hot", user: user);
                IPreparedQuery prepared = await lake.Instance.Engine.PrepareAsync(own, "SELECT current_user FROM dwd.t WHERE id = $1", default);
                Assert.Equal((user, "hot"), await RunAsync(prepared, own, [7L]));
            }
        }
    }

    [Fact]
    public async Task Users_with_filters_masks_or_no_grant_get_their_own_answers_whoever_asked_before()
    {
        await using var lake = new SmallLake();
        lake.Write("dwd/t/a.parquet", "SELECT i AS id, 'secret' || i AS name FROM range(100) t(i)");
        var grant = new TableGrant("roles, reader") { Tables = "dwd.t", Filter = "id % 2 = 0", Masks = new Dictionary<string, string> { ["name"] = "'***'" } };
        await lake.StartAsync(configure: o => o with
        {
            Access = new AccessOptions
            {
                Roles = [new AccessRole("reader") { Grants = [grant] }, new AccessRole("nobody"), new AccessRole("admin") { IsAdmin = true, Grants = [new TableGrant("roles, admin") { Tables = "*" }] }],
                Users = new Dictionary<string, IReadOnlyList<string>> { ["ann"] = ["reader"], ["bob"] = ["nobody"], ["test"] = ["admin"] },
            },
        });
        await lake.RowsAsync("PROMOTE TABLE dwd.t");
        const string Sql = "SELECT id, name FROM dwd.t WHERE id IN ($1, $2) ORDER BY id";
        QuerySession all = Open(lake, "hot");
        QuerySession ann = Open(lake, "hot", user: "ann");
        QuerySession bob = Open(lake, "hot", user: "bob");
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(("3|secret3\n4|secret4", "hot"), await RunAsync(await lake.Instance.Engine.PrepareAsync(all, Sql, default), all, [3L, 4L]));
            Assert.Equal(("4|***", "hot"), await RunAsync(await lake.Instance.Engine.PrepareAsync(ann, Sql, default), ann, [3L, 4L]));
            LakeException e = await Assert.ThrowsAsync<LakeException>(async () => await RunAsync(await lake.Instance.Engine.PrepareAsync(bob, Sql, default), bob, [3L, 4L]));
            Assert.Equal(LakeErrorKind.NotFound, e.Kind);
        }
    }

    [Fact]
    public async Task A_table_whose_columns_changed_answers_with_the_new_ones()
    {
        await using SmallLake lake = await new SmallLake().StartAsync();
        QuerySession session = Open(lake, "hot");
        foreach ((string column, string expected) in new[] { ("7::INTEGER", "7"), ("8::BIGINT", "8"), ("'text'", "text"), ("1.5::DOUBLE", "1.5"), ("9::INTEGER", "9") })
        {
            lake.Write("dwd/t/a.parquet", $"SELECT i AS id, {column} AS v FROM range(10) t(i)");
            await lake.RowsAsync("SYNC");
            await lake.RowsAsync("PROMOTE TABLE dwd.t");
            IPreparedQuery prepared = await lake.Instance.Engine.PrepareAsync(session, "SELECT v FROM dwd.t WHERE id = $1", default);
            for (int i = 0; i < 3; i++)
            {
                Assert.Equal((expected, "hot"), await RunAsync(prepared, session, [3L]));
            }
        }
    }

    /// <summary>A lake whose only table, of these rows, is hot.</summary>
    private static async Task<SmallLake> PromotedAsync(string rows)
    {
        SmallLake lake = await new SmallLake().StartAsync();
        lake.Write("dwd/t/a.parquet", rows);
        await lake.RowsAsync("SYNC");
        await lake.RowsAsync("PROMOTE TABLE dwd.t");
        return lake;
    }

    private static QuerySession Open(SmallLake lake, string tier, string staleness = "0s", string user = "test")
    {
        QuerySession session = lake.Instance.Engine.OpenSession(new SessionIdentity(user, "local", "xunit"));
        session.Options["tier"] = tier;
        session.Options["max_staleness"] = staleness;
        return session;
    }

    private static async Task<(string Rows, string Tier)> RunAsync(IPreparedQuery prepared, QuerySession session, object?[] values)
    {
        await using IQueryResult result = await prepared.ExecuteAsync(session, values, default);
        using JsonDocument metadata = JsonDocument.Parse(result.AppMetadata);
        string tier = string.Join(' ', metadata.RootElement.GetProperty("tables").EnumerateArray().Select(t => t.GetProperty("tier").GetString()).Distinct());
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                rows.AddRange(Enumerable.Range(0, batch.Length).Select(r => string.Join('|', Enumerable.Range(0, batch.ColumnCount).Select(c => Text(batch.Column(c), r)))));
            }
        }

        return (string.Join('\n', rows), tier);
    }

    private static string Text(IArrowArray array, int row) => array.IsNull(row) ? "NULL" : array switch
    {
        StringArray a => a.GetString(row),
        Int32Array a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        Int64Array a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        DoubleArray a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        Decimal128Array a => a.GetString(row),
        StructArray a => Text(a.Fields[0], row),
        _ => array.Data.DataType.Name,
    };
}
