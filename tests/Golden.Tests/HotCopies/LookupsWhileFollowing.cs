using System.Collections.Concurrent;
using System.Globalization;
using Apache.Arrow;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Golden.Tests.Paimon;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>Lookups by key that many sessions send at once while the indexed copy follows a replay, by keys and by positions: each has the row of its key that Paimon had at a moment
/// while the lookup ran.</summary>
public sealed class LookupsWhileFollowing
{
    private const int Sessions = 8;
    private const int LookupsPerStep = 100;

    [Theory]
    [InlineData("replay_pk_dedup_compaction_expiry", "keys")]
    [InlineData("replay_pk_lookup_dv", "files+positions")]
    public async Task Each_has_the_row_of_its_key_as_it_was_at_a_moment_while_it_ran(string replay, string how)
    {
        await using PaimonCase golden = PaimonCase.Open(replay);
        int steps = Directory.GetDirectories(golden.Path("steps")).Length;
        ILookup<int, string>[] states = [.. Enumerable.Range(1, steps).Select(s => StateOf(golden, s))];
        int[] keys = [.. states.SelectMany(s => s.Select(g => g.Key)).Distinct()];

        // The case's table is one of a lake.
        Directory.Delete(golden.Path("table"));
        Directory.CreateDirectory(golden.Path("lake/dwd/t"));
        Directory.CreateSymbolicLink(golden.Path("table"), golden.Path("lake/dwd/t"));
        golden.Apply(1);
        await using var store = new LocalFolderStore(golden.Path("lake"));
        var options = new LakeOptions { Sources = [new LakeSource { Name = "lake", Root = new TableRoot(store, string.Empty) }], DataDirectory = golden.Path("data") };
        await using LakeInstance instance = await LakeInstance.StartAsync(options, NullLoggerFactory.Instance, TimeProvider.System);
        QuerySession manager = Open(instance);
        await RunAsync(instance, manager, "PROMOTE TABLE dwd.t WITH (lookup = true)");
        int playing = 1;
        int followed = 1;
        long lookups = 0;
        var hows = new HashSet<string>();
        var wrong = new ConcurrentQueue<string>();
        using var stop = new CancellationTokenSource();
        Task[] readers = [.. Enumerable.Range(0, Sessions).Select(n => Task.Run(() => ReadAsync(n)))];
        try
        {
            for (int step = 2; step <= steps; step++)
            {
                long before = Interlocked.Read(ref lookups);
                Volatile.Write(ref playing, step);
                golden.Apply(step);
                await RunAsync(instance, manager, "REFRESH TABLE dwd.t");
                Volatile.Write(ref followed, step);
                hows.Add(instance.Store.Copies.Single().State.Stamp.LastRefresh!.How);
                while (Interlocked.Read(ref lookups) < before + LookupsPerStep && !readers.Any(r => r.IsCompleted))
                {
                    await Task.Delay(1);
                }
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(readers).WaitAsync(TimeSpan.FromMinutes(1));
        }

        Assert.True(wrong.IsEmpty, string.Join("\n", wrong.Take(10)));
        Assert.Contains(how, hows);

        async Task ReadAsync(int reader)
        {
            QuerySession session = Open(instance);
            session.Options["tier"] = "hot";
            session.Options["max_staleness"] = "1h";
            IPreparedQuery prepared = await instance.Engine.PrepareAsync(session, "SELECT name FROM dwd.t WHERE id = $1", default);
            var random = new Random(reader);
            while (!stop.IsCancellationRequested)
            {
                int key = keys[random.Next(keys.Length)];
                int from = Volatile.Read(ref followed);
                string rows = string.Join('\n', await ReadRowsAsync(await prepared.ExecuteAsync(session, [(long)key], default)));
                int to = Volatile.Read(ref playing);
                Interlocked.Increment(ref lookups);
                string[] allowed = [.. Enumerable.Range(from, to - from + 1).Select(s => string.Join('\n', states[s - 1][key])).Distinct()];
                if (!allowed.Contains(rows))
                {
                    wrong.Enqueue(string.Create(CultureInfo.InvariantCulture, $"id {key}, steps {from} to {to}: '{rows}', expected {string.Join(" or ", allowed.Select(a => $"'{a}'"))}"));
                }
            }
        }
    }

    // Names by id, as Paimon read the table after a step.
    private static ILookup<int, string> StateOf(PaimonCase golden, int step)
        => golden.Texts($"SELECT id || '|' || coalesce(name, 'NULL') FROM ({golden.Expected($"steps/{step:000}/expected.parquet")})")
            .ToLookup(r => int.Parse(r[..r.IndexOf('|', StringComparison.Ordinal)], CultureInfo.InvariantCulture), r => r[(r.IndexOf('|', StringComparison.Ordinal) + 1)..]);

    private static QuerySession Open(LakeInstance instance) => instance.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));

    private static async Task RunAsync(LakeInstance instance, QuerySession session, string sql)
    {
        IPreparedQuery prepared = await instance.Engine.PrepareAsync(session, sql, default);
        await ReadRowsAsync(await prepared.ExecuteAsync(session, null, 0, default));
    }

    // The texts of the first column.
    private static async Task<List<string>> ReadRowsAsync(IQueryResult result)
    {
        var rows = new List<string>();
        await using (result)
        {
            await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
            {
                using (batch)
                {
                    var texts = (StringArray)batch.Column(0);
                    rows.AddRange(Enumerable.Range(0, batch.Length).Select(r => texts.IsNull(r) ? "NULL" : texts.GetString(r)));
                }
            }
        }

        return rows;
    }
}
