using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>STRING, VARCHAR, CHAR and BINARY stored one after the other, with their lengths.</summary>
internal sealed class OrcDirectBytesColumn(IArrowType type, bool trims, OrcBits? present, OrcBytes data, OrcIntegers lengths, string path) : OrcColumn(type, present, path)
{
    protected override long OwnRemainingBytes => data.Remaining + (long)lengths.RemainingBytes;

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        long[] sizes = new long[validCount];
        lengths.Read(sizes);
        int[] offsets = new int[count + 1];
        byte[] bytes = new byte[Total(sizes)];
        int end = 0;
        for (int i = 0, next = 0; i < count; i++)
        {
            if (valid is null || valid[i] != 0)
            {
                ReadOnlySpan<byte> value = OrcText.Trim(data.Take(sizes[next++]), trims);
                value.CopyTo(bytes.AsSpan(end));
                end += value.Length;
            }

            offsets[i + 1] = end;
        }

        return new ArrayData(Type, count, count - validCount, 0, [bitmap, Buffer(offsets), new ArrowBuffer(bytes.AsMemory(0, end))]);
    }

    private int Total(long[] sizes)
    {
        long total = 0;
        foreach (long size in sizes)
        {
            if (size < 0 || size > data.Remaining - total)
            {
                throw data.Invalid($"declares {size} bytes of text where {data.Remaining - total} are left");
            }

            total += size;
        }

        return (int)total;
    }
}

/// <summary>Strings as indexes into the stripe's dictionary.</summary>
internal sealed class OrcDictionaryColumn : OrcColumn
{
    private readonly OrcIntegers _indexes;
    private readonly ReadOnlyMemory<byte> _dictionary;
    private readonly int[] _starts;
    private readonly bool _trims;

    internal OrcDictionaryColumn(
        IArrowType type, bool trims, OrcBits? present, OrcIntegers indexes, ReadOnlyMemory<byte> dictionary, OrcIntegers lengths, int size, string path)
        : base(type, present, path)
    {
        _indexes = indexes;
        _dictionary = dictionary;
        _trims = trims;
        // Runs of empty strings take next to no bytes, but a dictionary holds one of them.
        if (size > dictionary.Length + 1)
        {
            throw LakeException.FormatInvalid($"An ORC dictionary of {dictionary.Length} bytes declares {size} entries", path);
        }

        _starts = new int[size + 1];
        long[] sizes = new long[size];
        lengths.Read(sizes);
        for (int i = 0; i < size; i++)
        {
            _starts[i + 1] = sizes[i] >= 0 && sizes[i] <= dictionary.Length - _starts[i]
                ? _starts[i] + (int)sizes[i]
                : throw LakeException.FormatInvalid($"An ORC dictionary of {dictionary.Length} bytes has an entry of {sizes[i]} bytes", path);
        }
    }

    protected override long OwnRemainingBytes => _indexes.RemainingBytes;

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        long[] indexes = new long[validCount];
        _indexes.Read(indexes);
        int[] offsets = new int[count + 1];
        byte[] bytes = new byte[Total(indexes)];
        ReadOnlySpan<byte> dictionary = _dictionary.Span;
        int end = 0;
        for (int i = 0, next = 0; i < count; i++)
        {
            if (valid is null || valid[i] != 0)
            {
                int index = (int)indexes[next++];
                ReadOnlySpan<byte> value = OrcText.Trim(dictionary[_starts[index].._starts[index + 1]], _trims);
                value.CopyTo(bytes.AsSpan(end));
                end += value.Length;
            }

            offsets[i + 1] = end;
        }

        return new ArrayData(Type, count, count - validCount, 0, [bitmap, Buffer(offsets), new ArrowBuffer(bytes.AsMemory(0, end))]);
    }

    private int Total(long[] indexes)
    {
        long total = 0;
        foreach (long index in indexes)
        {
            if ((ulong)index >= (ulong)(_starts.Length - 1))
            {
                throw LakeException.FormatInvalid($"An ORC dictionary of {_starts.Length - 1} entries is asked for entry {index}", Path);
            }

            total += _starts[index + 1] - _starts[index];
        }

        return total <= System.Array.MaxLength ? (int)total : throw LakeException.ResourcesExhausted("An ORC batch holds more than 2 GiB of text", isTransient: false);
    }
}

internal static class OrcText
{
    /// <summary>CHAR(n) is stored padded; the padding is no part of the value.</summary>
    internal static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> value, bool trims) => trims ? value.TrimEnd((byte)' ') : value;
}

internal sealed class OrcStructColumn(StructType type, OrcBits? present, OrcColumn[] fields, string path) : OrcColumn(type, present, path)
{
    protected override long OwnRemainingBytes => fields.Sum(f => f.RemainingBytes);

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap) =>
        new(Type, count, count - validCount, 0, [bitmap], [.. fields.Select(f => f.Read(count, valid))]);
}

/// <summary>Lists, and maps as lists of entries.</summary>
internal sealed class OrcListColumn(IArrowType type, OrcBits? present, OrcIntegers lengths, OrcColumn[] items, string path) : OrcColumn(type, present, path)
{
    // One byte of any stream stands for at most 512 values (a run of version 2 has at least 4 bytes and at most 512 values, a run of bits 2 bytes
    // and 1,040 values); twice that, and what decoders hold ready, decides whether a claimed count can be true at all.
    private const long ValuesPerByte = 1024;
    private const long ValuesAhead = 8192;

    protected override long OwnRemainingBytes => lengths.RemainingBytes + items.Sum(i => i.RemainingBytes);

    protected override ArrayData Build(int count, int validCount, byte[]? valid, ArrowBuffer bitmap)
    {
        long[] sizes = new long[count];
        lengths.Read(sizes.AsSpan(0, validCount));
        Spread<long>(sizes, validCount, valid);
        int[] offsets = new int[count + 1];
        long bound = Math.Min(ValuesAhead + (ValuesPerByte * items.Sum(i => i.RemainingBytes)), System.Array.MaxLength / 16);
        for (int i = 0; i < count; i++)
        {
            offsets[i + 1] = sizes[i] >= 0 && sizes[i] <= bound - offsets[i]
                ? offsets[i] + (int)sizes[i]
                : throw LakeException.FormatInvalid($"An ORC list declares {sizes[i]} items, more than its streams can hold", Path);
        }

        int total = offsets[count];
        ArrayData child = Type is MapType map
            ? new ArrayData(new StructType([map.KeyField, map.ValueField]), total, 0, 0, [ArrowBuffer.Empty], [.. items.Select(i => i.Read(total, null))])
            : items[0].Read(total, null);
        return new ArrayData(Type, count, count - validCount, 0, [bitmap, Buffer(offsets)], [child]);
    }
}
