using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>The settings of one session. Options of the lake (<c>tier</c>, <c>max_staleness</c>, …) are the query session's; the rest lives here.</summary>
internal sealed class SessionSettings(QuerySession query)
{
    private readonly Dictionary<string, string> _values = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, string> _startup = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _changed = [];
    private Dictionary<string, string>? _atBegin;
    private Dictionary<string, string>? _afterCommit;

    public TimeZoneInfo Zone { get; private set; } = TimeZoneInfo.Utc;

    public TimeSpan StatementTimeout { get; private set; }

    /// <summary>The schemas of unqualified names, in order, as the client set them.</summary>
    public IReadOnlyList<string> SearchPath { get; private set; } = ["$user", "public"];

    /// <summary>Reported settings that changed since the last call.</summary>
    public IReadOnlyList<(string Name, string Value)> TakeChanged()
    {
        if (_changed.Count == 0)
        {
            return [];
        }

        (string, string)[] changed = [.. _changed.Distinct(StringComparer.OrdinalIgnoreCase).Select(n => (Setting.All[n].Name, Get(n)!))];
        _changed.Clear();
        return changed;
    }

    /// <summary>Every setting, for SHOW ALL and pg_settings.</summary>
    public IEnumerable<(string Name, string Value)> Everything() =>
        Setting.All.Values.Select(s => (s.Name, Get(s.Name)!)).Concat(SessionOptions.Names.Select(n => ("lakeholo." + n, Get(n) ?? string.Empty))).OrderBy(s => s.Item1, StringComparer.OrdinalIgnoreCase);

    /// <summary>A value; null for a name that nobody knows.</summary>
    public string? Get(string name)
    {
        if (LakeOption(name) is { } option)
        {
            return query.Options.TryGetValue(option, out string? value) ? value : option switch { "tier" => "auto", "freshness" => "latest", "max_staleness" => "0s", _ => string.Empty };
        }

        return _values.TryGetValue(name, out string? own) ? own
            : _startup.TryGetValue(name, out string? initial) ? initial
            : Setting.All.TryGetValue(name, out Setting? known) ? known.Default : null;
    }

    /// <summary>The canonical spelling of a name.</summary>
    public static string Spelling(string name) => Setting.All.TryGetValue(name, out Setting? known) ? known.Name : name;

    /// <summary>What the session begins with, and RESET goes back to.</summary>
    public void SetInitial(string name, string value)
    {
        _startup[name] = Checked(name, value, always: true);
        Apply(name);
    }

    public void Set(string name, string? value, bool isLocal)
    {
        if (LakeOption(name) is { } option)
        {
            SetOption(option, value);
            return;
        }

        if (value is null)
        {
            _values.Remove(name);
        }
        else
        {
            string before = Get(name) ?? string.Empty;
            _values[name] = Checked(name, value, always: false);
            if (isLocal && _atBegin is not null)
            {
                (_afterCommit ??= new(StringComparer.OrdinalIgnoreCase)).TryAdd(name, before);
            }
        }

        Apply(name);
    }

    public void ResetAll()
    {
        string[] names = [.. _values.Keys];
        _values.Clear();
        foreach (string option in SessionOptions.Names.Where(n => n is not "catalog"))
        {
            query.Options.TryRemove(option, out _);
        }

        foreach (string name in names)
        {
            Apply(name);
        }

        Apply("search_path");
    }

    public void Begin() => _atBegin = new(_values, StringComparer.OrdinalIgnoreCase);

    /// <summary>Ends a transaction: SET LOCAL is over; after a rollback every SET inside is.</summary>
    public void End(bool commit)
    {
        if (!commit && _atBegin is not null)
        {
            string[] names = [.. _values.Keys.Union(_atBegin.Keys)];
            _values.Clear();
            foreach ((string name, string value) in _atBegin)
            {
                _values[name] = value;
            }

            foreach (string name in names)
            {
                Apply(name);
            }
        }
        else if (_afterCommit is not null)
        {
            foreach ((string name, string value) in _afterCommit)
            {
                _values[name] = value;
                Apply(name);
            }
        }

        (_atBegin, _afterCommit) = (null, null);
    }

    private static string? LakeOption(string name)
    {
        string plain = name.StartsWith("lakeholo.", StringComparison.OrdinalIgnoreCase) ? name["lakeholo.".Length..].ToLowerInvariant() : name.ToLowerInvariant();
        return SessionOptions.Names.Contains(plain) ? plain : null;
    }

    private static string Checked(string name, string value, bool always)
    {
        if (Setting.All.TryGetValue(name, out Setting? known))
        {
            return known.Check is null
                ? always ? value : throw new PgError("55P02", $"parameter \"{known.Name}\" cannot be changed")
                : known.Check(value);
        }

        // Anybody may keep values under a name with a dot; unknown names at the start are taken as PostgreSQL's poolers take them.
        return always || name.Contains('.', StringComparison.Ordinal) ? value : throw new PgError("42704", $"unrecognized configuration parameter \"{name}\"");
    }

    private void SetOption(string option, string? value)
    {
        if (value is null or "default")
        {
            query.Options.TryRemove(option, out _);
            return;
        }

        try
        {
            SessionOptions.Check(option, value);
        }
        catch (LakeException e)
        {
            throw new PgError("22023", e.Message, e);
        }

        query.Options[option] = value;
    }

    private void Apply(string name)
    {
        string value = Get(name) ?? string.Empty;
        switch (name.ToLowerInvariant())
        {
            case "timezone":
                Zone = TimeZoneInfo.TryFindSystemTimeZoneById(value, out TimeZoneInfo? zone) ? zone : TimeZoneInfo.Utc;
                break;
            case "statement_timeout":
                StatementTimeout = TimeSpan.FromMilliseconds(long.Parse(value, System.Globalization.CultureInfo.InvariantCulture));
                break;
            case "search_path":
                SearchPath = [.. value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(s => s.Trim('"', '\''))];
                if (SearchPath.FirstOrDefault(s => s is not ("$user" or "public" or "pg_catalog" or "information_schema")) is { } schema)
                {
                    query.Options["schema"] = schema;
                }
                else
                {
                    query.Options.TryRemove("schema", out _);
                }

                break;
            default:
                break;
        }

        if (Setting.All.TryGetValue(name, out Setting? known) && known.IsReported)
        {
            _changed.Add(name);
        }
    }
}
