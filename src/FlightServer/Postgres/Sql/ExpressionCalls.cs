using System.Globalization;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>PostgreSQL's functions of regular expressions (<c>regexp_…</c>, <c>substring(text FROM pattern)</c>) in the engine's words. What constant patterns match has to be the same in both.</summary>
internal static class ExpressionCalls
{
    /// <summary>The text in the place of a call; null for functions of other kinds.</summary>
    /// <exception cref="PgError">0A000: a pattern or an option that the engine would read otherwise.</exception>
    public static (int End, string Text)? Replacement(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        string name = statement.Tokens[at].Value;
        if (!name.StartsWith("regexp_", StringComparison.Ordinal) || name is "regexp_escape" or "regexp_extract" or "regexp_extract_all" or "regexp_full_match"
            || Calls.Read(statement, at, rewrite) is not (var end, [var text, var pattern, ..] all))
        {
            return null;
        }

        string[] clauses = ["select", "from"];
        bool isRows = name == "regexp_matches" && (clauses.Contains(TokenMap.Of(statement.Tokens).ClauseOf(at)) || (end + 1 < statement.Tokens.Count && statement.Tokens[end].Is(")") && statement.Tokens[end + 1].Is("[")));
        if (name == "regexp_matches" && !isRows)
        {
            return null; // The engine's own, a condition.
        }

        Argument[] rest = all[2..];
        switch (name)
        {
            case "regexp_replace" when rest.Length is 1 or 2 && (rest.Length == 1 || rest[1].Constant is not null):
                Argument by = rest[0];
                bool all3 = rest.Length == 2 && rest[1].Constant!.Contains('g', StringComparison.Ordinal);
                string replacement = by.Constant is { } constant ? SqlText.Literal(By(name, constant)) : $"replace({by.Text}, '\\&', '\\0')";
                return (end, $"regexp_replace({text.Text}, {Pattern(name, pattern, Flags(rest, 1), all3, out _, groupsMatter: false)}, {replacement}{(all3 ? ", 'g'" : string.Empty)})");
            case "regexp_match" when rest.Length <= 1:
                return (end, $"CASE WHEN {Matches(name, text, pattern, Flags(rest, 0), out string one, out int n)} THEN {Groups(text, one, n)} END");
            case "regexp_matches" when rest.Length <= 1 && (Flags(rest, 0) ?? string.Empty).Contains('g', StringComparison.Ordinal):
                return Calls.Rows(statement, at, end, AllGroups(text, Pattern(name, pattern, Flags(rest, 0), true, out int count), count));
            case "regexp_matches" when rest.Length <= 1:
                return Calls.Rows(statement, at, end, $"CASE WHEN {Matches(name, text, pattern, Flags(rest, 0), out string single, out int groups)} THEN [{Groups(text, single, groups)}] ELSE [] END");
            case "regexp_like" when rest.Length <= 1:
                return (end, $"regexp_matches({text.Text}, {Pattern(name, pattern, Flags(rest, 0), false, out _, extentMatters: false)})");
            case "regexp_count" when rest is [] or [{ Number: 1 }] or [{ Number: 1 }, { Constant: not null }]:
                return (end, $"CAST(len(regexp_extract_all({text.Text}, {Pattern(name, pattern, Flags(rest, 1), true, out _, groupsMatter: false)})) AS INTEGER)");
            case "regexp_substr" when rest is [] or [{ Number: 1 }]:
                return (end, $"CASE WHEN {Matches(name, text, pattern, null, out string found, out _)} THEN regexp_extract({text.Text}, {found}) END");
            case "regexp_substr" when rest is [{ Number: 1 }, { Number: > 0 }] or [{ Number: 1 }, { Number: > 0 }, { Constant: not null }]:
                return (end, string.Create(CultureInfo.InvariantCulture, $"regexp_extract_all({text.Text}, {Pattern(name, pattern, Flags(rest, 2), true, out _, groupsMatter: false)})[{rest[1].Number}]"));
            case "regexp_split_to_array" when rest.Length <= 1:
                return (end, $"string_split_regex({text.Text}, {Pattern(name, pattern, Flags(rest, 0), true, out _, groupsMatter: false)})");
            case "regexp_split_to_table" when rest.Length <= 1:
                return Calls.Rows(statement, at, end, $"string_split_regex({text.Text}, {Pattern(name, pattern, Flags(rest, 0), true, out _, groupsMatter: false)})");
            default:
                throw PgError.Unsupported($"{name}() is not supported with these arguments", "The engine's regexp_extract and regexp_extract_all take expressions in RE2's syntax.");
        }
    }

