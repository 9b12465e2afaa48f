using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
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
    [InlineData("hoodie.table.version=5", "hoodie.table.version 5")]
    [InlineData("hoodie.table.version=7", "hoodie.table.version 7")]
    [InlineData("hoodie.table.version=10", "hoodie.table.version 10")]
    [InlineData("hoodie.table.version=11", "hoodie.table.version 11")]
    [InlineData("hoodie.table.version=6\nhoodie.timeline.layout.version=2", "hoodie.timeline.layout.version 2 with hoodie.table.version 6")]
    [InlineData("hoodie.table.version=9\nhoodie.timeline.layout.version=1", "hoodie.timeline.layout.version 1 with hoodie.table.version 9")]
    [InlineData("hoodie.table.version=9\nhoodie.table.format=iceberg", "hoodie.table.format iceberg")]
    [InlineData("hoodie.table.version=9\nhoodie.table.log.file.format=OTHER", "hoodie.table.log.file.format OTHER")]
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
    [InlineData(6, "hoodie.compaction.payload.class=org.apache.hudi.common.model.FirstValueAvroPayload", "FirstValueAvroPayload")]
    [InlineData(8, "hoodie.record.merge.mode=CUSTOM\nhoodie.compaction.payload.class=org.apache.hudi.common.model.FirstValueAvroPayload", "FirstValueAvroPayload")]
    [InlineData(8, "hoodie.record.merge.mode=CUSTOM\nhoodie.compaction.payload.class=org.apache.spark.sql.hudi.command.payload.ExpressionPayload", "ExpressionPayload")]
    [InlineData(6, "hoodie.compaction.payload.class=com.example.OverwriteWithLatestAvroPayload", "com.example.OverwriteWithLatestAvroPayload")]
    [InlineData(9, "hoodie.record.merge.mode=CUSTOM\nhoodie.record.merge.strategy.id=1897ef5f-18bc-4557-939c-9d6a8afd1519", "1897ef5f-18bc-4557-939c-9d6a8afd1519")]
    [InlineData(8, "hoodie.record.merge.strategy.id=12345678-0000-0000-0000-000000000000", "12345678-0000-0000-0000-000000000000")]
    [InlineData(9, "hoodie.record.merge.mode=CUSTOM", "(none)")]
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
}
