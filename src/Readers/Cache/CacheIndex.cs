using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache.Sparse;

namespace LakeHolo.Readers.Cache;

/// <summary>The files of the cache folder: created once, leased while in use, dropped least recently used first when the budget is reached.</summary>
/// <remarks>A file gets its name only when it is complete; what a killed process left half written lies in the folder for temporary files, which is
/// emptied at start. A process holds its part of the folder by a file lock, which the system drops when the process ends.</remarks>
internal sealed class CacheIndex : IDisposable
{
    /// <summary>Ends the name of a file that belongs to another and goes with it.</summary>
    public const string CompanionSuffix = ".map";

    private const int MaxParts = 64;
    private static readonly long TouchInterval = TimeSpan.TicksPerMinute;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, CacheEntry> _entries = new(StringComparer.Ordinal);
    private readonly LinkedList<CacheEntry> _byUse = new(); // least recent first
    private readonly long _budgetBytes;
    private readonly TimeProvider _time;
    private readonly FileStream _partLock;
    private readonly string _filesFolder;
    private readonly string _temporaryFolder;
    private readonly HashSet<string> _keptCopies = new(StringComparer.Ordinal);
    private long _sizeBytes;

    public CacheIndex(string directory, long budgetBytes, TimeProvider time)
    {
        _budgetBytes = budgetBytes;
        _time = time;
        (string part, _partLock) = LockPart(directory);
        _filesFolder = Path.Combine(part, "files");
        _temporaryFolder = Path.Combine(part, "temporary");
        if (Directory.Exists(_temporaryFolder))
        {
            Directory.Delete(_temporaryFolder, recursive: true);
        }

        Directory.CreateDirectory(_temporaryFolder);
        Directory.CreateDirectory(_filesFolder);
        LoadEntries();
    }

    /// <summary>Called with the size of each entry that is dropped for room.</summary>
    public Action<long>? Evicted { get; set; }

    public long SizeBytes
    {
        get
        {
            lock (_lock)
            {
                return _sizeBytes;
            }
        }
    }

    /// <summary>Whether an earlier process kept parts of any version of the file.</summary>
    public bool IsKept(CacheableFile file) => _keptCopies.Count > 0 && _keptCopies.Contains(CacheNames.ForRangesOfAny(file));

    /// <summary>A path for a file in the making, on the same file system as the final ones.</summary>
    public string NewTemporaryPath() => Path.Combine(_temporaryFolder, Guid.NewGuid().ToString("N"));

