using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;

namespace LakeHolo.HotTier.Tests;

/// <summary>What a statement that takes the engine no time leaves for the collector, whose pauses are most of what the slowest of many such statements wait for.</summary>
public sealed class QuickStatementMemoryTests
{
    /// <summary>It takes 8,800; 15,200 while texts, lines of the log and what they tell were written anew each time.</summary>
    private const long MostBytes = 11_000;

    private const string Sql = "SELECT count(*) AS n, sum(id) AS s FROM dwd.t WHERE id BETWEEN 5 AND 10";

    [Fact]
    public async Task A_statement_over_a_hot_copy_that_comes_again_takes_little_managed_memory()
    {
        await using SmallLake lake = await new SmallLake().StartAsync();
        lake.Write("dwd/t/a.parquet", "SELECT i AS id, 'n' || i % 10 AS name FROM range(1000) t(i)");
        await lake.RowsAsync("SYNC");
        await lake.RowsAsync("PROMOTE TABLE dwd.t");
        QuerySession session = lake.Instance.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
        session.Options["max_staleness"] = "1h"; // without the listing of the folder
        long least = long.MaxValue;
        for (int turn = 0; turn < 300; turn++)
        {
            int thread = Environment.CurrentManagedThreadId;
            long before = GC.GetAllocatedBytesForCurrentThread();
            await AnswerAsync(lake, session);
            long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            least = thread == Environment.CurrentManagedThreadId ? Math.Min(least, bytes) : least;
        }

        Assert.InRange(least, 1, MostBytes);
    }

    private static async Task AnswerAsync(SmallLake lake, QuerySession session)
    {
        IPreparedQuery prepared = await lake.Instance.Engine.PrepareAsync(session, Sql, default);
        await using IQueryResult result = await prepared.ExecuteAsync(session, null, 0, default);
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                Assert.Equal(6, ((Int64Array)batch.Column(0)).GetValue(0));
            }
        }
    }
}
