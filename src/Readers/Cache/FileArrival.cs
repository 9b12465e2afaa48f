using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache;

/// <summary>Remote files that are on their way while the engine already runs: it waits where it opens one that is not complete.</summary>
/// <remarks>What the engine gives is right only if <see cref="Completion"/> succeeds: then each file was complete before it could be opened. Else it may have seen files that were not, and
/// what it gave is to be dropped.</remarks>
public sealed class FileArrival
{
    private readonly Func<bool> _isAwaited;
    private readonly CancellationTokenSource _stop;

    internal FileArrival(Func<CancellationToken, Task> fetch, Func<bool> isAwaited, CancellationTokenSource stop)
    {
        (_isAwaited, _stop) = (isAwaited, stop);
        Completion = Task.Run(
            async () =>
            {
                StorageUse.Current = Use;
                using IDisposable? clock = StorageUse.MeasureFetching();
                await fetch(stop.Token);
            },
            CancellationToken.None);
    }

    /// <summary>Ends when all are complete; fails when one cannot be fetched, or not in the time that the system lets the engine wait.</summary>
    public Task Completion { get; }

    /// <summary>What is taken from storage for them.</summary>
    public StorageUse Use { get; } = new();

    /// <summary>Whether the engine waits for one now.</summary>
    public bool IsAwaited => !Completion.IsCompleted && _isAwaited();

    /// <summary>Gives up what is not there yet.</summary>
    internal async ValueTask StopAsync()
    {
        if (!Completion.IsCompleted)
        {
            await _stop.CancelAsync();
        }

        await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }
}
