using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Golden.Tests.SampleLake;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>Lookups by key that many sessions send at once are answered in one execution: each gets the rows of its own key, of the snapshot of its start.</summary>
public sealed class LookupsTogether : IAsyncLifetime
{
    private const int Sessions = 16;

    private const int Rounds = 12;

    private SampleLakeCopy _lake = null!;

    public async ValueTask InitializeAsync() => _lake = await SampleLakeCopy.StartAsync();

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    [Fact]
    public async Task Every_key_has_the_rows_that_the_lake_has_for_it()
    {
        foreach ((string table, string key) in new[] { ("dwd.orders", "order_id"), ("dwd.users_current", "user_id"), ("dws.sales_daily", "country"), ("dws.user_activity", "user_id"), ("ads.top_customers", "rank") })
        {
            await AskAsync(table, key);
        }
    }

    [Fact]
    public async Task Lookups_that_are_cancelled_while_they_wait_hurt_no_others()
    {
        await _lake.ManageAsync("PROMOTE TABLE dwd.orders WITH (lookup = true)");
        const string Sql = "SELECT order_id FROM dwd.orders WHERE order_id = $1";
        string[] ids = [.. (await RunAsync("SELECT order_id FROM dwd.orders LIMIT 50", [], "lake"))];
        int cancelled = 0;
        await Task.WhenAll(Enumerable.Range(0, Sessions).Select(n => Task.Run(async () =>
        {
            QuerySession session = Open("hot");
            IPreparedQuery prepared = await _lake.Instance.Engine.PrepareAsync(session, Sql, default);
            for (int i = 0; i < Rounds; i++)
            {
                using var stop = new CancellationTokenSource();
                Task<List<string>> answer = RunAsync(prepared, session, Number(ids[(n + i) % ids.Length]), stop.Token);
                if (i % 3 == 0)
                {
                    await stop.CancelAsync();
                }

                try
                {
                    Assert.Equal([ids[(n + i) % ids.Length]], await answer);
                }
                catch (OperationCanceledException) when (i % 3 == 0)
                {
                    Interlocked.Increment(ref cancelled);
                }
            }
        }))).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.NotEqual(0, cancelled);
        Assert.Equal(cancelled, _lake.Instance.Engine.Log.Entries.Count(e => e.Sql == Sql && e.State == "cancelled"));
    }

    private async Task AskAsync(string table, string key)
    {
        long together = 0;
        using MeterListener listener = Listen(() => Interlocked.Increment(ref together));
        await _lake.ManageAsync($"PROMOTE TABLE {table} WITH (lookup = true)");
        string[] names = await ColumnsAsync(table);
        string columns = string.Join(", ", names.Select(n => $"\"{n}\""));
        ILookup<string, string> expected = (await RunAsync($"SELECT {columns}, \"{key}\" FROM {table}", [], "lake")).ToLookup(r => r[(r.LastIndexOf('|') + 1)..]);
        var random = new Random(7);
        IGrouping<string, string>[] known = [.. expected];
        var wrong = new ConcurrentBag<string>();
        await Task.WhenAll(Enumerable.Range(0, Sessions).Select(n => Task.Run(async () =>
        {
            QuerySession session = Open("hot");
            IPreparedQuery prepared = await _lake.Instance.Engine.PrepareAsync(session, $"SELECT {columns}, \"{key}\" FROM {table} WHERE \"{key}\" = $1", default);
            for (int i = 0; i < Rounds; i++)
            {
                // Some that are there, some next to each other, some that are not there, some that the column cannot hold.
                string cell;
                lock (random)
                {
                    cell = known[random.Next(2) == 0 ? random.Next(known.Length) : (i + n) % known.Length].Key;
                }

                object value = prepared.ParameterTypes[0] == "VARCHAR" ? i % 5 == 1 ? "it's \"not\" there" : cell : i % 5 == 1 ? -1L - i : i % 11 == 2 ? long.MaxValue - i : Number(cell);
                string[] rows = [.. (await RunAsync(prepared, session, value)).Order(StringComparer.Ordinal)];
                string[] own = value is string || (long)value == Number(cell) ? [.. expected[value is string text ? text : cell].Order(StringComparer.Ordinal)] : [];
                if (!rows.SequenceEqual(own))
                {
                    wrong.Add($"{value}: {rows.Length} rows for {own.Length}: {rows.FirstOrDefault()} / {own.FirstOrDefault()}");
                }
            }
        }))).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.True(wrong.IsEmpty, string.Join("\n", wrong.Take(10)));
        Assert.NotEqual(0, together);
        Assert.Equal(Sessions * Rounds, _lake.Instance.Engine.Log.Entries.Count(e => e.Sql.EndsWith($"{table} WHERE \"{key}\" = $1", StringComparison.Ordinal) && e.State == "done" && e.Tables.Single().Tier == "hot"));
    }

    private QuerySession Open(string tier)
    {
        QuerySession session = _lake.Instance.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
        session.Options["tier"] = tier;
        return session;
    }

    private async Task<string[]> ColumnsAsync(string table)
    {
        QuerySession session = Open("lake");
        IPreparedQuery all = await _lake.Instance.Engine.PrepareAsync(session, $"SELECT * FROM {table}", default);
        return [.. all.ResultSchema.FieldsList.Where(f => f.DataType is FixedWidthType or StringType or BinaryType).Select(f => f.Name)];
    }

    private async Task<List<string>> RunAsync(string sql, object?[] values, string tier)
    {
        QuerySession session = Open(tier);
        return await ReadAsync(await (await _lake.Instance.Engine.PrepareAsync(session, sql, default)).ExecuteAsync(session, values, default));
    }

    private static async Task<List<string>> RunAsync(IPreparedQuery prepared, QuerySession session, object value, CancellationToken cancellationToken = default) =>
        await ReadAsync(await prepared.ExecuteAsync(session, [value], cancellationToken));

    private static async Task<List<string>> ReadAsync(IQueryResult result)
    {
        var rows = new List<string>();
        await using (result)
        {
            await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
            {
                using (batch)
                {
                    rows.AddRange(Enumerable.Range(0, batch.Length).Select(r => string.Join('|', Enumerable.Range(0, batch.ColumnCount).Select(c => Cell(batch.Column(c), r)))));
                }
            }
        }

        return rows;
    }

    // Texts as they are, all else as its bytes.
    private static string Cell(IArrowArray array, int row) => array switch
    {
        _ when array.IsNull(row) => "NULL",
        StringArray a => a.GetString(row),
        BinaryArray a => Convert.ToHexString(a.GetBytes(row)),
        BooleanArray a => a.GetValue(row)!.Value ? "true" : "false",
        _ => Convert.ToHexString(array.Data.Buffers[1].Span.Slice((array.Data.Offset + row) * Width(array), Width(array))),
    };

    private static int Width(IArrowArray array) => ((FixedWidthType)array.Data.DataType).BitWidth / 8;

    private static long Number(string cell)
    {
        byte[] bytes = Convert.FromHexString(cell);
        return bytes.Length == 8 ? BitConverter.ToInt64(bytes) : bytes.Length == 4 ? BitConverter.ToInt32(bytes) : BitConverter.ToInt16(bytes);
    }

    private static MeterListener Listen(Action together)
    {
        var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "lakeholo.statement.together")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => together());
        listener.Start();
        return listener;
    }
}
