using System.Collections.Concurrent;
using System.Globalization;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Accelerator.Sessions;

/// <summary>The options of a session: names, checks and readings.</summary>
public static class SessionOptions
{
    /// <summary>Known names.</summary>
    public static IReadOnlyList<string> Names { get; } = ["catalog", "schema", "max_staleness", "tier", "freshness", "max_lake_bytes", "max_lake_requests", "client_types", "compression", "endpoints"];

    /// <summary>Most endpoints of one result.</summary>
    public const int MaxEndpoints = 64;

    /// <summary>Checks a value.</summary>
    /// <exception cref="LakeException">QueryInvalid: unknown name or bad value, saying what is accepted.</exception>
    public static void Check(string name, string? value)
    {
        if (!Names.Contains(name))
        {
            throw LakeException.QueryInvalid($"There is no option {name}; options are {string.Join(", ", Names)} (settings of the engine are not the session's to change)");
        }

        if (value is null)
        {
            return;
        }

        bool valid = name switch
        {
            "tier" => value is "auto" or "lake" or "hot",
            "freshness" => value is "latest" or "synced",
            "client_types" => value is "exact" or "jdbc",
            "compression" => value is "none" or "lz4" or "zstd",
            "endpoints" => TryEndpoints(value, out _),
            "max_staleness" => TryDuration(value, out _),
            "max_lake_bytes" or "max_lake_requests" => TrySize(value, out _),
            _ => true,
        };
        if (!valid)
        {
            throw LakeException.QueryInvalid(name switch
            {
                "tier" => $"tier is auto, lake or hot, not '{value}'",
                "client_types" => $"client_types is exact, or jdbc (unsigned numbers widened, timestamps in UTC without a zone), not '{value}'",
                "compression" => $"compression (of Arrow batches) is none, lz4 or zstd, not '{value}'",
                "endpoints" => $"endpoints (of a Flight result without ORDER BY, which are read at the same time) is a number from 1 to {MaxEndpoints}, not '{value}'",
                "freshness" => $"freshness is latest or synced, not '{value}'",
                "max_lake_bytes" => $"max_lake_bytes is a number of bytes such as 1000000, '10MiB' or '2GiB', not '{value}'",
                "max_lake_requests" => $"max_lake_requests is a number such as 1000, not '{value}'",
                _ => $"max_staleness is a duration such as '0s', '30s', '5m' or '1h', not '{value}'",
            });
        }
    }

    /// <summary>Whether results have only types that the JDBC driver reads right.</summary>
    public static bool WantsJdbcTypes(IReadOnlyDictionary<string, string> options) => options.GetValueOrDefault("client_types") == "jdbc";

    /// <summary>How many endpoints a result should have where its rows have no order.</summary>
    public static int Endpoints(IReadOnlyDictionary<string, string> options) => options.TryGetValue("endpoints", out string? text) && TryEndpoints(text, out int count) ? count : 1;

    /// <summary>What the options mean for reading.</summary>
    public static ReadOptions Read(IReadOnlyDictionary<string, string> options) => new(
        options.TryGetValue("max_staleness", out string? staleness) && TryDuration(staleness, out TimeSpan span) ? span : TimeSpan.Zero,
        options.TryGetValue("freshness", out string? freshness) && freshness == "synced",
        options.GetValueOrDefault("tier", "auto"));

    /// <summary>The options as a text, the same for the same options.</summary>
    internal static string Text(ConcurrentDictionary<string, string> options)
    {
        string text = string.Empty;
        foreach (string name in Names)
        {
            text = options.TryGetValue(name, out string? value) ? $"{text}{name}={value}\n" : text;
        }

        return text;
    }

    /// <summary>An account of what a statement takes from storage, with the session's bounds.</summary>
    internal static StorageUse NewStorageUse(IReadOnlyDictionary<string, string> options) => new()
    {
        MaxBytes = options.TryGetValue("max_lake_bytes", out string? bytes) && TrySize(bytes, out long most) ? most : null,
        MaxRequests = options.TryGetValue("max_lake_requests", out string? requests) && TrySize(requests, out long count) ? count : null,
    };

    /// <summary>Reads <c>1000</c>, <c>64KiB</c>, <c>10MiB</c>, <c>2GiB</c>, <c>1TiB</c>, or the same with kB, MB, GB, TB for powers of 1,000.</summary>
    public static bool TrySize(string text, out long size)
    {
        string trimmed = text.Trim().ToLowerInvariant();
        (string Suffix, long Factor)[] units =
        [
            ("kib", 1L << 10), ("mib", 1L << 20), ("gib", 1L << 30), ("tib", 1L << 40), ("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
        ];
        (string suffix, long factor) = units.FirstOrDefault<(string Suffix, long Factor)>(u => trimmed.EndsWith(u.Suffix, StringComparison.Ordinal), (string.Empty, 1L));
        bool read = long.TryParse(trimmed.AsSpan(0, trimmed.Length - suffix.Length).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            && number <= long.MaxValue / factor;
        size = read ? number * factor : 0;
        return read;
    }

    private static bool TryEndpoints(string text, out int count) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count is >= 1 and <= MaxEndpoints;

    /// <summary>Reads <c>500ms</c>, <c>30s</c>, <c>5m</c>, <c>1h</c>, <c>1d</c> or plain seconds.</summary>
    public static bool TryDuration(string text, out TimeSpan span)
    {
        (double Factor, int Length) unit = text.Trim().ToLowerInvariant() switch
        {
            var t when t.EndsWith("ms", StringComparison.Ordinal) => (0.001, 2),
            var t when t.EndsWith('s') => (1, 1),
            var t when t.EndsWith('m') => (60, 1),
            var t when t.EndsWith('h') => (3600, 1),
            var t when t.EndsWith('d') => (86400, 1),
            _ => (1, 0),
        };
        bool read = double.TryParse(text.Trim()[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
            && number * unit.Factor <= TimeSpan.MaxValue.TotalSeconds / 2;
        span = read ? TimeSpan.FromSeconds(number * unit.Factor) : TimeSpan.Zero;
        return read;
    }
}
