using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon.Pruning.FileIndexes;

/// <summary>Every value of a column in a file, from a bitmap or a range bitmap index: their dictionaries alone answer whether a file can match.</summary>
/// <param name="Type">The column's type.</param>
/// <param name="Values">The distinct values, without NULL.</param>
/// <param name="HasNull">Whether there may be NULLs.</param>
internal sealed record ColumnValues(PaimonType Type, IReadOnlyList<object> Values, bool HasNull) : IColumnKnowledge
{
    public bool MayBeNull => HasNull;

    public bool MayBeNotNull => Values.Count > 0;

    public bool MayMatch(ScanComparison comparison, ScanLiteral literal)
    {
        if (Values.Count == 0)
        {
            return false;
        }

        if (ColumnRange.ToValue(literal, Type) is not object wanted || wanted is double and double.NaN)
        {
            return true;
        }

        return Values.Any(v => comparison.Holds(Compare(v, wanted)));
    }

    public bool MayStartWith(string prefix)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(prefix);
        return !Type.IsString || Values.Any(v => v is byte[] text && text.AsSpan().StartsWith(bytes));
    }

    /// <summary>A bitmap index.</summary>
    /// <remarks>
    /// <code>
    /// version 1: int32 rows | int32 values | byte has NULL, [int32 offset] | { value | int32 offset } | bitmaps
    /// version 2: int32 rows | int32 values | byte has NULL, [int32 offset | int32 length] | int32 blocks, { first value | int32 offset } | int32 length |
    ///            blocks: int32 entries, { value | int32 offset | int32 length } | bitmaps
    /// </code>
    /// </remarks>
    public static ColumnValues? ReadBitmap(ReadOnlySpan<byte> body, PaimonType type, string path)
    {
        var reader = new IndexReader(body, path);
        int version = reader.Byte();
        if (version is not (1 or 2))
        {
            return null;
        }

        reader.Int();
        int count = reader.Int();
        bool hasNull = reader.Byte() != 0;
        if (hasNull)
        {
            reader.Bytes(version == 1 ? 4 : 8);
        }

        var values = new List<object>();
        if (version == 1)
        {
            for (int i = 0; i < count; i++)
            {
                values.Add(reader.Value(type));
                reader.Int();
            }

            return new ColumnValues(type, values, hasNull);
        }

        int blocks = reader.Count(4);
        for (int i = 0; i < blocks; i++)
        {
            reader.Value(type);
            reader.Int();
        }

        reader.Int();
        for (int i = 0; i < blocks; i++)
        {
            int entries = reader.Count(8);
            for (int j = 0; j < entries; j++)
            {
                values.Add(reader.Value(type));
                reader.Bytes(8);
            }
        }

        return values.Count == count ? new ColumnValues(type, values, hasNull) : null;
    }

    /// <summary>A range bitmap index, of which the dictionary is read.</summary>
    /// <remarks>
    /// <code>
    /// int32 length of the header | version | int32 rows | int32 values | [smallest | largest] | int32 length of the dictionary | dictionary | slices
    /// dictionary: int32 length of the header | version | int32 chunks | int32 length of offsets | int32 length of chunks | int32 offsets | chunks | keys
    /// chunk: version | first value | int32 code | int32 offset of its keys | int32 further values | fixed: int32 bytes | int32 width; texts: int32 bytes of offsets | int32 bytes
    /// </code>
    /// </remarks>
    public static ColumnValues? ReadRangeBitmap(ReadOnlySpan<byte> body, PaimonType type, string path)
    {
        var reader = new IndexReader(body, path);
        reader.Int();
        if (reader.Byte() != 1)
        {
            return null;
        }

        reader.Int();
        int count = reader.Int();
        if (count <= 0)
        {
            return count == 0 ? new ColumnValues(type, [], HasNull: true) : null;
        }

        reader.Value(type);
        reader.Value(type);
        var dictionary = new IndexReader(reader.Bytes(reader.Int()), path);
        dictionary.Int();
        if (dictionary.Byte() != 1)
        {
            return null;
        }

        int chunks = dictionary.Int();
        int offsetBytes = dictionary.Int();
        int chunkBytes = dictionary.Int();
        dictionary.Bytes(offsetBytes);
        var chunk = new IndexReader(dictionary.Bytes(chunkBytes), path);
        ReadOnlySpan<byte> keys = dictionary.Bytes(dictionary.Remaining);
        var values = new List<object>();
        for (int i = 0; i < chunks; i++)
        {
            if (!ReadChunk(ref chunk, keys, type, values, path))
            {
                return null;
            }
        }

        // The rows' NULLs are in no dictionary.
        return values.Count == count ? new ColumnValues(type, values, HasNull: true) : null;
    }

    private static bool ReadChunk(ref IndexReader chunk, ReadOnlySpan<byte> keys, PaimonType type, List<object> values, string path)
    {
        if (chunk.Byte() != 1)
        {
            return false;
        }

        values.Add(chunk.Value(type));
        chunk.Int();
        int offset = chunk.Int();
        int further = chunk.Int();
        int first = chunk.Int();
        int second = chunk.Int();
        bool isFixed = IndexReader.WidthOf(type) > 0;
        int bytes = isFixed ? first : checked(first + second);
        if (offset < 0 || bytes < 0 || offset > keys.Length - bytes || further < 0 || further > bytes || (isFixed && second != IndexReader.WidthOf(type)))
        {
            throw LakeException.FormatInvalid($"A chunk of a range bitmap declares {further} values in {bytes} bytes at {offset}", path);
        }

        var reader = new IndexReader(keys.Slice(offset, bytes), path);
        reader.Bytes(isFixed ? 0 : first);
        for (int i = 0; i < further; i++)
        {
            values.Add(reader.Value(type));
        }

        return true;
    }

    // As the engine compares: the zeros are equal, NaN is the largest.
    private static int Compare(object value, object wanted) => value is double a && wanted is double b
        ? double.IsNaN(a) ? (double.IsNaN(b) ? 0 : 1) : a == b ? 0 : a < b ? -1 : 1
        : PaimonValue.Compare(value, wanted);
}
