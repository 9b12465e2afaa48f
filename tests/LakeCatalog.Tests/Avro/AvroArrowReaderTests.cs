using System.Numerics;
using Apache.Arrow;
using Apache.Arrow.Types;
using CsCheck;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Tests.Avro;

public sealed class AvroArrowReaderTests
{
    [Fact]
    public void Every_type_becomes_its_arrow_type_and_value()
    {
        RecordBatch batch = Read(
            """
            {"type":"record","name":"r","fields":[
              {"name":"d","type":{"type":"int","logicalType":"date"}},
              {"name":"ts","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
              {"name":"lts","type":[{"type":"long","logicalType":"local-timestamp-micros"},"null"]},
              {"name":"t","type":{"type":"int","logicalType":"time-millis"}},
              {"name":"u","type":{"type":"fixed","name":"u","size":16,"logicalType":"uuid"}},
              {"name":"e","type":{"type":"enum","name":"e","symbols":["X","Y"]}},
              {"name":"l","type":{"type":"array","items":["null","int"]}},
              {"name":"m","type":{"type":"map","values":"double"}},
              {"name":"lm","type":{"type":"array","logicalType":"map","items":{"type":"record","name":"kv","fields":[{"name":"key","type":"int"},{"name":"value","type":["null","string"]}]}}},
              {"name":"s","type":["null",{"type":"record","name":"s","fields":[{"name":"b","type":"boolean"}]}]}]}
            """,
            [
                .. Long(-1), .. Long(1), .. Long(-5), .. Long(0), .. Long(7), .. Long(3), .. Enumerable.Repeat((byte)0xAB, 16), .. Long(1),
                .. Long(-2), .. Long(3), .. Long(0), .. Long(1), .. Long(9), 0, .. Long(1), .. Text("k"), .. BitConverter.GetBytes(1.5), 0,
                .. Long(1), .. Long(4), .. Long(1), .. Text("v"), 0, .. Long(1), 1,
            ]);
        Assert.Equal(-1, ((Date32Array)batch.Column(0)).GetValue(0));
        Assert.Equal(-5000, ((TimestampArray)batch.Column(1)).GetValue(0));
        Assert.Equal("UTC", ((TimestampType)batch.Schema.GetFieldByIndex(1).DataType).Timezone);
        Assert.Equal(7, ((TimestampArray)batch.Column(2)).GetValue(0));
        Assert.Null(((TimestampType)batch.Schema.GetFieldByIndex(2).DataType).Timezone);
        Assert.Equal(3000, ((Time64Array)batch.Column(3)).GetValue(0));
        Assert.Equal("abababab-abab-abab-abab-abababababab", ((StringArray)batch.Column(4)).GetString(0));
        Assert.Equal("Y", ((StringArray)batch.Column(5)).GetString(0));
        var items = (Int32Array)((ListArray)batch.Column(6)).GetSlicedValues(0);
        Assert.Equal([null, 9], items.ToList(includeNulls: true));
        Assert.Equal(1.5, ((DoubleArray)((MapArray)batch.Column(7)).Values).GetValue(0));
        Assert.Equal(4, ((Int32Array)((MapArray)batch.Column(8)).Keys).GetValue(0));
        Assert.True(((BooleanArray)((StructArray)batch.Column(9)).Fields[0]).GetValue(0));
    }

    [Fact]
    public void Decimals_of_every_length_keep_their_value()
    {
        Gen.Select(Gen.Byte.Array[0, 18], Gen.Bool).Sample((bytes, isFixed) =>
        {
            string type = isFixed ? $$"""{"type":"fixed","name":"f","size":{{bytes.Length}},"logicalType":"decimal","precision":38,"scale":4}"""
                : """{"type":"bytes","logicalType":"decimal","precision":38,"scale":4}""";
            string schema = $$"""{"type":"record","name":"r","fields":[{"name":"d","type":{{type}}}]}""";
            byte[] body = isFixed ? bytes : [.. Long(bytes.Length), .. bytes];
            var expected = new BigInteger(bytes, isUnsigned: false, isBigEndian: true);
            if (BigInteger.Abs(expected) >= BigInteger.Pow(10, 38))
            {
                Assert.Equal(LakeErrorKind.FormatInvalid, Assert.Throws<LakeException>(() => Read(schema, body)).Kind);
                return;
            }

            var column = (Decimal128Array)Read(schema, body).Column(0);
            Assert.Equal(expected, new BigInteger(column.ValueBuffer.Span[..16]));
        });
    }

