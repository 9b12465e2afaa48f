using System.Buffers.Binary;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>The bytes of one decompressed stream, read from the front.</summary>
internal sealed class OrcBytes(ReadOnlyMemory<byte> bytes, string path)
{
    private int _position;

    internal int Remaining => bytes.Length - _position;

    internal byte ReadByte()
    {
        ReadOnlySpan<byte> span = bytes.Span;
        return (uint)_position < (uint)span.Length ? span[_position++] : throw Ended();
    }

    internal ReadOnlySpan<byte> Take(long count)
    {
        if (count < 0 || count > Remaining)
        {
            throw Ended();
        }

        ReadOnlySpan<byte> taken = bytes.Span.Slice(_position, (int)count);
        _position += (int)count;
        return taken;
    }

    internal ulong ReadVarint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            byte b = ReadByte();
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw Invalid("has a number of more than 64 bits");
    }

    internal long ReadZigZag() => ZigZag(ReadVarint());

    internal static long ZigZag(ulong value) => (long)(value >> 1) ^ -(long)(value & 1);

    internal LakeException Invalid(string what) => LakeException.FormatInvalid($"An ORC stream {what}, at byte {_position} of {bytes.Length}", path);

    private LakeException Ended() => Invalid("ends early");
}

/// <summary>An integer stream, whichever its run-length encoding.</summary>
internal abstract class OrcIntegers(OrcBytes bytes, bool isSigned)
{
    // The longest run of either version is 512 values.
    private readonly long[] _run = new long[512];
    private int _next;
    private int _end;

    internal int RemainingBytes => Bytes.Remaining;

    protected OrcBytes Bytes { get; } = bytes;

    protected bool IsSigned { get; } = isSigned;

    internal static OrcIntegers Create(OrcBytes bytes, bool isSigned, OrcEncoding encoding) =>
        encoding.IsVersion2 ? new OrcIntegersVersion2(bytes, isSigned) : new OrcIntegersVersion1(bytes, isSigned);

    internal void Read(Span<long> target)
    {
        while (target.Length > 0)
        {
            if (_next == _end)
            {
                _end = ReadRun(_run);
                _next = 0;
            }

            int count = Math.Min(target.Length, _end - _next);
            _run.AsSpan(_next, count).CopyTo(target);
            _next += count;
            target = target[count..];
        }
    }

    /// <summary>Decodes the next run to the front of the target and gives its length, at least 1.</summary>
    protected abstract int ReadRun(long[] target);

    protected long ReadNumber() => IsSigned ? Bytes.ReadZigZag() : (long)Bytes.ReadVarint();
}

/// <summary>Version 1: a control byte, then a run with a small delta, or literals.</summary>
internal sealed class OrcIntegersVersion1(OrcBytes bytes, bool isSigned) : OrcIntegers(bytes, isSigned)
{
    protected override int ReadRun(long[] target)
    {
        int control = (sbyte)Bytes.ReadByte();
        int length = control >= 0 ? control + 3 : -control;
        if (control >= 0)
        {
            long delta = (sbyte)Bytes.ReadByte();
            long value = ReadNumber();
            for (int i = 0; i < length; i++)
            {
                target[i] = value;
                value += delta;
            }
        }
        else
        {
            for (int i = 0; i < length; i++)
            {
                target[i] = ReadNumber();
            }
        }

        return length;
    }
}

/// <summary>Version 2: short repeat, direct, patched base and delta runs (ORC specification, "Integer Run Length Encoding, version 2").</summary>
internal sealed class OrcIntegersVersion2(OrcBytes bytes, bool isSigned) : OrcIntegers(bytes, isSigned)
{
    protected override int ReadRun(long[] target)
    {
        int first = Bytes.ReadByte();
        switch (first >> 6)
        {
            case 0:
                int repeats = (first & 7) + 3;
                ulong value = ReadBigEndian(((first >> 3) & 7) + 1);
                target.AsSpan(0, repeats).Fill(IsSigned ? OrcBytes.ZigZag(value) : (long)value);
                return repeats;
            case 1:
                int length = ReadLength(first);
                Unpack(target.AsSpan(0, length), Width((first >> 1) & 31));
                for (int i = 0; IsSigned && i < length; i++)
                {
                    target[i] = OrcBytes.ZigZag((ulong)target[i]);
                }

                return length;
            case 2:
                return ReadPatched(first, target);
            default:
                return ReadDelta(first, target);
        }
    }

    private int ReadDelta(int first, long[] target)
    {
        // Width code 0 stands for a fixed delta here.
        int code = (first >> 1) & 31;
        int length = ReadLength(first);
        long value = ReadNumber();
        long delta = Bytes.ReadZigZag();
        target[0] = value;
        if (code == 0)
        {
            for (int i = 1; i < length; i++)
            {
                target[i] = value += delta;
            }

            return length;
        }

        if (length > 1)
        {
            target[1] = value += delta;
        }

        Span<long> rest = target.AsSpan(0, length)[Math.Min(2, length)..];
        Unpack(rest, Width(code));
        for (int i = 0; i < rest.Length; i++)
        {
            value = delta < 0 ? value - rest[i] : value + rest[i];
            rest[i] = value;
        }

        return length;
    }

