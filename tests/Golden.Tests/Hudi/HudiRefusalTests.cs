using System.Buffers.Binary;
using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Merging;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>What would be read wrongly is refused with its name.</summary>
public sealed class HudiRefusalTests : IDisposable
{
    private const string Schema = """{"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"ord","type":"long"}]}""";
    private readonly HandMadeTable _table = new();

    public void Dispose() => _table.Dispose();

    [Theory]
    [InlineData("", "hoodie.table.version (absent)")]
    [InlineData("hoodie.table.version=0", "hoodie.table.version 0")]
    [InlineData("hoodie.table.version=4", "hoodie.table.version 4")]
    [InlineData("hoodie.table.version=5\nhoodie.timeline.layout.version=2", "hoodie.timeline.layout.version 2 with hoodie.table.version 5")]
    [InlineData("hoodie.table.version=7", "hoodie.table.version 7")]
    [InlineData("hoodie.table.version=10", "hoodie.table.version 10")]
    [InlineData("hoodie.table.version=11", "hoodie.table.version 11")]
    [InlineData("hoodie.table.version=6\nhoodie.timeline.layout.version=2", "hoodie.timeline.layout.version 2 with hoodie.table.version 6")]
    [InlineData("hoodie.table.version=9\nhoodie.timeline.layout.version=1", "hoodie.timeline.layout.version 1 with hoodie.table.version 9")]
    [InlineData("hoodie.table.version=9\nhoodie.table.format=iceberg", "hoodie.table.format iceberg")]
    [InlineData("hoodie.table.version=9\nhoodie.table.log.file.format=OTHER", "hoodie.table.log.file.format OTHER")]
    [InlineData("hoodie.table.version=6\nhoodie.table.rt.file.format=OTHER", "hoodie.table.rt.file.format OTHER")]
    [InlineData("hoodie.table.version=9\nhoodie.table.storage.layout=lsm_tree", "hoodie.table.storage.layout lsm_tree")]
    [InlineData("hoodie.table.version=9\nhoodie.meta.fields.mode=SOME", "hoodie.meta.fields.mode SOME")]
    [InlineData("hoodie.table.version=9\nhoodie.record.merge.mode=OTHER", "hoodie.record.merge.mode OTHER")]
    [InlineData("hoodie.table.version=9\nhoodie.table.partial.update.mode=FILL_UNCHANGED", "hoodie.table.partial.update.mode FILL_UNCHANGED")]
    [InlineData("hoodie.table.version=9\nhoodie.table.base.file.format=LANCE", "base file format LANCE")]
    public void A_table_that_asks_for_more_than_is_read_is_refused(string properties, string name)
    {
        LakeException error = Assert.Throws<LakeException>(() => HudiFeatures.Check(HudiProperties.Parse(Encoding.UTF8.GetBytes(properties)), "t"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(6, "hoodie.compaction.payload.class=org.apache.hudi.common.model.RewriteAvroPayload", "RewriteAvroPayload")]
    [InlineData(6, "hoodie.table.ordering.fields=\nhoodie.compaction.payload.class=org.apache.hudi.common.model.FirstValueAvroPayload", "FirstValueAvroPayload without an ordering field")]
    [InlineData(8, "hoodie.record.merge.mode=CUSTOM\nhoodie.compaction.payload.class=org.apache.spark.sql.hudi.command.payload.ExpressionPayload", "ExpressionPayload")]
    [InlineData(6, "hoodie.compaction.payload.class=com.example.OverwriteWithLatestAvroPayload", "com.example.OverwriteWithLatestAvroPayload")]
    [InlineData(9, "hoodie.record.merge.mode=CUSTOM\nhoodie.record.merge.strategy.id=1897ef5f-18bc-4557-939c-9d6a8afd1519", "1897ef5f-18bc-4557-939c-9d6a8afd1519")]
    [InlineData(8, "hoodie.record.merge.strategy.id=12345678-0000-0000-0000-000000000000", "12345678-0000-0000-0000-000000000000")]
    [InlineData(9, "hoodie.record.merge.mode=CUSTOM", "(none)")]
    [InlineData(5, "", "table version 5 without a payload class")]
    public void Log_files_of_an_unknown_payload_or_merger_are_not_merged_by_a_guess(int version, string properties, string name)
    {
        HudiSnapshot snapshot = _table.Snapshot($"hoodie.table.version={version}\nhoodie.table.ordering.fields=ord\n{properties}\n", Schema);
        LakeException error = Assert.Throws<LakeException>(() => MergeRules.Of(snapshot));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("id", "org.apache.hudi.keygen.SimpleKeyGenerator", null)]
    [InlineData("id,ord", "org.apache.spark.sql.hudi.command.SqlKeyGenerator", null)]
    [InlineData("id", "com.example.SimpleKeyGenerator", "key generator com.example.SimpleKeyGenerator")]
    [InlineData("id", "com.example.LowerCaseKeys", "key generator com.example.LowerCaseKeys")]
    [InlineData("x", "org.apache.hudi.keygen.SimpleKeyGenerator", "virtual record key of type double (x)")]
    [InlineData("gone", "org.apache.hudi.keygen.SimpleKeyGenerator", "virtual record key column gone")]
    [InlineData("", "org.apache.hudi.keygen.SimpleKeyGenerator", "without meta fields and record key columns")]
    public void Log_files_whose_keys_cannot_be_made_of_the_columns_are_not_merged_by_a_guess(string key, string generator, string? refusal)
    {
        HudiSnapshot snapshot = _table.Snapshot(
            $"hoodie.table.version=6\nhoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields={key}\nhoodie.table.keygenerator.class={generator}\n",
            """{"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"ord","type":"long"},{"name":"x","type":"double"}]}""");
        Func<IReadOnlyList<string>> keys = () => RecordKey.Text(snapshot).Of(f => f.Name);
        if (refusal is null)
        {
            Assert.NotEmpty(keys());
            return;
        }

        LakeException error = Assert.Throws<LakeException>(() => keys());
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains(refusal, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 3, 0, "log format version 0")]
    [InlineData(2, 3, 0, "log format version 2")]
    [InlineData(1, 2, 0, "log block type 2")]
    [InlineData(1, 7, 0, "log block type 7")]
    [InlineData(1, -1, 0, "log block type -1")]
    [InlineData(1, 3, 9, "log block header 9")]
    [InlineData(1, 3, -1, "log block header -1")]
    [InlineData(1, 1, 8, null)]
    public void A_log_block_of_another_version_type_or_header_is_refused(int version, int type, int header, string? named)
    {
        byte[] file = Block(version, type, header);
        if (named is null)
        {
            Assert.Equal(LogBlockType.Delete, Assert.Single(LogFileParser.Parse(file, "f")).Type);
            return;
        }

        LakeException error = Assert.Throws<LakeException>(() => LogFileParser.Parse(file, "f"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void A_delete_block_of_another_version_is_refused(int version)
    {
        LakeException error = Assert.Throws<LakeException>(() => DeleteBlock.Decode([.. Int32(version), .. Int32(1), 0], "f"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains($"delete block version {version}", error.Message, StringComparison.Ordinal);
        Assert.Empty(DeleteBlock.Decode([.. Int32(3), .. Int32(1), 0], "f"));
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(4, true)]
    public async Task An_Avro_block_of_another_version_is_refused(int version, bool isRefused)
    {
        // One record: id "a", ord 5.
        byte[] content = [.. Int32(version), .. Int32(1), .. Int32(3), 2, (byte)'a', 10];
        var block = new LogBlock { Type = LogBlockType.AvroData, Offset = 0, ContentLength = content.Length, Headers = new Dictionary<LogHeader, string> { [LogHeader.Schema] = Schema } };
        var live = new LiveBlock(new LogFile(new HudiFile(".f_1.log.1_1-0-1", 1, "1", 1, "1-0-1", ""), [block], null), block);
        using var folder = new LakeHolo.Tests.Shared.TemporaryFolder();
        ValueTask Write() => DataBlock.WriteParquetAsync(live, content, null, null, folder.File("b.parquet"), CancellationToken.None);
        if (isRefused)
        {
            LakeException error = await Assert.ThrowsAsync<LakeException>(async () => await Write());
            Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
            Assert.Contains($"Avro block version {version}", error.Message, StringComparison.Ordinal);
            return;
        }

        await Write();
        Assert.True(new FileInfo(folder.File("b.parquet")).Length > 0);
    }

    private static byte[] Int32(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    // "#HUDI#"  i64 size  i32 version  i32 type  one header  i64 content length  footer  i64 size+6
    private static byte[] Block(int version, int type, int header)
    {
        byte[] body = [.. Int32(version), .. Int32(type), .. Int32(1), .. Int32(header), .. Int32(1), (byte)'1', .. Int32(0), .. Int32(0), .. Int32(0)];
        int size = body.Length + 8;
        return [.. "#HUDI#"u8, .. Int32(0), .. Int32(size), .. body, .. Int32(0), .. Int32(size + 6)];
    }
}
