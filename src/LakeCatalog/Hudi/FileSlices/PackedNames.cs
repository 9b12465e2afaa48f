using System.Text;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>Collects names and numbers as bytes; the UUID that a data file's name begins with takes 16 of them.</summary>
/// <remarks><code>
/// number: 7 bits a byte, least first, the last one below 0x80      text: number of bytes, UTF-8
/// name:   flags, [UUID, 16 bytes], text of the rest                flags: 1 has a UUID, 2 begins with '.', 4 ends in ".parquet"
/// </code></remarks>
internal sealed class PackedWriter
{
    private const int UuidLength = 36;
    private byte[] _bytes = new byte[256];
    private int _length;

    /// <summary>What was collected; the writer begins anew.</summary>
    public byte[] Take()
    {
        byte[] taken = _bytes.AsSpan(0, _length).ToArray();
        _length = 0;
        return taken;
    }

    public void Number(long value)
    {
        ulong rest = (ulong)value;
        Reserve(10);
        for (; rest >= 0x80; rest >>= 7)
        {
            _bytes[_length++] = (byte)(rest | 0x80);
        }

        _bytes[_length++] = (byte)rest;
    }

    public void Text(ReadOnlySpan<char> text)
    {
        int size = Encoding.UTF8.GetByteCount(text);
        Number(size);
        Reserve(size);
        _length += Encoding.UTF8.GetBytes(text, _bytes.AsSpan(_length));
    }

    public void Name(ReadOnlySpan<char> name)
    {
        int flags = 0;
        if (name.StartsWith("."))
        {
            flags |= 2;
            name = name[1..];
        }

        if (name.EndsWith(".parquet"))
        {
            flags |= 4;
            name = name[..^".parquet".Length];
        }

        Guid uuid = default;
        if (name.Length >= UuidLength && !name[..UuidLength].ContainsAnyInRange('A', 'F') && Guid.TryParseExact(name[..UuidLength], "D", out uuid))
        {
            flags |= 1;
            name = name[UuidLength..];
        }

        Number(flags);
        if ((flags & 1) != 0)
        {
            Reserve(16);
            uuid.TryWriteBytes(_bytes.AsSpan(_length));
            _length += 16;
        }

        Text(name);
    }

    private void Reserve(int more)
    {
        if (_length + more > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_length + more, _bytes.Length * 2));
        }
    }
}

/// <summary>Reads what a <see cref="PackedWriter"/> wrote.</summary>
internal ref struct PackedReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool IsAtEnd => _rest.IsEmpty;

    public long Number()
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = _rest[0];
            _rest = _rest[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return (long)value;
            }
        }
    }

    public string Text() => Encoding.UTF8.GetString(Bytes((int)Number()));

    public string Name()
    {
        int flags = (int)Number();
        Span<char> head = stackalloc char[37];
        int length = 0;
        if ((flags & 2) != 0)
        {
            head[length++] = '.';
        }

        if ((flags & 1) != 0)
        {
            new Guid(Bytes(16)).TryFormat(head[length..], out int written);
            length += written;
        }

        return string.Concat(head[..length], Text(), (flags & 4) != 0 ? ".parquet" : "");
    }

    public ReadOnlySpan<byte> Bytes(int count)
    {
        ReadOnlySpan<byte> taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
