using System.Globalization;
using LakeHolo.Accelerator.Sessions;

namespace LakeHolo.Cli.Configuration;

/// <summary>One setting: its key in lakeholo.yaml, from which its flag (<c>--a-b</c>) and its environment variable (<c>LAKEHOLO_A_B</c>) are derived.</summary>
/// <param name="Key">Dotted key, <c>engine.memory</c>.</param>
/// <param name="Default">Text of the default, for people.</param>
/// <param name="Help">One line.</param>
/// <param name="Apply">Checks the text and puts the value in; throws <see cref="FormatException"/> saying what is expected.</param>
internal sealed record Setting(string Key, string Default, string Help, Action<LakeConfiguration, string> Apply)
{
    public string Flag => "--" + Key.Replace('.', '-').Replace('_', '-');

    public string Variable => "LAKEHOLO_" + Key.Replace('.', '_').ToUpperInvariant();

    /// <summary>Secrets are given by file or environment, not by flags that everybody on the machine can read.</summary>
    public bool IsSecret { get; init; }

    /// <summary>Every setting that is a single value.</summary>
    public static IReadOnlyList<Setting> All { get; } =
    [
        new("data_dir", "~/.lakeholo", "folder for the disk cache, hot copies and spilled data", (c, t) => c.DataDirectory = t),
        new("listen", "grpc://127.0.0.1:31337", "address of the Flight SQL server: grpc://host:port, or grpc+tls://host:port", (c, t) => c.Listen = Uri(t)),
        new("monitoring", "nowhere", "address of /healthz, /readyz and /metrics: http://host:port", (c, t) => c.Monitoring = Http(t)),
        new("postgres.listen", "127.0.0.1:5433 if it is free", "address for PostgreSQL clients, host:port; off for none", (c, t) => c.PostgresListen = PostgresAddress(t)),
        new("postgres.clear_text", "false", "ask PostgreSQL clients for the password itself where TLS protects it, not by SCRAM", (c, t) => c.PostgresClearText = Bool(t)),
        new("insecure", "false", "serve on other addresses than loopback without users", (c, t) => c.Insecure = Bool(t)),
        new("tls.certificate", "", "PEM file of the server's certificate chain", (c, t) => c.TlsCertificate = t),
        new("tls.key", "", "PEM file of its private key", (c, t) => c.TlsKey = t),
        new("tls.client_ca", "", "PEM file of the authorities whose client certificates log in, as their common name", (c, t) => c.TlsClientAuthority = t),
        new("telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT, else nowhere", "collector that traces and metrics are sent to, http://host:4317", (c, t) => c.Telemetry = c.Telemetry with { Endpoint = Collector(t) }),
        new("telemetry.protocol", "grpc", "grpc or http/protobuf", (c, t) => c.Telemetry = c.Telemetry with { OverHttp = t switch { "grpc" => false, "http/protobuf" => true, _ => throw new FormatException("expected grpc or http/protobuf") } }),
        new("telemetry.service_name", "lakeholo", "the name that this server has there", (c, t) => c.Telemetry = c.Telemetry with { ServiceName = t }),
        new("sync.interval", "10s", "time between two syncs of a source", (c, t) => c.SyncInterval = Duration(t)),
        new("sync.cron", "", "cron expression (five fields, UTC) instead of an interval", (c, t) => c.SyncCron = Cron(t)),
        new("engine.threads", "all", "worker threads of the engine", (c, t) => c.Threads = Number(t, 1, 1024)),
        new("engine.memory", "80 % of the machine", "memory limit of the engine: 512MB, 8GiB", (c, t) => c.MemoryBytes = Bytes(t)),
        new("engine.spill", "unlimited", "bound of spilled data", (c, t) => c.SpillBytes = Bytes(t)),
        new("hot.size", "100GiB", "bound of the hot copies on disk; the one used longest ago makes room", (c, t) => c.HotBytes = Bytes(t)),
        new("hot.verify", "10GiB", "bytes of the lake per hour that hot copies are compared with in the background; 0 for none", (c, t) => c.HotVerifyBytes = t == "0" ? 0 : Bytes(t)),
        new("cache.size", "20GiB", "bound of the disk cache", (c, t) => c.CacheBytes = Bytes(t)),
        new("limits.concurrent_statements", "2 per processor", "statements that run at once", (c, t) => c.MaxConcurrent = Number(t, 1, 10_000)),
        new("limits.queued_statements", "200", "statements that may wait", (c, t) => c.MaxQueued = Number(t, 0, 1_000_000)),
        new("limits.statement_timeout", "10m", "how long a statement may take; 0 for no limit", (c, t) => c.StatementTimeout = Duration(t)),
        new("hot.concurrent_builds", "2", "hot copies that are built at once", (c, t) => c.ConcurrentBuilds = Number(t, 1, 64)),
        new("s3.endpoint", "AWS", "base address of an S3-compatible service, http://host:port", (c, t) => c.S3 = c.S3 with { Endpoint = t }),
        new("s3.region", "us-east-1", "region that requests are signed for", (c, t) => c.S3 = c.S3 with { Region = t }),
        new("s3.path_style", "with an endpoint", "bucket as the first path segment", (c, t) => c.S3 = c.S3 with { PathStyle = Bool(t) }),
        new("s3.access_key", "", "static access key", (c, t) => c.S3 = c.S3 with { AccessKey = t }),
        new("s3.secret_key", "", "static secret key", (c, t) => c.S3 = c.S3 with { SecretKey = t }) { IsSecret = true },
        new("s3.session_token", "", "session token of the static keys", (c, t) => c.S3 = c.S3 with { SessionToken = t }) { IsSecret = true },
        new("s3.profile", "", "profile of the shared credentials files", (c, t) => c.S3 = c.S3 with { Profile = t }),
        new("s3.profile_file", "~/.aws/credentials", "the credentials file that holds the profile", (c, t) => c.S3 = c.S3 with { ProfileFile = t }),
        new("s3.web_identity_role", "", "role to assume with a web identity token", (c, t) => c.S3 = c.S3 with { WebIdentityRoleArn = t }),
        new("s3.web_identity_token_file", "", "file of that token", (c, t) => c.S3 = c.S3 with { WebIdentityTokenFile = t }),
        new("s3.sts_endpoint", "AWS", "base address of the token service that takes it", (c, t) => c.S3 = c.S3 with { StsEndpoint = t }),
        new("s3.anonymous", "false", "do not sign requests", (c, t) => c.S3 = c.S3 with { Anonymous = Bool(t) }),
        new("s3.request_timeout", "30s", "longest try of one request", (c, t) => c.S3 = c.S3 with { RequestTimeout = Duration(t) }),
        new("s3.operation_timeout", "2m", "longest operation with all its tries", (c, t) => c.S3 = c.S3 with { OperationTimeout = Duration(t) }),
        new("s3.max_attempts", "5", "tries of one request", (c, t) => c.S3 = c.S3 with { MaxAttempts = Number(t, 1, 20) }),
    ];

