using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Apache.Arrow;
using CsCheck;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.DataFiles.SequenceFile;

namespace LakeHolo.Readers.Tests.DataFiles.SequenceFile;

public sealed class SequenceFileTests
{
    private enum Layout
    {
        Plain,
        Records,
        Blocks,
    }

    [Fact]
    public void Lines_of_every_layout_come_back() =>
        Gen.Select(Gen.String[0, 300].Array[0, 50], Gen.Int[0, 2]).Sample((lines, layout) =>
        {
            byte[][] values = [.. lines.Select(Encoding.UTF8.GetBytes)];
            SequenceFileReader reader = SequenceFileReader.Open(Write(values, (Layout)layout), "t");
            var read = new List<byte[]>();
            foreach (SequenceValues block in reader.ReadValues())
            {
                read.AddRange(Texts(block));
            }

            Assert.Equal(values, read);
        });

    [Fact]
    public void Fields_are_split_and_missing_ones_are_null()
    {
        byte[] file = Write([.. new[] { "a\u0001\\N\u0001c\u0001ignored", "", "x" }.Select(Encoding.UTF8.GetBytes)], Layout.Blocks);
        RecordBatch batch = Assert.Single(DelimitedTextDecoder.Read(SequenceFileReader.Open(file, "t"), DelimitedTextDecoder.SchemaOf(["p", "q", "r"]), "t"));
        string?[] Column(int i) => [.. Enumerable.Range(0, 3).Select(row => batch.Column(i).IsNull(row) ? null : ((StringArray)batch.Column(i)).GetString(row))];
        Assert.Equal(["a", "", "x"], Column(0));
        Assert.Equal([null, null, null], Column(1));
        Assert.Equal(["c", null, null], Column(2));
        Assert.Equal((4, 3L), DelimitedTextDecoder.Measure(SequenceFileReader.Open(file, "t"), "t"));
    }

    [Theory]
    [InlineData("org.apache.hadoop.io.compress.BZip2Codec", "org.apache.hadoop.io.Text", "BZip2Codec")]
    [InlineData("org.apache.hadoop.io.compress.DefaultCodec", "org.apache.hadoop.io.LongWritable", "LongWritable")]
    public void Other_codecs_and_values_are_refused_by_name(string codec, string valueClass, string name)
    {
        var e = Assert.Throws<LakeException>(() => SequenceFileReader.Open(Write([], Layout.Blocks, codec, valueClass), "t"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, e.Kind);
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_files_fail_with_a_lake_exception_and_without_large_allocations()
    {
        byte[][] values = [.. Enumerable.Range(0, 40).Select(i => Encoding.UTF8.GetBytes($"{i}\u0001name {i}\u0001\\N"))];
        byte[][] files = [.. Enum.GetValues<Layout>().Select(l => Write(values, l))];
        var random = new Random(20261103);
        long end = Environment.TickCount64 + 3000;
        for (int n = 0; Environment.TickCount64 < end; n++)
        {
            byte[] file = [.. files[n % files.Length]];
            for (int i = random.Next(1, 6); i > 0; i--)
            {
                file[random.Next(file.Length)] = (byte)random.Next(256);
            }

            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                SequenceFileReader reader = SequenceFileReader.Open(file.AsMemory(0, random.Next(4) == 0 ? random.Next(file.Length) : file.Length), "t");
                foreach (RecordBatch batch in DelimitedTextDecoder.Read(reader, DelimitedTextDecoder.SchemaOf(["a", "b"]), "t"))
                {
                    batch.Dispose();
                }
            }
            catch (LakeException)
            {
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        }
    }

    private static List<byte[]> Texts(SequenceValues values)
    {
        var cursor = new HadoopCursor(values.Bytes.Span, 0, "t");
        var texts = new List<byte[]>();
        for (int i = 0; i < values.Count; i++)
        {
            texts.Add(cursor.Take(cursor.ReadVLong()).ToArray());
        }

        Assert.Equal(0, cursor.Remaining);
        return texts;
    }

    private static byte[] Write(
        byte[][] values, Layout layout, string codec = "org.apache.hadoop.io.compress.DefaultCodec", string valueClass = "org.apache.hadoop.io.Text")
    {
        byte[] sync = [.. Enumerable.Range(1, 16).Select(i => (byte)(i * 11))];
        var file = new List<byte>([.. "SEQ"u8, 6, .. Text("org.apache.hadoop.io.BytesWritable"), .. Text(valueClass)]);
        file.AddRange([(byte)(layout == Layout.Plain ? 0 : 1), (byte)(layout == Layout.Blocks ? 1 : 0)]);
        file.AddRange(layout == Layout.Plain ? [] : Text(codec));
        file.AddRange([.. Int(1), .. Text("key"), .. Text("value"), .. sync]);
        if (layout == Layout.Blocks)
        {
            foreach (byte[][] block in values.Chunk(20))
            {
                file.AddRange([.. Int(-1), .. sync, .. VLong(block.Length)]);
                file.AddRange(Section([.. block.SelectMany(_ => VLong(4))]));
                file.AddRange(Section([.. block.SelectMany(_ => Int(0))]));
                file.AddRange(Section([.. block.SelectMany(v => VLong(v.Length + VLong(v.Length).Length))]));
                file.AddRange(Section([.. block.SelectMany(v => (byte[])[.. VLong(v.Length), .. v])]));
            }

            return [.. file];
        }

        for (int i = 0; i < values.Length; i++)
        {
            byte[] value = [.. VLong(values[i].Length), .. values[i]];
            value = layout == Layout.Records ? Deflate(value) : value;
            file.AddRange(i % 7 == 6 ? [.. Int(-1), .. sync] : []);
            file.AddRange([.. Int(4 + value.Length), .. Int(4), .. Int(0), .. value]);
        }

        return [.. file];
    }

    private static byte[] Section(byte[] bytes)
    {
        byte[] packed = Deflate(bytes);
        return [.. VLong(packed.Length), .. packed];
    }

    private static byte[] Deflate(byte[] bytes)
    {
        var target = new MemoryStream();
        using (var zlib = new ZLibStream(target, CompressionLevel.Fastest, leaveOpen: true))
        {
            zlib.Write(bytes);
        }

        return target.ToArray();
    }

    private static byte[] Text(string text) => [.. VLong(text.Length), .. Encoding.UTF8.GetBytes(text)];

    private static byte[] Int(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] VLong(long value)
    {
        if (value is >= -112 and <= 127)
        {
            return [(byte)value];
        }

        long magnitude = value < 0 ? ~value : value;
        int size = (64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)magnitude) + 7) / 8;
        return [(byte)((value < 0 ? -120 : -112) - size), .. Enumerable.Range(0, size).Select(i => (byte)(magnitude >> (8 * (size - 1 - i))))];
    }
}
