using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.S3;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>From options to the SDK's client.</summary>
internal static class S3Connection
{
    public static AmazonS3Client Create(S3Options options)
    {
        IReadOnlyList<string> faults = options.Validate();
        if (faults.Count > 0)
        {
            throw new ArgumentException("The S3 options are wrong: " + string.Join("; ", faults), nameof(options));
        }

        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle ?? options.Endpoint is not null,
            MaxConnectionsPerServer = options.MaxConcurrentRequests,
            MaxErrorRetry = 0, // S3Requests repeats, and knows what a repeated conditional PUT means
            ThrottleRetries = false,
            Timeout = options.OperationTimeout,
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
}
