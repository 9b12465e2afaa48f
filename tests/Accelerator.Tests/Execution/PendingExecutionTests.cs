using System.Runtime.InteropServices;
using DuckDB.NET.Data;
using DuckDB.NET.Data.DataChunk.Reader;
using DuckDB.NET.Data.DataChunk.Writer;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Tests.Execution;

/// <summary>What a thread does while the engine's other threads compute for it.</summary>
public sealed partial class PendingExecutionTests : IDisposable
{
    private const int ThreadCpuTime = 3;

    private readonly EngineDatabase _database = new(new EngineOptions { Threads = 2 });
    private readonly EngineConnection _engine;

    public PendingExecutionTests()
    {
        DuckDBConnection connection = _database.OpenConnection();
        connection.RegisterScalarFunction<long, long>("rest", Rest, new ScalarFunctionOptions { IsPureFunction = false });
        _engine = new EngineConnection(connection);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _database.Dispose();
    }

    [Fact]
    public void Who_waits_for_another_thread_of_the_engine_leaves_the_processor_to_others()
    {
        TimeSpan before = ThreadTime();
        for (int run = 0; run < 8; run++)
        {
            // Two tasks: one of the two threads is done with its own long before the other. Either may be the calling one.
            using PreparedRows rows = _engine.Execute("SELECT rest(10) AS n UNION ALL SELECT rest(300)", []);
            Assert.Equal(1, rows.Next()!.Length);
        }

        Assert.InRange((ThreadTime() - before).TotalMilliseconds, 0, 250);
    }

    [Fact]
    public void An_error_of_the_engine_is_told_and_the_connection_goes_on()
    {
        Assert.Contains("Could not convert string 'x'", Assert.Throws<EngineException>(() => _engine.Execute("SELECT CAST(s AS INTEGER) FROM (VALUES ('1'), ('x')) t(s)", [])).Message, StringComparison.Ordinal);
        using PreparedRows rows = _engine.Execute("SELECT 1", []);
        Assert.Equal(1, rows.Next()!.Length);
    }

    private static void Rest(IReadOnlyList<IDuckDBDataReader> arguments, IDuckDBDataWriter result, ulong rows)
    {
        for (ulong row = 0; row < rows; row++)
        {
            long ms = arguments[0].GetValue<long>(row);
            Thread.Sleep((int)ms);
            result.WriteValue(ms, row);
        }
    }

    private static unsafe TimeSpan ThreadTime()
    {
        long* time = stackalloc long[2];
        Assert.Equal(0, GetTime(ThreadCpuTime, time));
        return TimeSpan.FromSeconds(time[0]) + TimeSpan.FromMicroseconds(time[1] / 1000.0);
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static unsafe partial int GetTime(int clock, long* time);
}
