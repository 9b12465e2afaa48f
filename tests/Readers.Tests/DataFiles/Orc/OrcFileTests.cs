using System.Text;
using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.DataFiles.Orc;

namespace LakeHolo.Readers.Tests.DataFiles.Orc;

public sealed class OrcFileTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Values_of_every_compression_are_read(int compression)
    {
        RecordBatch batch = Assert.Single(await ReadAsync(Sample(compression), new OrcReadOptions()));
        Assert.Equal([7, null, -1, 40000], ((Int32Array)batch.Column("i")).ToList(includeNulls: true));
        var text = (StringArray)batch.Column("s");
        Assert.Equal(["ab", "", "ü", "ab"], Enumerable.Range(0, 4).Select(i => text.GetString(i)));
        var dictionary = (StringArray)batch.Column("d");
        Assert.Equal(["yes", "no", "no", "yes"], Enumerable.Range(0, 4).Select(i => dictionary.GetString(i)));
        Assert.Equal([1.5, -0.0, double.NaN, double.MaxValue], ((DoubleArray)batch.Column("f")).Values.ToArray());
        Assert.Equal(["1.20", "-3.00", "0.00", "12345678901234567890123456789012345.67"], Enumerable.Range(0, 4).Select(i => ((Decimal128Array)batch.Column("n")).GetString(i)));
        Assert.Equal([1_420_070_401_500_000, 1_420_070_400_000_000, -1_500_000, 1_420_070_400_000_001], ((TimestampArray)batch.Column("t")).Values.ToArray());
    }

    [Fact]
    public void A_chunk_that_declares_more_than_a_block_is_refused_before_it_is_allocated()
    {
        // Snappy's length of 1,879,048,191 bytes as a varint, then nothing; before it the chunk's header of 5 bytes.
        byte[] chunk = [10, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x06];
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<LakeException>(() => OrcCompression.Decompress(new OrcPostScript(0, 0, OrcCompressionKind.Snappy, 1 << 16), chunk, "t"));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public async Task Only_the_selected_columns_are_fetched()
    {
        byte[] file = Sample(1);
        long fetched = 0;
        OrcFile orc = await OrcFile.OpenAsync((ranges, _) => Ranges(file, ranges, ref fetched), file.Length, "t");
        long before = fetched;
        await foreach (RecordBatch batch in orc.ReadAsync(new OrcReadOptions { Columns = ["i"] }))
        {
            Assert.Equal("i", Assert.Single(batch.Schema.FieldsList).Name);
        }

        Assert.InRange(fetched - before, 1, file.Length / 2);
    }

    [Theory]
    [InlineData(3, "Lzo")]
    [InlineData(6, "Brotli")]
    public async Task Other_compressions_are_refused_by_name(int compression, string name)
    {
        byte[] file = Sample(0);
        int at = file.Length - 1 - file[^1] + 3;
        Assert.Equal(0x10, file[at - 1]);
        file[at] = (byte)compression;
        var e = await Assert.ThrowsAsync<LakeException>(async () => await OpenAsync(file));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, e.Kind);
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Unions_and_hive_acid_files_are_refused_by_name()
    {
        byte[] union = OrcWriter.File(0, 0, ("u", 13, 0, []));
        Assert.Contains("union", (await Assert.ThrowsAsync<LakeException>(async () => await OpenAsync(union))).Message, StringComparison.Ordinal);
        string[] names = ["operation", "originalTransaction", "bucket", "rowId", "currentTransaction", "row"];
        byte[] acid = OrcWriter.File(0, 0, [.. names.Select(n => (n, 3, 0, System.Array.Empty<(int, byte[])>()))]);
        Assert.Contains("ACID", (await Assert.ThrowsAsync<LakeException>(async () => await OpenAsync(acid))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_timestamp_finer_than_a_microsecond_is_refused_unless_nanoseconds_are_asked_for()
    {
        byte[] file = OrcWriter.File(1, 0, ("t", 9, 2, [(1, OrcWriter.Direct([0], isSigned: true)), (5, OrcWriter.Direct([1L << 3], isSigned: false))]));
        var e = await Assert.ThrowsAsync<LakeException>(async () => await ReadAsync(file, new OrcReadOptions()));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, e.Kind);
        RecordBatch batch = Assert.Single(await ReadAsync(file, new OrcReadOptions { NanosecondColumns = ["t"] }));
        Assert.Equal(1_420_070_400_000_000_001, ((TimestampArray)batch.Column(0)).GetValue(0));
    }

    [Fact]
    public async Task A_file_that_claims_more_rows_than_its_streams_hold_fails_without_allocating_them()
    {
        byte[] file = OrcWriter.File(int.MaxValue, 0, ("i", 3, 2, [(1, OrcWriter.Direct([1, 2], isSigned: true))]));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(LakeErrorKind.FormatInvalid, (await Assert.ThrowsAsync<LakeException>(async () => await ReadAsync(file, new OrcReadOptions()))).Kind);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    [Fact]
    public async Task Damaged_files_fail_with_a_lake_exception_and_without_large_allocations()
    {
        byte[][] files = [.. new[] { 0, 1, 2, 4, 5 }.Select(Sample)];
        var random = new Random(20261102);
        long end = Environment.TickCount64 + 4000;
        for (int n = 0; Environment.TickCount64 < end; n++)
        {
            byte[] file = [.. files[n % files.Length]];
            for (int i = random.Next(1, 6); i > 0; i--)
            {
                file[random.Next(file.Length)] = (byte)random.Next(256);
            }

            file = random.Next(6) == 0 ? file[random.Next(file.Length / 2)..] : file;
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                await ReadAsync(file, new OrcReadOptions { NanosecondColumns = ["t"] }, maxBatches: 20);
            }
            catch (LakeException)
            {
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 512L << 20);
        }
    }

    /// <summary>Four rows of several kinds, with nulls in the first column.</summary>
    private static byte[] Sample(int compression)
    {
        byte[] text = Encoding.UTF8.GetBytes("abüab" + new string(' ', 300));
        UInt128 large = ((UInt128)System.Numerics.BigInteger.Parse("1234567890123456789012345678901234567", System.Globalization.CultureInfo.InvariantCulture)) << 1;
        return OrcWriter.File(
            4,
            compression,
            ("i", 3, 2, [(0, OrcWriter.Bits([true, false, true, true])), (1, OrcWriter.Direct([7, -1, 40000], isSigned: true))]),
            ("s", 7, 2, [(1, text), (2, OrcWriter.Direct([2, 0, 2, 2], isSigned: false))]),
            ("d", 7, 3, [(1, OrcWriter.Direct([0, 1, 1, 0], isSigned: false)), (3, "yesno"u8.ToArray()), (2, OrcWriter.Direct([3, 2], isSigned: false))]),
            ("f", 6, 0, [(1, [.. new[] { 1.5, -0.0, double.NaN, double.MaxValue }.SelectMany(BitConverter.GetBytes)])]),
            ("n", 14, 2, [(1, [.. OrcWriter.Varint(24), .. OrcWriter.Varint(5), .. OrcWriter.Varint(0), .. OrcWriter.Varint(large)]), (5, OrcWriter.Direct([1, 0, 2, 2], isSigned: true))]),
            ("t", 9, 2, [(1, OrcWriter.Direct([1, 0, -1_420_070_401, 0], isSigned: true)), (5, OrcWriter.Direct([(5 << 3) | 7, 0, (5 << 3) | 7, (1 << 3) | 2], isSigned: false))]));
    }

    private static async Task<OrcFile> OpenAsync(byte[] file)
    {
        long fetched = 0;
        return await OrcFile.OpenAsync((ranges, _) => Ranges(file, ranges, ref fetched), file.Length, "t");
    }

    private static async Task<List<RecordBatch>> ReadAsync(byte[] file, OrcReadOptions options, int maxBatches = int.MaxValue)
    {
        OrcFile orc = await OpenAsync(file);
        var batches = new List<RecordBatch>();
        await foreach (RecordBatch batch in orc.ReadAsync(options))
        {
            batches.Add(batch);
            if (batches.Count >= maxBatches)
            {
                break;
            }
        }

        return batches;
    }

    private static ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> Ranges(byte[] file, IReadOnlyList<ByteRange> ranges, ref long fetched)
    {
        var parts = new List<ReadOnlyMemory<byte>>();
        foreach (ByteRange range in ranges)
        {
            fetched += range.Length;
            parts.Add(range.Offset >= 0 && range.Length >= 0 && range.Offset <= file.Length - range.Length
                ? file.AsMemory((int)range.Offset, (int)range.Length)
                : throw LakeException.StorageUnavailable("The range leaves the object", "t", isTransient: false));
        }

        return ValueTask.FromResult<IReadOnlyList<ReadOnlyMemory<byte>>>(parts);
    }
}
