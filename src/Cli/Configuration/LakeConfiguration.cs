using System.Text.RegularExpressions;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.FlightServer;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Cli.Configuration;

/// <summary>A source as configured.</summary>
internal sealed record SourceConfiguration(string Name, string Location, TimeSpan? SyncInterval, string? SyncCron);

/// <summary>A user of the server, with a hashed password (<c>lakeholo hash-password</c>).</summary>
internal sealed record UserConfiguration(string Name, string PasswordHash)
{
    public IReadOnlyList<string> Roles { get; init; } = [];

    /// <summary>SHA-256 of a bearer token (<c>lakeholo new-token</c>).</summary>
    public string? TokenHash { get; init; }

    public DateTimeOffset? TokenExpires { get; init; }

    public UserLimits? Limits { get; init; }
}

/// <summary>Everything that can be set: from lakeholo.yaml, environment variables and flags, later ones over earlier ones.</summary>
internal sealed partial class LakeConfiguration
{
    public string DataDirectory { get; set; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".lakeholo");

    public Uri Listen { get; set; } = new("grpc://127.0.0.1:31337");

    /// <summary><c>host:port</c>, <c>off</c>, or null for the usual address if it is free.</summary>
    public string? PostgresListen { get; set; }

    public bool PostgresClearText { get; set; }

    public bool Insecure { get; set; }

    public Uri? Monitoring { get; set; }

    public string? TlsCertificate { get; set; }

    public string? TlsKey { get; set; }

    public string? TlsClientAuthority { get; set; }

    public TimeSpan SyncInterval { get; set; } = TimeSpan.FromSeconds(10);

    public string? SyncCron { get; set; }

    public int Threads { get; set; }

    public long MemoryBytes { get; set; }

    public long SpillBytes { get; set; }

    public long CacheBytes { get; set; } = 20L << 30;

    /// <summary>Bound of the hot copies.</summary>
    public long HotBytes { get; set; } = 100L << 30;

    /// <summary>Bytes of the lake per hour that hot copies are compared with in the background.</summary>
    public long HotVerifyBytes { get; set; } = 10L << 30;

    public int? MaxConcurrent { get; set; }

    public int MaxQueued { get; set; } = 200;

    public TimeSpan StatementTimeout { get; set; } = TimeSpan.FromMinutes(10);

    public int ConcurrentBuilds { get; set; } = 2;

    public S3Options S3 { get; set; } = new();

    public List<SourceConfiguration> Sources { get; } = [];

    public List<UserConfiguration> Users { get; } = [];

    public List<AccessRole> Roles { get; } = [];

    public List<TokenIssuer> Issuers { get; } = [];

    public TelemetryOptions Telemetry { get; set; } = new();

    public List<LayerRule> Layers { get; } = [];

