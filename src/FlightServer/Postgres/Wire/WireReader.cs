using System.Buffers.Binary;

namespace LakeHolo.FlightServer.Postgres.Wire;

/// <summary>Frames of a connection. What a client announces is checked before anything is allocated for it.</summary>
internal sealed class WireReader(Stream stream)
{
    /// <summary>Before the login nothing is long (a start-up message of all settings, a SCRAM message).</summary>
    public const int MaxStartupBytes = 10_000;

    private const int InitialBytes = 8 << 10;

    private byte[] _buffer = new byte[InitialBytes];
    private int _start;
    private int _end;
    private Task<int>? _ahead;

    /// <summary>Bytes that arrived and were not taken.</summary>
    public int Buffered => _end - _start;

    /// <summary>The first message, which has no type: its length and all its bytes after that. Null when the client left.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadStartupAsync(CancellationToken cancellationToken)
    {
        if (!await FillAsync(4, cancellationToken))
        {
            return null;
        }

        int length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start));
        if (length is < 8 or > MaxStartupBytes)
        {
            throw PgError.Protocol("invalid length of startup packet");
        }

        return await FillAsync(length, cancellationToken) ? Take(length)[4..] : null;
    }

    /// <summary>Whether the first bytes are those of a TLS handshake (TLS without a question before it).</summary>
    public async ValueTask<bool> StartsWithTlsAsync(CancellationToken cancellationToken) =>
        await FillAsync(2, cancellationToken) && _buffer[_start] == 0x16 && _buffer[_start + 1] == 0x03;

    /// <summary>The next message; valid until the next call. Null when the client left.</summary>
    public async ValueTask<(byte Type, ReadOnlyMemory<byte> Body)?> ReadAsync(int maxBytes, CancellationToken cancellationToken)
    {
        if (!await FillAsync(5, cancellationToken))
        {
            return null;
        }

        int length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start + 1));
        if (length < 4 || length > maxBytes)
        {
            throw PgError.Protocol($"invalid message length {length}: at most {maxBytes} bytes are taken");
        }

        if (!await FillAsync(length + 1, cancellationToken))
        {
            return null;
        }

        byte type = _buffer[_start];
        return (type, Take(length + 1)[5..]);
    }

    /// <summary>Reads on while a statement runs, to notice that the client leaves. Completes with true when it left, with false when something arrived;
    /// null when there is no room to read ahead, which bounds what a client can pile up.</summary>
    public Task<bool>? Watch()
    {
        if (_ahead is null)
        {
            Compact();
            if (_end == _buffer.Length)
            {
                return null;
            }

            _ahead = stream.ReadAsync(_buffer.AsMemory(_end), CancellationToken.None).AsTask();
        }

        return _ahead.ContinueWith(static t => !t.IsCompletedSuccessfully || t.Result == 0, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private ReadOnlyMemory<byte> Take(int length)
    {
        ReadOnlyMemory<byte> taken = _buffer.AsMemory(_start, length);
        _start += length;
        return taken;
    }

    private async ValueTask<bool> FillAsync(int count, CancellationToken cancellationToken)
    {
        while (_end - _start < count)
        {
            int read;
            if (_ahead is { } ahead)
            {
                read = await ahead.WaitAsync(cancellationToken);
                _ahead = null;
            }
            else
            {
                Reserve(count);
                read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            }

            if (read == 0)
            {
                return false;
            }

            _end += read;
        }

        return true;
    }

    private void Reserve(int count)
    {
        Compact();
        if (_buffer.Length < count)
        {
            // Grows with what arrived, not with what was announced.
            System.Array.Resize(ref _buffer, Math.Min(count, Math.Max(_buffer.Length * 2, InitialBytes)));
        }
        else if (_end == 0 && _buffer.Length > InitialBytes && count <= InitialBytes)
        {
            _buffer = new byte[InitialBytes];
        }
    }

    private void Compact()
    {
        if (_start > 0 && _ahead is null)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }
    }
}
