using System.Globalization;
using System.Text.RegularExpressions;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Sql;

/// <summary>What may stand behind <c>PROMOTE TABLE name</c>: <c>(columns) WHERE condition LAST n DAYS ORDER BY columns WITH (option = value)</c>.</summary>
internal static partial class PromotionClause
{
    private const string Shape = "Expected PROMOTE TABLE schema.table [(column, …)] [WHERE partition condition] [LAST n DAYS] [ORDER BY column [DESC], …] [WITH (lookup = true, max_staleness = '5m', budget = '10GB')]";

    /// <summary>Reads the clause.</summary>
    /// <exception cref="LakeException">QueryInvalid, saying what is expected.</exception>
    public static PromotionSpec Parse(string text)
    {
        Match match = Clause().Match(text);
        if (!match.Success)
        {
            throw LakeException.QueryInvalid(Shape);
        }

        Dictionary<string, string> options = Options(match.Groups["with"].Value);
        return new PromotionSpec
        {
            Columns = match.Groups["columns"].Success ? [.. Names(match.Groups["columns"].Value).Select(Column)] : null,
            Where = match.Groups["where"].Success ? match.Groups["where"].Value.Trim() : null,
            LastDays = match.Groups["days"].Success ? int.Parse(match.Groups["days"].Value, CultureInfo.InvariantCulture) : null,
            OrderBy = [.. Names(match.Groups["order"].Value).Select(Sorted)],
            Lookup = options.Remove("lookup", out string? lookup) && Flag(lookup),
            MaxStaleness = options.Remove("max_staleness", out string? staleness) ? Duration(staleness) : TimeSpan.Zero,
            BudgetBytes = options.Remove("budget", out string? budget) ? Size(budget) : null,
        } is var spec && options.Count == 0
            ? spec
            : throw LakeException.QueryInvalid($"There is no option {options.Keys.First()} of a promotion; options are lookup, max_staleness and budget");
    }

    private static IEnumerable<string> Names(string list) => Item().Matches(list).Select(m => m.Value.Trim()).Where(n => n.Length > 0);

    private static string Column(string text) => Name().Match(text) is { Success: true } match ? Unquote(match.Groups["name"].Value) : throw LakeException.QueryInvalid(Shape);

    private static string Sorted(string text)
    {
        Match match = SortKey().Match(text);
        return !match.Success ? throw LakeException.QueryInvalid(Shape)
            : Unquote(match.Groups["name"].Value) + (match.Groups["desc"].Success ? " DESC" : string.Empty);
    }

    private static Dictionary<string, string> Options(string text)
    {
        var options = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (string item in Names(text))
        {
            Match match = Option().Match(item);
            options[match.Success ? match.Groups["name"].Value : throw LakeException.QueryInvalid(Shape)] = match.Groups["value"].Value.Trim('\'');
        }

        return options;
    }

    private static bool Flag(string text) => bool.TryParse(text, out bool flag) ? flag : throw LakeException.QueryInvalid($"lookup is true or false, not '{text}'");

    private static TimeSpan Duration(string text) => SessionOptions.TryDuration(text, out TimeSpan span)
        ? span
        : throw LakeException.QueryInvalid($"max_staleness is a duration such as '30s' or '5m', not '{text}'");

    private static long Size(string text) => SessionOptions.TrySize(text, out long size) && size > 0
        ? size
        : throw LakeException.QueryInvalid($"budget is a number of bytes such as '500MB' or '10GiB', not '{text}'");

    private static string Unquote(string name) => name[0] == '"' ? name[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal) : name;

    [GeneratedRegex(
        @"^\s*(?:\((?<columns>[^()]+)\))?\s*(?:\bWHERE\s+(?<where>.+?))?\s*(?:\bLAST\s+(?<days>\d{1,5})\s+DAYS?)?\s*(?:\bORDER\s+BY\s+(?<order>.+?))?\s*(?:\bWITH\s*\((?<with>[^()]*)\))?\s*$",
        RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Clause();

    [GeneratedRegex(@"(?:""(?:[^""]|"""")*""|'[^']*'|[^,])+")]
    private static partial Regex Item();

    [GeneratedRegex(@"^(?<name>""(?:[^""]|"""")+""|\w+)$")]
    private static partial Regex Name();

    [GeneratedRegex(@"^(?<name>""(?:[^""]|"""")+""|\w+)(?:\s+(?:ASC|(?<desc>DESC)))?$", RegexOptions.IgnoreCase)]
    private static partial Regex SortKey();

    [GeneratedRegex(@"^(?<name>\w+)\s*=\s*(?<value>'[^']*'|\w+)$")]
    private static partial Regex Option();
}
