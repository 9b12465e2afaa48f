using System.Text.RegularExpressions;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Sql;

/// <summary>A statement that is not a query. Recognised by its first word; everything else goes to the engine's parser.</summary>
internal abstract partial record ManagementStatement
{
    private ManagementStatement()
    {
    }

    /// <summary>PROMOTE, DEMOTE, REFRESH or VERIFY of a table, a schema, a layer, or globs of <c>schema.table</c>.</summary>
    public sealed record Tier(string Verb, TierScope Scope, string Pattern) : ManagementStatement
    {
        /// <summary>What is promoted; null where nothing is said.</summary>
        public Sources.PromotionSpec? Promotion { get; init; }
    }

    /// <summary>PROMOTE QUERY name AS query.</summary>
    /// <param name="Schema">Schema of the name; null where none is given.</param>
    /// <param name="Name">Its name.</param>
    /// <param name="Promotion">How it is stored.</param>
    /// <param name="Query">Its text.</param>
    public sealed record PromoteQuery(string? Schema, string Name, Sources.PromotionSpec Promotion, string Query) : ManagementStatement;

    /// <summary>SYNC [source].</summary>
    public sealed record Sync(string? Source) : ManagementStatement;

    /// <summary>SET option = value, or RESET option (null).</summary>
    public sealed record Set(string Option, string? Value) : ManagementStatement;

    /// <summary>EXPLAIN query.</summary>
    public sealed record Explain(string Query) : ManagementStatement;

    /// <summary>SHOW TABLES, SHOW SCHEMAS: shorthand for a query of the catalog.</summary>
    public sealed record Show(string Query) : ManagementStatement;

    /// <summary>EXPLAIN LAKE query: runs it and tells where the time went.</summary>
    public sealed record ExplainLake(string Query) : ManagementStatement;

    /// <summary>KILL QUERY id.</summary>
    public sealed record Kill(long QueryId) : ManagementStatement;

    /// <summary>Reads a statement; null if it is not one of these.</summary>
    /// <exception cref="LakeException">QueryInvalid: it begins like one of these but goes on wrongly.</exception>
    public static ManagementStatement? TryParse(string sql)
    {
        string text = QuotedOrComment().Replace(sql, m => m.Value[0] is '-' or '/' ? " " : m.Value).Trim().TrimEnd(';').Trim();
        string first = FirstWord().Match(text).Value.ToUpperInvariant();
        return first switch
        {
            "PROMOTE" when PromoteQueryPattern().IsMatch(text) => ParsePromoteQuery(sql),
            "PROMOTE" or "DEMOTE" or "REFRESH" or "VERIFY" => ParseTier(first, text),
            "SYNC" => ParseSync(text),
            "SET" or "RESET" or "USE" => ParseSet(text),
            "EXPLAIN" => ParseExplain(text),
            "KILL" => ParseKill(text),
            "SHOW" => ParseShow(text),
            _ => null,
        };
    }

    private static Show ParseShow(string text)
    {
        Match match = ShowPattern().Match(text);
        if (!match.Success)
        {
            throw LakeException.QueryInvalid("Expected SHOW [ALL] TABLES [FROM schema] or SHOW SCHEMAS; DESCRIBE schema.table tells the columns of a table");
        }

        if (match.Groups["schemas"].Success)
        {
            return new Show("SELECT DISTINCT source, schema FROM lakeholo.tables ORDER BY ALL");
        }

        string schema = match.Groups["schema"].Success ? $" WHERE schema = '{Unquote(match.Groups["schema"].Value).Replace("'", "''", StringComparison.Ordinal)}'" : string.Empty;
        return new Show($"SELECT source, schema, name, layer, format FROM lakeholo.tables{schema} ORDER BY ALL");
    }

    private static Tier ParseTier(string verb, string text)
    {
        Match match = TierPattern().Match(text);
        if (!match.Success && verb == "PROMOTE" && PromotePattern().Match(text) is { Success: true } promote)
        {
            return new Tier(verb, TierScope.Table, Unquote(promote.Groups["name"].Value)) { Promotion = PromotionClause.Parse(promote.Groups["rest"].Value) };
        }

        if (!match.Success)
        {
            throw LakeException.QueryInvalid($"Expected {verb} TABLE schema.table, {verb} SCHEMA name, {verb} LAYER name, or globs such as {verb} TABLE dws.*");
        }

        TierScope scope = match.Groups["scope"].Value.ToUpperInvariant() switch
        {
            "QUERY" => TierScope.Query,
            "SCHEMA" => TierScope.Schema,
            "LAYER" => TierScope.Layer,
            _ => TierScope.Table,
        };
        return new Tier(verb, scope, Unquote(match.Groups["name"].Value));
    }

    private static PromoteQuery ParsePromoteQuery(string sql)
    {
        Match match = QueryPattern().Match(sql);
        if (!match.Success)
        {
            throw LakeException.QueryInvalid("Expected PROMOTE QUERY [schema.]name [ORDER BY column [DESC], …] [WITH (max_staleness = '5m')] AS query");
        }

        string[] name = Unquote(match.Groups["name"].Value).Split('.');
        Sources.PromotionSpec promotion = PromotionClause.Parse(match.Groups["rest"].Value);
        return promotion is { Columns: null, Lookup: false, IsPartOfRows: false }
            ? new PromoteQuery(name.Length > 1 ? name[^2] : null, name[^1], promotion, match.Groups["query"].Value.TrimEnd().TrimEnd(';'))
            : throw LakeException.QueryInvalid("A promoted query says its columns and conditions itself: only ORDER BY and WITH (max_staleness = …) may stand before AS");
    }

