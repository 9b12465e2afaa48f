using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Discovery;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;

namespace LakeHolo.LakeCatalog.Tests.Folders;

public sealed class FolderListingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Partition_values_are_unescaped_and_their_columns_typed()
    {
        FolderListing listing = await ListAsync("d=2024-02-29/n=-5/s=a%2Fb%C3%BC/x.parquet", "d=__HIVE_DEFAULT_PARTITION__/n=12/s=100%/x.parquet");
        Assert.Equal(["d", "n", "s"], listing.PartitionColumns);
        Assert.Equal([typeof(Date32Type), typeof(Int64Type), typeof(StringType)], listing.PartitionFields().Select(f => f.DataType.GetType()));
        Assert.Equal(["2024-02-29", "-5", "a/bü"], listing.Files[0].Partition);
        Assert.Equal([null, "12", "100%"], listing.Files[1].Partition);
    }

    [Fact]
    public async Task Hidden_and_empty_files_are_stepped_over_and_change_no_id()
    {
        FolderListing one = await ListAsync("a.parquet");
        await File.WriteAllTextAsync(_folder.File("empty.parquet"), "");
        FolderListing other = await ListAsync("_SUCCESS", ".a.crc", "_temporary/0/b.parquet", "sub/.hidden/c.parquet");
        Assert.Equal(["a.parquet"], other.Files.Select(f => f.Path));
        Assert.Equal(one.Id, other.Id);
        Assert.NotEqual(one.Id, (await ListAsync("sub/b.parquet")).Id);
    }

    [Fact]
    public async Task A_partition_column_may_begin_with_an_underscore()
    {
        FolderListing listing = await ListAsync("_day=2026-01-01/a.parquet", "_day=2026-01-02/b.parquet", "_day=2026-01-02/_SUCCESS", "_delta=1.tmp/.c.parquet", "_temporary/0/_day=2026-01-03/d.parquet");
        Assert.Equal(["_day"], listing.PartitionColumns);
        Assert.Equal(["_day=2026-01-01/a.parquet", "_day=2026-01-02/b.parquet"], listing.Files.Select(f => f.Path));

        await using var store = new LocalFolderStore(Path.GetDirectoryName(_folder.Path)!);
        CrawlResult crawl = await LakeCrawler.CrawlAsync(new TableRoot(store, Path.GetFileName(_folder.Path) + "/"), new Dictionary<string, KnownTable>());
        Assert.Equal("parquet", crawl.Tables.Single().Format);
    }

    [Theory]
    [InlineData("p=1/a.orc", "q=1/b.orc", LakeErrorKind.FormatInvalid)]
    [InlineData("p=1/a.orc", "b.orc", LakeErrorKind.FormatInvalid)]
    [InlineData("base_0000005/bucket_00000", "delta_0000006_0000006_0000/bucket_00000", LakeErrorKind.FeatureUnsupported)]
    public async Task Folders_that_are_no_plain_table_are_refused(string one, string other, LakeErrorKind kind) =>
        Assert.Equal(kind, (await Assert.ThrowsAsync<LakeException>(async () => await ListAsync(one, other))).Kind);

    [Fact]
    public void Configured_columns_are_parsed_or_refused_by_name()
    {
        Schema schema = FolderOptions.ParseColumns("sku STRING, price decimal(10, 2), `at` TIMESTAMP");
        Assert.Equal(["sku", "price", "at"], schema.FieldsList.Select(f => f.Name));
        Assert.Equal(2, Assert.IsType<Decimal128Type>(schema.FieldsList[1].DataType).Scale);
        Assert.Contains("BLOBB", Assert.Throws<ArgumentException>(() => FolderOptions.ParseColumns("a BLOBB")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => FolderOptions.ParseColumns("a"));
    }

    private async Task<FolderListing> ListAsync(params string[] files)
    {
        foreach (string file in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder.File(file))!);
            await File.WriteAllTextAsync(_folder.File(file), "x");
        }

        await using var store = new LocalFolderStore(_folder.Path);
        return await FolderListing.ListAsync(new TableRoot(store, ""), default);
    }
}
