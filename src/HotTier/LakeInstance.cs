using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;
using Microsoft.Extensions.Logging;

namespace LakeHolo.HotTier;

/// <summary>One LakeHolo: catalog, readers, engine and hot tier put together, with the background sync that keeps them current.</summary>
public sealed class LakeInstance : IAsyncDisposable
{
    private static readonly TimeSpan LookAtEngineEvery = TimeSpan.FromSeconds(1);

    private readonly LakeOptions _options;
    private readonly EngineDatabase _database;
    private readonly DiskCache _cache;
    private readonly IReadOnlyList<ITableReader> _readers;
    private readonly HotStore _store;
    private readonly HotTierController _tier;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _loops = [];
    private readonly TaskCompletionSource _engineLost = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private LakeInstance(LakeOptions options, ILoggerFactory loggers, TimeProvider time)
    {
        _options = options;
        _time = time;
        _logger = loggers.CreateLogger("LakeHolo.HotTier");
        string hot = HotFolder(options.DataDirectory);
        string cache = Path.Combine(options.DataDirectory, "cache");
        string spill = Path.Combine(options.DataDirectory, "spill");
        Directory.CreateDirectory(spill);
        _database = new EngineDatabase(options.Engine with
        {
            SpillDirectory = spill,
            AllowedDirectories = [.. options.Engine.AllowedDirectories, hot, cache, spill, .. options.Sources.Select(s => LocalDirectory(s.Root)).OfType<string>()],
        });
        _cache = new DiskCache(new DiskCacheOptions { Directory = cache, BudgetBytes = options.CacheBytes });
        (IReadOnlyList<ITableFormat> formats, IReadOnlyList<ITableReader> readers) = TableFormats.Create(
            _database, _cache, new FolderOptions { Columns = options.FolderColumns }, new ExternalLocations(options.Sources.Select(s => s.Root)));
        _readers = readers;
        Catalog = new CatalogService(options.Sources, formats, options.Layers, time);
        var lake = new LakeTableSource(readers, _database, time);
        _store = new HotStore(hot, _database);
        DeleteSpilled(spill);
        _tier = new HotTierController(_store, Catalog, lake, new HotLimits(options.MaxConcurrentBuilds, options.HotBytes, options.HotPartBytes), time, _logger);
        Engine = new LakeEngine(_database, Catalog, [new HotTableSource(_store, lake, time), lake], _tier, options.Limits, time, options.Access,
            d => Log.AccessDenied(_logger, d.User, d.Client, d.Reason, d.Statement));
        foreach (PromotedQuery query in _store.Queries.Where(q => options.Sources.Any(s => s.Name == q.Source)))
        {
            Catalog.Enter(Engine.Queries.TableOf(query));
        }
    }

    /// <summary>The copies.</summary>
    internal HotStore Store => _store;

    /// <summary>The engine.</summary>
    internal EngineDatabase Database => _database;

    /// <summary>SQL in, Arrow out.</summary>
    public LakeEngine Engine { get; }

    /// <summary>The tables.</summary>
    public CatalogService Catalog { get; }

    /// <summary>Ends when the engine refuses every statement, which it does after an error inside itself. Then only another instance over the same folders helps; looked at once
    /// syncs have begun.</summary>
    public Task EngineLost => _engineLost.Task;

    /// <summary>Whether another process has the hot copies and the cache of a data folder; two may not share them.</summary>
    public static bool IsInUse(string dataDirectory) => HotStore.IsInUse(HotFolder(dataDirectory));