    /// <summary>Leases an entry; made by <paramref name="create"/> if it is not there, once for all who ask meanwhile.</summary>
    /// <returns>The entry, and whether it was there already.</returns>
    public async ValueTask<(CacheEntry Entry, bool Hit)> AcquireAsync(
        string name, Func<CacheEntry, CancellationToken, Task> create, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (CacheEntry entry, bool hit) = Lease(name, create);
            try
            {
                await entry.Ready.WaitAsync(cancellationToken);
                Touch(entry);
                return (entry, hit);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                Release(entry); // whoever was first gave up just before we came: try ourselves
            }
            catch (LakeException e) when (hit && e is { Kind: LakeErrorKind.ResourcesExhausted, IsTransient: false })
            {
                Release(entry); // a bound of the statement that was first, not of ours: try ourselves
            }
            catch
            {
                Release(entry);
                throw;
            }
        }
    }

    /// <summary>Leases an entry if it is there and complete.</summary>
    public CacheEntry? TryAcquire(string name)
    {
        CacheEntry? entry;
        lock (_lock)
        {
            if (!_entries.TryGetValue(name, out entry) || !entry.Ready.IsCompletedSuccessfully)
            {
                return null;
            }

            Use(entry);
        }

        Touch(entry);
        return entry;
    }

    /// <summary>Ends a lease.</summary>
    public void Release(CacheEntry entry)
    {
        CancellationTokenSource? unwanted = null;
        lock (_lock)
        {
            entry.Leases--;
            if (entry.Leases == 0 && !entry.Ready.IsCompleted)
            {
                unwanted = entry.Creation;
            }
        }

        unwanted?.Cancel();
    }

    /// <summary>Accounts for more bytes of an entry that the caller leases, and makes room for them; for fewer if the number is negative.</summary>
    /// <exception cref="LakeException">ResourcesExhausted when files in use fill the budget.</exception>
    public void Grow(CacheEntry entry, long bytes)
    {
        lock (_lock)
        {
            LinkedListNode<CacheEntry>? node = _byUse.First;
            while (_sizeBytes + bytes > _budgetBytes && node is not null)
            {
                LinkedListNode<CacheEntry>? next = node.Next;
                if (node.Value.Leases == 0 && node.Value.Ready.IsCompleted)
                {
                    Evicted?.Invoke(node.Value.SizeBytes);
                    Remove(node.Value);
                }

                node = next;
            }

            if (_sizeBytes + bytes > _budgetBytes)
            {
                throw LakeException.ResourcesExhausted(
                    $"The disk cache has a budget of {_budgetBytes} bytes, {_sizeBytes} are in use and {bytes} more are needed");
            }

            entry.SizeBytes += bytes;
            _sizeBytes += bytes;
        }
    }

    /// <summary>Forgets an entry whose content is of no use; the next one to ask makes it anew.</summary>
    public void Discard(CacheEntry entry)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(entry.Name, out CacheEntry? current) && ReferenceEquals(current, entry))
            {
                Remove(entry);
            }
        }
    }

    public void Dispose() => _partLock.Dispose();

    private (CacheEntry Entry, bool Hit) Lease(string name, Func<CacheEntry, CancellationToken, Task> create)
    {
        lock (_lock)
        {
            bool hit = _entries.TryGetValue(name, out CacheEntry? entry);
            if (!hit)
            {
                entry = new CacheEntry(name, Path.Combine(_filesFolder, name)) { Creation = new CancellationTokenSource() };
                _entries.Add(name, entry);
                entry.Ready = Task.Run(() => CreateAsync(entry, create));
            }

            Use(entry!);
            return (entry!, hit);
        }
    }

    private void Use(CacheEntry entry)
    {
        if (entry.Node.List is not null)
        {
            _byUse.Remove(entry.Node);
        }

        _byUse.AddLast(entry.Node);
        entry.Leases++;
    }

    private async Task CreateAsync(CacheEntry entry, Func<CacheEntry, CancellationToken, Task> create)
    {
        try
        {
            await create(entry, entry.Creation!.Token);
        }
        catch (Exception e)
        {
            Discard(entry);
            if (e is IOException or UnauthorizedAccessException)
            {
                throw LakeException.StorageUnavailable($"The disk cache cannot be written: {e.Message}", entry.Path, isTransient: false, e);
            }

            throw;
        }
    }

    private void Remove(CacheEntry entry)
    {
        _entries.Remove(entry.Name);
        _byUse.Remove(entry.Node);
        _sizeBytes -= entry.SizeBytes;
        entry.SizeBytes = 0;
        (entry.State as IDisposable)?.Dispose();
        File.Delete(entry.Path + CompanionSuffix); // first: without it a sparse file is known to be of no use
        File.Delete(entry.Path);
    }

    // The order of use outlives the process in the files' access times.
    private void Touch(CacheEntry entry)
    {
        long now = _time.GetUtcNow().UtcTicks;
        if (now - entry.TouchedTicks > TouchInterval)
        {
            entry.TouchedTicks = now;
            File.SetLastAccessTimeUtc(entry.Path, new DateTime(now, DateTimeKind.Utc));
        }
    }

    private void LoadEntries()
    {
        var files = new DirectoryInfo(_filesFolder).GetFiles().ToDictionary(f => f.Name, StringComparer.Ordinal);
        foreach (FileInfo file in files.Values.OrderBy(f => f.LastAccessTimeUtc))
        {
            if (file.Name.EndsWith(CompanionSuffix, StringComparison.Ordinal))
            {
                if (!files.ContainsKey(file.Name[..^CompanionSuffix.Length]))
                {
                    file.Delete();
                }

                continue;
            }

            if (!CacheNames.Outlives(file.Name) || SizeOnDisk(file) is not { } sizeBytes)
            {
                File.Delete(file.FullName + CompanionSuffix);
                file.Delete();
                continue;
            }

            var entry = new CacheEntry(file.Name, file.FullName) { SizeBytes = sizeBytes, TouchedTicks = file.LastAccessTimeUtc.Ticks };
            _entries.Add(entry.Name, entry);
            _byUse.AddLast(entry.Node);
            _sizeBytes += entry.SizeBytes;
            if (file.Name.StartsWith(CacheNames.SparsePrefix, StringComparison.Ordinal))
            {
                _keptCopies.Add(CacheNames.AnyVersionOf(file.Name));
            }
        }
    }

    // Null for a sparse file of which nobody knows what is there.
    private static long? SizeOnDisk(FileInfo file) => file.Name.StartsWith(CacheNames.SparsePrefix, StringComparison.Ordinal)
        ? SegmentMap.TryRead(file.FullName + CompanionSuffix, file.Length)?.Sum(s => s.Length)
        : file.Length;

    private static (string Part, FileStream Lock) LockPart(string directory)
    {
        for (int i = 0; i < MaxParts; i++)
        {
            string part = Path.Combine(Path.GetFullPath(directory), $"part{i}");
            Directory.CreateDirectory(part);
            try
            {
                return (part, new FileStream(Path.Combine(part, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException) when (File.Exists(Path.Combine(part, "lock")))
            {
                // held by another process: the next part
            }
        }

        throw LakeException.ResourcesExhausted($"More than {MaxParts} processes share the cache folder {directory}");
    }
}
