using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Tests.Avro;

public sealed class AvroContainerTests
{
    private const string Schema = """
        {"type":"record","name":"r","namespace":"n","fields":[
          {"name":"id","type":"long"},
          {"name":"name","type":["null","string"],"default":null},
          {"name":"tags","type":{"type":"array","items":"string"}},
          {"name":"counts","type":{"type":"map","values":"int"}},
          {"name":"kind","type":{"type":"enum","name":"k","symbols":["A","B"]}},
          {"name":"hash","type":{"type":"fixed","name":"h","size":2}},
          {"name":"next","type":["null","r"],"default":null}]}
        """;

    [Theory]
    [InlineData("null")]
    [InlineData("deflate")]
    [InlineData("snappy")]
    [InlineData("zstandard")]
    public void Records_of_every_codec_are_read_by_name(string codec)
    {
        byte[] file = Container(codec, Schema, 1, Row());
        AvroRecord record = Assert.Single(AvroContainer.ReadRecords(file, "f.avro"));
        Assert.Equal(-70000, record.GetLong("id"));
        Assert.Equal("ü", record.GetString("name"));
        Assert.Equal(["x", "y"], record.GetArray("tags"));
        Assert.Equal(5, record.GetMap("counts")["a"]);
        Assert.Equal("B", record.GetString("kind"));
        Assert.Equal([1, 2], record.GetBytes("hash"));
        Assert.Equal(1, record.GetRecord("next").GetLong("id"));
        Assert.True(record.GetRecord("next").IsNull("name"));
        Assert.Null(record.GetStringOrNull("not_there"));
    }

    [Theory]
    [InlineData("bzip2")]
    [InlineData("xz")]
    public void Other_codecs_are_refused_by_name(string codec)
    {
        var e = Assert.Throws<LakeException>(() => AvroContainer.Open(Container(codec, Schema, 1, []), "f.avro"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, e.Kind);
        Assert.Contains(codec, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_sync_marker_or_checksum_is_found()
    {
        byte[] file = Container("snappy", Schema, 1, Row());
        file[^1] ^= 1;
        Assert.Equal(LakeErrorKind.FormatInvalid, Assert.Throws<LakeException>(() => AvroContainer.ReadRecords(file, "f").Count()).Kind);
        file[^1] ^= 1;
        file[^17] ^= 1;
        Assert.Equal(LakeErrorKind.FormatInvalid, Assert.Throws<LakeException>(() => AvroContainer.ReadRecords(file, "f").Count()).Kind);
    }

    [Fact]
    public void A_claimed_length_beyond_the_file_is_found_before_anything_is_allocated()
    {
        byte[] body = [.. Long(1L << 40), 1, 2, 3];
        AvroSchema schema = AvroSchema.Parse("\"bytes\"", "s");
        Assert.Throws<LakeException>(() => AvroDatum.Decode(schema, body, "d"));
        AvroSchema array = AvroSchema.Parse("""{"type":"array","items":"long"}""", "s");
        Assert.Throws<LakeException>(() => AvroDatum.Decode(array, body, "d"));
    }

    [Fact]
    public void A_schema_that_contains_itself_is_bounded_by_depth()
    {
        AvroSchema schema = AvroSchema.Parse("""{"type":"record","name":"loop","fields":[{"name":"l","type":"loop"}]}""", "s");
        Assert.Throws<LakeException>(() => AvroDatum.Decode(schema, [], "d"));
    }

    [Fact]
    public void Broken_schemas_are_refused()
    {
        string deep = string.Concat(Enumerable.Repeat("""{"type":"array","items":""", 100)) + "\"int\"" + new string('}', 100);
        foreach (string json in new[] { "", "{", "7", "\"nope\"", """{"type":"record","name":"r"}""", """[]""", """["null",["int"]]""", deep, """{"type":"fixed","name":"f","size":-1}""" })
        {
            Assert.Equal(LakeErrorKind.FormatInvalid, Assert.Throws<LakeException>(() => AvroSchema.Parse(json, "s")).Kind);
        }
    }

    internal static byte[] Container(string codec, string schema, int count, byte[] body)
    {
        byte[] sync = [.. Enumerable.Range(0, 16).Select(i => (byte)(i * 7))];
        byte[] block = Compress(codec, body);
        return
        [
            .. "Obj\u0001"u8, .. Long(2), .. Text("avro.schema"), .. Text(schema), .. Text("avro.codec"), .. Text(codec), 0, .. sync,
            .. Long(count), .. Long(block.Length), .. block, .. sync,
        ];
    }

    internal static byte[] Long(long value)
    {
        var bytes = new List<byte>();
        ulong rest = (ulong)((value << 1) ^ (value >> 63));
        for (; rest >= 0x80; rest >>= 7)
        {
            bytes.Add((byte)(rest | 0x80));
        }

        bytes.Add((byte)rest);
        return [.. bytes];
    }

    internal static byte[] Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return [.. Long(bytes.Length), .. bytes];
    }

    private static byte[] Row() =>
    [
        .. Long(-70000), .. Long(1), .. Text("ü"), .. Long(2), .. Text("x"), .. Text("y"), 0, .. Long(1), .. Text("a"), .. Long(5), 0, .. Long(1), 1, 2, .. Long(1),
        .. Long(1), .. Long(0), 0, 0, 0, 7, 7, 0,
    ];

    private static byte[] Compress(string codec, byte[] body)
    {
        var target = new MemoryStream();
        switch (codec)
        {
            case "deflate":
                using (var deflate = new DeflateStream(target, CompressionLevel.Fastest, leaveOpen: true))
                {
                    deflate.Write(body);
                }

                return target.ToArray();
            case "zstandard":
                using (var zstd = new ZstdSharp.Compressor())
                {
                    return zstd.Wrap(body).ToArray();
                }

            case "snappy":
                byte[] crc = new byte[4];
                BinaryPrimitives.WriteUInt32BigEndian(crc, Crc32.HashToUInt32(body));
                return [.. Snappier.Snappy.CompressToArray(body), .. crc];
            default:
                return body;
        }
    }
}
