using System.Diagnostics;
using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.HotTier;

/// <summary>The tier's folder and its databases: one file per copy and generation, attached to the engine while it serves.</summary>
internal sealed class HotStore : IDisposable
{
    /// <summary>Name of the table of rows in a copy's database.</summary>
    public const string RowsTable = "copy_rows";

    private readonly string _directory;
    private readonly EngineDatabase _engine;
    private readonly DuckDBConnection _connection;
    private readonly Lock _gate = new();
    private readonly FileStream _lock;
    private Dictionary<string, HotCopy> _copies = [];
    private int _generation;

    /// <summary>Opens the folder: attaches the copies of the list, deletes what it does not name.</summary>
    /// <exception cref="LakeException">ResourcesExhausted: another process has the folder open.</exception>
    public HotStore(string directory, EngineDatabase engine)
    {
        _directory = directory;
        _engine = engine;
        Directory.CreateDirectory(directory);
        _lock = Lock(directory);
        _connection = engine.OpenConnection();
        IReadOnlyList<HotCopyRecord> records;
        try
        {
            records = HotManifest.Read(directory);
        }
        catch
        {
            Dispose();
            throw;
        }

        DeleteStrays(records);
        foreach (HotCopyRecord record in records)
        {
            if (TryOpen(record) is { } copy)
            {
                _copies[Key(record.Source, record.Schema, record.Name)] = copy;
            }
        }

        // Copies that could not be opened leave the list, so that their names are free again.
        if (_copies.Count != records.Count)
        {
            WriteManifest();
            DeleteStrays([.. _copies.Values.Select(c => c.Record)]);
        }
    }

    /// <summary>The copies.</summary>
    public IReadOnlyCollection<HotCopy> Copies => Volatile.Read(ref _copies).Values;

    /// <summary>The copy of a table, if it has one.</summary>
    public HotCopy? Find(LakeTable table)
    {
        HotCopy? copy = Volatile.Read(ref _copies).GetValueOrDefault(Key(table.Source, table.Schema, table.Name));
        return copy?.Record.Location == table.Root.Location ? copy : null;
    }

