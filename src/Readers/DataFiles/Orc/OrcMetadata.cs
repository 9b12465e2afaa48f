using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>Type kinds, numbered as in <c>orc_proto.proto</c>.</summary>
internal enum OrcKind
{
    Boolean, Byte, Short, Int, Long, Float, Double, String, Binary, Timestamp, List, Map, Struct, Union, Decimal, Date, Varchar, Char, TimestampInstant,
}

/// <summary>A type of the file's type tree, which is stored in pre-order; a column's id is its position there.</summary>
internal sealed record OrcType(OrcKind Kind, IReadOnlyList<int> Children, IReadOnlyList<string> FieldNames, int Precision, int Scale, IReadOnlyDictionary<string, string> Attributes);

internal enum OrcCompressionKind
{
    None, Zlib, Snappy, Lzo, Lz4, Zstd, Brotli,
}

internal readonly record struct OrcStripe(long Offset, long IndexLength, long DataLength, long FooterLength, long RowCount);

internal sealed record OrcPostScript(long FooterLength, long MetadataLength, OrcCompressionKind Compression, int BlockSize)
{
    internal static OrcPostScript Parse(ReadOnlySpan<byte> bytes, string path)
    {
        long footer = 0, metadata = 0;
        int compression = 0, blockSize = 256 * 1024;
        var version = new List<int>();
        bool magic = false;
        var message = new OrcProtobuf(bytes, path);
        while (message.Next())
        {
            switch (message.Field)
            {
                case 1: footer = message.Length(); break;
                case 2: compression = message.Int(); break;
                case 3: blockSize = message.Int(); break;
                case 4: message.Ints(version); break;
                case 5: metadata = message.Length(); break;
                case 8000: magic = message.Bytes().SequenceEqual("ORC"u8); break;
                default: message.Skip(); break;
            }
        }

        if (!magic)
        {
            throw LakeException.FormatInvalid("The file does not end as an ORC file", path);
        }

        if (version.Count > 0 && version[0] > 0)
        {
            throw LakeException.FeatureUnsupported($"ORC file version {string.Join('.', version)} is not supported (0.11 and 0.12 are)", path);
        }

        if (compression is (int)OrcCompressionKind.Lzo or >= (int)OrcCompressionKind.Brotli)
        {
            throw LakeException.FeatureUnsupported($"ORC compression {(OrcCompressionKind)compression} is not supported", path);
        }

        // A chunk's header has 23 bits for its length (ORC specification, "Compression").
        return blockSize is > 0 and <= 1 << 23
            ? new OrcPostScript(footer, metadata, (OrcCompressionKind)compression, blockSize)
            : throw LakeException.FormatInvalid($"The ORC compression block size {blockSize} is out of range", path);
    }
}

internal sealed record OrcFooter(IReadOnlyList<OrcStripe> Stripes, IReadOnlyList<OrcType> Types, IReadOnlyDictionary<string, byte[]> UserMetadata, long RowCount)
{
    // Deeper type trees are no table's; the bound keeps recursion over them off the end of the stack.
    private const int MaxDepth = 64;

    internal static OrcFooter Parse(ReadOnlySpan<byte> bytes, string path)
    {
        var stripes = new List<OrcStripe>();
        var types = new List<OrcType>();
        var metadata = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        long rows = 0;
        var message = new OrcProtobuf(bytes, path);
        while (message.Next())
        {
            switch (message.Field)
            {
                case 3: stripes.Add(ParseStripe(message.Bytes(), path)); break;
                case 4: types.Add(ParseType(message.Bytes(), path)); break;
                case 5:
                    (string name, byte[] value) = ParsePair(message.Bytes(), path);
                    metadata[name] = value;
                    break;
                case 6: rows = message.Length(); break;
                case 10: throw LakeException.FeatureUnsupported("ORC column encryption is not supported", path);
                default: message.Skip(); break;
            }
        }

        if (types.Count == 0 || types[0].Kind != OrcKind.Struct || CheckTree(types, 0, 0, path) != types.Count)
        {
            throw LakeException.FormatInvalid("The ORC type tree is not a struct of all types", path);
        }

        return new OrcFooter(stripes, types, metadata, rows);
    }

    private static OrcStripe ParseStripe(ReadOnlySpan<byte> bytes, string path)
    {
        Span<long> values = stackalloc long[6];
        values.Clear();
        var message = new OrcProtobuf(bytes, path);
        while (message.Next())
        {
            if (message.Field is >= 1 and <= 5)
            {
                values[message.Field] = message.Length();
            }
            else
            {
                message.Skip();
            }
        }

        return new OrcStripe(values[1], values[2], values[3], values[4], values[5]);
    }