    /// <summary>The part of a text that a constant pattern finds: its first group if it has one.</summary>
    /// <exception cref="PgError">0A000: a pattern that the engine would read otherwise.</exception>
    public static string Substring(Argument text, Argument pattern)
    {
        string condition = Matches("substring", text, pattern, null, out string expression, out int groups);
        return $"CASE WHEN {condition} THEN regexp_extract({text.Text}, {expression}{(groups > 0 ? ", 1" : string.Empty)}) END";
    }

    private static string Matches(string name, Argument text, Argument pattern, string? flags, out string expression, out int groups)
    {
        expression = Pattern(name, pattern, flags, false, out groups);
        return $"regexp_matches({text.Text}, {expression})";
    }

    private static string Groups(Argument text, string expression, int groups) =>
        groups == 0 ? $"[regexp_extract({text.Text}, {expression})]"
            : $"[{string.Join(", ", Enumerable.Range(1, groups).Select(g => string.Create(CultureInfo.InvariantCulture, $"regexp_extract({text.Text}, {expression}, {g})")))}]";

    private static string AllGroups(Argument text, string expression, int groups)
    {
        string found = $"regexp_extract_all({text.Text}, {expression}";
        return groups == 0 ? $"list_transform({found}), lambda lakeholo_m: [lakeholo_m])"
            : $"list_transform(range(1, len({found})) + 1), lambda lakeholo_i: [{string.Join(", ", Enumerable.Range(1, groups).Select(g => string.Create(CultureInfo.InvariantCulture, $"{found}, {g})[lakeholo_i]")))}])";
    }

    private static string? Flags(Argument[] rest, int at) => at >= rest.Length ? null : rest[at].Constant ?? throw PgError.Unsupported("flags of regular expressions are supported as constants only");

    /// <summary>A pattern as the engine's constant.</summary>
    /// <param name="name">The function.</param>
    /// <param name="pattern">A constant.</param>
    /// <param name="flags">PostgreSQL's.</param>
    /// <param name="isRepeated">All matches are looked for.</param>
    /// <param name="groups">How many groups capture.</param>
    /// <param name="groupsMatter">What groups match is shown.</param>
    /// <param name="extentMatters">What the whole matches is shown.</param>
    private static string Pattern(string name, Argument pattern, string? flags, bool isRepeated, out int groups, bool groupsMatter = true, bool extentMatters = true)
    {
        if ((flags ?? string.Empty).FirstOrDefault(f => f is not ('g' or 'i' or 'c' or 's')) is not '\0' and var other)
        {
            throw PgError.Unsupported($"the flag {other} of regular expressions is not supported; g, i, c and s are");
        }

        bool ignoresCase = flags is not null && flags.LastIndexOf('i') > flags.LastIndexOf('c');
        string options = ignoresCase ? "(?is)" : "(?s)";
        if (pattern.Constant is not { } written)
        {
            groups = 0;
            return groupsMatter && extentMatters
                ? throw PgError.Unsupported($"{name}() is supported with a constant pattern only", "The engine's regexp_extract and regexp_extract_all take expressions in RE2's syntax.")
                : $"('{options}' || ({pattern.Text}))";
        }

        string? converted = Expressions.Convert(written);
        groups = Expressions.Groups(groupsMatter ? written : Ungrouped(written));
        if (converted is null || (groups < 0 && extentMatters) || (isRepeated && Expressions.CanBeEmpty(converted)))
        {
            throw PgError.Unsupported($"the regular expression '{written}' is not supported by {name}()", "What it matches could be something else than in PostgreSQL. The engine's regexp_extract and regexp_extract_all take expressions in RE2's syntax.");
        }

        return SqlText.Literal(options + converted);
    }

    // Groups that may be left out matter to nobody who does not see them.
    private static string Ungrouped(string pattern)
    {
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < pattern.Length; i++)
        {
            text.Append(pattern[i]);
            if (pattern[i] == '\\' && i + 1 < pattern.Length)
            {
                text.Append(pattern[++i]);
            }
            else if (pattern[i] == '(' && !(i + 1 < pattern.Length && pattern[i + 1] == '?'))
            {
                text.Append("?:");
            }
        }

        return text.ToString();
    }

    private static string By(string name, string text)
    {
        var by = new System.Text.StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            char next = text[i] == '\\' && i + 1 < text.Length ? text[i + 1] : '\0';
            if (text[i] != '\\')
            {
                by.Append(text[i]);
                continue;
            }

            by.Append(next switch
            {
                '&' => "\\0",
                '\\' or (>= '1' and <= '9') => $"\\{next}",
                _ => throw PgError.Unsupported($"{name}() is not supported with the replacement '{text}'", "\\1 to \\9, \\& and \\\\ are."),
            });
            i++;
        }

        return by.ToString();
    }
}
