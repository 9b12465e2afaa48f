using DuckDB.NET.Data;

namespace LakeHolo.Readers.Engine;

/// <summary>Interrupts a command when a token is cancelled. The engine forgets an interrupt that comes while a command is still being prepared: it is told until this is
/// disposed, which has to be before the command is.</summary>
public sealed class EngineInterrupt : IDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly DuckDBCommand _command;
    private readonly CancellationTokenRegistration _registration;
    private Timer? _timer;
    private bool _ended;

    /// <summary>Watches a token.</summary>
    public EngineInterrupt(DuckDBCommand command, CancellationToken cancellationToken)
    {
        _command = command;
        _registration = cancellationToken.UnsafeRegister(static s => ((EngineInterrupt)s!).Begin(), this);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _ended = true;
            _timer?.Dispose();
        }

        _registration.Dispose();
    }

    private void Begin()
    {
        lock (_gate)
        {
            if (!_ended)
            {
                _timer = new Timer(static s => ((EngineInterrupt)s!).Interrupt(), this, TimeSpan.Zero, Every);
            }
        }
    }

    private void Interrupt()
    {
        lock (_gate)
        {
            if (!_ended)
            {
                _command.Cancel();
            }
        }
    }
}
