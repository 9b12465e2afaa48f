using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.S3;
using Amazon.SecurityToken;
using Amazon.SecurityToken.Model;

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
            return new WebIdentityCredentials(options);
        }

        if (options.Profile is null)
        {
            return null;
        }

        return new CredentialProfileStoreChain(options.ProfileFile).TryGetAWSCredentials(options.Profile, out AWSCredentials credentials)
            ? credentials
            : throw LakeException.StorageUnavailable($"The credentials profile '{options.Profile}' does not exist", isTransient: false);
    }

    /// <summary>Credentials that a token service gives for the token of a file, which whoever renews it writes anew.</summary>
    private sealed class WebIdentityCredentials : RefreshingAWSCredentials
    {
        private readonly S3Options _options;

        public WebIdentityCredentials(S3Options options)
        {
            _options = options;
            PreemptExpiryTime = TimeSpan.FromMinutes(5);
        }

        protected override CredentialsRefreshState GenerateNewCredentials() => GenerateNewCredentialsAsync().GetAwaiter().GetResult();

        protected override async Task<CredentialsRefreshState> GenerateNewCredentialsAsync()
        {
            try
            {
                var config = new AmazonSecurityTokenServiceConfig { Timeout = _options.RequestTimeout };
                if (_options.StsEndpoint is null)
                {
                    config.RegionEndpoint = RegionEndpoint.GetBySystemName(_options.Region);
                }
                else
                {
                    config.ServiceURL = _options.StsEndpoint;
                }

                using var service = new AmazonSecurityTokenServiceClient(new AnonymousAWSCredentials(), config);
                AssumeRoleWithWebIdentityResponse answer = await service.AssumeRoleWithWebIdentityAsync(new AssumeRoleWithWebIdentityRequest
                {
                    RoleArn = _options.WebIdentityRoleArn,
                    RoleSessionName = "lakeholo",
                    WebIdentityToken = (await File.ReadAllTextAsync(_options.WebIdentityTokenFile!)).Trim(),
                });
                return new CredentialsRefreshState(answer.Credentials.GetCredentials(), answer.Credentials.Expiration ?? DateTime.UtcNow);
            }
            catch (Exception e) when (e is AmazonServiceException or AmazonClientException or IOException or UnauthorizedAccessException or HttpRequestException)
            {
                throw LakeException.StorageUnavailable(
                    $"No credentials for the role {_options.WebIdentityRoleArn} by the token of {_options.WebIdentityTokenFile}: {e.Message}", isTransient: false, innerException: e);
            }
        }
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
