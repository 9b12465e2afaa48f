using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace LakeHolo.LakeCatalog.Hudi.LogFiles;

/// <summary>Decodes the deleted keys of delete blocks of version 2 (writers up to 0.13): an array of Hudi's <c>DeleteRecord</c> as Kryo writes object graphs.</summary>
/// <remarks><code>
/// array    class  1  length+1  records
/// record   class  1  key  ordering
/// key      class  1  partition path  record key
/// ordering 0 (none), or class and value: 2 i32, 9 i64 (zigzag), 4 float, 10 double (big-endian), 5 boolean, 3 and a text
/// class    1, number of the name, and where it is a new one the name; of what Kryo knows a number of its own, + 2
/// text     0 (null), 1 and the characters, or the number of an object before, + 2
/// </code>Numbers are varints, the lowest seven bits first. Objects are counted in the order they begin: the array is 0. Anything else is refused: no other form of the bytes is guessed.</remarks>
internal ref struct KryoDeletes
{
    private const string Model = "org.apache.hudi.common.model.";
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _path;
    private readonly List<string> _names = [];
    private readonly List<string?> _objects = [];
    private int _position;

    private KryoDeletes(ReadOnlySpan<byte> bytes, string path)
    {
        _bytes = bytes;
        _path = path;
    }

    /// <summary>The keys, and the partition that their records name.</summary>
    public static IReadOnlyList<(DeletedKey Key, string? Partition)> Decode(ReadOnlySpan<byte> bytes, string path)
    {
        var reader = new KryoDeletes(bytes, path);
        IReadOnlyList<(DeletedKey, string?)> keys = reader.Read();
        return reader._position == bytes.Length ? keys : throw reader.Broken($"{bytes.Length - reader._position} bytes are left");
    }

    private List<(DeletedKey, string?)> Read()
    {
        Begin("[L" + Model + "DeleteRecord;");
        long count = (long)Varint() - 1;
        if (count < 0 || count > _bytes.Length)
        {
            throw Broken($"an array of {count} records");
        }

        var keys = new List<(DeletedKey, string?)>();
        for (; count > 0; count--)
        {
            Begin(Model + "DeleteRecord");
            Begin(Model + "HoodieKey");
            string? partition = Text();
            string key = Text() ?? throw Broken("a record without a key");
            keys.Add((new DeletedKey(key, Ordering() is { } value ? [value] : null), partition));
        }

        return keys;
    }

    // The 32-bit zero means "no ordering value".
    private string? Ordering()
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        switch (Varint())
        {
            case 0:
                return null;
            case 2:
                long number = ZigZag();
                return number == 0 ? null : number is >= int.MinValue and <= int.MaxValue ? number.ToString(invariant) : throw Broken($"an integer of {number}");
            case 9:
                return ZigZag().ToString(invariant);
            case 4:
                return BinaryPrimitives.ReadSingleBigEndian(Take(4)).ToString("R", invariant);
            case 10:
                return BinaryPrimitives.ReadDoubleBigEndian(Take(8)).ToString("R", invariant);
            case 5:
                return Take(1)[0] switch { 0 => "false", 1 => "true", byte b => throw Broken($"a boolean of {b}") };
            case 3:
                return Text() ?? throw Broken("an ordering text that is null");
            case 1:
                throw LakeException.FeatureUnsupported($"Hudi: a delete block of version 2 with ordering values of the class {Name()} is not supported", _path);
            case ulong tag:
                throw LakeException.FeatureUnsupported(string.Create(invariant, $"Hudi: a delete block of version 2 with ordering values of Kryo's class {tag} is not supported"), _path);
        }
    }

    // A new object of a class.
    private void Begin(string name)
    {
        if (Varint() != 1 || Name() is not { } found || found != name)
        {
            throw LakeException.FeatureUnsupported($"Hudi: a delete block of version 2 of another class than {name} is not supported", _path);
        }

        if (Varint() != 1)
        {
            throw Broken($"no new {name}");
        }

        _objects.Add(null);
    }

    private string Name()
    {
        ulong number = Varint();
        if (number == (ulong)_names.Count)
        {
            _names.Add(Characters());
        }

        return number < (ulong)_names.Count ? _names[(int)number] : throw Broken($"class name {number}");
    }

    private string? Text()
    {
        ulong tag = Varint();
        if (tag == 1)
        {
            int at = _objects.Count;
            _objects.Add(null);
            return _objects[at] = Characters();
        }

        return tag == 0 ? null : tag - 2 < (ulong)_objects.Count && _objects[(int)(tag - 2)] is { } known ? known : throw Broken($"object {tag} is no text");
    }

    // ASCII up to a byte with the highest bit, or else: the number of UTF-16 units + 1 with the two highest bits for "length" and "more", then each unit in one to three bytes.
    private string Characters()
    {
        if ((Peek() & 0x80) == 0)
        {
            int end = _bytes[_position..].IndexOfAnyInRange((byte)0x80, (byte)0xFF);
            ReadOnlySpan<byte> ascii = Take(end < 0 ? int.MaxValue : end + 1);
            return Encoding.ASCII.GetString(ascii[..^1]) + (char)(ascii[^1] & 0x7F);
        }

        byte first = Take(1)[0];
        long length = (first & 0x3F) + ((first & 0x40) == 0 ? 0 : (long)Math.Min(Varint(), int.MaxValue) * 64);
        if (length < 1 || length - 1 > _bytes.Length - _position)
        {
            throw Broken($"a text of {length - 1} characters");
        }

        var text = new StringBuilder();
        for (; length > 1; length--)
        {
            int b = Take(1)[0];
            text.Append((char)((b >> 4) switch
            {
                < 8 => b,
                12 or 13 => ((b & 0x1F) << 6) | Following(),
                14 => ((b & 0x0F) << 12) | (Following() << 6) | Following(),
                _ => throw Broken("a text that is no Unicode"),
            }));
        }

        // A lone half of a pair is no text that a column can hold.
        string result = text.ToString();
        try
        {
            Strict.GetByteCount(result);
        }
        catch (EncoderFallbackException)
        {
            throw Broken("a text that is no Unicode");
        }

        return result;
    }

    private int Following() => Take(1)[0] is var b && (b & 0xC0) == 0x80 ? b & 0x3F : throw Broken("a text that is no Unicode");

    private long ZigZag()
    {
        ulong value = Varint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    // Kryo's ninth byte of a 64-bit number has eight bits.
    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 56; shift += 7)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        return value | ((ulong)Take(1)[0] << 56);
    }

    private readonly byte Peek() => _position < _bytes.Length ? _bytes[_position] : throw Broken("it ends early");

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - _position)
        {
            throw Broken("it ends early");
        }

        ReadOnlySpan<byte> taken = _bytes.Slice(_position, count);
        _position += count;
        return taken;
    }

    private readonly LakeException Broken(string what) => LakeException.FormatInvalid($"Hudi: a delete block of version 2 is malformed: {what}", _path);
}
