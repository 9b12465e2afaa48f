using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.DataFiles.SequenceFile;

/// <summary>Values of one block (or one record), one after the other as they were serialised.</summary>
internal readonly record struct SequenceValues(int Count, ReadOnlyMemory<byte> Bytes);

/// <summary>Reads the values of a Hadoop SequenceFile whose values are texts or byte strings; keys are stepped over.</summary>
/// <remarks>
/// Layout (org.apache.hadoop.io.SequenceFile, versions 5 and 6):
/// <code>
/// "SEQ" version | key class | value class | compressed? | by block? | codec class if compressed | metadata (version 6) | 16-byte sync marker
/// record: length | key length | key | value (compressed if so)        length -1: the sync marker follows instead
/// block:  -1 | sync marker | record count | key lengths | keys | value lengths | values      each a vint and that many compressed bytes
/// </code>
/// Lengths of records are big-endian 32-bit numbers, the others Hadoop's variable-length ones.
/// </remarks>
internal sealed class SequenceFileReader
{
    private const int SyncBytes = 16;

    // Writers cut blocks at about 1 MB; what inflates beyond this is damage or an attack.
    private const int MaxBlockBytes = 1 << 29;

    private static readonly string[] ValueClasses = ["org.apache.hadoop.io.Text", "org.apache.hadoop.io.BytesWritable"];

    private readonly ReadOnlyMemory<byte> _file;
    private readonly string _path;
    private readonly bool _isCompressed;
    private readonly bool _isByBlock;
    private readonly bool _isGzip;
    private readonly int _sync;

    private SequenceFileReader(ReadOnlyMemory<byte> file, string path)
    {
        _file = file;
        _path = path;
        var cursor = new HadoopCursor(file.Span, 0, path);
        if (!cursor.Take(3).SequenceEqual("SEQ"u8))
        {
            throw LakeException.FormatInvalid("The file does not begin as a SequenceFile", path);
        }

        int version = cursor.ReadByte();
        if (version is not (5 or 6))
        {
            throw LakeException.FeatureUnsupported($"SequenceFile version {version} is not supported (5 and 6 are)", path);
        }

        cursor.ReadText();
        string valueClass = cursor.ReadText();
        if (!ValueClasses.Contains(valueClass))
        {
            throw LakeException.FeatureUnsupported($"SequenceFile values of class {valueClass} are not supported ({string.Join(", ", ValueClasses)} are)", path);
        }

        IsBytes = valueClass == ValueClasses[1];
        _isCompressed = cursor.ReadByte() != 0;
        _isByBlock = cursor.ReadByte() != 0;
        string codec = _isCompressed ? cursor.ReadText() : "";
        _isGzip = codec == "org.apache.hadoop.io.compress.GzipCodec";
        if (_isCompressed && !_isGzip && codec is not ("org.apache.hadoop.io.compress.DefaultCodec" or "org.apache.hadoop.io.compress.DeflateCodec"))
        {
            throw LakeException.FeatureUnsupported($"The SequenceFile codec {codec} is not supported (DefaultCodec, DeflateCodec and GzipCodec are)", path);
        }

        for (int pairs = version >= 6 ? cursor.ReadInt() : 0; pairs > 0; pairs--)
        {
            cursor.ReadText();
            cursor.ReadText();
        }

        _sync = cursor.Position;
        cursor.Take(SyncBytes);
    }

    /// <summary>Whether values are byte strings, with a 32-bit length, instead of texts, with a variable-length one.</summary>
    internal bool IsBytes { get; }

    /// <summary>Reads the header.</summary>
    /// <exception cref="LakeException">FormatInvalid for broken bytes; FeatureUnsupported names a version, class or codec that is not read.</exception>
    internal static SequenceFileReader Open(ReadOnlyMemory<byte> file, string path) => new(file, path);

    /// <summary>All values, in file order.</summary>
    internal IEnumerable<SequenceValues> ReadValues()
    {
        int position = _sync + SyncBytes;
        while (position < _file.Length)
        {
            if (Next(ref position) is { Count: > 0 } values)
            {
                yield return values;
            }
        }
    }

