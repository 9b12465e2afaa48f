using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using CsCheck;
using DuckDB.NET.Data;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Tests;

/// <summary>What is framed by hand around the engine's buffers, read by Arrow's own reader.</summary>
public sealed class EncoderTests
{
    /// <summary>Every layout that the engine has, with and without nulls, empty and nested.</summary>
    private const string Columns = """
        range AS whole, CASE WHEN range % 3 > 0 THEN range END AS some, NULL::DOUBLE AS nothing, range % 2 = 0 AS flag, CASE WHEN range % 5 > 0 THEN range % 2 = 0 END AS maybe,
        CASE WHEN range % 7 > 0 THEN repeat('s', (range % 40)::BIGINT) END AS text, ('\x00' || range)::BLOB AS bytes, (range * 1.25)::DECIMAL(38, 2) AS money,
        CASE WHEN range % 4 > 0 THEN [range, NULL, range + 1][:(range % 4)::BIGINT] END AS list, {'a': CASE WHEN range % 3 > 0 THEN range END, 'b': 'x' || range} AS struct,
        MAP {range: 'm', range + 1: NULL} AS map, [range, range + 1]::BIGINT[2] AS pair, [[CASE WHEN range % 2 = 0 THEN 'x' END], NULL, []] AS deep,
        CASE WHEN range % 2 = 0 THEN union_value(n := range) ELSE union_value(s := 'u' || range)::UNION(n BIGINT, s VARCHAR) END AS either
        """;

    [Fact]
    public void Any_rows_of_any_batches_are_framed_as_one_batch_of_those_rows()
    {
        RecordBatch[] batches = [.. Batches($"SELECT {Columns} FROM range(5000)")];
        Assert.Equal(3, batches.Length);
        string[][] texts = [.. batches.Select(b => StatementTests.Texts([b]).ToArray())];
        Gen<RowRange> ranges = Gen.Select(Gen.Int[0, 2], Gen.Int[0, 2047], Gen.Int[0, 150]).Select(t =>
        {
            int start = Math.Min(t.Item2, batches[t.Item1].Length);
            return new RowRange(batches[t.Item1], start, Math.Min(t.Item3, batches[t.Item1].Length - start));
        });
        var encoder = new BatchEncoder();
        ranges.List[1, 5].Sample(
            list =>
            {
                string[] expected = [.. list.SelectMany(r => texts[System.Array.IndexOf(batches, r.Batch)].Skip(r.Start).Take(r.Rows))];
                using RecordBatch read = Read(encoder, list, batches[0].Schema);
                Assert.Equal(expected, StatementTests.Texts([read]));
            },
            iter: 300, threads: 1);
    }

    [Fact]
    public void Dense_unions_of_several_batches_point_into_all_their_children()
    {
        using RecordBatch one = Dense([1, 2], ["a"]);
        using RecordBatch two = Dense([3], ["b", "c"]);
        using RecordBatch read = Read(new BatchEncoder(), [new RowRange(one, 0, 3), new RowRange(two, 1, 2)], one.Schema);
        var union = (DenseUnionArray)read.Column(0);
        Assert.Equal(["0100000000000000", "0200000000000000", "a", "b", "c"], Enumerable.Range(0, 5).Select(r => CellText.Of(union.Fields[union.TypeIds[r]], union.ValueOffsets[r])));
    }

    [Theory]
    [InlineData("lz4")]
    [InlineData("zstd")]
    public void Compressed_messages_are_smaller_and_hold_the_same(string name)
    {
        RecordBatch[] batches = [.. Batches($"SELECT {Columns}, gen_random_uuid()::VARCHAR AS random FROM range(5000)")];
        using BatchEncoder encoder = Encoder(name);
        using var plain = new BatchEncoder();
        foreach (int rows in new[] { 0, 1, 7, 2048 })
        {
            RowRange[] ranges = [.. batches.Select(b => new RowRange(b, 0, Math.Min(rows, b.Length)))];
            using RecordBatch read = Read(encoder, ranges, batches[0].Schema);
            Assert.Equal(ranges.SelectMany(r => StatementTests.Texts([r.Batch]).Take(r.Rows)), StatementTests.Texts([read]));
        }

        RowRange[] all = [.. batches.Select(b => new RowRange(b, 0, b.Length))];
        Assert.InRange(encoder.Encode(all).BodyLength, 1, plain.Encode(all).BodyLength * 2 / 3);
    }

