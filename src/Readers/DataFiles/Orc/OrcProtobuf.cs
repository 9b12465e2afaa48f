using System.Text;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>Steps through the fields of one protobuf message; unknown fields are skipped by the caller with <see cref="Skip"/>.</summary>
internal ref struct OrcProtobuf
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _path;
    private int _position;
    private int _wireType;

    internal OrcProtobuf(ReadOnlySpan<byte> bytes, string path)
    {
        _bytes = bytes;
        _path = path;
    }

    internal int Field { get; private set; }

    internal bool Next()
    {
        if (_position == _bytes.Length)
        {
            return false;
        }

        ulong tag = Varint();
        Field = (int)Math.Min(tag >> 3, int.MaxValue);
        _wireType = (int)(tag & 7);
        return true;
    }

    internal ulong UInt() => _wireType == 0 ? Varint() : throw Invalid();

    /// <summary>A number that must fit a non-negative long.</summary>
    internal long Length()
    {
        ulong value = UInt();
        return value <= long.MaxValue ? (long)value : throw Invalid();
    }

    internal int Int()
    {
        ulong value = UInt();
        return value <= int.MaxValue ? (int)value : throw Invalid();
    }

    internal ReadOnlySpan<byte> Bytes()
    {
        if (_wireType != 2)
        {
            throw Invalid();
        }

        ulong length = Varint();
        return length <= (ulong)(_bytes.Length - _position) ? Take((int)length) : throw Invalid();
    }

    internal string Text() => Encoding.UTF8.GetString(Bytes());

    /// <summary>Adds the numbers of a repeated field, packed or not.</summary>
    internal void Ints(List<int> target)
    {
        if (_wireType == 0)
        {
            target.Add(Int());
            return;
        }

        var packed = new OrcProtobuf(Bytes(), _path);
        while (packed._position < packed._bytes.Length)
        {
            ulong value = packed.Varint();
            target.Add(value <= int.MaxValue ? (int)value : throw Invalid());
        }
    }

    internal void Skip()
    {
        switch (_wireType)
        {
            case 0:
                Varint();
                break;
            case 1:
                Take(8);
                break;
            case 2:
                Bytes();
                break;
            case 5:
                Take(4);
                break;
            default:
                throw Invalid();
        }
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte b = Take(1)[0];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw Invalid();
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - _position)
        {
            throw Invalid();
        }

        ReadOnlySpan<byte> taken = _bytes.Slice(_position, count);
        _position += count;
        return taken;
    }

    private readonly LakeException Invalid() => LakeException.FormatInvalid($"The ORC metadata is broken at field {Field}, byte {_position} of {_bytes.Length}", _path);
}
