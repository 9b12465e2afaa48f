using CsCheck;
using LakeHolo.Readers.DataFiles.Orc;

namespace LakeHolo.Readers.Tests.DataFiles.Orc;

public sealed class OrcRunsTests
{
    [Fact]
    public void The_specifications_own_examples_are_read()
    {
        Assert.Equal(Enumerable.Repeat(10000L, 5), Read2([0x0a, 0x27, 0x10], 5, isSigned: false));
        Assert.Equal([23713, 43806, 57005, 48879], Read2([0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef], 4, isSigned: false));
        Assert.Equal(
            [2030, 2000, 2020, 1000000, 2040, 2050, 2060, 2070, 2080, 2090, 2100, 2110, 2120, 2130, 2140, 2150, 2160, 2170, 2180, 2190],
            Read2(
                [0x8e, 0x13, 0x2b, 0x21, 0x07, 0xd0, 0x1e, 0x00, 0x14, 0x70, 0x28, 0x32, 0x3c, 0x46, 0x50, 0x5a, 0x64, 0x6e, 0x78, 0x82, 0x8c, 0x96, 0xa0, 0xaa, 0xb4, 0xbe, 0xfc, 0xe8],
                20,
                isSigned: false));
        Assert.Equal([2, 3, 5, 7, 11, 13, 17, 19, 23, 29], Read2([0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46], 10, isSigned: false));
        Assert.Equal(Enumerable.Repeat(7L, 100), Read1([0x61, 0x00, 0x07], 100, isSigned: false));
        Assert.Equal(Enumerable.Range(1, 100).Reverse().Select(i => (long)i), Read1([0x61, 0xff, 0x64], 100, isSigned: false));
        Assert.Equal([2, 3, 6, 7, 11], Read1([0xfb, 0x02, 0x03, 0x06, 0x07, 0xb], 5, isSigned: false));
    }

    [Fact]
    public void Direct_runs_of_every_width_keep_their_values() =>
        Gen.Select(Gen.Int[0, 63], Gen.Long.Array[1, 512], Gen.Bool, Gen.Int[0, 31]).Sample((shift, raw, isSigned, code) =>
        {
            long[] values = [.. raw.Select(v => isSigned ? v >> shift : (long)((ulong)v >> shift))];
            Assert.Equal(values, Read2(OrcWriter.Direct(values, isSigned, code), values.Length, isSigned));
            Assert.Equal(values[..Math.Min(128, values.Length)], Read1(OrcWriter.Literals1(values.AsSpan(0, Math.Min(128, values.Length)), isSigned), Math.Min(128, values.Length), isSigned));
        });

    [Fact]
    public void Short_repeats_and_runs_of_version_1_keep_their_values() =>
        Gen.Select(Gen.Long, Gen.Int[0, 63], Gen.Int[3, 10], Gen.Int[3, 130], Gen.SByte, Gen.Bool).Sample((raw, shift, repeats, length, delta, isSigned) =>
        {
            long value = isSigned ? raw >> shift : (long)((ulong)raw >> shift);
            Assert.Equal(Enumerable.Repeat(value, repeats), Read2(OrcWriter.ShortRepeat(value, repeats, isSigned), repeats, isSigned));
            Assert.Equal(Enumerable.Range(0, length).Select(i => value + (i * (long)delta)), Read1(OrcWriter.Run1(value, delta, length, isSigned), length, isSigned));
        });

    [Fact]
    public void Delta_runs_keep_their_values() =>
        Gen.Select(Gen.Long, Gen.Int[0, 62], Gen.Long[-1000, 1000], Gen.ULong.Array[0, 510], Gen.Int[1, 63], Gen.Bool).Sample((raw, shift, first, rawSteps, stepShift, isSigned) =>
        {
            long start = isSigned ? raw >> shift : (long)((ulong)raw >> shift);
            ulong[] steps = [.. rawSteps.Select(s => s >> stepShift)];
            var expected = new List<long> { start, start + first };
            foreach (ulong step in steps)
            {
                expected.Add(first < 0 ? expected[^1] - (long)step : expected[^1] + (long)step);
            }

            Assert.Equal(expected, Read2(OrcWriter.Delta(start, first, steps, isSigned), expected.Count, isSigned));
            Assert.Equal(Enumerable.Range(0, 300).Select(i => start + (i * first)), Read2(OrcWriter.FixedDelta(start, first, 300, isSigned), 300, isSigned));
        });

    [Fact]
    public void Patched_runs_keep_their_values() =>
        Gen.Select(Gen.Long[-(1L << 40), 1L << 40], Gen.Int[0, 15], Gen.UInt.Array[1, 512], Gen.Int[0, 511].Array[1, 20], Gen.Int[0, 30]).Sample((start, code, raw, places, patchBits) =>
        {
            int width = code + 1;
            ulong[] offsets = [.. raw.Select(r => r & ((1UL << width) - 1))];
            foreach (int place in places.Where(p => p < offsets.Length))
            {
                offsets[place] |= (1UL << patchBits) << width;
            }

            Assert.Equal(offsets.Select(o => start + (long)o), Read2(OrcWriter.Patched(start, offsets, code), offsets.Length, isSigned: true));
        });

    [Fact]
    public void Bits_and_bytes_in_runs_keep_their_values() =>
        Gen.Bool.Array[1, 2000].Sample(flags =>
        {
            byte[] read = new byte[flags.Length];
            new OrcBits(new OrcBytes(OrcWriter.Bits(flags), "t")).Read(read);
            Assert.Equal(flags.Select(f => (byte)(f ? 1 : 0)), read);
        });

    private static long[] Read2(byte[] bytes, int count, bool isSigned) => Read(new OrcIntegersVersion2(new OrcBytes(bytes, "t"), isSigned), count);

    private static long[] Read1(byte[] bytes, int count, bool isSigned) => Read(new OrcIntegersVersion1(new OrcBytes(bytes, "t"), isSigned), count);

    private static long[] Read(OrcIntegers integers, int count)
    {
        // In two reads, so that a run is left half read between them.
        var values = new long[count];
        integers.Read(values.AsSpan(0, count / 3));
        integers.Read(values.AsSpan(count / 3));
        Assert.Equal(0, integers.RemainingBytes);
        return values;
    }
}