    private static bool Bool(string text) => text.ToLowerInvariant() switch
    {
        "true" or "yes" or "on" or "1" => true,
        "false" or "no" or "off" or "0" => false,
        _ => throw new FormatException("expected true or false"),
    };

    public static int Number(string text, int min, int max) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max
            ? value
            : throw new FormatException($"expected a whole number from {min} to {max}");

    public static TimeSpan Duration(string text) =>
        SessionOptions.TryDuration(text, out TimeSpan span) ? span : throw new FormatException("expected a duration such as 500ms, 10s, 5m or 1h");

    private static Uri Uri(string text) =>
        System.Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "grpc" or "grpc+tls" && uri.Port > 0
            ? uri
            : throw new FormatException("expected grpc://host:port or grpc+tls://host:port");

    private static Uri Http(string text) =>
        System.Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme == "http" && uri.Port > 0 ? uri : throw new FormatException("expected http://host:port");

    private static Uri Collector(string text) =>
        System.Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? uri : throw new FormatException("expected http://host:port or https://host:port");

    private static string PostgresAddress(string text) =>
        text is "off" || (System.Uri.TryCreate("tcp://" + text, UriKind.Absolute, out Uri? uri) && uri.Port >= 0 && uri.PathAndQuery is "/" or "")
            ? text
            : throw new FormatException("expected host:port, or off");

    public static string Cron(string text)
    {
        try
        {
            Cronos.CronExpression.Parse(text);
            return text;
        }
        catch (Cronos.CronFormatException e)
        {
            throw new FormatException($"expected a cron expression of five fields: {e.Message}", e);
        }
    }

    public static long Bytes(string text)
    {
        (string Suffix, long Factor)[] units =
        [
            ("KIB", 1L << 10), ("MIB", 1L << 20), ("GIB", 1L << 30), ("TIB", 1L << 40), ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1), (string.Empty, 1),
        ];
        string upper = text.Trim().ToUpperInvariant();
        (string suffix, long factor) = units.First(u => upper.EndsWith(u.Suffix, StringComparison.Ordinal));
        return decimal.TryParse(upper[..^suffix.Length].Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number) && number > 0 && number * factor < long.MaxValue
            ? (long)(number * factor)
            : throw new FormatException("expected a size such as 512MB or 8GiB");
    }
}
