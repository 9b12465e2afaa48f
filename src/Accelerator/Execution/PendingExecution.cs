using System.Diagnostics;
using System.Runtime.InteropServices;
using DuckDB.NET.Native;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Runs a prepared statement until its first rows are there, task by task.</summary>
/// <remarks>The engine's own call of this kind asks for tasks without a pause while its other threads do the last of them: the thread that waits takes the processor
/// from the one that it waits for. Here it gives it away, and after a few times sleeps.
/// Source: duckdb.h, "Pending Result Interface".</remarks>
internal static unsafe partial class PendingExecution
{
    /// <summary>How long others are let before the thread sleeps: as long as the system takes for the shortest sleep.</summary>
    private static readonly TimeSpan Yielding = TimeSpan.FromMicroseconds(50);

    /// <summary>A nap is this share of what was waited already, so that the rows are late by no more than that.</summary>
    private const int NapShare = 8;

    private static readonly TimeSpan LongestNap = TimeSpan.FromMicroseconds(500);

    /// <summary>Runs it; what it gives has to be closed.</summary>
    /// <exception cref="EngineException">The engine's message.</exception>
    public static DuckDBResult Run(DuckDBPreparedStatement statement)
    {
        bool added = false;
        nint pending = 0;
        try
        {
            statement.DangerousAddRef(ref added);
            if (PendingPrepared(statement.DangerousGetHandle(), &pending) != DuckDBState.Success)
            {
                throw new EngineException(Error(pending));
            }

            Wait(pending);
            DuckDBResult result = default;
            if (ExecutePending(pending, &result) != DuckDBState.Success)
            {
                string message = NativeMethods.Query.DuckDBResultError(ref result);
                result.Close();
                throw new EngineException(message);
            }

            return result;
        }
        finally
        {
            DestroyPending(&pending);
            if (added)
            {
                statement.DangerousRelease();
            }
        }
    }

    private static void Wait(nint pending)
    {
        long idleSince = 0;
        while (true)
        {
            switch (ExecuteTask(pending))
            {
                case PendingState.ResultReady:
                    return;
                case PendingState.ResultNotReady:
                    idleSince = 0;
                    break;
                case PendingState.NoTasksAvailable:
                    idleSince = idleSince == 0 ? Stopwatch.GetTimestamp() : idleSince;
                    Idle(idleSince);
                    break;
                default:
                    throw new EngineException(Error(pending));
            }
        }
    }

    private static void Idle(long since)
    {
        TimeSpan waited = Stopwatch.GetElapsedTime(since);
        if (waited < Yielding)
        {
            Thread.Yield();
        }
        else
        {
            TimeSpan nap = waited / NapShare < LongestNap ? waited / NapShare : LongestNap;
            var time = new TimeSpec { Nanoseconds = (long)nap.TotalNanoseconds };
            _ = Sleep(&time, null);
        }
    }

    private static string Error(nint pending) => Marshal.PtrToStringUTF8(PendingError(pending)) ?? "the statement cannot be run";

    [LibraryImport("duckdb", EntryPoint = "duckdb_pending_prepared_streaming")]
    private static partial DuckDBState PendingPrepared(nint statement, nint* pending);

    [LibraryImport("duckdb", EntryPoint = "duckdb_pending_execute_task")]
    private static partial PendingState ExecuteTask(nint pending);

    [LibraryImport("duckdb", EntryPoint = "duckdb_pending_error")]
    private static partial nint PendingError(nint pending);

    [LibraryImport("duckdb", EntryPoint = "duckdb_execute_pending")]
    private static partial DuckDBState ExecutePending(nint pending, void* result);

    [LibraryImport("duckdb", EntryPoint = "duckdb_destroy_pending")]
    private static partial void DestroyPending(nint* pending);

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int Sleep(TimeSpec* wanted, TimeSpec* left);

    private enum PendingState
    {
        ResultReady = 0,
        ResultNotReady = 1,
        Error = 2,
        NoTasksAvailable = 3,
    }

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
