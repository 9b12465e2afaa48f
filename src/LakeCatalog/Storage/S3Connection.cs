using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.S3;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>From options to the SDK's client.</summary>
internal static class S3Connection
{
    /// <summary>The transport of one store. Without timeouts: each try has its own.</summary>
    public static HttpClient CreateTransport(S3Options options) => new(new SendOnce(new SocketsHttpHandler
    {
        AllowAutoRedirect = false, // the signature holds for one host
        MaxConnectionsPerServer = options.MaxConcurrentRequests,
        ConnectTimeout = options.RequestTimeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
    }))
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public static AmazonS3Client Create(S3Options options, HttpClient transport)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle ?? options.Endpoint is not null,
            HttpClientFactory = new OneTransport(transport),
            MaxErrorRetry = 0, // S3Requests repeats, and knows what a repeated conditional PUT means
            ThrottleRetries = false,
            // Stores that are not AWS's refuse the checksum trailers which the SDK sends by default.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (options.Endpoint is null)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        }
        else
        {
            config.ServiceURL = options.Endpoint;
            config.AuthenticationRegion = options.Region;
        }

        AWSCredentials? credentials = CredentialsOf(options);
        return credentials is null ? new AmazonS3Client(config) : new AmazonS3Client(credentials, config);
    }

    private static AWSCredentials? CredentialsOf(S3Options options)
    {
        if (options.Anonymous)
        {
            return new AnonymousAWSCredentials();
        }

        if (options.AccessKey is not null)
        {
            return options.SessionToken is null
                ? new BasicAWSCredentials(options.AccessKey, options.SecretKey)
                : new SessionAWSCredentials(options.AccessKey, options.SecretKey, options.SessionToken);
        }

        if (options.WebIdentityRoleArn is not null)
        {
            return new AssumeRoleWithWebIdentityCredentials(options.WebIdentityTokenFile, options.WebIdentityRoleArn, "lakeholo");
        }

        if (options.Profile is null)
        {
            return null;
        }

        return new CredentialProfileStoreChain().TryGetAWSCredentials(options.Profile, out AWSCredentials credentials)
            ? credentials
            : throw LakeException.StorageUnavailable($"The credentials profile '{options.Profile}' does not exist", isTransient: false);
    }

    private sealed class OneTransport(HttpClient transport) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => transport;

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;

        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;
    }

    /// <summary>Sends once for each of our tries. The SDK repeats a request on its own when its connection breaks, whatever its settings, even though the store
    /// may have acted on it: then nobody could tell that the 412 of a conditional PUT is the echo of its own success.</summary>
    private sealed class SendOnce(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.ExpectContinue = false; // with it, the handler below may repeat too
            return S3Try.Current?.TryBeginSending() == false
                ? throw new IOException("The connection broke before the store answered")
                : base.SendAsync(request, cancellationToken);
        }
    }
}