    [Fact]
    public void Rows_survive_any_pattern_of_nulls_blocks_and_columns()
    {
        const string Schema = """{"type":"record","name":"r","fields":[{"name":"a","type":["null","long"]},{"name":"skip","type":{"type":"array","items":"string"}},{"name":"s","type":["string","null"]},{"name":"f","type":["null","boolean"]}]}""";
        Gen<(long? A, string? S, bool? F)> row = Gen.Select(Gen.Long.Nullable(), Gen.String.Null(), Gen.Bool.Nullable());
        row.Array[0, 300].Sample(rows =>
        {
            byte[] body = [.. rows.SelectMany(r => (byte[])
            [
                .. r.A is { } a ? [.. Long(1), .. Long(a)] : Long(0), .. Long(1), .. Text("x"), 0,
                .. r.S is { } s ? [.. Long(0), .. Text(s)] : Long(1), .. r.F is { } f ? [.. Long(1), (byte)(f ? 1 : 0)] : Long(0),
            ])];
            AvroContainer container = AvroContainer.Open(AvroContainerTests.Container("deflate", Schema, rows.Length, body), "f");
            var read = new List<(long?, string?, bool?)>();
            foreach (RecordBatch batch in AvroArrowReader.ReadContainer(container, ["a", "s", "f"]))
            {
                for (int i = 0; i < batch.Length; i++)
                {
                    var text = (StringArray)batch.Column(1);
                    read.Add((((Int64Array)batch.Column(0)).GetValue(i), text.IsNull(i) ? null : text.GetString(i), ((BooleanArray)batch.Column(2)).GetValue(i)));
                }
            }

            // A lone surrogate has no UTF-8; the replacement character is what the writer encoded.
            Assert.Equal(rows.Select(r => (r.A, r.S is null ? null : System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(r.S)), r.F)), read);
        });
    }

    [Theory]
    [InlineData("""["int","string"]""", "union")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":39,"scale":0}""", "39")]
    [InlineData("""{"type":"fixed","name":"d","size":12,"logicalType":"duration"}""", "duration")]
    [InlineData("""["null","r"]""", "contains itself")]
    public void What_arrow_cannot_hold_is_refused_by_name_unless_the_column_is_not_needed(string type, string name)
    {
        AvroSchema schema = AvroSchema.Parse($$"""{"type":"record","name":"r","fields":[{"name":"bad","type":{{type}}},{"name":"ok","type":"int"}]}""", "s");
        if (name == "contains itself")
        {
            schema = AvroSchema.Parse("""{"type":"record","name":"o","fields":[{"name":"bad","type":{"type":"record","name":"r","fields":[{"name":"r","type":["null","r"]}]}},{"name":"ok","type":"int"}]}""", "s");
        }

        var e = Assert.Throws<LakeException>(() => new AvroArrowReader(schema, "f"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, e.Kind);
        Assert.Contains(name, e.Message, StringComparison.Ordinal);
        Assert.Single(new AvroArrowReader(schema, "f", ["ok"]).Schema.FieldsList);
    }

    [Fact]
    public void Damaged_files_fail_with_a_lake_exception_and_without_large_allocations()
    {
        const string Schema = """{"type":"record","name":"r","fields":[{"name":"a","type":["null","long"]},{"name":"l","type":{"type":"array","items":"string"}},{"name":"m","type":{"type":"map","values":{"type":"array","items":"null"}}}]}""";
        byte[] row = [.. Long(1), .. Long(5), .. Long(2), .. Text("x"), .. Text("abc"), 0, .. Long(1), .. Text("k"), .. Long(3), 0, 0];
        byte[][] files = [.. new[] { "null", "deflate", "snappy", "zstandard" }.Select(c => AvroContainerTests.Container(c, Schema, 20, [.. Enumerable.Repeat(row, 20).SelectMany(r => r)]))];
        var random = new Random(20261101);
        long end = Environment.TickCount64 + 3000;
        for (int n = 0; Environment.TickCount64 < end; n++)
        {
            byte[] file = [.. files[n & 3]];
            for (int i = random.Next(1, 6); i > 0; i--)
            {
                file[random.Next(file.Length)] = (byte)random.Next(256);
            }

            file = random.Next(4) == 0 ? file[..random.Next(file.Length)] : file;
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                _ = AvroContainer.ReadRecords(file, "f").Count();
                _ = AvroArrowReader.ReadContainer(AvroContainer.Open(file, "f")).Count();
            }
            catch (LakeException)
            {
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256L << 20);
        }
    }

    private static RecordBatch Read(string schema, byte[] body)
    {
        var reader = new AvroArrowReader(AvroSchema.Parse(schema, "s"), "f");
        reader.Append(body);
        return reader.Flush();
    }

    private static byte[] Long(long value) => AvroContainerTests.Long(value);

    private static byte[] Text(string value) => AvroContainerTests.Text(value);
}
