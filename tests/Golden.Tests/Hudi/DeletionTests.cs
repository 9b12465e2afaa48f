using System.Buffers.Binary;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Hudi.Merging;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Key-only deletions: how their keys and ordering values are written, and what they meet.</summary>
public sealed class DeletionTests : IDisposable
{
    private readonly HandMadeTable _table = new();

    public void Dispose() => _table.Dispose();

    /// <summary>Branches of the union, zig-zag numbers and little-endian floats.</summary>
    public static TheoryData<byte[], string?> Orderings => new()
    {
        { [0], null },
        { [2, 1], "true" },
        { [4, 0], null }, // the 32-bit zero: none
        { [4, 9], "-5" },
        { [6, 0], "0" }, // zeros of other types are values
        { [6, 0x80, 0x01], "64" },
        { [8, 0, 0, 0xC0, 0x3F], "1.5" },
        { [10, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F], "1.5" },
        { [12, 4, 0xAB, 0x01], "\\xAB\\x01" },
        { [14, 4, (byte)'a', (byte)'b'], "ab" },
        { [16, 2], "1970-01-02" },
        { [16, .. Varint(2_932_896)], "9999-12-31" },
        { [18, 2, 1], "0.000000000000001" },
        { [18, 2, 0xFF], "-0.000000000000001" },
        { [20, .. Varint(3_600_000_000)], "01:00:00" },
        { [22, .. Varint(253_402_300_799_999_999)], "9999-12-31 23:59:59.999999" },
        { [22, .. Varint(-1)], "1969-12-31 23:59:59.999999" },
        { [24, 2, 6, 4, 14, 14, 2, (byte)'x', 24, 2, 0], "7|x|1970-01-02" }, // several fields: int, text, LocalDate
        { [24, 2, 4, 4, 14, 0, 0], null }, // a null among them
    };

    [Theory]
    [MemberData(nameof(Orderings))]
    public void Ordering_values_are_read_from_their_wrappers(byte[] ordering, string? expected)
    {
        DeletedKey key = Assert.Single(DeleteBlock.Decode(Block([2, 2, 2, (byte)'k', 0, .. ordering, 0]), "f"));
        Assert.Equal("k", key.Key);
        Assert.Equal(expected, key.Ordering is null ? null : string.Join('|', key.Ordering!));
    }

