namespace LakeHolo.LakeCatalog.Storage;

/// <summary>How storage is reached. Local folders need none of it.</summary>
public sealed record StorageOptions
{
    /// <summary>Access to S3 and whatever speaks its protocol.</summary>
    public S3Options S3 { get; init; } = new();
}

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

    /// <summary>Role to assume with a web identity token.</summary>
    public string? WebIdentityRoleArn { get; init; }

    /// <summary>File that holds the web identity token.</summary>
    public string? WebIdentityTokenFile { get; init; }

    /// <summary>Requests are not signed at all.</summary>
    public bool Anonymous { get; init; }

    /// <summary>Tries of one request, the first included; 1 to 20.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>Wait before the second try; doubles with each further one, with jitter. At most a minute.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Longest a single try of a request may take without finishing; 100 ms to an hour.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest one operation may take with all its tries; not less than <see cref="RequestTimeout"/>.</summary>
    public TimeSpan OperationTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Requests at once per store; 1 to 1024.</summary>
    public int MaxConcurrentRequests { get; init; } = 32;

    /// <summary>Ranges with a gap of at most so many bytes are fetched as one.</summary>
    public int CoalesceGapBytes { get; init; } = 64 << 10;

    /// <summary>A longer range is fetched in parts of so many bytes, side by side; 64 KiB to 1 GiB.</summary>
    public int MaxRequestBytes { get; init; } = 8 << 20;
}
