using System.Globalization;

namespace LakeHolo.Accelerator.Queries;

/// <summary>A promoted query of the form <c>SELECT keys, aggregates FROM table WHERE … GROUP BY keys</c>, whose groups can be kept current by what was added and
/// taken away: by sums and counts, which have inverses, and by least and most, which are looked up again where the row that gave them went.</summary>
/// <param name="Columns">Its columns.</param>
/// <param name="Sql">The statement that gives the groups' states: columns <see cref="Key"/>, <see cref="Rows"/>, and per argument what its aggregates need.</param>
public sealed record RollUp(IReadOnlyList<RollUpColumn> Columns, string Sql)
{
    /// <summary>Begin of the names of a state's columns.</summary>
    public const string Prefix = "lakeholo_";

    /// <summary>Rows of a group.</summary>
    public const string Rows = "lakeholo_n";

    /// <summary>A column that the group goes by.</summary>
    public static string Key(int number) => Name('k', number);

    /// <summary>Values of an argument that are not NULL.</summary>
    public static string Count(int argument) => Name('m', argument);

    /// <summary>Their sum.</summary>
    public static string Sum(int argument) => Name('s', argument);

    /// <summary>Their average as the engine tells it.</summary>
    public static string Average(int argument) => Name('v', argument);

    /// <summary>The least of them.</summary>
    public static string Least(int argument) => Name('a', argument);

    /// <summary>The greatest.</summary>
    public static string Most(int argument) => Name('b', argument);

    /// <summary>Whether a sum of values of a type does not depend on the order in which they are added.</summary>
    public static bool IsExact(string type) => type is "TINYINT" or "SMALLINT" or "INTEGER" or "BIGINT" or "UTINYINT" or "USMALLINT" or "UINTEGER" || type.StartsWith("DECIMAL(", StringComparison.Ordinal);

    /// <summary>Whether an average of values of a type can be told from their sum and count, to the last bit: digits before and behind the point.</summary>
    public static (int Digits, int Scale)? AverageOf(string type)
    {
        switch (type)
        {
            case "TINYINT" or "SMALLINT" or "INTEGER":
                return (9, 0);
            case "BIGINT":
                return (18, 0);
            default:
                if (!type.StartsWith("DECIMAL(", StringComparison.Ordinal))
                {
                    return null;
                }

                string[] parts = type[8..^1].Split(',');
                (int digits, int scale) = (int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture));
                return digits <= 18 && scale <= 6 ? (digits, scale) : null;
        }
    }

    private static string Name(char letter, int number) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{letter}{number}");
}

/// <summary>A column of a roll-up.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Number">Of a key its number among the keys, of an aggregate that of its argument.</param>
/// <param name="ArgumentType">The engine's type of the argument; null without.</param>
public sealed record RollUpColumn(RollUpKind Kind, int Number, string? ArgumentType);

/// <summary>What a column of a roll-up is.</summary>
public enum RollUpKind
{
    /// <summary>One that groups go by.</summary>
    Key,

    /// <summary><c>count(*)</c>.</summary>
    Rows,

    /// <summary><c>count(x)</c>.</summary>
    Count,

    /// <summary><c>sum(x)</c>.</summary>
    Sum,

    /// <summary><c>avg(x)</c>.</summary>
    Average,

    /// <summary><c>min(x)</c>.</summary>
    Least,

    /// <summary><c>max(x)</c>.</summary>
    Most,
}
