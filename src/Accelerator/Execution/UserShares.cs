using System.Diagnostics;
using System.Globalization;
using LakeHolo.Accelerator.Access;

namespace LakeHolo.Accelerator.Execution;

/// <summary>What users have running, against their limits.</summary>
/// <param name="engineMemoryBytes">What the engine may hold.</param>
internal sealed class UserShares(long engineMemoryBytes)
{
    /// <summary>Clients open the next result just before they close the last one: that long a statement waits for its user's others, or for memory.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _running = new(StringComparer.Ordinal);
    private TaskCompletionSource _changed = NewSignal();
    private long _memoryBytes;

    /// <summary>Takes a place for a statement; disposing it gives the place back. Null for a user without such limits.</summary>
    /// <exception cref="LakeCatalog.LakeException">ResourcesExhausted, naming the limit.</exception>
    public async ValueTask<IDisposable?> TakeAsync(string user, UserLimits limits, CancellationToken cancellationToken)
    {
        if (limits.ConcurrentStatements is null && limits.MemoryBytes is null)
        {
            return null;
        }

        long memory = limits.MemoryBytes ?? 0;
        if (memory > engineMemoryBytes)
        {
            throw UserLimits.Exceeded("memory", memory, user, Text($"the engine has {engineMemoryBytes} bytes in all (engine.memory)"));
        }

        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            Task changed;
            int running;
            bool isPlace;
            bool isMemory;
            lock (_gate)
            {
                running = _running.GetValueOrDefault(user);
                isPlace = limits.ConcurrentStatements is not { } most || running < most;
                isMemory = _memoryBytes + memory <= engineMemoryBytes;
                if (isPlace && isMemory)
                {
                    _running[user] = running + 1;
                    _memoryBytes += memory;
                    return new Share(this, user, memory);
                }

                changed = _changed.Task;
            }

            TimeSpan left = Patience - Stopwatch.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
            {
                throw !isPlace
                    ? UserLimits.Exceeded("concurrent_statements", limits.ConcurrentStatements!.Value, user, Text($"{running} statements run or have rows to be read; end or read one first"), isTransient: true)
                    : UserLimits.Exceeded("memory", memory, user, "so much of the engine's memory is not free of other statements' shares; try again later", isTransient: true);
            }

            await Task.WhenAny(changed, Task.Delay(left, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Give(string user, long memory)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            if (--_running[user] == 0)
            {
                _running.Remove(user);
            }

            _memoryBytes -= memory;
            changed = _changed;
            _changed = NewSignal();
        }

        changed.SetResult();
    }

    private sealed class Share(UserShares shares, string user, long memory) : IDisposable
    {
        private int _given;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _given, 1) == 0)
            {
                shares.Give(user, memory);
            }
        }
    }
}
