using System.Collections.Frozen;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>A setting that clients know, with what it accepts.</summary>
/// <param name="Name">As SHOW prints it.</param>
/// <param name="Default">Its value in a new session.</param>
/// <param name="Check">Gives the value as it is kept; throws for one that is not accepted. Null: cannot be set.</param>
internal sealed record Setting(string Name, string Default, Func<string, string>? Check)
{
    /// <summary>Told to the client at the start and when it changes.</summary>
    public bool IsReported { get; init; }

    /// <summary>The version that is claimed: it decides which catalog statements clients send.</summary>
    public const string ServerVersion = "15.0";

    public static FrozenDictionary<string, Setting> All { get; } = Create().ToFrozenDictionary(s => s.Name, StringComparer.OrdinalIgnoreCase);

    private static IEnumerable<Setting> Create()
    {
        // Told to clients.
        yield return new("server_version", ServerVersion, null) { IsReported = true };
        yield return new("server_encoding", "UTF8", null) { IsReported = true };
        yield return new("client_encoding", "UTF8", Encoding) { IsReported = true };
        yield return new("DateStyle", "ISO, MDY", DateStyle) { IsReported = true };
        yield return new("standard_conforming_strings", "on", v => Only(v, "standard_conforming_strings", "on")) { IsReported = true };
        yield return new("integer_datetimes", "on", null) { IsReported = true };
        yield return new("TimeZone", "UTC", TimeZone) { IsReported = true };
        yield return new("IntervalStyle", "postgres", v => Only(v, "IntervalStyle", "postgres")) { IsReported = true };
        yield return new("is_superuser", "off", null) { IsReported = true };
        yield return new("session_authorization", string.Empty, null) { IsReported = true };
        yield return new("application_name", string.Empty, Any) { IsReported = true };
        yield return new("default_transaction_read_only", "on", Boolean) { IsReported = true };
        yield return new("in_hot_standby", "off", null) { IsReported = true };

        // With an effect.
        yield return new("search_path", "\"$user\", public", Any);
        yield return new("statement_timeout", "0", Duration);

        // Kept and shown; what they would change is fixed here.
        (string Name, string Default)[] free =
        [
            ("extra_float_digits", "1"), ("client_min_messages", "notice"), ("lock_timeout", "0"), ("idle_in_transaction_session_timeout", "0"), ("idle_session_timeout", "0"),
            ("transaction_read_only", "on"), ("row_security", "on"), ("synchronize_seqscans", "on"), ("work_mem", "4MB"), ("maintenance_work_mem", "64MB"),
            ("transaction_isolation", "read committed"), ("default_transaction_isolation", "read committed"), ("transaction_deferrable", "off"),
            ("default_transaction_deferrable", "off"), ("enable_seqscan", "on"), ("enable_hashjoin", "on"), ("enable_mergejoin", "on"), ("enable_nestloop", "on"),
            ("enable_indexscan", "on"), ("enable_bitmapscan", "on"), ("enable_sort", "on"), ("enable_hashagg", "on"), ("jit", "off"), ("plan_cache_mode", "auto"),
            ("cursor_tuple_fraction", "0.1"), ("geqo", "on"), ("random_page_cost", "4"), ("effective_cache_size", "4GB"), ("check_function_bodies", "on"),
            ("default_table_access_method", "heap"), ("default_tablespace", string.Empty), ("temp_tablespaces", string.Empty), ("xmloption", "content"),
            ("lc_messages", "C"), ("lc_monetary", "C"), ("lc_numeric", "C"), ("lc_time", "C"), ("log_statement", "none"), ("log_min_duration_statement", "-1"),
            ("max_parallel_workers_per_gather", "2"), ("session_replication_role", "origin"), ("synchronous_commit", "on"), ("timezone_abbreviations", "Default"),
            ("constraint_exclusion", "partition"), ("bytea_output", "hex"), ("quote_all_identifiers", "off"), ("escape_string_warning", "on"), ("array_nulls", "on"),
            ("tcp_keepalives_idle", "0"), ("password_encryption", "scram-sha-256"), ("default_text_search_config", "pg_catalog.simple"),
        ];
        foreach ((string name, string value) in free)
        {
            yield return new(name, value, name == "bytea_output" ? v => Only(v, name, "hex") : Any);
        }

        // Facts.
        (string Name, string Value)[] facts =
        [
            ("server_version_num", "150000"), ("max_identifier_length", "63"), ("max_index_keys", "32"), ("max_connections", "10000"), ("block_size", "8192"),
            ("lc_collate", "C.UTF-8"), ("lc_ctype", "C.UTF-8"), ("ssl", "off"), ("wal_level", "minimal"), ("data_checksums", "off"), ("port", "5433"),
            ("max_prepared_transactions", "0"), ("wal_segment_size", "16777216"), ("superuser_reserved_connections", "0"), ("listen_addresses", "*"), ("segment_size", "131072"),
            ("max_function_args", "100"), ("shared_buffers", "128MB"), ("krb_caseins_users", "off"), ("debug_assertions", "off"),
        ];
        foreach ((string name, string value) in facts)
        {
            yield return new(name, value, null);
        }
    }

