using System.Security.Cryptography;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>What a connection runs right now, so that another connection can cancel it, and a client that left ends it.</summary>
internal sealed class RunningQuery(int processId, CancellationToken stopping)
{
    /// <summary>Short statements are not worth a look at the client.</summary>
    private static readonly TimeSpan WatchAfter = TimeSpan.FromMilliseconds(50);

    private readonly Lock _lock = new();
    private CancellationTokenSource? _current;
    private bool _timedOut;

    public int ProcessId => processId;

    /// <summary>Known to the client alone.</summary>
    public int Secret { get; } = RandomNumberGenerator.GetInt32(int.MinValue, int.MaxValue);

    /// <summary>Cancels what runs, if the secret is right; tells whether it is.</summary>
    public bool Cancel(int secret)
    {
        Span<byte> given = stackalloc byte[4];
        Span<byte> known = stackalloc byte[4];
        BitConverter.TryWriteBytes(given, secret);
        BitConverter.TryWriteBytes(known, Secret);
        if (!CryptographicOperations.FixedTimeEquals(given, known))
        {
            return false;
        }

        Stop();
        return true;
    }

    /// <summary>Runs something that may be cancelled: by another connection, by its timeout, by the client's leaving, by the server's end.</summary>
    public async ValueTask GuardAsync(WireReader reader, TimeSpan timeout, Func<CancellationToken, ValueTask> work)
    {
        using var source = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        lock (_lock)
        {
            _current = source;
            _timedOut = false;
        }

        await using ITimer? timer = timeout > TimeSpan.Zero ? TimeProvider.System.CreateTimer(_ => TimeOut(source), null, timeout, Timeout.InfiniteTimeSpan) : null;
        try
        {
            ValueTask running = work(source.Token);
            if (running.IsCompleted)
            {
                await running;
                return;
            }

            // Disposed before the next message is read: by then the watch has begun or never will.
            await using ITimer watch = TimeProvider.System.CreateTimer(_ => Watch(reader, source), null, WatchAfter, Timeout.InfiniteTimeSpan);
            await running;
        }
        catch (OperationCanceledException e) when (source.IsCancellationRequested)
        {
            throw stopping.IsCancellationRequested
                ? new PgError("57P01", "terminating connection due to administrator command", e) { IsFatal = true }
                : new PgError("57014", _timedOut ? "canceling statement due to statement timeout" : "canceling statement due to user request", e);
        }
        finally
        {
            lock (_lock)
            {
                _current = null;
            }
        }
    }

    private void Watch(WireReader reader, CancellationTokenSource source) => reader.Watch()?.ContinueWith(
        left =>
        {
            if (left.Result)
            {
                Stop(source);
            }
        },
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private void TimeOut(CancellationTokenSource source)
    {
        _timedOut = true;
        Stop(source);
    }

    private void Stop()
    {
        lock (_lock)
        {
            _current?.Cancel();
        }
    }

    /// <summary>Only if that is still what runs: a late signal must not hit the next statement.</summary>
    private void Stop(CancellationTokenSource source)
    {
        lock (_lock)
        {
            if (_current == source)
            {
                source.Cancel();
            }
        }
    }
}
