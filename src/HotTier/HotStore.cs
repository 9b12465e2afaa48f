using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>The tier's folder and its databases: one file per copy and generation, attached to the engine while it serves.</summary>
internal sealed class HotStore : IDisposable
{
    private readonly string _directory;
    private readonly EngineDatabase _engine;
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

    /// <summary>The engine that the copies are attached to.</summary>
    public EngineDatabase Engine => _engine;

    /// <summary>The copy of a table, if it has one.</summary>
    public HotCopy? Find(LakeTable table)
    {
        HotCopy? copy = Volatile.Read(ref _copies).GetValueOrDefault(Key(table.Source, table.Schema, table.Name));
        return copy?.Record.Location == table.Root.Location ? copy : null;
    }

    /// <summary>Bytes that are free on the folder's disk; null where the system does not tell.</summary>
    public long? FreeBytes
    {
        get
        {
            try
            {
                return new DriveInfo(_directory).AvailableFreeSpace;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                return null;
            }
        }
    }

    /// <summary>Bytes of changes that are not in the file yet.</summary>
    public long LogBytesOf(HotCopy copy) => new FileInfo(Path.Combine(_directory, copy.Record.File + ".wal")) is { Exists: true } file ? file.Length : 0;

    /// <summary>Bytes of a copy on disk.</summary>
    public long BytesOf(HotCopy copy) => BytesOf(copy.Record.File);

    /// <summary>Builds a database of a table's rows. Not visible before <see cref="Publish"/>.</summary>
    /// <param name="snapshot">The snapshot that the scan gives.</param>
    /// <param name="scan">The rows; with their origin where there are <paramref name="units"/>.</param>
    /// <param name="units">What the units are; null if the scan does not tell.</param>
    /// <param name="promotion">What is promoted.</param>
    /// <param name="how">Why it is built, for the report.</param>
    /// <param name="progress">Called with the connection that builds and the file that it writes, for asking how far it is; with null once it may not be asked any more.</param>
    /// <param name="cancellationToken">Interrupts the engine.</param>
    public ValueTask<HotBuild> BuildAsync(
        Snapshot snapshot, TableScan scan, UnitKind? units, PromotionSpec promotion, string how, Action<DuckDBConnection?, string> progress, CancellationToken cancellationToken)
    {
        IReadOnlyList<StoredColumn> columns = ColumnPlan.Initial(snapshot, promotion);
        string origin = units is null ? "NULL::INTEGER AS u, NULL::BIGINT AS p" : $"{RowOrigin.Unit}::INTEGER AS u, {RowOrigin.Position}::BIGINT AS p";
        string rows = $"SELECT {origin}, {string.Join(", ", columns.Select(c => $"{SqlText.Identifier(c.Name)} AS {c.Stored}"))} FROM ({scan.Sql}){OrderBy(columns, snapshot, promotion)}";
        var stamp = new HotStamp
        {
            Snapshot = snapshot.Id.Text,
            Identity = snapshot.Identity,
            CommittedAt = snapshot.CommittedAt,
            Units = units,
            Columns = columns,
            Rows = 0,
            NextUnit = scan.Units.Count,
            NextColumn = columns.Count,
            LastRefresh = new RefreshReport(how, 0, 0, 0),
        };
        UnitGroup[] groups = [.. scan.Units.Select(UnitGroup.Of)];
        StoredColumn[] keys = promotion.Lookup ? [.. HotFollower.KeysOf(columns, snapshot)] : [];
        return promotion.Lookup && keys.Length == 0
            ? throw LakeException.QueryInvalid($"{snapshot.Table.FullName} has no primary key among the promoted columns, which lookup = true needs")
            : WriteAsync(snapshot.Table, rows, groups, stamp, snapshot, keys, progress, cancellationToken);
    }

    /// <summary>Writes a copy anew, without the room of deleted rows and dropped columns.</summary>
    public ValueTask<HotBuild> RewriteAsync(Snapshot snapshot, HotCopy copy, CancellationToken cancellationToken)
    {
        PromotionSpec promotion = copy.Record.Promotion;
        HotState state = copy.State;
        string rows = $"SELECT u, p, {string.Join(", ", state.Stamp.Columns.Select(c => $"{HotDatabase.Read(c)} AS {c.Stored}"))} FROM {copy.Database.Rows}{OrderBy(state.Stamp.Columns, snapshot, promotion)}";
        StoredColumn[] keys = promotion.Lookup ? [.. HotFollower.KeysOf(state.Stamp.Columns, snapshot)] : [];
        return WriteAsync(snapshot.Table, rows, [.. state.Units.Groups], state.Stamp, snapshot, keys, (_, _) => { }, cancellationToken);
    }

    /// <summary>Makes a build the copy of its table: from here on it is what a restart finds.</summary>
    public HotCopy Publish(HotBuild build, LakeTable table, PromotionSpec promotion, DateTimeOffset builtAt, DateTimeOffset knownNewestAt)
    {
        var record = new HotCopyRecord
        {
            Source = table.Source,
            Schema = table.Schema,
            Name = table.Name,
            Location = table.Root.Location,
            File = build.File,
            BuiltAt = builtAt,
            Promotion = promotion,
        };
        var copy = new HotCopy(record, build.Database, build.State, knownNewestAt, Retired);
        HotCopy? old = Swap(record, copy);
        old?.Retire();
        return copy;
    }

    /// <summary>Takes a copy out of service, also beyond a restart.</summary>
    public void Quarantine(HotCopy copy)
    {
        lock (_gate)
        {
            copy.Quarantine();
            WriteManifest();
        }
    }

    /// <summary>Drops a build that will not be published.</summary>
    public void Discard(HotBuild build) => Discard(build.Database, build.File);

