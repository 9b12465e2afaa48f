using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;
using Minio;
using Minio.DataModel.Args;

namespace LakeHolo.LakeCatalog.Tests.Storage;

/// <summary>Every way to have credentials, as far as possible against the real server.</summary>
public sealed class S3CredentialTests(S3Server server)
{
    private const string EmptyListing = """
        <?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>
        """;

    [Fact]
    public async Task Anonymous_requests_read_what_a_bucket_shows_to_everybody()
    {
        string bucket = await server.NewBucketAsync();
        await server.PutAsync(bucket, "open/o", [1, 2, 3]);
        using IMinioClient other = server.OtherClient;
        await other.SetPolicyAsync(new SetPolicyArgs().WithBucket(bucket).WithPolicy($$"""
            {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::{{bucket}}","arn:aws:s3:::{{bucket}}/open/*"]}]}
            """));
        await using var store = new S3ObjectStore(bucket, server.Options with { AccessKey = null, SecretKey = null, Anonymous = true });

        Assert.Equal([1, 2, 3], await store.ReadAsync("open/o"));
        Assert.Equal(["open/o"], await store.ListAsync("", recursive: true).Select(e => e.Key).ToArrayAsync());
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => store.PutAsync("open/p", new byte[] { 1 }, PutCondition.None).AsTask());
        Assert.Equal(LakeErrorKind.StorageUnavailable, refused.Kind);
    }

    [Fact]
    public async Task Anonymous_requests_are_not_signed()
    {
        await using var recorder = new RecordingServer(_ => (200, EmptyListing));
        await using var store = new S3ObjectStore("b", new S3Options { Endpoint = recorder.Address, Anonymous = true });
        Assert.Empty(await store.ListAsync("", recursive: true).ToArrayAsync());
        Assert.DoesNotContain("Authorization", Assert.Single(recorder.Requests).Headers.Keys, StringComparer.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_profile_of_the_shared_files_reads_from_the_real_server()
    {
        string bucket = await server.NewBucketAsync();
        await server.PutAsync(bucket, "o", [4, 5]);
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("credentials"), $"[lake-test]\naws_access_key_id = {S3Server.AccessKey}\naws_secret_access_key = {S3Server.SecretKey}\n");
        await using var store = new S3ObjectStore(bucket, server.Options with { AccessKey = null, SecretKey = null, Profile = "lake-test", ProfileFile = folder.File("credentials") });
        Assert.Equal([4, 5], await store.ReadAsync("o"));
    }

    [Fact]
    public async Task A_session_token_travels_with_every_request_and_is_signed()
    {
        await using var recorder = new RecordingServer(_ => (200, EmptyListing));
        await using var store = new S3ObjectStore("b", new S3Options { Endpoint = recorder.Address, AccessKey = "AK", SecretKey = "SK", SessionToken = "the-token" });
        await store.ListAsync("", recursive: true).ToArrayAsync();
        RecordedRequest seen = Assert.Single(recorder.Requests);
        Assert.Equal("the-token", seen.Headers["x-amz-security-token"]);
        Assert.Contains("Credential=AK/", seen.Headers["Authorization"], StringComparison.Ordinal);
        Assert.Contains("x-amz-security-token", seen.Headers["Authorization"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_web_identity_is_exchanged_for_credentials_that_sign()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("token"), "header.payload.signature\n");
        await using var sts = new RecordingServer(_ => (200, $"""
            <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
            <AccessKeyId>TEMPKEY</AccessKeyId><SecretAccessKey>temp-secret</SecretAccessKey><SessionToken>temp-token</SessionToken><Expiration>{DateTime.UtcNow.AddHours(1):yyyy-MM-ddTHH:mm:ssZ}</Expiration>
            </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
            """));
        await using var recorder = new RecordingServer(_ => (200, EmptyListing));
        await using var store = new S3ObjectStore("b", new S3Options
        {
            Endpoint = recorder.Address,
            StsEndpoint = sts.Address,
            WebIdentityRoleArn = "arn:aws:iam::123456789012:role/lake",
            WebIdentityTokenFile = folder.File("token"),
        });
        await store.ListAsync("", recursive: true).ToArrayAsync();
        await store.ListAsync("", recursive: true).ToArrayAsync();

        RecordedRequest exchange = Assert.Single(sts.Requests);
        Assert.Contains("Action=AssumeRoleWithWebIdentity", exchange.Body, StringComparison.Ordinal);
        Assert.Contains("WebIdentityToken=header.payload.signature", exchange.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("Authorization", exchange.Headers.Keys, StringComparer.OrdinalIgnoreCase);
        Assert.All(recorder.Requests, r =>
        {
            Assert.Equal("temp-token", r.Headers["x-amz-security-token"]);
            Assert.Contains("Credential=TEMPKEY/", r.Headers["Authorization"], StringComparison.Ordinal);
        });
    }

    [Theory]
    [InlineData(403)]
    [InlineData(0)]
    public async Task A_web_identity_that_is_refused_or_not_there_is_an_error_that_names_role_and_file(int status)
    {
        using var folder = new TemporaryFolder();
        if (status != 0)
        {
            await File.WriteAllTextAsync(folder.File("token"), "secret-identity");
        }

        await using var sts = new RecordingServer(_ => (status, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"));
        await using var store = new S3ObjectStore("b", new S3Options
        {
            Endpoint = sts.Address,
            StsEndpoint = sts.Address,
            WebIdentityRoleArn = "arn:aws:iam::123456789012:role/lake",
            WebIdentityTokenFile = folder.File("token"),
            RetryDelay = TimeSpan.Zero,
        });
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => store.ReadAsync("o").AsTask());
        Assert.Equal((LakeErrorKind.StorageUnavailable, false), (e.Kind, e.IsTransient));
        Assert.Contains("role/lake", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-identity", e.ToString(), StringComparison.Ordinal);
    }
}
