using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;

namespace LakeHolo.LakeCatalog.Tests.Storage;

/// <summary>A store behind a bad network answers exactly, or ends in an error.</summary>
public sealed class StorageFaultTests(S3Server server)
{
    private const int TestTimeoutMs = 60_000;

    public static TheoryData<Fault> PassingFaults =>
    [
        new Fault(FaultKind.Reset),
        new Fault(FaultKind.LoseAnswer),
        new Fault(FaultKind.Unavailable),
        new Fault(FaultKind.Truncate, AfterBytes: 100),
        new Fault(FaultKind.Truncate, AfterBytes: 5_000),
        new Fault(FaultKind.Stall, AfterBytes: 0),
        new Fault(FaultKind.Stall, AfterBytes: 5_000),
        new Fault(FaultKind.Pass, Delay: TimeSpan.FromMilliseconds(50)),
        new Fault(FaultKind.Pass, Delay: TimeSpan.FromSeconds(30)),
        new Fault(FaultKind.Throttle, Delay: TimeSpan.FromMilliseconds(1)),
    ];

    [Theory(Timeout = TestTimeoutMs)]
    [MemberData(nameof(PassingFaults))]
    public async Task A_fault_that_passes_does_not_change_an_answer(Fault fault)
    {
        (string bucket, byte[] content) = await BucketWithObjectAsync();
        await using var proxy = new FaultProxy(server.Endpoint);
        await using S3ObjectStore store = OpenThrough(proxy, bucket, maxAttempts: 4);

        proxy.Enqueue(fault, fault);
        Assert.Equal(content, await store.ReadAsync("o", cancellationToken: TestContext.Current.CancellationToken));
        proxy.Enqueue(fault);
        IReadOnlyList<ReadOnlyMemory<byte>> parts = await store.ReadRangesAsync("o", [new(1_000, 20_000), new(90_000, 10_000)]);
        Assert.Equal(content[1_000..21_000], parts[0].ToArray());
        Assert.Equal(content[90_000..], parts[1].ToArray());
        proxy.Enqueue(fault);
        Assert.Equal(content.Length, (await store.HeadAsync("o"))!.Value.SizeBytes);
        proxy.Enqueue(fault);
        Assert.Equal(["o"], await store.ListAsync("", recursive: true).Select(e => e.Key).ToListAsync());
    }

    [Theory(Timeout = TestTimeoutMs)]
    [InlineData(FaultKind.Reset)]
    [InlineData(FaultKind.LoseAnswer)]
    [InlineData(FaultKind.Unavailable)]
    [InlineData(FaultKind.Truncate)]
    [InlineData(FaultKind.Stall)]
    public async Task A_fault_that_stays_ends_in_an_error_after_the_configured_tries(FaultKind kind)
    {
        (string bucket, _) = await BucketWithObjectAsync();
        await using var proxy = new FaultProxy(server.Endpoint) { Otherwise = new Fault(kind, AfterBytes: 100) };
        await using S3ObjectStore store = OpenThrough(proxy, bucket, maxAttempts: 2);

        LakeException e = await Assert.ThrowsAsync<LakeException>(() => store.ReadAsync("o", cancellationToken: TestContext.Current.CancellationToken).AsTask());

        Assert.Equal((LakeErrorKind.StorageUnavailable, true), (e.Kind, e.IsTransient));
        Assert.Equal(2, store.RequestCount);
    }

    [Fact(Timeout = TestTimeoutMs)]
    public async Task A_create_whose_answer_was_lost_is_known_as_its_own()
    {
        (string bucket, _) = await BucketWithObjectAsync();
        await using var proxy = new FaultProxy(server.Endpoint);
        await using S3ObjectStore store = OpenThrough(proxy, bucket, maxAttempts: 3);

        proxy.Enqueue(new Fault(FaultKind.LoseAnswer));
        Assert.True(await store.PutAsync("commit", "mine"u8.ToArray(), PutCondition.IfAbsent));
        Assert.Equal(store.RequestCount, proxy.Requests); // nothing below repeats on its own
        proxy.Enqueue(new Fault(FaultKind.LoseAnswer));
        Assert.False(await store.PutAsync("commit", "other"u8.ToArray(), PutCondition.IfAbsent));
        Assert.Equal("mine"u8.ToArray(), await store.ReadAsync("commit", cancellationToken: TestContext.Current.CancellationToken));
    }

    [Fact(Timeout = TestTimeoutMs)]
    public async Task A_caller_who_gives_up_is_not_kept_waiting()
    {
        (string bucket, _) = await BucketWithObjectAsync();
        await using var proxy = new FaultProxy(server.Endpoint) { Otherwise = new Fault(FaultKind.Stall) };
        await using var store = new S3ObjectStore(bucket, server.Options with { Endpoint = proxy.Address });
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        cancellation.CancelAfter(TimeSpan.FromMilliseconds(100));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.ReadAsync("o", cancellationToken: cancellation.Token).AsTask());
    }

    [Fact(Timeout = TestTimeoutMs)]
    public async Task A_connection_that_breaks_as_the_caller_gives_up_is_told_as_giving_up()
    {
        using var requests = new S3Requests(new S3Options(), TimeProvider.System);
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

        OperationCanceledException thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => requests.RunAsync<int>(
            "o",
            async _ =>
            {
                await cancellation.CancelAsync();
                throw new IOException("broken");
            },
            cancellation.Token));

        Assert.Equal(cancellation.Token, thrown.CancellationToken);
        Assert.Equal(1, requests.Count);
    }

    private S3ObjectStore OpenThrough(FaultProxy proxy, string bucket, int maxAttempts) => new(
        bucket,
        server.Options with { Endpoint = proxy.Address, MaxAttempts = maxAttempts, RequestTimeout = TimeSpan.FromSeconds(1), CoalesceGapBytes = 0 });

    private async Task<(string Bucket, byte[] Content)> BucketWithObjectAsync()
    {
        string bucket = await server.NewBucketAsync();
        byte[] content = new byte[100_000];
        new Random(1).NextBytes(content);
        await server.PutAsync(bucket, "o", content);
        return (bucket, content);
    }
}