    [Theory]
    [InlineData(16, 2_932_897L)]
    [InlineData(20, 86_400_000_000L)]
    [InlineData(22, 253_402_300_800_000_000L)]
    public void An_ordering_value_that_cannot_be_told_is_refused(byte branch, long value)
    {
        LakeException error = Assert.Throws<LakeException>(() => DeleteBlock.Decode(Block([2, 2, 2, (byte)'k', 0, branch, .. Varint(value), 0]), "f"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("ordering value", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"long\"", "1000::BIGINT", "999", "1000")]
    [InlineData("\"int\"", "1000::INTEGER", "999", "1000")]
    [InlineData("\"double\"", "1.5::DOUBLE", "1.25", "1.5")]
    [InlineData("\"double\"", "0.0::DOUBLE", "-0", "0")]
    [InlineData("\"double\"", "'nan'::DOUBLE", "Infinity", "NaN")]
    [InlineData("\"float\"", "'-0.0'::FLOAT", "-1E-40", "-0")]
    [InlineData("\"string\"", "'b'", "a", "b")]
    [InlineData("""{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}""", "1.50::DECIMAL(12,2)", "1.490000000000000", "1.500000000000000")]
    [InlineData("""{"type":"int","logicalType":"date"}""", "DATE '1970-01-11'", "9", "10")]
    [InlineData("""{"type":"int","logicalType":"date"}""", "DATE '1970-01-11'", "1970-01-10", "1970-01-11")]
    [InlineData("""{"type":"long","logicalType":"timestamp-micros"}""", "make_timestamptz(1000000)", "999999", "1000000")]
    [InlineData("""{"type":"long","logicalType":"timestamp-micros"}""", "make_timestamptz(1000000)", "1970-01-01 00:00:00.999999", "1970-01-01 00:00:01")]
    [InlineData("""{"type":"long","logicalType":"timestamp-millis"}""", "make_timestamptz(1000000)::TIMESTAMP_MS", "999", "1000")]
    [InlineData("""{"type":"long","logicalType":"local-timestamp-micros"}""", "make_timestamp(1000000)", "999999", "1000000")]
    [InlineData("""{"type":"long","logicalType":"time-micros"}""", "TIME '00:00:01'", "999999", "1000000")]
    public void A_deletion_meets_a_row_by_the_ordering_value_that_its_writer_handed_on(string type, string row, string older, string same)
    {
        HudiSnapshot snapshot = _table.Snapshot(
            "hoodie.table.version=9\nhoodie.record.merge.mode=EVENT_TIME_ORDERING\nhoodie.table.ordering.fields=o\nhoodie.populate.meta.fields=false\n"
            + "hoodie.table.recordkey.fields=id\nhoodie.table.keygenerator.type=NON_PARTITION\n",
            $$"""{"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"o","type":{{type}}}]}""");
        ReadableFile file = _table.Write($"SELECT 'k' AS id, {row} AS o");

        Assert.Equal(["0"], Deleted(older));
        Assert.Equal(["1"], Deleted(same));
        Assert.Equal(["1"], Deleted(null));

        string[] Deleted(string? ordering)
        {
            using MergedSlices merged = new SliceMerger(_table.Engine, snapshot, MergeRules.Of(snapshot)).Merge(
                new Dictionary<string, int> { ["s"] = 0 }, [], [new DecodedDeletes(0, 0, [new DeletedKey("k", ordering is null ? null : [ordering])])],
                new Dictionary<int, ReadableFile> { [0] = file });
            return _table.Texts($"SELECT CAST(count(*) AS VARCHAR) FROM {merged.DeadTable}");
        }
    }

    // Of each key-only deletion its ordering value (- for none), of a row its value behind =.
    [Theory]
    [InlineData("NONE", "", "9")]
    [InlineData("NONE", "- 3", "")]
    [InlineData("NONE", "3 - 4", "")]
    [InlineData("NONE", "- 3 =10", "10")]
    [InlineData("NONE", "- =10 3", "10")]
    [InlineData("NONE", "- =10 11", "")]
    [InlineData("NONE", "=10 - 3 =4 - 5", "")]
    [InlineData("NONE", "- 11 =10", "10")]
    [InlineData("NONE", "3", "9")]
    [InlineData("IGNORE_DEFAULTS", "- 3", "")]
    [InlineData("IGNORE_DEFAULTS", "- 3 =10", "10")]
    [InlineData("IGNORE_DEFAULTS", "- =10 3", "10")]
    public void A_key_that_was_deleted_without_an_ordering_value_is_not_deleted_once_more(string fill, string log, string expected)
    {
        HudiSnapshot snapshot = _table.Snapshot(
            $"hoodie.table.version=9\nhoodie.record.merge.mode=EVENT_TIME_ORDERING\nhoodie.table.ordering.fields=o\nhoodie.table.partial.update.mode={fill}\n"
            + "hoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields=id\nhoodie.table.keygenerator.type=NON_PARTITION\n",
            """{"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"o","type":"long"}]}""");
        string[] steps = log.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        DecodedBlock[] blocks = [.. steps.Select((s, i) => (Text: s, Order: i)).Where(s => s.Text[0] == '=').Select(s => new DecodedBlock(_table.Write($"SELECT 'k' AS id, {s.Text[1..]}::BIGINT AS o"), 0, s.Order, null))];
        DecodedDeletes[] deletes = [.. steps.Select((s, i) => (Text: s, Order: i)).Where(s => s.Text[0] != '=').Select(s => new DecodedDeletes(0, s.Order, [new DeletedKey("k", s.Text == "-" ? null : [s.Text])]))];
        ReadableFile file = _table.Write("SELECT 'k' AS id, 9::BIGINT AS o");
        using MergedSlices merged = new SliceMerger(_table.Engine, snapshot, MergeRules.Of(snapshot)).Merge(
            new Dictionary<string, int> { ["s"] = 0 }, blocks, deletes, new Dictionary<int, ReadableFile> { [0] = file });
        var slices = new Dictionary<int, FileSlice> { [0] = new FileSlice { Partition = "", FileId = "s", BaseInstant = "1" } };
        string[] parts =
        [
            $"SELECT o FROM {SliceScan.From([file])} r WHERE NOT EXISTS (SELECT 1 FROM {merged.DeadTable} d WHERE d.pos = r.file_row_number)",
            .. merged.AreFolded ? [$"SELECT o FROM {merged.RowsTable}"] : new MergedScan(snapshot, null!, [snapshot.Schema.GetFieldByName("o")], null).Blocks(merged, blocks, slices, []),
        ];
        Assert.Equal(expected, string.Join(' ', _table.Texts($"SELECT CAST(o AS VARCHAR) FROM ({string.Join(" UNION ALL ", parts)})")));
    }

    [Theory]
    [InlineData(8, "class=org.apache.hudi.keygen.SimpleKeyGenerator", "id:7", "id:7")]
    [InlineData(8, "class=org.apache.hudi.keygen.ComplexKeyGenerator", "id:7", "7")]
    [InlineData(8, "class=org.apache.hudi.keygen.ComplexKeyGenerator", "7", "7")]
    [InlineData(9, "type=COMPLEX", "id:7", "7")]
    [InlineData(6, "class=org.apache.spark.sql.hudi.command.SqlKeyGenerator", "id:7", "7")]
    [InlineData(6, "class=org.apache.spark.sql.hudi.command.SqlKeyGenerator", "7", "7")]
    [InlineData(8, "type=COMPLEX\nhoodie.table.complex.keygen.encoding=VALUE_ONLY", "id:7", "id:7")]
    public void The_key_of_a_deletion_is_that_of_the_rows_whichever_way_a_generator_wrote_keys_of_one_column(int version, string generator, string written, string expected)
    {
        HudiSnapshot snapshot = _table.Snapshot(
            $"hoodie.table.version={version}\nhoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields=id\nhoodie.table.keygenerator.{generator}\n",
            """{"type":"record","name":"r","fields":[{"name":"id","type":"string"}]}""");
        RecordKey key = RecordKey.Text(snapshot);
        Assert.Equal([expected], key.OfDeleted(written));
        Assert.Equal(["7"], _table.Texts($"SELECT {key.Of(f => f.Name)[0]} FROM (VALUES ('7')) t(id)"));
    }

    [Fact]
    public void Keys_of_several_columns_name_these_and_spell_nulls_and_empty_texts()
    {
        HudiSnapshot snapshot = _table.Snapshot(
            "hoodie.table.version=9\nhoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields=id,n\nhoodie.table.keygenerator.type=COMPLEX\n",
            """{"type":"record","name":"r","fields":[{"name":"id","type":["null","string"]},{"name":"n","type":["null","int"]}]}""");
        RecordKey key = RecordKey.Text(snapshot);
        Assert.Equal(
            ["id:__empty__,n:2", "id:__null__,n:1", "id:a,b:c,n:__null__"],
            _table.Texts($"SELECT {key.Of(f => f.Name)[0]} FROM (VALUES (NULL, 1), ('', 2), ('a,b:c', NULL)) t(id, n)"));
        Assert.Equal(["id:__null__,n:1"], key.OfDeleted("id:__null__,n:1"));
    }

    private static byte[] Block(byte[] datum)
    {
        byte[] block = [0, 0, 0, 3, 0, 0, 0, 0, .. datum];
        BinaryPrimitives.WriteInt32BigEndian(block.AsSpan(4), datum.Length);
        return block;
    }

    private static byte[] Varint(long value)
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
}