    private static OrcType ParseType(ReadOnlySpan<byte> bytes, string path)
    {
        int kind = 0, precision = 0, scale = 0;
        var children = new List<int>();
        var names = new List<string>();
        Dictionary<string, string>? attributes = null;
        var message = new OrcProtobuf(bytes, path);
        while (message.Next())
        {
            switch (message.Field)
            {
                case 1: kind = message.Int(); break;
                case 2: message.Ints(children); break;
                case 3: names.Add(message.Text()); break;
                case 5: precision = message.Int(); break;
                case 6: scale = message.Int(); break;
                case 7:
                    (string name, byte[] value) = ParsePair(message.Bytes(), path);
                    (attributes ??= new(StringComparer.Ordinal))[name] = System.Text.Encoding.UTF8.GetString(value);
                    break;
                default: message.Skip(); break;
            }
        }

        return kind <= (int)OrcKind.TimestampInstant
            ? new OrcType((OrcKind)kind, children, names, precision, scale, attributes ?? [])
            : throw LakeException.FeatureUnsupported($"The ORC type number {kind} is not known", path);
    }

    private static (string Name, byte[] Value) ParsePair(ReadOnlySpan<byte> bytes, string path)
    {
        string name = "";
        byte[] value = [];
        var message = new OrcProtobuf(bytes, path);
        while (message.Next())
        {
            switch (message.Field)
            {
                case 1: name = message.Text(); break;
                case 2: value = message.Bytes().ToArray(); break;
                default: message.Skip(); break;
            }
        }

        return (name, value);
    }

    /// <summary>Checks that children follow their parent in pre-order and gives the id after the subtree.</summary>
    private static int CheckTree(List<OrcType> types, int id, int depth, string path)
    {
        OrcType type = types[id];
        int? children = type.Kind switch
        {
            OrcKind.List => 1,
            OrcKind.Map => 2,
            OrcKind.Struct => type.FieldNames.Count,
            OrcKind.Union => null,
            _ => 0,
        };
        if (depth > MaxDepth || (children is { } count && count != type.Children.Count))
        {
            throw LakeException.FormatInvalid($"The ORC type {id} ({type.Kind}) has {type.Children.Count} children at depth {depth}", path);
        }

        int next = id + 1;
        foreach (int child in type.Children)
        {
            if (child != next || child >= types.Count)
            {
                throw LakeException.FormatInvalid($"The ORC type {id} has the child {child} where {next} of {types.Count} is expected", path);
            }

            next = CheckTree(types, child, depth + 1, path);
        }

        return next;
    }
}

/// <summary>Stream kinds that hold values, numbered as in <c>orc_proto.proto</c>.</summary>
internal enum OrcStreamKind
{
    Present, Data, Length, DictionaryData, DictionaryCount, Secondary,
}

internal readonly record struct OrcStream(OrcStreamKind Kind, int Column, long Length);

internal readonly record struct OrcEncoding(int Kind, int DictionarySize)
{
    /// <summary>Run-length encoding version 2 in integer streams.</summary>
    internal bool IsVersion2 => Kind >= 2;

    internal bool IsDictionary => Kind is 1 or 3;
}

internal sealed record OrcStripeFooter(IReadOnlyList<OrcStream> Streams, IReadOnlyList<OrcEncoding> Encodings, string? WriterTimeZone)
{
    internal static OrcStripeFooter Parse(ReadOnlySpan<byte> bytes, string path)
    {
        var streams = new List<OrcStream>();
        var encodings = new List<OrcEncoding>();
        string? zone = null;
        var message = new OrcProtobuf(bytes, path);
        while (message.Next())
        {
            switch (message.Field)
            {
                case 1:
                    (long kind, long column, long length) = ParseNumbers(message.Bytes(), path);
                    streams.Add(new OrcStream((OrcStreamKind)kind, (int)Math.Min(column, int.MaxValue), length));
                    break;
                case 2:
                    (long encoding, long size, _) = ParseNumbers(message.Bytes(), path);
                    encodings.Add(encoding <= 3 && size <= int.MaxValue
                        ? new OrcEncoding((int)encoding, (int)size)
                        : throw LakeException.FeatureUnsupported($"The ORC column encoding {encoding} is not known", path));
                    break;
                case 3: zone = message.Text(); break;
                case 4: throw LakeException.FeatureUnsupported("ORC column encryption is not supported", path);
                default: message.Skip(); break;
            }
        }

        return new OrcStripeFooter(streams, encodings, zone);
    }

    private static (long First, long Second, long Third) ParseNumbers(ReadOnlySpan<byte> bytes, string path)
    {
        Span<long> values = stackalloc long[4];
        values.Clear();
        var message = new OrcProtobuf(bytes, path);
        while (message.Next())
        {
            if (message.Field is >= 1 and <= 3)
            {
                values[message.Field] = message.Length();
            }
            else
            {
                message.Skip();
            }
        }

        return (values[1], values[2], values[3]);
    }
}