    private static Sync ParseSync(string text)
    {
        Match match = SyncPattern().Match(text);
        return match.Success
            ? new Sync(match.Groups["source"].Success ? Unquote(match.Groups["source"].Value) : null)
            : throw LakeException.QueryInvalid("Expected SYNC or SYNC source");
    }

    private static Set ParseSet(string text)
    {
        Match match = SetPattern().Match(text);
        if (match.Success)
        {
            string value = match.Groups["value"].Value.Trim();
            return new Set(match.Groups["name"].Value.ToLowerInvariant(), value.Length >= 2 && value[0] == '\'' && value[^1] == '\'' ? value[1..^1] : value);
        }

        match = ResetPattern().Match(text);
        if (match.Success)
        {
            return new Set(match.Groups["name"].Value.ToLowerInvariant(), null);
        }

        match = UsePattern().Match(text);
        return match.Success
            ? new Set("schema", Unquote(match.Groups["name"].Value))
            : throw LakeException.QueryInvalid($"Expected SET option = value, RESET option or USE schema; options are {string.Join(", ", Sessions.SessionOptions.Names)}");
    }

    private static ManagementStatement ParseExplain(string text)
    {
        Match match = ExplainPattern().Match(text);
        return !match.Success ? throw LakeException.QueryInvalid("Expected EXPLAIN query or EXPLAIN LAKE query")
            : match.Groups["lake"].Success ? new ExplainLake(match.Groups["query"].Value)
            : new Explain(match.Groups["query"].Value);
    }

    private static Kill ParseKill(string text)
    {
        Match match = KillPattern().Match(text);
        return match.Success && long.TryParse(match.Groups["id"].Value, out long id)
            ? new Kill(id)
            : throw LakeException.QueryInvalid("Expected KILL QUERY id; SELECT id FROM lakeholo.query_log WHERE state = 'running' lists them");
    }

    private static string Unquote(string name) => string.Join('.', NamePart().Matches(name).Select(m => m.Value.Trim('"').Replace("\"\"", "\"", StringComparison.Ordinal)));

    // What looks like a comment inside a string or a quoted name is none.
    [GeneratedRegex(@"'[^']*(?:'|\z)|""[^""]*(?:""|\z)|\$\$.*?(?:\$\$|\z)|--[^\n]*|/\*.*?(?:\*/|\z)", RegexOptions.Singleline)]
    private static partial Regex QuotedOrComment();

    [GeneratedRegex("^[A-Za-z]+")]
    private static partial Regex FirstWord();

    [GeneratedRegex(@"^\w+\s+(?:(?<scope>TABLE|SCHEMA|LAYER|QUERY)\s+)?(?<name>(?:""[^""]*""|[\w*?$-]+)(?:\.(?:""[^""]*""|[\w*?$-]+)){0,2})$", RegexOptions.IgnoreCase)]
    private static partial Regex TierPattern();

    [GeneratedRegex(@"^PROMOTE\s+(?:TABLE\s+)?(?<name>(?:""[^""]*""|[\w*?$-]+)(?:\.(?:""[^""]*""|[\w*?$-]+)){0,2})\s*(?<rest>[\s(].*)$", RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex PromotePattern();

    [GeneratedRegex(@"^PROMOTE\s+QUERY\s+\S+\s", RegexOptions.IgnoreCase)]
    private static partial Regex PromoteQueryPattern();

    [GeneratedRegex(
        @"^(?:\s|--[^\n]*\n|/\*.*?\*/)*PROMOTE\s+QUERY\s+(?<name>(?:""[^""]*""|[\w$-]+)(?:\.(?:""[^""]*""|[\w$-]+))?)\s+(?<rest>(?:(?:ORDER|WITH)\b.*?)?)\bAS\s+(?<query>\S.*)$",
        RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex QueryPattern();

    [GeneratedRegex(@"^SYNC(?:\s+(?<source>""[^""]*""|[\w-]+))?$", RegexOptions.IgnoreCase)]
    private static partial Regex SyncPattern();

    [GeneratedRegex(@"^SET\s+(?:SESSION\s+)?(?:lakeholo\.)?(?<name>\w+)\s*(?:=|\sTO\s)\s*(?<value>'[^']*'|[^\s';]+)$", RegexOptions.IgnoreCase)]
    private static partial Regex SetPattern();

    [GeneratedRegex(@"^RESET\s+(?:lakeholo\.)?(?<name>\w+)$", RegexOptions.IgnoreCase)]
    private static partial Regex ResetPattern();

    [GeneratedRegex(@"^USE\s+(?<name>""[^""]*""|[\w-]+)$", RegexOptions.IgnoreCase)]
    private static partial Regex UsePattern();

    [GeneratedRegex(@"^EXPLAIN\s+(?<lake>LAKE\s+)?(?<query>.+)$", RegexOptions.IgnoreCase | RegexOptions.Singleline)]
    private static partial Regex ExplainPattern();

    [GeneratedRegex(@"^SHOW\s+(?:(?:ALL\s+)?TABLES(?:\s+(?:FROM|IN)\s+(?<schema>""[^""]*""|[\w-]+))?|(?<schemas>SCHEMAS))$", RegexOptions.IgnoreCase)]
    private static partial Regex ShowPattern();

    [GeneratedRegex(@"^KILL\s+(?:QUERY\s+)?(?<id>\d+)$", RegexOptions.IgnoreCase)]
    private static partial Regex KillPattern();

    [GeneratedRegex(@"""(?:[^""]|"""")*""|[^.]+")]
    private static partial Regex NamePart();
}

/// <summary>What PROMOTE, DEMOTE and REFRESH speak of.</summary>
internal enum TierScope
{
    Table,
    Schema,
    Layer,
    Query,
}
