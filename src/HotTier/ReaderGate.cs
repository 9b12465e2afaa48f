namespace LakeHolo.HotTier;

/// <summary>Keeps a copy at its stamp between a statement's planning and its start: from then on the engine itself shows it the rows as they were.</summary>
/// <remarks>A refresh commits while nobody is in between. It closes the gate only for moments, and opens it again when somebody takes long, so that
/// statements over several copies cannot block each other; each time it stays closed for longer, so that on a machine without time to spare those inside come to their start.</remarks>
internal sealed class ReaderGate
{
    private static readonly TimeSpan OpenWait = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan FirstClosedWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestClosedWait = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private int _inside;
    private TaskCompletionSource? _closed;
    private TaskCompletionSource? _drained;

    /// <summary>Enters; the returned action leaves and may be called again.</summary>
    public async ValueTask<Action> EnterAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task opened;
            lock (_lock)
            {
                if (_closed is null)
                {
                    _inside++;
                    int left = 0;
                    return () =>
                    {
                        if (Interlocked.Exchange(ref left, 1) == 0)
                        {
                            Leave();
                        }
                    };
                }

                opened = _closed.Task;
            }

            await opened.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Closes the gate while nobody is inside; the returned action opens it.</summary>
    public async ValueTask<Action> CloseAsync(CancellationToken cancellationToken)
    {
        for (TimeSpan closedWait = FirstClosedWait; ; closedWait = closedWait < LongestClosedWait ? closedWait * 2 : closedWait)
        {
            if (TryClose(always: false, out Task drained))
            {
                return Open;
            }

            await Task.WhenAny(drained, Task.Delay(OpenWait, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
            if (TryClose(always: true, out drained))
            {
                return Open;
            }

            await Task.WhenAny(drained, Task.Delay(closedWait, CancellationToken.None));
            lock (_lock)
            {
                if (_inside == 0)
                {
                    return Open;
                }
            }

            Open();
            await Task.Delay(OpenWait, cancellationToken);
        }
    }

    // Closed or not, says whether nobody is inside.
    private bool TryClose(bool always, out Task drained)
    {
        lock (_lock)
        {
            bool isEmpty = _inside == 0;
            if (isEmpty || always)
            {
                _closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            _drained = isEmpty ? null : new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            drained = _drained?.Task ?? Task.CompletedTask;
            return isEmpty;
        }
    }

    private void Open()
    {
        TaskCompletionSource? closed;
        lock (_lock)
        {
            closed = _closed;
            _closed = null;
        }

        closed?.SetResult();
    }

    private void Leave()
    {
        TaskCompletionSource? drained = null;
        lock (_lock)
        {
            if (--_inside == 0)
            {
                drained = _drained;
                _drained = null;
            }
        }

        drained?.SetResult();
    }
}
