using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>A bucket of S3, or of a store that speaks its protocol.</summary>
/// <remarks>Tags are given without their quotes. Objects whose key ends in '/' (markers that some tools write for folders) are not listed.</remarks>
public sealed class S3ObjectStore : IObjectStore
{
    private readonly string _bucket;
    private readonly S3Options _options;
    private readonly HttpClient _transport;
    private readonly AmazonS3Client _client;
    private readonly S3Requests _requests;
    private long _receivedBytes;

    /// <summary>Opens a bucket; nothing is sent yet.</summary>
    /// <param name="bucket">Its name.</param>
    /// <param name="options">How it is reached.</param>
    /// <param name="time">Null for the system's clock.</param>
    /// <exception cref="ArgumentException">Options that contradict each other, all of them named.</exception>
    public S3ObjectStore(string bucket, S3Options options, TimeProvider? time = null)
    {
        if (bucket.Length is < 1 or > 255 || bucket.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '_')))
        {
            throw new ArgumentException($"'{bucket}' is not the name of a bucket", nameof(bucket));
        }

        IReadOnlyList<string> faults = options.Validate();
        if (faults.Count > 0)
        {
            throw new ArgumentException("The S3 options are wrong: " + string.Join("; ", faults), nameof(options));
        }

        _bucket = bucket;
        _options = options;
        _transport = S3Connection.CreateTransport(options);
        _client = S3Connection.Create(options, _transport);
        _requests = new S3Requests(options, time ?? TimeProvider.System);
        Root = new Uri($"s3://{bucket}/");
    }

    /// <inheritdoc/>
    public Uri Root { get; }

    /// <summary>Requests sent so far, repeated ones included.</summary>
    public long RequestCount => _requests.Count;

    /// <summary>Bytes of objects received so far.</summary>
    public long ReceivedBytes => Interlocked.Read(ref _receivedBytes);

    /// <inheritdoc/>
    public string? TryGetLocalPath(string key) => null;

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectEntry> ListAsync(
        string prefix, bool recursive, string? startAfter = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string? token = null;
        do
        {
            var request = new ListObjectsV2Request
            {
                BucketName = _bucket,
                Prefix = prefix,
                Delimiter = recursive ? null : "/",
                StartAfter = startAfter,
                ContinuationToken = token,
            };
            ListObjectsV2Response page = await SendAsync(prefix, t => _client.ListObjectsV2Async(request, t.Token), cancellationToken);
            foreach (ObjectEntry entry in EntriesOf(page))
            {
                if (startAfter is null || KeyOrder.Instance.Compare(entry.Key, startAfter) > 0)
                {
                    yield return entry;
                }
            }

            string? next = page.IsTruncated == true ? page.NextContinuationToken : null;
            if (next is not null && next == token)
            {
                throw LakeException.StorageUnavailable("The store repeats a page of its listing", PathOf(prefix), isTransient: false);
            }

            token = next;
        }
        while (token is not null);
    }

    /// <inheritdoc/>
    public async ValueTask<ObjectEntry?> HeadAsync(string key, CancellationToken cancellationToken = default)
    {
        if (key.Length == 0 || key.EndsWith('/'))
        {
            return null;
        }

        var request = new GetObjectMetadataRequest { BucketName = _bucket, Key = CheckedKey(key) };
        try
        {
            GetObjectMetadataResponse head = await SendAsync(key, t => _client.GetObjectMetadataAsync(request, t.Token), cancellationToken);
            return new ObjectEntry(key, head.ContentLength, TimeOf(head.LastModified), Unquoted(head.ETag));
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.NotFound)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<byte[]> ReadAsync(string key, long maxSizeBytes = 1L << 30, CancellationToken cancellationToken = default)
    {
        (byte[]? content, long size, string etag) = await SendAsync(key, t => GetWholeAsync(key, maxSizeBytes, t), cancellationToken);
        if (content is not null)
        {
            return content;
        }

        byte[][] stretches = await FetchAsync(key, RangePlan.For([new ByteRange(0, size)], 0, _options.MaxRequestBytes), etag, cancellationToken);
        return stretches[0];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadRangesAsync(
        string key, IReadOnlyList<ByteRange> ranges, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        ObjectErrors.CheckRanges(ranges, long.MaxValue, PathOf(key));
        RangePlan plan = RangePlan.For(ranges, _options.CoalesceGapBytes, _options.MaxRequestBytes);
        byte[][] stretches = await FetchAsync(key, plan, ifMatch, cancellationToken);
        return plan.Slice(ranges, stretches);
    }

    /// <inheritdoc/>
    public async ValueTask<ObjectEnd?> ReadEndAsync(string key, int mostBytes, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mostBytes, 1);
        ObjectEnd? end = null;
        try
        {
            end = await SendAsync(key, t => GetEndAsync(key, mostBytes, t), cancellationToken);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.NotFound)
        {
            return null;
        }
        catch (LakeException e) when (e.InnerException is AmazonS3Exception { StatusCode: HttpStatusCode.RequestedRangeNotSatisfiable })
        {
            // An empty object has no last byte.
        }

        return end ?? await ObjectEnd.OfTwoRequestsAsync(this, key, mostBytes, cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>When a repeated conditional PUT finds the key taken, the object is read back: equal bytes mean that the first try had arrived. So the content
    /// has to hold something that no other writer's has.</remarks>
    public async ValueTask<bool> PutAsync(
        string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken = default)
    {
        if (key.Length == 0 || key.EndsWith('/'))
        {
            throw new ArgumentException("A key of an object is not empty and does not end in '/'", nameof(key));
        }

        byte[] bytes = content.ToArray();
        int tries = 0;
        bool written = await SendAsync(key, PutOnceAsync, cancellationToken);
        return written || (tries > 1 && (await ReadAsync(key, long.MaxValue, cancellationToken)).AsSpan().SequenceEqual(bytes));

        async Task<bool> PutOnceAsync(S3Try attempt)
        {
            tries = attempt.Number;
            var request = new PutObjectRequest
            {
                BucketName = _bucket,
                Key = CheckedKey(key),
                InputStream = new MemoryStream(bytes, writable: false),
                UseChunkEncoding = false,
                IfNoneMatch = condition == PutCondition.IfAbsent ? "*" : null,
            };
            try
            {
                await _client.PutObjectAsync(request, attempt.Token);
                return true;
            }
            catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.PreconditionFailed)
            {
                return false;
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        _transport.Dispose();
        _requests.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<byte[][]> FetchAsync(string key, RangePlan plan, string? ifMatch, CancellationToken cancellationToken)
    {
        byte[]?[] stretches = [.. plan.Stretches.Select(s => s.Length == 0 ? [] : (byte[]?)null)];
        string? seen = ifMatch;
        await Parallel.ForEachAsync(
            plan.Parts,
            new ParallelOptions { MaxDegreeOfParallelism = _options.MaxConcurrentRequests, CancellationToken = cancellationToken },
            async (part, token) =>
            {
                string etag = await SendAsync(key, t => GetPartAsync(key, plan.Stretches[part.Stretch], part, stretches, ifMatch, t), token);
                // Parts of two versions of an object are never put together.
                if ((Interlocked.CompareExchange(ref seen, etag, null) ?? etag) != etag)
                {
                    throw ObjectErrors.Rewritten(PathOf(key));
                }
            });
        return stretches!;
    }

    private async Task<string> GetPartAsync(string key, ByteRange stretch, RangePart part, byte[]?[] stretches, string? ifMatch, S3Try attempt)
    {
        long offset = stretch.Offset + part.Start;
        var request = new GetObjectRequest
        {
            BucketName = _bucket,
            Key = CheckedKey(key),
            ByteRange = new Amazon.S3.Model.ByteRange(offset, offset + part.Length - 1),
            EtagToMatch = ifMatch is null ? null : $"\"{ifMatch}\"",
        };
        using GetObjectResponse response = await _client.GetObjectAsync(request, attempt.Token);
        if (response.HttpStatusCode != HttpStatusCode.PartialContent || response.ContentLength != part.Length
            || !Holds(response.ContentRange, offset, stretch.Offset + stretch.Length))
        {
            throw LakeException.StorageUnavailable(
                $"The range at {stretch.Offset} of {stretch.Length} bytes was answered with {response.ContentRange ?? "the whole object"}: it reaches past the end",
                PathOf(key),
                isTransient: false);
        }

        // Memory is taken only now that the object is known to be so long: lengths come from metadata that may be wrong.
        byte[] target = Volatile.Read(ref stretches[part.Stretch])
            ?? Interlocked.CompareExchange(ref stretches[part.Stretch], GC.AllocateUninitializedArray<byte>((int)stretch.Length), null)
            ?? stretches[part.Stretch]!;
        await ReceiveAsync(response, target.AsMemory(part.Start, part.Length), attempt);
        return Unquoted(response.ETag);
    }

    // Null where the answer is not the end: not all that speak S3 know ranges without a beginning.
    private async Task<ObjectEnd?> GetEndAsync(string key, int mostBytes, S3Try attempt)
    {
        var request = new GetObjectRequest
        {
            BucketName = _bucket,
            Key = CheckedKey(key),
            ByteRange = new Amazon.S3.Model.ByteRange(string.Create(CultureInfo.InvariantCulture, $"bytes=-{mostBytes}")),
        };
        using GetObjectResponse response = await _client.GetObjectAsync(request, attempt.Token);
        long length = response.ContentLength;
        // A short object may be answered whole, as if no range had been asked for.
        long size = response.HttpStatusCode == HttpStatusCode.PartialContent ? SizeOf(response.ContentRange, length) : length;
        if (length != Math.Min(mostBytes, size))
        {
            return null;
        }

        byte[] end = GC.AllocateUninitializedArray<byte>((int)length);
        await ReceiveAsync(response, end, attempt);
        return new ObjectEnd(new ObjectEntry(key, size, TimeOf(response.LastModified), Unquoted(response.ETag)), end);
    }

    // The size in "bytes 990-999/1000", whose end has a length; -1 for anything else.
    private static long SizeOf(string? contentRange, long length)
    {
        ReadOnlySpan<char> tail = contentRange.AsSpan(contentRange is null ? 0 : contentRange.LastIndexOf('/') + 1);
        return long.TryParse(tail, NumberStyles.None, CultureInfo.InvariantCulture, out long size)
            && contentRange == string.Create(CultureInfo.InvariantCulture, $"bytes {size - length}-{size - 1}/{size}") ? size : -1;
    }

    // "bytes 10-19/1000", or '*' for the size where the store does not tell.
    private static bool Holds(string? contentRange, long offset, long end)
    {
        if (contentRange?.StartsWith(string.Create(CultureInfo.InvariantCulture, $"bytes {offset}-"), StringComparison.Ordinal) != true)
        {
            return false;
        }

        ReadOnlySpan<char> size = contentRange.AsSpan(contentRange.LastIndexOf('/') + 1);
        return size is "*" || (long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out long total) && total >= end);
    }

    private async Task<(byte[]? Content, long SizeBytes, string ETag)> GetWholeAsync(string key, long maxSizeBytes, S3Try attempt)
    {
        using GetObjectResponse response = await _client.GetObjectAsync(
            new GetObjectRequest { BucketName = _bucket, Key = CheckedKey(key) }, attempt.Token);
        long size = response.ContentLength;
        if (size > Math.Min(maxSizeBytes, Array.MaxLength))
        {
            throw new LakeException(LakeErrorKind.ResourcesExhausted, $"The object has {size} bytes, the bound is {maxSizeBytes}", PathOf(key));
        }

        if (size > _options.MaxRequestBytes)
        {
            return (null, size, Unquoted(response.ETag));
        }

        byte[] content = GC.AllocateUninitializedArray<byte>((int)size);
        await ReceiveAsync(response, content, attempt);
        return (content, size, Unquoted(response.ETag));
    }

    private async Task ReceiveAsync(GetObjectResponse response, Memory<byte> target, S3Try attempt)
    {
        for (Memory<byte> rest = target; !rest.IsEmpty;)
        {
            attempt.Received();
            int read = await response.ResponseStream.ReadAsync(rest, attempt.Token);
            if (read == 0)
            {
                throw new IOException("The answer ended early");
            }

            rest = rest[read..];
        }

        Interlocked.Add(ref _receivedBytes, target.Length);
        StorageMetrics.ReceivedBytes.Add(target.Length);
        StorageUse.Current?.Received(target.Length);
    }

    private async Task<T> SendAsync<T>(string key, Func<S3Try, Task<T>> send, CancellationToken cancellationToken)
    {
        try
        {
            return await _requests.RunAsync(PathOf(key), send, cancellationToken);
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound && e.ErrorCode != "NoSuchBucket")
        {
            throw ObjectErrors.Missing(PathOf(key), e);
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.PreconditionFailed)
        {
            throw ObjectErrors.Rewritten(PathOf(key), e);
        }
        catch (AmazonServiceException e)
        {
            throw LakeException.StorageUnavailable($"The store refuses: {(int)e.StatusCode} {e.ErrorCode}: {e.Message}", PathOf(key), isTransient: false, e);
        }
        catch (AmazonClientException e)
        {
            throw LakeException.StorageUnavailable($"The store cannot be asked: {e.Message}", PathOf(key), isTransient: false, e);
        }
    }

    private static IEnumerable<ObjectEntry> EntriesOf(ListObjectsV2Response page)
    {
        IEnumerable<ObjectEntry> objects = (page.S3Objects ?? [])
            .Where(o => !o.Key.EndsWith('/'))
            .Select(o => new ObjectEntry(o.Key, o.Size ?? 0, TimeOf(o.LastModified), Unquoted(o.ETag)));
        IEnumerable<ObjectEntry> folders = (page.CommonPrefixes ?? []).Select(p => new ObjectEntry(p, 0, default, string.Empty));
        return objects.Concat(folders).OrderBy(e => e.Key, KeyOrder.Instance);
    }

    private string CheckedKey(string key)
    {
        if (key.StartsWith('/') || key.Split('/').Any(s => s is ".." or "."))
        {
            // A client that normalises addresses would ask for another object.
            throw LakeException.StorageUnavailable($"The key '{key}' leaves the bucket", Root.OriginalString, isTransient: false);
        }

        return key;
    }

    private string PathOf(string key) => Root.OriginalString + key;

    private static string Unquoted(string? etag) => etag?.Trim('"') ?? string.Empty;

    private static DateTimeOffset TimeOf(DateTime? time) => time is { } t ? new DateTimeOffset(t.ToUniversalTime(), TimeSpan.Zero) : default;
}
