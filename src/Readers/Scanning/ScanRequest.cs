namespace LakeHolo.Readers.Scanning;

/// <summary>What a query needs from a table.</summary>
public sealed record ScanRequest
{
    /// <summary>Names of the needed columns (schema spelling), or null for all. A plan may yield more, never fewer.</summary>
    public IReadOnlyList<string>? Columns { get; init; }

    /// <summary>A condition that every needed row fulfils, for pruning; null for none. The engine applies it again, so a part that is not understood is ignored.</summary>
    public ScanFilter? Filter { get; init; }

    /// <summary>Which view of the table: null for the snapshot's rows, <c>ro</c> for Hudi's and Paimon's read-optimised view.</summary>
    public string? View { get; init; }

    /// <summary>Which units are read (see <see cref="IUnitReader"/>); null for all.</summary>
    public UnitSelection? Units { get; init; }

    /// <summary>Whether the relation begins with the columns <see cref="RowOrigin.Unit"/> and <see cref="RowOrigin.Position"/>; for an <see cref="IUnitReader"/>.</summary>
    public bool WithOrigin { get; init; }

    /// <summary>Whether rows are only counted: <see cref="Columns"/> names one whose values nobody looks at.</summary>
    public bool OnlyCounts { get; init; }

    /// <summary>Which rows are wanted first: the engine stops looking at row groups that cannot give any better. A hint for the order of files; null for none.</summary>
    public ScanOrder? Order { get; init; }

    /// <summary>Whether the scan may name files that are still under way (<see cref="TableScan.Arrivals"/>).</summary>
    public bool FilesMayArrive { get; init; }

    /// <summary>Everything.</summary>
    public static ScanRequest All { get; } = new();
}

/// <summary>The rows with the least, or greatest, values of a column are wanted first.</summary>
/// <param name="Column">A column (schema spelling), or something that is none.</param>
/// <param name="Descending">The greatest.</param>
public sealed record ScanOrder(string Column, bool Descending);

/// <summary>A condition over columns, in SQL's three-valued logic; a row is needed only if it is true.</summary>
/// <remarks>A field of a struct is named by the names on the way to it, joined by <see cref="FieldSeparator"/>; readers that know no such column ignore it.</remarks>
public abstract record ScanFilter
{
    /// <summary>Between the names of a struct column and its fields.</summary>
    public const char FieldSeparator = '\u001f';

    private ScanFilter()
    {
    }

    /// <summary>All parts hold.</summary>
    public sealed record And(IReadOnlyList<ScanFilter> Parts) : ScanFilter;

    /// <summary>At least one part holds.</summary>
    public sealed record Or(IReadOnlyList<ScanFilter> Parts) : ScanFilter;

    /// <summary>The part is false (not null).</summary>
    public sealed record Not(ScanFilter Part) : ScanFilter;

    /// <summary>Column compared to a literal.</summary>
    public sealed record Compare(string Column, ScanComparison Operator, ScanLiteral Value) : ScanFilter;

    /// <summary>Column equals one of the literals.</summary>
    public sealed record In(string Column, IReadOnlyList<ScanLiteral> Values) : ScanFilter;

    /// <summary>Column is null.</summary>
    public sealed record IsNull(string Column) : ScanFilter;

    /// <summary>Column is not null.</summary>
    public sealed record IsNotNull(string Column) : ScanFilter;

    /// <summary>Any other deterministic condition over one column, in the engine's SQL: it can be evaluated on values that a whole file has (partition
    /// values), and otherwise says nothing.</summary>
    public sealed record Expression(string Column, string Sql) : ScanFilter;

    /// <summary>String column begins with the text (UTF-8 order).</summary>
    public sealed record StartsWith(string Column, string Prefix) : ScanFilter;
}

/// <summary>Comparison operators.</summary>
public enum ScanComparison
{
    /// <summary>=</summary>
    Equal,

    /// <summary>&lt;&gt;</summary>
    NotEqual,

    /// <summary>&lt;</summary>
    Less,

    /// <summary>&lt;=</summary>
    LessOrEqual,

    /// <summary>&gt;</summary>
    Greater,

    /// <summary>&gt;=</summary>
    GreaterOrEqual,
}

/// <summary>What the operators mean.</summary>
internal static class ScanComparisons
{
    /// <summary>Whether a comparison holds, given how the value is ordered against the literal (negative, zero, positive).</summary>
    public static bool Holds(this ScanComparison comparison, int order) => comparison switch
    {
        ScanComparison.Equal => order == 0,
        ScanComparison.NotEqual => order != 0,
        ScanComparison.Less => order < 0,
        ScanComparison.LessOrEqual => order <= 0,
        ScanComparison.Greater => order > 0,
        _ => order >= 0,
    };
}

/// <summary>A non-null literal of the column's own type (the planner casts before it gets here).</summary>
/// <param name="Value">bool, long (all integers), Int128, double (float and double), <see cref="ScanDecimal"/>, string, byte[],
/// <see cref="DateOnly"/>, <see cref="ScanTimestamp"/>.</param>
public sealed record ScanLiteral(object Value);

/// <summary>A timestamp: microseconds since 1970-01-01T00:00:00, an instant in UTC or a wall clock time, as the column is.</summary>
public readonly record struct ScanTimestamp(long EpochMicros);
