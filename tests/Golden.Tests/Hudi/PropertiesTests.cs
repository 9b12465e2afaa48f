using System.Text;
using LakeHolo.LakeCatalog.Hudi;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>hoodie.properties is Java properties text.</summary>
public sealed class PropertiesTests
{
    [Theory]
    [InlineData("a=1", "1")]
    [InlineData("  a : 1", "1")]
    [InlineData("a 1", "1")]
    [InlineData("a\t=\t1", "1")]
    [InlineData("# a=0\n! a=0\na=1\r\n", "1")]
    [InlineData("a=0\na=1", "1")]
    [InlineData("a=x\\:y\\=z\\\\", "x:y=z\\")]
    [InlineData("a=\\u00e9\\t.", "\u00e9\t.")]
    [InlineData("a=x\\\n   y", "xy")]
    [InlineData("a=x=y:z", "x=y:z")]
    [InlineData("a=", null)]
    [InlineData("a", null)]
    [InlineData("b=1", null)]
    public void Comments_separators_escapes_and_continued_lines(string text, string? expected)
        => Assert.Equal(expected, HudiProperties.Parse(Encoding.UTF8.GetBytes(text)).Text("a"));

    [Theory]
    [InlineData("hoodie.table.version=5", 1, ".hoodie/")]
    [InlineData("hoodie.table.version=6", 1, ".hoodie/")]
    [InlineData("hoodie.table.version=8", 2, ".hoodie/timeline/")]
    [InlineData("hoodie.table.version=9\nhoodie.timeline.path=t\nhoodie.timeline.history.path=h", 2, ".hoodie/t/")]
    public void The_layout_follows_from_the_version(string text, int layout, string folder)
    {
        HudiProperties properties = HudiProperties.Parse(Encoding.UTF8.GetBytes(text));
        Assert.Equal(layout, properties.TimelineLayout);
        Assert.Equal(folder, properties.TimelineFolder);
    }

    [Fact]
    public void Lists_are_trimmed_names_of_other_versions_accepted_and_modes_put_before_flags()
    {
        HudiProperties properties = HudiProperties.Parse("""
            hoodie.table.partition.fields= a:SIMPLE , b:TIMESTAMP,
            hoodie.table.ordering.fields=
            hoodie.table.precombine.field=x, y
            hoodie.populate.meta.fields=true
            hoodie.meta.fields.mode=COMMIT_TIME_ONLY
            hoodie.compaction.payload.class=com.uber.hoodie.OverwriteWithLatestAvroPayload
            hoodie.compaction.record.merger.strategy=s
            """u8);
        Assert.Equal(["a", "b"], properties.PartitionFields);
        Assert.Equal(["x", "y"], properties.OrderingFields);
        Assert.False(properties.PopulatesMetaFields);
        Assert.Equal("org.apache.hudi.OverwriteWithLatestAvroPayload", properties.PayloadClass);
        Assert.Equal("s", properties.MergeStrategyId);
        Assert.Equal(["n"], HudiProperties.Parse("hoodie.table.ordering.fields=n\nhoodie.table.precombine.field=x"u8).OrderingFields);
        Assert.Empty(HudiProperties.Parse("hoodie.table.partition.fields="u8).PartitionFields);
    }
}
