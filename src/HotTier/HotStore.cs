using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>The tier's folder and its databases: one file per copy and generation, attached to the engine while it serves.</summary>
internal sealed partial class HotStore : IDisposable
{
    private readonly string _directory;
    private readonly EngineDatabase _engine;
    private readonly Lock _gate = new();
    private readonly FileStream _lock;
    private Dictionary<string, HotCopy> _copies = [];
    private Dictionary<string, HotCopyRecord> _absent = [];
    private Dictionary<string, HotCopy> _building = [];
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

        // Copies that could not be opened leave the list, so that their names are free again. A query is remembered.
        foreach (HotCopyRecord record in records.Where(r => r.Query is not null && !_copies.ContainsKey(Key(r.Source, r.Schema, r.Name))))
        {
            _absent[Key(record.Source, record.Schema, record.Name)] = record with { File = string.Empty };
        }

        if (_copies.Count != records.Count)
        {
            WriteManifest();
            DeleteStrays([.. _copies.Values.Select(c => c.Record)]);
        }
    }

    /// <summary>The copies.</summary>
    public IReadOnlyCollection<HotCopy> Copies => Volatile.Read(ref _copies).Values;

    /// <summary>Promoted queries whose copy was lost: dropped to make room, or damaged.</summary>
    public IReadOnlyCollection<HotCopyRecord> Absent => Volatile.Read(ref _absent).Values;

    /// <summary>The promoted queries.</summary>
    public IEnumerable<PromotedQuery> Queries => Copies.Select(c => c.Record).Concat(Absent).Select(r => r.Query).OfType<PromotedQuery>();

    /// <summary>The engine that the copies are attached to.</summary>
    public EngineDatabase Engine => _engine;

    /// <summary>The copy of a table, if it has one.</summary>
    public HotCopy? Find(LakeTable table) => Find(Volatile.Read(ref _copies), table);

    /// <summary>The copy that is being built of a table, once it holds a part of it: it holds the units that were copied.</summary>
    public HotCopy? FindBuilding(LakeTable table) => Find(Volatile.Read(ref _building), table);

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

    /// <summary>Makes a build the copy of its table: from here on it is what a restart finds.</summary>
    public HotCopy Publish(HotBuild build, PromotedQuery? query, DateTimeOffset builtAt, DateTimeOffset knownNewestAt)
    {
        HotCopy copy = build.Copy;
        HotCopyRecord record = copy.Record with { BuiltAt = builtAt, Query = query };
        copy.Enter(record, knownNewestAt);
        HotCopy? old = Swap(record, copy);
        Building(copy, isBuilding: false);
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

    /// <summary>Takes a copy out of service that the engine refuses to read because a checkpoint of its file failed, for want of room, say. Its rows are safe: a restart finds them.</summary>
    public void QuarantineIfRefused(HotCopy copy)
    {
        using DuckDBConnection connection = Engine.OpenConnection();
        try
        {
            EngineDatabase.Execute(connection, $"SELECT 1 FROM {copy.Database.Rows} LIMIT 0");
        }
        catch (DuckDBException e)
        {
            if (e.Message.Contains("because checkpointing failed", StringComparison.Ordinal))
            {
                lock (_gate)
                {
                    copy.Quarantine();
                }
            }

            // Whatever else it is (the engine itself may be lost), the caller has the error that it came with.
        }
    }

    /// <summary>Drops a build that will not be published.</summary>
    public void Discard(HotBuild build) => Discard(build.Copy);

    /// <summary>Drops the copy of a table, and the query if it is one; false if it has none.</summary>
    public bool Remove(LakeTable table)
    {
        lock (_gate)
        {
            if (Find(table) is not { } copy)
            {
                return Absent.Any(r => r.Location == table.Root.Location) && Forget(table);
            }

            return Remove(copy, forget: true);
        }
    }

    /// <summary>Drops a copy to make room; a query is remembered. False if it was replaced meanwhile.</summary>
    public bool Evict(HotCopy copy) => Remove(copy, forget: false);

    private static HotCopy? Find(Dictionary<string, HotCopy> copies, LakeTable table)
    {
        HotCopy? copy = copies.GetValueOrDefault(Key(table.Source, table.Schema, table.Name));
        return copy?.Record.Location == table.Root.Location ? copy : null;
    }

    private static HotCopyRecord RecordOf(LakeTable table, string file, PromotionSpec promotion) => new()
    {
        Source = table.Source,
        Schema = table.Schema,
        Name = table.Name,
        Location = table.Root.Location,
        File = file,
        BuiltAt = DateTimeOffset.MinValue,
        Promotion = promotion,
    };

    private void Building(HotCopy copy, bool isBuilding)
    {
        lock (_gate)
        {
            string key = Key(copy.Record.Source, copy.Record.Schema, copy.Record.Name);
            var building = new Dictionary<string, HotCopy>(_building);
            if (isBuilding)
            {
                building[key] = copy;
            }
            else if (building.GetValueOrDefault(key) == copy)
            {
                building.Remove(key);
            }

            Volatile.Write(ref _building, building);
        }
    }

    private bool Forget(LakeTable table)
    {
        var absent = new Dictionary<string, HotCopyRecord>(_absent);
        bool was = absent.Remove(Key(table.Source, table.Schema, table.Name));
        Volatile.Write(ref _absent, absent);
        WriteManifest();
        return was;
    }

    private bool Remove(HotCopy copy, bool forget)
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

            if (copy.Record.Query is not null && !forget)
            {
                Volatile.Write(ref _absent, new Dictionary<string, HotCopyRecord>(_absent) { [key] = copy.Record with { File = string.Empty } });
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

    private HotCopy? Swap(HotCopyRecord record, HotCopy copy)
    {
        lock (_gate)
        {
            var copies = new Dictionary<string, HotCopy>(_copies);
            string key = Key(record.Source, record.Schema, record.Name);
            HotCopy? old = copies.GetValueOrDefault(key);
            copies[key] = copy;
            (Dictionary<string, HotCopy> before, Dictionary<string, HotCopyRecord> absentBefore) = (_copies, _absent);
            var absent = new Dictionary<string, HotCopyRecord>(_absent);
            absent.Remove(key);
            Volatile.Write(ref _copies, copies);
            Volatile.Write(ref _absent, absent);
            try
            {
                WriteManifest();
            }
            catch
            {
                Volatile.Write(ref _copies, before);
                Volatile.Write(ref _absent, absentBefore);
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
            if (record.File.Length == 0 || !File.Exists(path))
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

    private void Discard(HotCopy copy)
    {
        Building(copy, isBuilding: false);
        copy.Retire();
    }

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
        _directory, [.. Copies.Select(c => c.Record).Concat(Absent).OrderBy(r => r.File, StringComparer.Ordinal)]);

    private string NextAlias() => "hot_" + Interlocked.Increment(ref _generation).ToString(CultureInfo.InvariantCulture);

    private static string Key(string source, string schema, string name) => $"{source}\0{schema}\0{name}".ToUpperInvariant();
}
