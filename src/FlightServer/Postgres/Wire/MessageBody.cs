using System.Buffers.Binary;
using System.Text;

namespace LakeHolo.FlightServer.Postgres.Wire;

/// <summary>Reads the fields of a message; what goes beyond its end is a protocol violation.</summary>
internal struct MessageBody(ReadOnlyMemory<byte> body)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private ReadOnlyMemory<byte> _rest = body;

    public readonly bool IsEmpty => _rest.IsEmpty;

    public byte Byte()
    {
        Need(1);
        byte value = _rest.Span[0];
        _rest = _rest[1..];
        return value;
    }

    public short Int16()
    {
        Need(2);
        short value = BinaryPrimitives.ReadInt16BigEndian(_rest.Span);
        _rest = _rest[2..];
        return value;
    }

    public int Int32()
    {
        Need(4);
        int value = BinaryPrimitives.ReadInt32BigEndian(_rest.Span);
        _rest = _rest[4..];
        return value;
    }

    /// <summary>A count, each of whose items takes at least some bytes.</summary>
    public int Count(int itemBytes)
    {
        // More than 32,767 parameters: libpq sends the count as unsigned.
        int count = (ushort)Int16();
        if (count * itemBytes > _rest.Length)
        {
            throw PgError.Protocol($"a count of {count} is more than the message holds");
        }

        return count;
    }

    public string String()
    {
        int end = _rest.Span.IndexOf((byte)0);
        if (end < 0)
        {
            throw PgError.Protocol("invalid string in message");
        }

        string value = Text(_rest.Span[..end]);
        _rest = _rest[(end + 1)..];
        return value;
    }

    /// <summary>A value with its length before it; null for −1.</summary>
    public ReadOnlyMemory<byte>? Value()
    {
        int length = Int32();
        return length == -1 ? default(ReadOnlyMemory<byte>?) : Bytes(length); // a plain null would become empty memory, by way of an array
    }

    public ReadOnlyMemory<byte> Bytes(int length)
    {
        Need(length);
        ReadOnlyMemory<byte> value = _rest[..length];
        _rest = _rest[length..];
        return value;
    }

    public readonly void End()
    {
        if (!_rest.IsEmpty)
        {
            throw PgError.Protocol("invalid message format");
        }
    }

    public static string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new PgError("22021", "invalid byte sequence for encoding \"UTF8\"", e);
        }
    }

    private readonly void Need(int count)
    {
        if (count < 0 || _rest.Length < count)
        {
            throw PgError.Protocol("insufficient data left in message");
        }
    }
}