    private SequenceValues Next(ref int position)
    {
        var cursor = new HadoopCursor(_file.Span, position, _path);
        int length = cursor.ReadInt();
        SequenceValues values = default;
        if (length == -1)
        {
            if (!cursor.Take(SyncBytes).SequenceEqual(_file.Span.Slice(_sync, SyncBytes)))
            {
                throw cursor.Invalid("does not have the file's sync marker");
            }

            values = _isByBlock ? Block(ref cursor) : default;
        }
        else if (_isByBlock)
        {
            throw cursor.Invalid("has no sync marker before a block");
        }
        else
        {
            int keyLength = cursor.ReadInt();
            if (length < 0 || keyLength < 0 || keyLength > length)
            {
                throw cursor.Invalid($"has a record of {length} bytes with a key of {keyLength}");
            }

            cursor.Take(keyLength);
            values = new SequenceValues(1, Value(cursor.Position, length - keyLength, ref cursor));
        }

        position = cursor.Position;
        return values;
    }

    private SequenceValues Block(ref HadoopCursor cursor)
    {
        long count = cursor.ReadVLong();
        Section(ref cursor);
        Section(ref cursor);
        (int lengthsStart, int lengthsSize) = Section(ref cursor);
        (int start, int size) = Section(ref cursor);
        // Every value has a length of at least a byte.
        ReadOnlyMemory<byte> lengths = Decompress(_file.Slice(lengthsStart, lengthsSize));
        if (count < 0 || count > lengths.Length)
        {
            throw cursor.Invalid($"has a block of {count} records with {lengths.Length} bytes of lengths");
        }

        return new SequenceValues((int)count, Decompress(_file.Slice(start, size)));
    }

    private static (int Start, int Size) Section(ref HadoopCursor cursor)
    {
        long size = cursor.ReadVLong();
        int start = cursor.Position;
        cursor.Take(size);
        return (start, (int)size);
    }

    private ReadOnlyMemory<byte> Value(int start, int length, ref HadoopCursor cursor)
    {
        cursor.Take(length);
        ReadOnlyMemory<byte> value = _file.Slice(start, length);
        return _isCompressed ? Decompress(value) : value;
    }

    private byte[] Decompress(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using var source = new MemoryStream(bytes.ToArray(), writable: false);
            using Stream stream = _isGzip ? new GZipStream(source, CompressionMode.Decompress) : new ZLibStream(source, CompressionMode.Decompress);
            var target = new MemoryStream();
            byte[] buffer = new byte[Math.Clamp(bytes.Length * 4L, 256, 1 << 20)];
            for (int read = stream.Read(buffer); read > 0; read = stream.Read(buffer))
            {
                if (target.Length + read > MaxBlockBytes)
                {
                    throw LakeException.FormatInvalid($"A SequenceFile block inflates beyond {MaxBlockBytes} bytes", _path);
                }

                target.Write(buffer, 0, read);
            }

            return target.ToArray();
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw LakeException.FormatInvalid($"A SequenceFile block does not decompress: {e.Message}", _path, e);
        }
    }
}

/// <summary>Reads Hadoop's serialised numbers and strings.</summary>
internal ref struct HadoopCursor(ReadOnlySpan<byte> bytes, int position, string path)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    internal int Position { get; private set; } = position;

    internal readonly int Remaining => _bytes.Length - Position;

    internal byte ReadByte() => Take(1)[0];

    internal int ReadInt() => BinaryPrimitives.ReadInt32BigEndian(Take(4));

    internal string ReadText() => Encoding.UTF8.GetString(Take(ReadVLong()));

    internal ReadOnlySpan<byte> Take(long count)
    {
        if (count < 0 || count > Remaining)
        {
            throw Invalid($"declares {count} bytes where {Remaining} are left");
        }

        ReadOnlySpan<byte> taken = _bytes.Slice(Position, (int)count);
        Position += (int)count;
        return taken;
    }

    /// <summary>One byte from -112 up is the number itself; below, it tells sign and size of the big-endian bytes that follow (WritableUtils).</summary>
    internal long ReadVLong()
    {
        int first = (sbyte)ReadByte();
        if (first >= -112)
        {
            return first;
        }

        bool isNegative = first < -120;
        long value = 0;
        foreach (byte b in Take(isNegative ? -(first + 120) : -(first + 112)))
        {
            value = (value << 8) | b;
        }

        return isNegative ? ~value : value;
    }

    internal readonly LakeException Invalid(string what) => LakeException.FormatInvalid($"The SequenceFile {what}, at byte {Position}", path);
}
