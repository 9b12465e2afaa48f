using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests.Harness;

/// <summary>A server over a copy of sample-lake/ on a local folder, shared by the tests of a class.</summary>
public sealed class LocalLake : IAsyncLifetime
{
    private readonly TemporaryFolder _folder = new();

    internal LakeServer Server { get; private set; } = null!;

    internal string Lake => _folder.File("lake");

    public async ValueTask InitializeAsync()
    {
        SampleLake.CopyTo(Lake);
        Server = new LakeServer(Lake);
        await Server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _folder.Dispose();
    }
}

/// <summary>A server over sample-lake/ in a bucket of a real object store.</summary>
public sealed class BucketLake(S3Server store) : IAsyncLifetime
{
    internal LakeServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        string bucket = await store.NewBucketAsync();
        await store.PutFolderAsync(bucket, "warehouse/", SampleLake.Lake);
        Server = new LakeServer(
            $"s3://{bucket}/warehouse", $"s3: {{ endpoint: \"{store.Endpoint}\", access_key: {S3Server.AccessKey}, secret_key: {S3Server.SecretKey} }}");
        await Server.StartAsync();
    }

    public async ValueTask DisposeAsync() => await Server.DisposeAsync();
}