    /// <summary>Builds a database from a relation. Not visible before <see cref="Publish"/>.</summary>
    /// <param name="snapshot">The snapshot that the relation gives.</param>
    /// <param name="relationSql">The rows.</param>
    /// <param name="progress">The connection that builds, for asking how far it is.</param>
    /// <param name="cancellationToken">Interrupts the engine.</param>
    public async ValueTask<HotBuild> BuildAsync(Snapshot snapshot, string relationSql, Action<DuckDBConnection> progress, CancellationToken cancellationToken)
    {
        string file = $"{FileStem(snapshot.Table)}.{Guid.NewGuid():N}.duckdb";
        string path = Path.Combine(_directory, file);
        string alias = "hot_" + Interlocked.Increment(ref _generation).ToString(CultureInfo.InvariantCulture);
        long started = Stopwatch.GetTimestamp();
        using DuckDBConnection connection = _engine.OpenConnection();
        try
        {
            EngineDatabase.Execute(connection, $"ATTACH {SqlText.Literal(path)} AS {alias}");
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"CREATE TABLE {alias}.{RowsTable} AS {relationSql}";
            using (cancellationToken.UnsafeRegister(static c => ((DuckDBCommand)c!).Cancel(), command))
            {
                progress(connection);
                await Task.Run(command.ExecuteNonQuery, CancellationToken.None);
            }

            cancellationToken.ThrowIfCancellationRequested();
            EngineDatabase.Execute(connection, $"CHECKPOINT {alias}");
            long rows = Count(connection, $"SELECT count(*) FROM {alias}.{RowsTable}");
            return new HotBuild(file, alias, rows, new FileInfo(path).Length, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (Exception e)
        {
            Discard(alias, file);
            cancellationToken.ThrowIfCancellationRequested();
            throw e is DuckDBException ? new LakeException(LakeErrorKind.ResourcesExhausted, $"The hot copy cannot be written: {e.Message}", path, innerException: e) : e;
        }
    }

    /// <summary>Makes a build the copy of its table: from here on it is what a restart finds.</summary>
    public HotCopy Publish(HotBuild build, Snapshot snapshot, DateTimeOffset now)
    {
        var record = new HotCopyRecord
        {
            Source = snapshot.Table.Source,
            Schema = snapshot.Table.Schema,
            Name = snapshot.Table.Name,
            Location = snapshot.Table.Root.Location,
            File = build.File,
            Snapshot = snapshot.Id.Text,
            Identity = snapshot.Identity,
            CommittedAt = snapshot.CommittedAt,
            BuiltAt = now,
            Rows = build.Rows,
            Bytes = build.Bytes,
            BuildMs = build.Milliseconds,
            Columns = ColumnTexts(snapshot.Schema),
        };
        var copy = new HotCopy(record, build.Alias, snapshot.Schema, now, Retired);
        HotCopy? old = Swap(record, copy);
        old?.Retire();
        return copy;
    }

    /// <summary>Drops a build that will not be published.</summary>
    public void Discard(HotBuild build) => Discard(build.Alias, build.File);

    /// <summary>Drops the copy of a table; false if it has none.</summary>
    public bool Remove(LakeTable table)
    {
        HotCopy? old;
        lock (_gate)
        {
            var copies = new Dictionary<string, HotCopy>(_copies);
            if (!copies.Remove(Key(table.Source, table.Schema, table.Name), out old))
            {
                return false;
            }

            Volatile.Write(ref _copies, copies);
            WriteManifest();
        }

        old.Retire();
        return true;
    }

    /// <summary>Columns with their engine types, as the list keeps them.</summary>
    public static IReadOnlyList<string> ColumnTexts(Schema schema) => [.. schema.FieldsList.Select(f => $"{f.Name} {SqlText.TypeOf(f)}")];

    public void Dispose()
    {
        _connection.Dispose();
        _lock.Dispose();
    }

    /// <summary>Whether a process holds the folder.</summary>
    public static bool IsInUse(string directory)
    {
        if (!File.Exists(LockPath(directory)))
        {
            return false;
        }

        try
        {
            OpenLock(directory).Dispose();
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static string LockPath(string directory) => Path.Combine(directory, "lock");

    private static FileStream OpenLock(string directory) => new(LockPath(directory), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);

    private static FileStream Lock(string directory)
    {
        try
        {
            return OpenLock(directory);
        }
        catch (IOException e)
        {
            throw new LakeException(
                LakeErrorKind.ResourcesExhausted, "Another process uses this data folder; stop it or choose another with --data-dir", directory, innerException: e);
        }
    }

    private HotCopy? Swap(HotCopyRecord record, HotCopy copy)
    {
        lock (_gate)
        {
            var copies = new Dictionary<string, HotCopy>(_copies);
            string key = Key(record.Source, record.Schema, record.Name);
            HotCopy? old = copies.GetValueOrDefault(key);
            copies[key] = copy;
            Dictionary<string, HotCopy> before = _copies;
            Volatile.Write(ref _copies, copies);
            try
            {
                WriteManifest();
            }
            catch
            {
                Volatile.Write(ref _copies, before);
                throw;
            }

            return old;
        }
    }

    private HotCopy? TryOpen(HotCopyRecord record)
    {
        string path = Path.Combine(_directory, Path.GetFileName(record.File));
        string alias = "hot_" + Interlocked.Increment(ref _generation).ToString(CultureInfo.InvariantCulture);
        try
        {
            if (!File.Exists(path))
            {
                return null;
            }

            EngineDatabase.Execute(_connection, $"ATTACH {SqlText.Literal(path)} AS {alias}");
            using DuckDBCommand command = _connection.CreateCommand();
            command.CommandText = $"SELECT * FROM {alias}.{RowsTable} LIMIT 0";
            using IArrowArrayStream stream = command.ExecuteArrowStream();
            return new HotCopy(record, alias, stream.Schema, DateTimeOffset.MinValue, Retired);
        }
        catch (DuckDBException)
        {
            // A copy that the engine cannot open is as good as none: the lake answers, and it can be promoted again.
            return null;
        }
    }

    private void Retired(HotCopy copy) => Discard(copy.Alias, copy.Record.File);

    private void Discard(string alias, string file)
    {
        try
        {
            using DuckDBConnection connection = _engine.OpenConnection();
            EngineDatabase.Execute(connection, $"DETACH DATABASE IF EXISTS {alias}");
        }
        finally
        {
            DeleteFile(file);
        }
    }

    private void DeleteStrays(IReadOnlyList<HotCopyRecord> records)
    {
        var named = records.Select(r => Path.GetFileName(r.File)).ToHashSet(StringComparer.Ordinal);
        foreach (string path in Directory.EnumerateFiles(_directory, "*.duckdb*"))
        {
            string name = Path.GetFileName(path);
            if (!named.Contains(name) && !named.Contains(name.Replace(".wal", string.Empty, StringComparison.Ordinal)))
            {
                File.Delete(path);
            }
        }
    }

    private void DeleteFile(string file)
    {
        File.Delete(Path.Combine(_directory, file));
        File.Delete(Path.Combine(_directory, file + ".wal"));
    }

    private void WriteManifest() => HotManifest.Write(
        _directory, [.. Volatile.Read(ref _copies).Values.Select(c => c.Record).OrderBy(r => r.File, StringComparer.Ordinal)]);

    private static string Key(string source, string schema, string name) => $"{source}\0{schema}\0{name}".ToUpperInvariant();

    private static string FileStem(LakeTable table)
    {
        string text = $"{table.Schema}.{table.Name}";
        return string.Concat(text.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_'))[..Math.Min(text.Length, 80)];
    }

    private static long Count(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}

/// <summary>A database that was built and waits to be published.</summary>
/// <param name="File">Its file name.</param>
/// <param name="Alias">The name that it is attached under.</param>
/// <param name="Rows">Its rows.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Milliseconds">The time that it took.</param>
internal sealed record HotBuild(string File, string Alias, long Rows, long Bytes, double Milliseconds);
