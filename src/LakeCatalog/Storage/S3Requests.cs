using System.Net;
using System.Net.Sockets;
using Amazon.Runtime;
using Amazon.S3;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>Runs single requests: a bounded number at once, repeated with growing waits while the fault may pass, within a time limit.</summary>
internal sealed class S3Requests(S3Options options, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _slots = new(options.MaxConcurrentRequests);
    private long _count;

    /// <summary>Tries so far, repeated ones included.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>Runs a request. Errors that repeating does not cure, 404 and 412 among them, come out as the SDK throws them.</summary>
    /// <exception cref="LakeException">StorageUnavailable when the last try failed, or the time is over.</exception>
    /// <exception cref="OperationCanceledException">The caller gave up, whatever the connection said to it.</exception>
    public async Task<T> RunAsync<T>(string path, Func<S3Try, Task<T>> send, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            using var operation = new CancellationTokenSource(options.OperationTimeout, time);
            for (int number = 1; ; number++)
            {
                StorageUse.Current?.BeginRequest();
                Interlocked.Increment(ref _count);
                StorageMetrics.Requests.Add(1);
                using var attempt = new S3Try(number, options.RequestTimeout, time, operation.Token, cancellationToken);
                try
                {
                    return await send(attempt);
                }
                catch (Exception e) when (cancellationToken.IsCancellationRequested && MayPass(e))
                {
                    throw new OperationCanceledException("The caller gave up while the connection broke", e, cancellationToken);
                }
                catch (Exception e) when (!cancellationToken.IsCancellationRequested && (MayPass(e) || e is OperationCanceledException))
                {
                    StorageMetrics.Faults.Add(1);
                    if (number == options.MaxAttempts || operation.IsCancellationRequested)
                    {
                        throw LakeException.StorageUnavailable($"The store does not answer after {number} tries: {Reason(e)}", path, innerException: e);
                    }
                }

                await WaitAsync(number, path, operation.Token, cancellationToken);
            }
        }
        finally
        {
            _slots.Release();
        }
    }

    public void Dispose() => _slots.Dispose();

    private async Task WaitAsync(int number, string path, CancellationToken operation, CancellationToken cancellationToken)
    {
        // Half the wait is random, so that clients which failed together do not come back together.
        double most = Math.Min(options.RetryDelay.TotalMilliseconds * Math.Pow(2, number - 1), MaxDelay.TotalMilliseconds);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(operation, cancellationToken);
        try
        {
            await Task.Delay(TimeSpan.FromMilliseconds(most * (0.5 + (Random.Shared.NextDouble() / 2))), time, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw LakeException.StorageUnavailable($"The store does not answer within {options.OperationTimeout.TotalSeconds:0.#} s", path);
        }
    }

    private static bool MayPass(Exception e) => e switch
    {
        AmazonServiceException { StatusCode: 0 } s => s.InnerException is null || MayPass(s.InnerException),
        AmazonServiceException s =>
            s.StatusCode is >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or HttpStatusCode.Conflict
            || s.ErrorCode is "RequestTimeout" or "SlowDown",
        HttpRequestException or IOException or SocketException or TimeoutException => true,
        AmazonClientException { InnerException: { } inner } => MayPass(inner),
        _ => false,
    };

    private static string Reason(Exception e) => e switch
    {
        OperationCanceledException => "time is over",
        AmazonS3Exception s when s.StatusCode != 0 => $"{(int)s.StatusCode} {s.ErrorCode}",
        _ => e.Message,
    };
}

/// <summary>One try of a request; its token ends when nothing was received for the configured time.</summary>
internal sealed class S3Try : IDisposable
{
    private static readonly AsyncLocal<S3Try?> CurrentTry = new();

    private readonly CancellationTokenSource _idle;
    private readonly CancellationTokenSource _any;
    private readonly TimeSpan _idleTimeout;
    private int _sent;

    public S3Try(int number, TimeSpan idleTimeout, TimeProvider time, CancellationToken operation, CancellationToken caller)
    {
        Number = number;
        _idleTimeout = idleTimeout;
        _idle = new CancellationTokenSource(idleTimeout, time);
        CurrentTry.Value = this;
        _any = CancellationTokenSource.CreateLinkedTokenSource(_idle.Token, operation, caller);
    }

    /// <summary>The try that the running code belongs to; null for what the SDK sends besides (to get credentials).</summary>
    public static S3Try? Current => CurrentTry.Value;

    /// <summary>1 for the first.</summary>
    public int Number { get; }

    public CancellationToken Token => _any.Token;

    /// <summary>Whether this is the first request of the try.</summary>
    public bool TryBeginSending() => Interlocked.Exchange(ref _sent, 1) == 0;

    /// <summary>Something was received: the wait begins anew.</summary>
    public void Received() => _idle.CancelAfter(_idleTimeout);

    public void Dispose()
    {
        CurrentTry.Value = null;
        _any.Dispose();
        _idle.Dispose();
    }
}