    /// <summary>Opens everything and runs the first sync of every source; a source that cannot be reached is an error.</summary>
    /// <param name="options">Sources, folders and limits.</param>
    /// <param name="loggers">Where to log.</param>
    /// <param name="time">The clock.</param>
    /// <param name="opened">Called before the first sync, with the catalog that it fills.</param>
    /// <param name="cancellationToken">Ends the first sync.</param>
    /// <exception cref="LakeException">StorageUnavailable or NotFound for a source; ResourcesExhausted when another process uses the data folder.</exception>
    public static async ValueTask<LakeInstance> StartAsync(
        LakeOptions options, ILoggerFactory loggers, TimeProvider time, Action<CatalogService>? opened = null, CancellationToken cancellationToken = default)
    {
        var instance = new LakeInstance(options, loggers, time);
        opened?.Invoke(instance.Catalog);
        try
        {
            foreach (LakeSource source in options.Sources)
            {
                await instance.Catalog.SyncAsync(source, cancellationToken);
            }

            instance.Engine.CheckAccess();
            return instance;
        }
        catch
        {
            await instance.DisposeAsync();
            throw;
        }
    }

    /// <summary>Begins the scheduled syncs; after each, hot copies follow. In local folders they follow at once, when the system tells of new files.</summary>
    public void StartSync()
    {
        _loops.Add(Task.Run(() => PatrolAsync(_stop.Token)));
        _loops.Add(Task.Run(() => LookAtEngineAsync(_stop.Token)));
        foreach (LakeSource source in _options.Sources)
        {
            _loops.Add(Task.Run(() => SyncLoopAsync(source, _stop.Token)));
            if (LakeWatcher.TryWatch(source.Root) is { } watcher)
            {
                _loops.Add(Task.Run(() => WatchLoopAsync(source, watcher, _stop.Token)));
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_loops);
        await _tier.DisposeAsync();
        Engine.Dispose();
        _store.Dispose();
        foreach (IDisposable reader in _readers.OfType<IDisposable>())
        {
            reader.Dispose();
        }

        _cache.Dispose();
        _database.Dispose();
        foreach (LakeSource source in _options.Sources)
        {
            await source.Root.Store.DisposeAsync();
        }

        _stop.Dispose();
    }

    private static string HotFolder(string dataDirectory) => Path.Combine(dataDirectory, "hot");

    private static string? LocalDirectory(TableRoot root) => root.Store.TryGetLocalPath(string.Empty);

    private async Task SyncLoopAsync(LakeSource source, CancellationToken cancellationToken)
    {
        var schedule = new SyncSchedule(source);
        try
        {
            while (true)
            {
                await schedule.WaitAsync(_time, cancellationToken);
                try
                {
                    await Catalog.SyncAsync(source, cancellationToken);
                    await _tier.FollowAsync(null, cancellationToken);
                }
                catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
                {
                    // Whatever went wrong (a folder may go while it is listed), the next run tries again. The catalog keeps what it knows; hot copies go on within what their readers accept.
                    Log.SyncFailed(_logger, source.Name, e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private async Task PatrolAsync(CancellationToken cancellationToken)
    {
        try
        {
            await new HotPatrol(_tier, _store, Catalog, _options.HotVerifyBytes, _time, _logger).RunAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private async Task LookAtEngineAsync(CancellationToken cancellationToken)
    {
        using var clock = new PeriodicTimer(LookAtEngineEvery, _time);
        try
        {
            while (await clock.WaitForNextTickAsync(cancellationToken))
            {
                if (!_database.IsUsable() || !Engine.IsUsable())
                {
                    Log.EngineLost(_logger);
                    _engineLost.SetResult();
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopping.
        }
    }

    private async Task WatchLoopAsync(LakeSource source, LakeWatcher watcher, CancellationToken cancellationToken)
    {
        using (watcher)
        {
            try
            {
                while (true)
                {
                    Func<CatalogTable, bool> changed = await watcher.NextAsync(source.Root, cancellationToken);
                    try
                    {
                        await _tier.FollowAsync(changed, cancellationToken);
                    }
                    catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
                    {
                        Log.SyncFailed(_logger, source.Name, e.Message);
                    }
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Stopping.
            }
        }
    }

    /// <summary>What a process that was killed left; nothing of this one is spilled yet.</summary>
    private static void DeleteSpilled(string directory)
    {
        foreach (string file in Directory.GetFiles(directory))
        {
            File.Delete(file);
        }
    }
}