    public Dictionary<string, string> FolderColumns { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads all sources of settings and reports every fault of them at once.</summary>
    /// <param name="file">A configuration file, or null for <c>lakeholo.yaml</c> in the working folder if it is there.</param>
    /// <param name="environment">Environment variables.</param>
    /// <param name="flags">Values of flags by setting key.</param>
    /// <param name="lakes">Values of <c>--lake</c>: <c>location</c> or <c>name=location</c>; they replace the file's sources.</param>
    /// <exception cref="ConfigurationException">All faults.</exception>
    public static LakeConfiguration Load(
        string? file, IReadOnlyDictionary<string, string> environment, IReadOnlyDictionary<string, string> flags, IReadOnlyList<string> lakes)
    {
        var configuration = new LakeConfiguration();
        var faults = new List<string>();
        string? path = file ?? (File.Exists("lakeholo.yaml") ? "lakeholo.yaml" : null);
        if (path is not null)
        {
            new ConfigurationFile(path, configuration, faults).Read();
        }

        foreach (Setting setting in Setting.All)
        {
            if (environment.TryGetValue(setting.Variable, out string? value))
            {
                configuration.Set(setting, value, setting.Variable, faults);
            }
        }

        CheckVariables(environment, faults);
        foreach ((string key, string value) in flags)
        {
            Setting setting = Setting.All.First(s => s.Key == key);
            configuration.Set(setting, value, setting.Flag, faults);
        }

        if (lakes.Count > 0)
        {
            configuration.Sources.Clear();
            configuration.Sources.AddRange(lakes.Select(ParseLake));
        }

        configuration.CheckTogether(faults);
        return faults.Count == 0 ? configuration : throw new ConfigurationException(faults);
    }

    /// <summary>Puts a value in, or notes why it cannot be.</summary>
    public void Set(Setting setting, string value, string where, List<string> faults)
    {
        try
        {
            setting.Apply(this, value);
        }
        catch (FormatException e)
        {
            faults.Add($"{where}: {e.Message}{(setting.IsSecret ? string.Empty : $", not '{value}'")}");
        }
    }

    /// <summary>What the engine needs; opens the sources' stores, which the instance disposes.</summary>
    public LakeOptions ToLakeOptions()
    {
        var storage = new StorageOptions { S3 = S3 };
        return new LakeOptions
        {
            Sources = [.. Sources.Select(s => new LakeSource
            {
                Name = s.Name,
                Root = ObjectStores.Open(s.Location, storage),
                SyncInterval = s.SyncInterval ?? SyncInterval,
                SyncCron = s.SyncCron ?? (s.SyncInterval is null ? SyncCron : null),
            })],
            Layers = Layers,
            Access = Roles.Count == 0 && Users.All(u => u.Limits is null) ? null : new AccessOptions
            {
                Roles = Roles,
                IsOpen = Roles.Count == 0,
                Users = Users.ToDictionary(u => u.Name, u => u.Roles),
                Limits = Users.Where(u => u.Limits is not null).ToDictionary(u => u.Name, u => u.Limits!),
            },
            FolderColumns = FolderColumns,
            DataDirectory = Path.GetFullPath(DataDirectory.StartsWith("~/", StringComparison.Ordinal)
                ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), DataDirectory[2..])
                : DataDirectory),
            Engine = new EngineOptions { Threads = Threads, MemoryLimitBytes = MemoryBytes, MaxSpillBytes = SpillBytes },
            Limits = new ExecutionLimits
            {
                MaxConcurrent = MaxConcurrent ?? new ExecutionLimits().MaxConcurrent,
                MaxQueued = MaxQueued,
                StatementTimeout = StatementTimeout,
            },
            MaxConcurrentBuilds = ConcurrentBuilds,
            CacheBytes = CacheBytes,
            HotBytes = HotBytes,
            HotVerifyBytes = HotVerifyBytes,
        };
    }

    private static void CheckVariables(IReadOnlyDictionary<string, string> environment, List<string> faults)
    {
        string[] known =
        [
            .. Setting.All.Select(s => s.Variable), "LAKEHOLO_SERVER", "LAKEHOLO_TOKEN", "LAKEHOLO_USER", "LAKEHOLO_PASSWORD", "LAKEHOLO_LAKE", "LAKEHOLO_CONFIG",
            "LAKEHOLO_TLS_CA", "LAKEHOLO_CLIENT_CERTIFICATE", "LAKEHOLO_CLIENT_KEY",
        ];
        foreach (string variable in environment.Keys.Where(k => k.StartsWith("LAKEHOLO_", StringComparison.Ordinal) && !known.Contains(k)).Order(StringComparer.Ordinal))
        {
            faults.Add($"{variable}: there is no such setting{Nearest(variable, known)}");
        }
    }

    /// <summary><c>; did you mean …?</c> with the nearest of some names, or nothing.</summary>
    public static string Nearest(string name, IEnumerable<string> known)
    {
        string? nearest = known.MinBy(k => NameDistance.Between(k, name));
        return nearest is not null && NameDistance.Between(nearest, name) <= Math.Max(2, name.Length / 3) ? $"; did you mean {nearest}?" : string.Empty;
    }

    /// <summary>Reads <c>location</c> or <c>name=location</c>; without a name it is the last path segment's.</summary>
    public static SourceConfiguration ParseLake(string text)
    {
        Match named = NamedLake().Match(text);
        if (named.Success)
        {
            return new SourceConfiguration(named.Groups[1].Value, named.Groups[2].Value, null, null);
        }

        string last = text.TrimEnd('/').Split('/')[^1];
        string name = string.Concat(last.Select(c => char.IsAsciiLetterOrDigit(c) || c == '_' ? c : '_'));
        return new SourceConfiguration(name.Trim('_', '.').Length == 0 ? "lake" : name, text, null, null);
    }

    private void CheckTogether(List<string> faults)
    {
        if (TlsCertificate is null != TlsKey is null)
        {
            faults.Add("tls.certificate and tls.key belong together: only one is set");
        }

        if (Listen.Scheme == "grpc+tls" && TlsCertificate is null)
        {
            faults.Add("listen: grpc+tls needs tls.certificate and tls.key");
        }

        foreach (string name in Roles.GroupBy(r => r.Name, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1).Select(g => g.Key))
        {
            faults.Add($"roles: the name {name} is given twice");
        }

        foreach (UserConfiguration user in Users)
        {
            if (user.PasswordHash.Length == 0 && user.TokenHash is null && TlsClientAuthority is null && Issuers.Count == 0)
            {
                faults.Add($"users: {user.Name} has no password_hash");
            }

            if (user.TokenExpires is not null && user.TokenHash is null)
            {
                faults.Add($"users: {user.Name}: token_expires needs token_hash");
            }

            foreach (string role in user.Roles.Where(r => !Roles.Any(known => known.Name.Equals(r, StringComparison.OrdinalIgnoreCase))))
            {
                faults.Add($"users: {user.Name}: there is no role {role}{Nearest(role, Roles.Select(r => r.Name))}");
            }
        }

        foreach (string twice in Users.GroupBy(u => u.Name).Where(g => g.Count() > 1).Select(g => g.Key))
        {
            faults.Add($"users: the name {twice} is given twice");
        }

        foreach ((TokenIssuer issuer, string role) in Issuers.SelectMany(i => i.RoleNames.Values.Select(r => (i, r))))
        {
            if (!Roles.Any(known => known.Name.Equals(role, StringComparison.OrdinalIgnoreCase)))
            {
                faults.Add($"issuers: {issuer.Issuer}: there is no role {role}{Nearest(role, Roles.Select(r => r.Name))}");
            }
        }

        foreach (IGrouping<string, SourceConfiguration> twice in Sources.GroupBy(s => s.Name, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
        {
            faults.Add($"sources: the name {twice.Key} is given twice");
        }
    }

    [GeneratedRegex(@"^([A-Za-z_][A-Za-z0-9_-]*)=(.+)$")]
    private static partial Regex NamedLake();
}

/// <summary>All faults of a configuration.</summary>
internal sealed class ConfigurationException(IReadOnlyList<string> faults)
    : Exception($"The configuration has {(faults.Count == 1 ? "a fault" : $"{faults.Count} faults")}:\n  " + string.Join("\n  ", faults))
{
    public IReadOnlyList<string> Faults { get; } = faults;
}
