namespace LakeHolo.LakeCatalog.Storage;

/// <summary>Access to S3 and whatever speaks its protocol. Credentials: the first that is set of anonymous, static keys, web identity, profile; else the
/// SDK's own chain (environment, shared files, instance).</summary>
public sealed record S3Options
{
    /// <summary>Base address of a service that is not AWS's own, <c>http://host:port</c>; null for AWS.</summary>
    public string? Endpoint { get; init; }

    /// <summary>Region that requests are signed for.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>Whether the bucket is the first segment of the path instead of a part of the host name. Null: yes when <see cref="Endpoint"/> is set.</summary>
    public bool? PathStyle { get; init; }

    /// <summary>Static access key.</summary>
    public string? AccessKey { get; init; }

    /// <summary>Static secret key; never logged.</summary>
    public string? SecretKey { get; init; }

    /// <summary>Session token that belongs to the static keys; never logged.</summary>
    public string? SessionToken { get; init; }

    /// <summary>Name of a profile in the shared credentials files.</summary>
    public string? Profile { get; init; }

    /// <summary>The shared credentials file that holds it; null for the usual one (<c>~/.aws/credentials</c>, <c>AWS_SHARED_CREDENTIALS_FILE</c>).</summary>
    public string? ProfileFile { get; init; }

    /// <summary>Role to assume with a web identity token.</summary>
    public string? WebIdentityRoleArn { get; init; }

    /// <summary>File that holds the web identity token.</summary>
    public string? WebIdentityTokenFile { get; init; }

    /// <summary>Base address of the token service that gives credentials for it; null for AWS's own of the region.</summary>
    public string? StsEndpoint { get; init; }

    /// <summary>Requests are not signed at all.</summary>
    public bool Anonymous { get; init; }

    /// <summary>Tries of one request, the first included; 1 to 20.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>Wait before the second try; doubles with each further one, with jitter. At most a minute.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Longest that one try of a request waits without receiving anything; 10 ms to an hour.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest that one request may take with all its tries; not less than <see cref="RequestTimeout"/>.</summary>
    public TimeSpan OperationTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Requests at once per store; 1 to 1024.</summary>
    public int MaxConcurrentRequests { get; init; } = 32;

    /// <summary>Ranges with a gap of at most so many bytes are fetched as one.</summary>
    public int CoalesceGapBytes { get; init; } = 64 << 10;

    /// <summary>A longer range is fetched in parts of so many bytes, side by side; 64 KiB to 1 GiB.</summary>
    public int MaxRequestBytes { get; init; } = 8 << 20;

    /// <summary>Every fault of the options, as sentences that name the option; empty if there is none.</summary>
    public IReadOnlyList<string> Validate()
    {
        var faults = new List<string>();
        void Require(bool holds, string fault)
        {
            if (!holds)
            {
                faults.Add(fault);
            }
        }

        Require(
            Endpoint is null || (Uri.TryCreate(Endpoint, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https"),
            $"{nameof(Endpoint)} is not an http or https address");
        Require(
            StsEndpoint is null || (Uri.TryCreate(StsEndpoint, UriKind.Absolute, out Uri? sts) && sts.Scheme is "http" or "https"),
            $"{nameof(StsEndpoint)} is not an http or https address");
        Require(!string.IsNullOrWhiteSpace(Region), $"{nameof(Region)} is empty");
        Require(AccessKey is null == SecretKey is null, $"{nameof(AccessKey)} and {nameof(SecretKey)} are set together or not at all");
        Require(SessionToken is null || AccessKey is not null, $"{nameof(SessionToken)} is set without {nameof(AccessKey)}");
        Require(ProfileFile is null || Profile is not null, $"{nameof(ProfileFile)} is set without {nameof(Profile)}");
        Require(
            WebIdentityRoleArn is null == WebIdentityTokenFile is null,
            $"{nameof(WebIdentityRoleArn)} and {nameof(WebIdentityTokenFile)} are set together or not at all");
        bool[] sources = [Anonymous, AccessKey is not null, WebIdentityRoleArn is not null, Profile is not null];
        Require(sources.Count(s => s) <= 1, $"Only one of {nameof(Anonymous)}, {nameof(AccessKey)}, {nameof(WebIdentityRoleArn)}, {nameof(Profile)} may be set");
        Require(MaxAttempts is >= 1 and <= 20, $"{nameof(MaxAttempts)} is not between 1 and 20");
        Require(RetryDelay >= TimeSpan.Zero && RetryDelay <= TimeSpan.FromMinutes(1), $"{nameof(RetryDelay)} is not between 0 and a minute");
        Require(
            RequestTimeout >= TimeSpan.FromMilliseconds(10) && RequestTimeout <= TimeSpan.FromHours(1),
            $"{nameof(RequestTimeout)} is not between 10 ms and an hour");
        Require(
            OperationTimeout >= RequestTimeout && OperationTimeout <= TimeSpan.FromDays(1),
            $"{nameof(OperationTimeout)} is not between {nameof(RequestTimeout)} and a day");
        Require(MaxConcurrentRequests is >= 1 and <= 1024, $"{nameof(MaxConcurrentRequests)} is not between 1 and 1024");
        Require(CoalesceGapBytes is >= 0 and <= 64 << 20, $"{nameof(CoalesceGapBytes)} is not between 0 and 64 MiB");
        Require(MaxRequestBytes is >= 64 << 10 and <= 1 << 30, $"{nameof(MaxRequestBytes)} is not between 64 KiB and 1 GiB");
        return faults;
    }

    // The generated text of a record would show the secrets.
    private bool PrintMembers(System.Text.StringBuilder builder)
    {
        builder.Append(System.Globalization.CultureInfo.InvariantCulture, $"{nameof(Endpoint)} = {Endpoint}, {nameof(Region)} = {Region}");
        return true;
    }
}