    private static string Any(string value) => value;

    private static string Only(string value, string name, string accepted) =>
        value.Equals(accepted, StringComparison.OrdinalIgnoreCase) ? accepted : throw Invalid(name, value, $"Only \"{accepted}\" is supported.");

    private static string Boolean(string value) => value.ToLowerInvariant() switch
    {
        "on" or "true" or "yes" or "1" or "t" => "on",
        "off" or "false" or "no" or "0" or "f" => "off",
        _ => throw Invalid("default_transaction_read_only", value, "A Boolean is expected."),
    };

    private static string Encoding(string value) => value.Trim('\'', '"').Replace("-", string.Empty, StringComparison.Ordinal).ToUpperInvariant() is "UTF8" or "UNICODE"
        ? "UTF8"
        : throw Invalid("client_encoding", value, "Only UTF8 is supported.");

    private static string DateStyle(string value)
    {
        foreach (string part in value.Split(',', StringSplitOptions.TrimEntries))
        {
            if (part.ToUpperInvariant() is not ("ISO" or "MDY" or "DMY" or "YMD" or "US" or "EURO" or "EUROPEAN"))
            {
                throw Invalid("DateStyle", value, "Only ISO is supported.");
            }
        }

        return "ISO, MDY";
    }

    private static string TimeZone(string value)
    {
        string name = value.Trim().Trim('\'');
        if (name.ToUpperInvariant() is "UTC" or "GMT" or "Z" or "DEFAULT" or "LOCAL")
        {
            return name.ToUpperInvariant() is "GMT" ? "GMT" : "UTC";
        }

        return TimeZoneInfo.TryFindSystemTimeZoneById(name, out TimeZoneInfo? zone) ? zone.Id : throw Invalid("TimeZone", value, "An IANA name of a time zone is expected.");
    }

    private static string Duration(string value) => Milliseconds(value) is { } ms
        ? ms.ToString(System.Globalization.CultureInfo.InvariantCulture)
        : throw Invalid("statement_timeout", value, "A number of milliseconds is expected, or one with the unit ms, s, min or h.");

    private static long? Milliseconds(string value)
    {
        string text = value.Trim().ToLowerInvariant();
        foreach ((string unit, long factor) in new[] { ("ms", 1L), ("min", 60_000L), ("s", 1000L), ("h", 3_600_000L), ("d", 86_400_000L), (string.Empty, 1L) })
        {
            if (text.EndsWith(unit, StringComparison.Ordinal) && int.TryParse(text[..^unit.Length].Trim(), out int number) && number >= 0)
            {
                return number * factor;
            }
        }

        return null;
    }

    private static PgError Invalid(string name, string value, string hint) => new("22023", $"invalid value for parameter \"{name}\": \"{value}\"") { Hint = hint };
}
