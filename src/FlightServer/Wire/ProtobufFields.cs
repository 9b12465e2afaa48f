namespace LakeHolo.FlightServer.Wire;

/// <summary>Walks the fields of a protobuf message and hands out byte fields as slices of it, without copying.</summary>
internal ref struct ProtobufFields(byte[] message)
{
    private readonly byte[] _message = message;
    private int _at;

    /// <summary>Reads the next tag; false at the end.</summary>
    public bool Next(out uint tag)
    {
        tag = _at < _message.Length ? checked((uint)Varint()) : 0;
        return tag != 0;
    }

    /// <summary>A length-delimited field's bytes.</summary>
    /// <exception cref="InvalidDataException">The field says that it is longer than the message.</exception>
    public ReadOnlyMemory<byte> Bytes()
    {
        ulong length = Varint();
        if (length > (ulong)(_message.Length - _at))
        {
            throw new InvalidDataException($"A field declares {length} bytes, {_message.Length - _at} are left");
        }

        ReadOnlyMemory<byte> bytes = _message.AsMemory(_at, (int)length);
        _at += (int)length;
        return bytes;
    }

    /// <summary>Passes over a field that is not known.</summary>
    public void Skip(uint tag)
    {
        switch (tag & 7)
        {
            case 0:
                Varint();
                break;
            case 1:
                Move(8);
                break;
            case 2:
                Bytes();
                break;
            case 5:
                Move(4);
                break;
            default:
                throw new InvalidDataException($"Wire type {tag & 7} is not used by this message");
        }
    }

    private void Move(int count)
    {
        if (count > _message.Length - _at)
        {
            throw new InvalidDataException("The message ends within a field");
        }

        _at += count;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (_at >= _message.Length)
            {
                throw new InvalidDataException("The message ends within a number");
            }

            byte b = _message[_at++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("A number is longer than ten bytes");
    }
}
