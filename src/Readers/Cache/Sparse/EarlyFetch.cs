using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>A sparse file that is held while what it misses is fetched: whoever opens it waits until it is complete. To be ended, whatever happens.</summary>
internal sealed class EarlyFetch(FileHold hold, IReadOnlyList<ByteRange> requests, Func<ByteRange, CancellationToken, ValueTask> fetch, Action<bool> end)
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    /// <summary>Small requests at once, that take no longer than the way to the store; of large ones half as many.</summary>
    private const int AtOnce = 32;

    private int _missing = requests.Count;
    private int _ended;

    /// <summary>What is to be fetched.</summary>
    public IReadOnlyList<ByteRange> Requests => requests;

    /// <summary>Whether somebody waits for the file.</summary>
    public bool IsAwaited => hold.IsAwaited;

    private bool IsLate => hold.Left <= TimeSpan.Zero;

    /// <summary>Fetches one of the requests; after the last the file can be opened.</summary>
    /// <exception cref="TimeoutException">All is there, but it came so late that somebody may have seen the file before.</exception>
    public async ValueTask RunAsync(ByteRange request, CancellationToken cancellationToken)
    {
        await fetch(request, cancellationToken);
        if (Interlocked.Decrement(ref _missing) == 0)
        {
            bool isLate = IsLate;
            End();
            if (isLate)
            {
                throw new TimeoutException("The system lets nobody wait longer for a file");
            }
        }
    }

    /// <summary>Lets in who waits; of a file that is not complete only to find that it is no Parquet file. No request may be under way.</summary>
    public void End()
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            end(_missing == 0);
        }
    }

    /// <summary>Fetches files side by side, what the first ones miss first, and ends all.</summary>
    public static async Task RunAllAsync(IReadOnlyList<EarlyFetch> files, CancellationToken cancellationToken)
    {
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var places = new SemaphoreSlim(AtOnce);
        await using var looks = new Timer(_ => CancelIfLate(), null, LookEvery, LookEvery);
        var running = new List<Task>();
        try
        {
            foreach (EarlyFetch file in files)
            {
                foreach (ByteRange request in file.Requests)
                {
                    int taken = request.Length > RangeFetcher.MaxRequestBytes / 2 ? 2 : 1;
                    for (int i = 0; i < taken; i++)
                    {
                        await places.WaitAsync(failed.Token);
                    }

                    running.Add(RunOneAsync(file, request, taken));
                }
            }
        }
        finally
        {
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (EarlyFetch file in files)
            {
                file.End();
            }
        }

        await Task.WhenAll(running);

        // Who waits too long is let in by the system.
        void CancelIfLate()
        {
            if (files.Any(f => f.IsLate))
            {
                failed.Cancel();
            }
        }

        async Task RunOneAsync(EarlyFetch file, ByteRange request, int taken)
        {
            try
            {
                await file.RunAsync(request, failed.Token);
            }
            catch
            {
                await failed.CancelAsync();
                throw;
            }
            finally
            {
                places.Release(taken);
            }
        }
    }
}
