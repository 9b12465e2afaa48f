using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.Json;
using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Tests.Shared;

namespace LakeHolo.HotTier.Tests;

/// <summary>Lookups that are answered together while the indexed copy that they read is refreshed: each refresh deletes all rows of a file group and inserts its new ones, most of them of
/// the same keys, in one transaction, and every few refreshes the engine's log is taken into the file or the file is written anew. The engine's indexes know nothing of transactions: an
/// index holds the rows of all that run, and the table says which of them are to be seen.</summary>
public sealed class LookupsWhileFollowingTests
{
    private const int Readers = 16;
    private const string Sql = "SELECT value FROM dwd.keyed WHERE key = $1";

    private static readonly int Commits = Fuzz.IsNightly ? 1000 : 40;

    [Fact]
    public async Task Each_has_the_row_of_its_key_as_it_was_at_a_moment_while_it_ran()
    {
        await using SmallLake lake = await new SmallLake().StartAsync();
        var random = new Random(Fuzz.NewSeed());
        var table = new KeyedTable(lake, [.. Enumerable.Range(0, Commits).Select(_ => random.Next(KeyedTable.Groups))]);
        table.Create();
        await lake.RowsAsync("SYNC");
        await lake.RowsAsync("PROMOTE TABLE dwd.keyed WITH (lookup = true)");
        long together = 0;
        using MeterListener listener = Listen(n => Interlocked.Add(ref together, n));
        int committing = 0;
        int committed = 0;
        int refreshed = 0;
        int changing = 0;
        var seen = new ConcurrentDictionary<string, int>();
        var wrong = new ConcurrentQueue<string>();
        var hows = new HashSet<string>();
        using var stop = new CancellationTokenSource();
        Task[] readers = [.. Enumerable.Range(0, Readers).Select(n => Task.Run(() => ReadAsync(n)))];
        try
        {
            for (int i = 1; i <= Commits && wrong.IsEmpty; i++)
            {
                Volatile.Write(ref committing, i);
                table.Commit();
                Volatile.Write(ref committed, i);
                Assert.DoesNotContain("failed", (await lake.RowsAsync("REFRESH TABLE dwd.keyed").WaitAsync(TimeSpan.FromMinutes(1)))[0], StringComparison.Ordinal);
                Volatile.Write(ref refreshed, i);
                hows.Add(await lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables"));
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(readers).WaitAsync(TimeSpan.FromMinutes(1));
        }

        Assert.True(wrong.IsEmpty, string.Join("\n", wrong.Take(10)));
        Assert.Equal(["slices"], hows);
        Assert.NotEqual(0, together);
        Assert.NotEqual(0, changing);
        Assert.InRange(seen.Count, Commits / 4, Commits + 2);
        Assert.Contains("|verified|", (await lake.RowsAsync("VERIFY TABLE dwd.keyed"))[0], StringComparison.Ordinal);

        // Half of the readers want the newest commit, from wherever it comes; the others what the copy holds.
        async Task ReadAsync(int reader)
        {
            bool newest = reader % 2 == 0;
            QuerySession session = lake.Instance.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
            session.Options["max_staleness"] = newest ? "0s" : "1h";
            IPreparedQuery prepared = await lake.Instance.Engine.PrepareAsync(session, Sql, default);
            var keys = new Random(reader);
            while (!stop.IsCancellationRequested)
            {
                int key = keys.Next(KeyedTable.Keys);
                int from = newest ? Volatile.Read(ref committed) : Volatile.Read(ref refreshed);
                (string rows, string tier) = await RunAsync(prepared, session, (long)key);
                int to = Volatile.Read(ref committing);
                string[] allowed = [.. Enumerable.Range(from, to - from + 1).Select(c => table.Expected(key, c)).Distinct()];
                seen[rows] = 0;
                if (tier == "hot" && allowed.Length > 1)
                {
                    Interlocked.Increment(ref changing);
                }

                if (!allowed.Contains(rows))
                {
                    wrong.Enqueue($"key {key} from commit {from} to {to}: '{rows}' ({tier}), expected {string.Join(" or ", allowed.Select(a => $"'{a}'"))}");
                }
            }
        }
    }

    private static async Task<(string Rows, string Tier)> RunAsync(IPreparedQuery prepared, QuerySession session, long key)
    {
        await using IQueryResult result = await prepared.ExecuteAsync(session, [key], default);
        using JsonDocument metadata = JsonDocument.Parse(result.AppMetadata);
        string tier = metadata.RootElement.GetProperty("tables").EnumerateArray().Single().GetProperty("tier").GetString()!;
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                rows.AddRange(((Int64Array)batch.Column(0)).Select(v => v!.Value.ToString(CultureInfo.InvariantCulture)));
            }
        }

        return (string.Join(' ', rows), tier);
    }

    private static MeterListener Listen(Action<long> together)
    {
        var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "lakeholo.statement.together")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, n, _, _) => together(n));
        listener.Start();
        return listener;
    }
}