    /// <summary>Drops the copy of a table; false if it has none.</summary>
    public bool Remove(LakeTable table) => Find(table) is { } copy && Remove(copy);

    /// <summary>Drops a copy; false if it was replaced meanwhile.</summary>
    public bool Remove(HotCopy copy)
    {
        HotCopy? old;
        lock (_gate)
        {
            var copies = new Dictionary<string, HotCopy>(_copies);
            string key = Key(copy.Record.Source, copy.Record.Schema, copy.Record.Name);
            if (copies.GetValueOrDefault(key) != copy || !copies.Remove(key, out old))
            {
                return false;
            }

            Volatile.Write(ref _copies, copies);
            WriteManifest();
        }

        old.Retire();
        return true;
    }

    public void Dispose() => _lock.Dispose();

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

    private async ValueTask<HotBuild> WriteAsync(
        LakeTable table, string rowsSql, IReadOnlyCollection<UnitGroup> groups, HotStamp stamp, Snapshot snapshot, StoredColumn[] keys,
        Action<DuckDBConnection?, string> progress, CancellationToken cancellationToken)
    {
        string file = $"{FileStem(table)}.{Guid.NewGuid():N}.duckdb";
        string path = Path.Combine(_directory, file);
        var database = new HotDatabase(_engine, NextAlias());
        long started = Stopwatch.GetTimestamp();
        using DuckDBConnection connection = _engine.OpenWatchedConnection();
        try
        {
            database.Attach(path);
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"CREATE TABLE {database.Rows} AS {rowsSql}";
            using (cancellationToken.UnsafeRegister(static c => ((DuckDBCommand)c!).Cancel(), command))
            {
                progress(connection, path);
                try
                {
                    await Task.Run(command.ExecuteNonQuery, CancellationToken.None);
                }
                finally
                {
                    progress(null, path);
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            long rows = (long)HotDatabase.Scalar(connection, $"SELECT count(*) FROM {database.Rows}")!;
            database.CreateTables(connection);
            database.WriteUnits(connection, [], groups);
            database.CreateIndexes(connection, keys);
            EngineDatabase.Execute(connection, $"CHECKPOINT {database.Alias}");
            stamp = stamp with
            {
                Rows = rows,
                CountsAgree = snapshot.RowCount == rows,
                DeadRows = 0,
                FreshRows = rows,
                FreshBytes = new FileInfo(path).Length,
                LastRefresh = stamp.LastRefresh! with { RowsInserted = rows, Milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds },
            };
            database.WriteStamp(connection, stamp);
            EngineDatabase.Execute(connection, $"CHECKPOINT {database.Alias}");
            HotState state = database.Load();
            return new HotBuild(file, database, state with { Snapshot = snapshot, Schema = snapshot.Schema }, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (Exception e)
        {
            Discard(database, file);
            cancellationToken.ThrowIfCancellationRequested();
            throw e is DuckDBException ? new LakeException(LakeErrorKind.ResourcesExhausted, $"The hot copy cannot be written: {e.Message}", path, innerException: e) : e;
        }
    }

    private static string OrderBy(IReadOnlyList<StoredColumn> columns, Snapshot snapshot, PromotionSpec promotion)
    {
        IEnumerable<string> keys = promotion.OrderBy.Select(key =>
        {
            bool descending = key.EndsWith(" DESC", StringComparison.Ordinal);
            string name = ColumnPlan.Find(snapshot, descending ? key[..^5] : key).Name;
            StoredColumn column = columns.FirstOrDefault(c => c.Name == name) ?? throw LakeException.QueryInvalid($"ORDER BY {name}: the column is not among the promoted ones");
            return column.Stored + (descending ? " DESC" : string.Empty);
        });
        return promotion.OrderBy.Count == 0 ? string.Empty : " ORDER BY " + string.Join(", ", keys);
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
        var database = new HotDatabase(_engine, NextAlias());
        try
        {
            if (!File.Exists(path))
            {
                return null;
            }

            database.Attach(path);
            return new HotCopy(record, database, database.Load(), DateTimeOffset.MinValue, Retired);
        }
        catch (Exception e) when (e is DuckDBException or JsonException or InvalidOperationException)
        {
            // A copy that the engine cannot open is as good as none: the lake answers, and it can be promoted again.
            database.Detach();
            return null;
        }
    }

    private void Retired(HotCopy copy) => Discard(copy.Database, copy.Record.File);

    private void Discard(HotDatabase database, string file)
    {
        try
        {
            database.Detach();
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

    private long BytesOf(string file) => new[] { file, file + ".wal" }.Select(f => new FileInfo(Path.Combine(_directory, f))).Sum(f => f.Exists ? f.Length : 0);

    private void WriteManifest() => HotManifest.Write(
        _directory, [.. Volatile.Read(ref _copies).Values.Select(c => c.Record).OrderBy(r => r.File, StringComparer.Ordinal)]);

    private string NextAlias() => "hot_" + Interlocked.Increment(ref _generation).ToString(CultureInfo.InvariantCulture);

    private static string Key(string source, string schema, string name) => $"{source}\0{schema}\0{name}".ToUpperInvariant();

    private static string FileStem(LakeTable table)
    {
        string text = $"{table.Schema}.{table.Name}";
        return string.Concat(text.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_'))[..Math.Min(text.Length, 80)];
    }
}

/// <summary>A database that was built and waits to be published.</summary>
/// <param name="File">Its file name.</param>
/// <param name="Database">The attached database.</param>
/// <param name="State">What it holds.</param>
/// <param name="Milliseconds">The time that it took.</param>
internal sealed record HotBuild(string File, HotDatabase Database, HotState State, double Milliseconds);