    [Fact]
    public void A_value_of_several_blocks_is_compressed_and_one_that_grows_is_not()
    {
        byte[] random = new byte[6 << 20];
        new Random(1).NextBytes(random);
        byte[] mixed = [.. random, .. new byte[5 << 20], .. random[..1000]];
        foreach (byte[] value in new[] { mixed, random })
        {
            using RecordBatch batch = new(new Schema([new Field("v", BinaryType.Default, true)], null), [new BinaryArray.Builder().Append(value.AsSpan()).Build()], 1);
            foreach (string name in new[] { "lz4", "zstd" })
            {
                using BatchEncoder encoder = Encoder(name);
                using RecordBatch read = Read(encoder, [new RowRange(batch, 0, 1)], batch.Schema);
                Assert.True(value.AsSpan().SequenceEqual(((BinaryArray)read.Column(0)).GetBytes(0)));
                Assert.InRange(encoder.Encode([new RowRange(batch, 0, 1)]).BodyLength, 1, random.Length + (value == random ? 100 : 100_000));
            }
        }
    }

    [Theory]
    [InlineData("none")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    public void A_message_is_framed_without_allocating_for_its_bytes(string codec)
    {
        RowRange[] ranges = [.. Batches("SELECT range AS a, CASE WHEN range % 3 > 0 THEN range END AS b, 'text ' || range AS s, range::DOUBLE AS d FROM range(20480)").Select(b => new RowRange(b, 0, b.Length))];
        using BatchEncoder encoder = Encoder(codec);
        encoder.Encode(ranges);
        long bytes = ranges.Sum(r => r.SizeBytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
        {
            encoder.Encode(ranges);
        }

        long perMessage = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        Assert.True(bytes > 500_000, $"{bytes}");
        Assert.True(perMessage < 4_000, $"{perMessage} bytes for a message of {bytes}");
        Assert.InRange(encoder.HeldBytes, 1, codec == "none" ? bytes / 2 : 2 * bytes);
    }

    [Theory]
    [InlineData(1_000_000)]
    [InlineData(1)]
    public void A_batch_is_split_by_what_fits(long bytes)
    {
        using RecordBatch batch = Batches($"SELECT {Columns} FROM range(2048)").Single();
        RowRange part = new RowRange(batch, 0, batch.Length).ThatFits(bytes);
        Assert.True(part.Rows == 1 || part.SizeBytes <= bytes);
        Assert.Equal(bytes == 1, part.Rows == 1);
        Assert.InRange(new BatchEncoder().Encode([part]).BodyLength, 1, part.SizeBytes + 2_000);
    }

    private static BatchEncoder Encoder(string codec) => new(Enum.Parse<BodyCodec>(codec, ignoreCase: true));

    private static RecordBatch Dense(long[] numbers, string[] texts)
    {
        var type = new UnionType([new Field("n", Int64Type.Default, true), new Field("s", StringType.Default, true)], [0, 1], UnionMode.Dense);
        byte[] ids = [.. numbers.Select(_ => (byte)0), .. texts.Select(_ => (byte)1)];
        int[] offsets = [.. Enumerable.Range(0, numbers.Length), .. Enumerable.Range(0, texts.Length)];
        var array = new DenseUnionArray(
            type, ids.Length, [new Int64Array.Builder().AppendRange(numbers).Build(), new StringArray.Builder().AppendRange(texts).Build()],
            new ArrowBuffer(ids), new ArrowBuffer(System.Runtime.InteropServices.MemoryMarshal.AsBytes(offsets.AsSpan()).ToArray()));
        return new RecordBatch(new Schema([new Field("u", type, true)], null), [array], ids.Length);
    }

    private static RecordBatch Read(BatchEncoder encoder, IReadOnlyList<RowRange> ranges, Schema schema)
    {
        FlightFrame frame = encoder.Encode(ranges);
        var stream = new MemoryStream();
        stream.Write(new EncodedSchema(schema).Encapsulated.Span);
        stream.Write(BitConverter.GetBytes(-1));
        stream.Write(BitConverter.GetBytes(frame.Header.Length));
        stream.Write(frame.Header.Span);
        long before = stream.Length;
        foreach (ReadOnlyMemory<byte> part in frame.Body)
        {
            stream.Write(part.Span);
        }

        Assert.Equal(frame.BodyLength, stream.Length - before);
        stream.Position = 0;
        using var reader = new ArrowStreamReader(stream, new CompressionCodecFactory());
        return reader.ReadNextRecordBatch();
    }

    private static List<RecordBatch> Batches(string sql)
    {
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using IArrowArrayStream stream = command.ExecuteArrowStream();
        var batches = new List<RecordBatch>();
        while (stream.ReadNextRecordBatchAsync().AsTask().GetAwaiter().GetResult() is { } batch)
        {
            batches.Add(batch);
        }

        return batches;
    }
}