    private int ReadPatched(int first, long[] target)
    {
        int width = Width((first >> 1) & 31);
        int length = ReadLength(first);
        int third = Bytes.ReadByte();
        int fourth = Bytes.ReadByte();
        int baseBytes = (third >> 5) + 1;
        int patchWidth = Width(third & 31);
        int gapWidth = (fourth >> 5) + 1;
        Span<long> patches = stackalloc long[fourth & 31];
        // The base is stored as sign and magnitude.
        ulong stored = ReadBigEndian(baseBytes);
        ulong sign = 1UL << ((8 * baseBytes) - 1);
        long start = (stored & sign) != 0 ? -(long)(stored & ~sign) : (long)stored;
        Span<long> values = target.AsSpan(0, length);
        Unpack(values, width);
        int entryWidth = ClosestWidth(patchWidth + gapWidth);
        if (entryWidth > 64 || patchWidth + gapWidth > 64)
        {
            throw Bytes.Invalid($"has patches of {patchWidth} bits with gaps of {gapWidth}");
        }

        Unpack(patches, entryWidth);
        int at = 0;
        foreach (long entry in patches)
        {
            int gap = (int)((ulong)entry >> patchWidth);
            ulong patch = (ulong)entry & (ulong.MaxValue >> (64 - patchWidth));
            at += gap;
            // A gap of more than 255 is spread over entries whose patch is zero.
            if (patch == 0)
            {
                continue;
            }

            if (at >= length || width + patchWidth > 64 + LeadingZeros(patch, patchWidth))
            {
                throw Bytes.Invalid($"patches value {at} of {length} at bit {width}");
            }

            values[at] |= (long)(patch << width);
        }

        for (int i = 0; i < length; i++)
        {
            values[i] += start;
        }

        return length;
    }

    private static int LeadingZeros(ulong patch, int width) => System.Numerics.BitOperations.LeadingZeroCount(patch) - (64 - width);

    private int ReadLength(int first) => (((first & 1) << 8) | Bytes.ReadByte()) + 1;

    private ulong ReadBigEndian(int count)
    {
        ulong value = 0;
        foreach (byte b in Bytes.Take(count))
        {
            value = (value << 8) | b;
        }

        return value;
    }

    private static int Width(int code) => code switch
    {
        <= 23 => code + 1,
        24 => 26,
        25 => 28,
        26 => 30,
        27 => 32,
        28 => 40,
        29 => 48,
        30 => 56,
        _ => 64,
    };

    private static int ClosestWidth(int bits) => bits switch
    {
        <= 24 => bits,
        <= 26 => 26,
        <= 28 => 28,
        <= 30 => 30,
        <= 32 => 32,
        <= 40 => 40,
        <= 48 => 48,
        <= 56 => 56,
        <= 64 => 64,
        _ => bits,
    };

    /// <summary>Values of a fixed number of bits, the highest bit first, padded to a whole byte at the end.</summary>
    private void Unpack(Span<long> target, int width)
    {
        ReadOnlySpan<byte> packed = Bytes.Take((((long)target.Length * width) + 7) / 8);
        switch (width)
        {
            case 8:
                for (int i = 0; i < target.Length; i++)
                {
                    target[i] = packed[i];
                }

                return;
            case 16:
                for (int i = 0; i < target.Length; i++)
                {
                    target[i] = BinaryPrimitives.ReadUInt16BigEndian(packed[(2 * i)..]);
                }

                return;
            case 32:
                for (int i = 0; i < target.Length; i++)
                {
                    target[i] = BinaryPrimitives.ReadUInt32BigEndian(packed[(4 * i)..]);
                }

                return;
            case 64:
                for (int i = 0; i < target.Length; i++)
                {
                    target[i] = BinaryPrimitives.ReadInt64BigEndian(packed[(8 * i)..]);
                }

                return;
            default:
                UnpackBits(target, packed, width);
                return;
        }
    }

    private static void UnpackBits(Span<long> target, ReadOnlySpan<byte> packed, int width)
    {
        // At most 56 bits are asked for at a time, so that 8 buffered bits always fit beside them.
        ulong buffer = 0;
        int bits = 0;
        int position = 0;
        ulong mask = (1UL << width) - 1;
        for (int i = 0; i < target.Length; i++)
        {
            while (bits < width)
            {
                buffer = (buffer << 8) | packed[position++];
                bits += 8;
            }

            bits -= width;
            target[i] = (long)((buffer >> bits) & mask);
        }
    }
}

/// <summary>A byte stream: a control byte, then a run or literals.</summary>
internal sealed class OrcByteRuns(OrcBytes bytes)
{
    private int _runLeft;
    private int _literalsLeft;
    private byte _value;

    internal int RemainingBytes => bytes.Remaining;

    internal void Read(Span<byte> target)
    {
        while (target.Length > 0)
        {
            if (_runLeft == 0 && _literalsLeft == 0)
            {
                int control = (sbyte)bytes.ReadByte();
                if (control >= 0)
                {
                    _runLeft = control + 3;
                    _value = bytes.ReadByte();
                }
                else
                {
                    _literalsLeft = -control;
                }
            }

            int count = Math.Min(target.Length, Math.Max(_runLeft, _literalsLeft));
            if (_runLeft > 0)
            {
                target[..count].Fill(_value);
                _runLeft -= count;
            }
            else
            {
                bytes.Take(count).CopyTo(target);
                _literalsLeft -= count;
            }

            target = target[count..];
        }
    }
}

/// <summary>A bit stream: bytes in runs, the highest bit first.</summary>
internal sealed class OrcBits(OrcBytes bytes)
{
    private readonly OrcByteRuns _bytes = new(bytes);
    private int _left;
    private byte _current;

    internal int RemainingBytes => _bytes.RemainingBytes;

    /// <summary>One byte, 0 or 1, per bit.</summary>
    internal void Read(Span<byte> target)
    {
        for (int i = 0; i < target.Length; i++)
        {
            if (_left == 0)
            {
                _bytes.Read(new Span<byte>(ref _current));
                _left = 8;
            }

            _left--;
            target[i] = (byte)((_current >> _left) & 1);
        }
    }
}
