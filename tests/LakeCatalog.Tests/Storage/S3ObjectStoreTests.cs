using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;
using Minio;
using Minio.DataModel;
using Minio.DataModel.Args;

namespace LakeHolo.LakeCatalog.Tests.Storage;

public sealed class S3ObjectStoreTests(S3Server server) : ObjectStoreContract
{
    protected override async Task<(IObjectStore Store, Func<string, byte[], Task> Write)> OpenAsync()
    {
        string bucket = await server.NewBucketAsync();
        return (new S3ObjectStore(bucket, server.Options), (key, content) => server.PutAsync(bucket, key, content));
    }

    [Fact]
    public async Task What_is_written_is_what_another_client_reads()
    {
        string bucket = await server.NewBucketAsync();
        await using var store = new S3ObjectStore(bucket, server.Options);
        byte[] content = Bytes(100_000);
        await store.PutAsync("x/y", content, PutCondition.IfAbsent);

        using IMinioClient other = server.OtherClient;
        var received = new MemoryStream();
        ObjectStat stat = await other.GetObjectAsync(new GetObjectArgs().WithBucket(bucket).WithObject("x/y").WithCallbackStream(s => s.CopyTo(received)));

        Assert.Equal(content, received.ToArray());
        Assert.Equal((await store.HeadAsync("x/y"))!.Value.ETag, stat.ETag);
    }

    [Theory]
    [InlineData(200, null)] // the whole object, as if no range had been asked for
    [InlineData(206, "bytes 6-9/*")]
    public async Task A_store_that_does_not_give_the_end_of_an_object_is_asked_for_its_size_first(int status, string? range)
    {
        static string? RangeOf(RecordedRequest r) => r.Headers.GetValueOrDefault("Range");
        await using var other = new RecordingServer(r => r.Method == "HEAD" ? (200, "0123456789") : RangeOf(r) == "bytes=-4" ? (status, range is null ? "0123456789" : "6789") : (206, "6789"))
        {
            HeadersOf = r => [("ETag", "\"tag\""), .. r.Method == "HEAD" ? [] : RangeOf(r) != "bytes=-4" ? [("Content-Range", "bytes 6-9/10")] : range is null ? (IEnumerable<(string, string)>)[] : [("Content-Range", range)]],
        };
        await using var store = new S3ObjectStore("b", new S3Options { Endpoint = other.Address, Anonymous = true });

        ObjectEnd end = (await store.ReadEndAsync("o", 4))!.Value;

        Assert.Equal((10L, "tag", "6789"), (end.Entry.SizeBytes, end.Entry.ETag, System.Text.Encoding.ASCII.GetString(end.Bytes.Span)));
        Assert.Equal(["bytes=-4", null, "bytes=6-9"], other.Requests.Select(RangeOf));
    }

    [Fact]
    public async Task A_listing_of_many_objects_takes_a_request_for_each_thousand()
    {
        string bucket = await server.NewBucketAsync();
        await using var store = new S3ObjectStore(bucket, server.Options);
        string[] keys = [.. Enumerable.Range(0, 1050).Select(i => $"t/{i:d5}")];
        await Parallel.ForEachAsync(keys, async (key, token) => await store.PutAsync(key, new byte[] { 1 }, PutCondition.None, token));
        long before = store.RequestCount;

        Assert.Equal(keys, await KeysAsync(store, "t/", recursive: true));
        Assert.Equal(2, store.RequestCount - before);
    }

    [Fact]
    public async Task Near_ranges_share_a_request_and_long_ones_are_cut()
    {
        string bucket = await server.NewBucketAsync();
        byte[] content = Bytes(1_000_000);
        await server.PutAsync(bucket, "o", content);
        await using var store = new S3ObjectStore(bucket, server.Options with { CoalesceGapBytes = 100, MaxRequestBytes = 100_000 });

        await store.ReadRangesAsync("o", [new(0, 10), new(110, 10), new(500, 10)]);
        Assert.Equal(2, store.RequestCount);
        Assert.Equal(130, store.ReceivedBytes);
        Assert.Equal(content[..250_000], (await store.ReadRangesAsync("o", [new(0, 250_000)]))[0].ToArray());
        Assert.Equal(5, store.RequestCount);
        Assert.Equal(content, await store.ReadAsync("o"));
    }

    [Fact]
    public async Task Refused_access_is_an_error_at_once_that_does_not_tell_the_secret()
    {
        string bucket = await server.NewBucketAsync();
        await server.PutAsync(bucket, "o", [1]);
        S3Options[] refused =
        [
            server.Options with { SecretKey = "wrong-secret-42" },
            server.Options with { AccessKey = "nobody" },
            server.Options with { AccessKey = null, SecretKey = null, Anonymous = true },
        ];
        foreach (S3Options options in refused)
        {
            await using var store = new S3ObjectStore(bucket, options);
            LakeException e = await Assert.ThrowsAsync<LakeException>(() => store.ReadAsync("o").AsTask());
            Assert.Equal((LakeErrorKind.StorageUnavailable, false), (e.Kind, e.IsTransient));
            Assert.Equal(1, store.RequestCount);
            Assert.DoesNotContain("wrong-secret-42", e.ToString() + options, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_missing_bucket_is_an_error_and_not_an_empty_one()
    {
        await server.NewBucketAsync();
        await using var store = new S3ObjectStore("no-such-bucket", server.Options);

        LakeException e = await Assert.ThrowsAsync<LakeException>(() => KeysAsync(store, "", recursive: true));

        Assert.Equal(LakeErrorKind.StorageUnavailable, e.Kind);
        Assert.Contains("NoSuchBucket", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_fault_of_the_options_is_named_at_once()
    {
        var options = new S3Options { Endpoint = "localhost:9000", AccessKey = "a", Anonymous = true, MaxAttempts = 0, MaxConcurrentRequests = 0 };

        ArgumentException e = Assert.Throws<ArgumentException>(() => new S3ObjectStore("bucket", options));

        foreach (string name in (string[])["Endpoint", "SecretKey", "Anonymous", "MaxAttempts", "MaxConcurrentRequests"])
        {
            Assert.Contains(name, e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_profile_that_does_not_exist_is_named()
    {
        LakeException e = Assert.Throws<LakeException>(() => new S3ObjectStore("bucket", new S3Options { Profile = "no-such-profile" }));

        Assert.Contains("no-such-profile", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_range_beyond_the_end_takes_no_memory()
    {
        string bucket = await server.NewBucketAsync();
        await server.PutAsync(bucket, "o", Bytes(1000));
        await using var store = new S3ObjectStore(bucket, server.Options);
        long before = GC.GetTotalAllocatedBytes();

        await Assert.ThrowsAsync<LakeException>(() => store.ReadRangesAsync("o", [new(0, 1 << 30)]).AsTask());

        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 1 << 29);
    }

    [Theory]
    [InlineData("s3://bucket/a/b/", "s3://bucket/a/b", "a/b/")]
    [InlineData("s3a://bucket/a", "s3://bucket/a", "a/")]
    [InlineData("oss://bucket", "s3://bucket", "")]
    public async Task Addresses_of_its_relatives_are_read_as_S3(string location, string expected, string prefix)
    {
        TableRoot root = ObjectStores.Open(location, new StorageOptions { S3 = server.Options });
        await using IObjectStore store = root.Store;

        Assert.Equal((expected, prefix), (root.Location.TrimEnd('/'), root.Prefix));
    }
}
