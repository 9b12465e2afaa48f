using System.Globalization;
using LakeHolo.Accelerator.Sources;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Planning;

/// <summary>Counts and extremes of whole tables, answered from metadata where these tell all of them exactly.</summary>
internal static class FactsQuery
{
    /// <summary>The name that stands for an aggregate.</summary>
    public static string NameOf(string nonce, int number) => string.Create(CultureInfo.InvariantCulture, $"{nonce}a{number}x");

    /// <summary>A statement with the names and types that the result is to have.</summary>
    public static string Named(string sql, IReadOnlyList<(string Name, string Type)> columns)
        => $"SELECT {string.Join(", ", columns.Select((c, i) => $"CAST(c{i} AS {c.Type}) AS {SqlText.Identifier(c.Name)}"))} FROM ({sql}) AS w({string.Join(", ", columns.Select((_, i) => $"c{i}"))})";

    /// <summary>The statement for the engine that gives the answer, of which version, by what facts, and the columns that were asked for; null where metadata do not tell all.</summary>
    public static (string Sql, ITableVersion Version, SnapshotFacts Facts, IReadOnlyList<string> Columns)? TryAnswer(BoundStatement bound)
    {
        if (bound.Shape.Aggregates is not { } shape || bound.Tables is not [{ Version: { } version }])
        {
            return null;
        }

        string[] columns = [.. shape.Asked.Select(a => a.Column).OfType<string>().Distinct(StringComparer.Ordinal)];
        if (version.Facts(columns) is not { } facts)
        {
            return null;
        }

        string sql = shape.Template;
        for (int i = 0; i < shape.Asked.Count; i++)
        {
            string? value = shape.Asked[i] switch
            {
                { Function: "count_star" } => Count(facts.Rows),
                { Function: "count", Column: { } c } => Count(facts.Columns[c].Values),
                { Function: "min", Column: { } c } => facts.Columns[c].Least,
                { Function: "max", Column: { } c } => facts.Columns[c].Greatest,
                _ => null,
            };
            if (value is null)
            {
                return null;
            }

            sql = sql.Replace(NameOf(bound.Shape.Nonce, i), value, StringComparison.Ordinal);
        }

        return (sql, version, facts, columns);
    }

    private static string? Count(long? rows) => rows is { } known ? string.Create(CultureInfo.InvariantCulture, $"CAST({known} AS BIGINT)") : null;
}
