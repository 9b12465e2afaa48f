using System.Reflection;
using System.Runtime.InteropServices;
using DuckDB.NET.Data;
using DuckDB.NET.Native;

namespace LakeHolo.Readers.Engine;

/// <summary>Threads for the engine's tasks in place of those that wait for a file, so that other statements go on as ever.</summary>
internal sealed partial class LentThreads(DuckDBConnection connection)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(1);

    // The driver opens the database and keeps it to itself.
    private readonly DuckDBDatabase? _database = Hidden(Hidden(Hidden(connection, "connectionReference"), "FileReferenceCounter"), "Database") as DuckDBDatabase;

    /// <summary>Whether tasks can be run here.</summary>
    public bool IsPossible => _database is not null;

    /// <summary>Runs tasks whenever somebody waits, until that is over.</summary>
    /// <param name="threads">How many threads are lent.</param>
    /// <param name="isOver">Whether nobody will wait any more.</param>
    /// <param name="isAwaited">Whether one of the engine's threads waits now.</param>
    public void Lend(int threads, Func<bool> isOver, Func<bool> isAwaited)
    {
        for (int i = 0; i < threads; i++)
        {
            new Thread(() => Run(isOver, isAwaited)) { IsBackground = true, Name = "lent to the engine" }.Start();
        }
    }

    private void Run(Func<bool> isOver, Func<bool> isAwaited)
    {
        bool added = false;
        try
        {
            _database!.DangerousAddRef(ref added);
            while (!isOver())
            {
                if (isAwaited())
                {
                    ExecuteTasks(_database.DangerousGetHandle(), 1);
                }

                Thread.Sleep(LookEvery);
            }
        }
        catch (ObjectDisposedException)
        {
            // The engine is closed.
        }
        finally
        {
            if (added)
            {
                _database!.DangerousRelease();
            }
        }
    }

    private static object? Hidden(object? of, string name)
    {
        const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        return of?.GetType().GetField(name, Any)?.GetValue(of) ?? of?.GetType().GetProperty(name, Any)?.GetValue(of);
    }

    [LibraryImport("duckdb", EntryPoint = "duckdb_execute_tasks")]
    private static partial void ExecuteTasks(nint database, ulong most);
}
