using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace LakeHolo.FlightServer.Postgres.Wire;

/// <summary>Collects messages and sends them; what waits to be sent is bounded by the caller, who flushes at <see cref="IsFull"/>.</summary>
internal sealed class WireWriter(Stream stream, TimeSpan patience) : IBufferWriter<byte>
{
    private const int InitialBytes = 8 << 10;
    private const int FlushBytes = 48 << 10;
    private const int KeptBytes = 256 << 10;

    private byte[] _buffer = new byte[InitialBytes];
    private int _length;
    private int _message;

    public bool IsFull => _length >= FlushBytes;

    public bool IsEmpty => _length == 0;

    public int Position => _length;

    /// <summary>Starts a message.</summary>
    public void Begin(char type)
    {
        Span<byte> span = GetSpan(5);
        span[0] = (byte)type;
        _message = _length + 1;
        _length += 5;
    }

    /// <summary>Ends it: puts its length in.</summary>
    public void End() => BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(_message), _length - _message);

    /// <summary>A whole message without a body.</summary>
    public void Empty(char type)
    {
        Begin(type);
        End();
    }

    public void Byte(byte value)
    {
        GetSpan(1)[0] = value;
        _length++;
    }

    public void Int16(short value)
    {
        BinaryPrimitives.WriteInt16BigEndian(GetSpan(2), value);
        _length += 2;
    }

    public void Int32(int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(GetSpan(4), value);
        _length += 4;
    }

    public void Int64(long value)
    {
        BinaryPrimitives.WriteInt64BigEndian(GetSpan(8), value);
        _length += 8;
    }

    /// <summary>Bytes as they are.</summary>
    public void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        _length += bytes.Length;
    }

    /// <summary>Text as it is, in UTF-8.</summary>
    public void Text(ReadOnlySpan<char> text)
    {
        int bytes = Encoding.UTF8.GetBytes(text, GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length)));
        _length += bytes;
    }

    /// <summary>Text with a zero after it.</summary>
    public void String(string text)
    {
        Text(text.Contains('\0', StringComparison.Ordinal) ? text.Replace("\0", string.Empty, StringComparison.Ordinal) : text);
        Byte(0);
    }

    /// <summary>Leaves room for a length; gives the place for <see cref="EndValue"/>.</summary>
    public int BeginValue()
    {
        GetSpan(4);
        int place = _length;
        _length += 4;
        return place;
    }

    public void EndValue(int place) => BinaryPrimitives.WriteInt32BigEndian(_buffer.AsSpan(place), _length - place - 4);

    /// <summary>What was written since a place, to be looked at again (COPY escapes it).</summary>
    public Span<byte> Since(int place) => _buffer.AsSpan(place, _length - place);

    /// <summary>Takes back what was written since a place.</summary>
    public void TakeBack(int place) => _length = place;

    /// <inheritdoc/>
    public void Advance(int count) => _length += count;

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        GetSpan(sizeHint);
        return _buffer.AsMemory(_length);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        if (_buffer.Length - _length < sizeHint)
        {
            System.Array.Resize(ref _buffer, checked((int)Math.Min(System.Array.MaxLength, Math.Max((long)_buffer.Length * 2, (long)_length + sizeHint))));
        }

        return _buffer.AsSpan(_length);
    }

    /// <summary>Sends everything. A client that takes nothing for too long is given up.</summary>
    /// <exception cref="IOException">The client left, or does not read.</exception>
    public async ValueTask FlushAsync()
    {
        if (_length == 0)
        {
            return;
        }

        int length = _length;
        _length = 0;
        ValueTask write = stream.WriteAsync(_buffer.AsMemory(0, length), CancellationToken.None);
        if (!write.IsCompleted)
        {
            try
            {
                await write.AsTask().WaitAsync(patience);
            }
            catch (TimeoutException e)
            {
                throw new IOException("The client does not read", e);
            }
        }
        else
        {
            await write;
        }

        if (_buffer.Length > KeptBytes)
        {
            _buffer = new byte[InitialBytes];
        }
    }
}
