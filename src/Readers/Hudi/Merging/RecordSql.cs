using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>Names and expressions of what merging needs beside the table's columns.</summary>
/// <remarks>A record in a merge has: <c>g</c> its slice, <c>seq</c> its place among the slice's log records, <c>k0</c>, … its key, <c>o</c> its ordering value,
/// <c>del</c> whether it is a deletion, <c>rst</c> whether it beats everything before it whatever the ordering values (a deletion without one, a
/// null that cannot be compared).</remarks>
internal sealed class RecordSql(HudiSnapshot snapshot, MergeRules rules)
{
    public const string Slice = "__hudi_g";
    public const string Sequence = "__hudi_seq";
    public const string Key = "__hudi_k";
    public const string Order = "__hudi_o";
    public const string IsDelete = "__hudi_del";
    public const string IsReset = "__hudi_rst";
    public const string Present = "__hudi_present";

    private readonly IReadOnlyList<Field> _ordering = [.. rules.Ordering.Select(name => snapshot.Columns.FirstOrDefault(c => c.Name == name)?.Field
        ?? throw LakeException.FeatureUnsupported($"Hudi: the ordering field {name} is not a column of the table", snapshot.Table.FullName))];

    /// <summary>Whether the later record always wins.</summary>
    public bool IsCommitTime => _ordering.Count == 0;

    /// <summary>Engine type of the ordering value.</summary>
    public string OrderType => IsCommitTime ? "INTEGER" : rules.IsSequenceText ? "HUGEINT[]"
        : _ordering.Count == 1 ? TypeOf(_ordering[0]) : "STRUCT(" + string.Join(", ", _ordering.Select(f => $"{SqlText.Identifier(f.Name)} {TypeOf(f)}")) + ")";

    /// <summary>Key, ordering value, deletion and reset of a data record.</summary>
    /// <param name="key">The parts of its key.</param>
    /// <param name="column">Gives the expression of a column of the file.</param>
    /// <param name="hasColumn">Whether the file has a column.</param>
    public string OfRecord(IReadOnlyList<string> key, Func<Field, string> column, Func<string, bool> hasColumn)
    {
        string delete = DeleteCondition(column, hasColumn);
        string anyNull = string.Join(" OR ", _ordering.Where(f => !IsIntegerLike(f.DataType)).Select(f => $"{column(f)} IS NULL").DefaultIfEmpty("false"));
        // The 32-bit zero (a null is one) on a deletion means "no ordering value". Several zeros together are a value (Hudi's OrderingValues).
        string isDefault = _ordering switch
        {
            [] => "true",
            [{ DataType: Int32Type } only] => $"coalesce({column(only)}, 0) = 0",
            [var only] => $"{column(only)} IS NULL",
            _ => "false",
        };
        return string.Concat(key.Select((k, i) => $"{k} AS {Key}{SliceScan.Text(i)}, ")) + $"{Ordering(column)} AS {Order}, coalesce({delete}, false) AS {IsDelete}, "
            + $"({anyNull}) OR (coalesce({delete}, false) AND ({isDefault})) AS {IsReset}";
    }

    /// <summary>The ordering value of a row; null where it cannot be compared.</summary>
    public string Ordering(Func<Field, string> column)
    {
        if (IsCommitTime)
        {
            return "0";
        }

        if (rules.IsSequenceText)
        {
            string text = column(_ordering[0]);
            return $"[CAST(split_part({text}, '.', -2) AS HUGEINT), CAST(split_part({text}, '.', -1) AS HUGEINT)]";
        }

        string[] parts = [.. _ordering.Select(f => IsIntegerLike(f.DataType) ? $"coalesce({column(f)}, {Zero(f.DataType)})" : Ordered(f, column(f)))];
        if (parts.Length == 1)
        {
            return parts[0];
        }

        string packed = "struct_pack(" + string.Join(", ", _ordering.Zip(parts, (f, p) => $"{SqlText.Identifier(f.Name)} := {p}")) + ")";
        string[] nullable = [.. _ordering.Zip(parts).Where(p => !IsIntegerLike(p.First.DataType)).Select(p => $"{p.Second} IS NULL")];
        return nullable.Length == 0 ? packed : $"CASE WHEN {string.Join(" OR ", nullable)} THEN NULL ELSE {packed} END";
    }

    /// <summary>The ordering value of a deleted key, from the text parts in columns <c>o0</c>, <c>o1</c>, …; null where there is none or it is of another type.</summary>
    public string OrderingOfDelete()
    {
        if (IsCommitTime)
        {
            return "NULL";
        }

        if (rules.IsSequenceText)
        {
            return "[TRY_CAST(split_part(o0, '.', -2) AS HUGEINT), TRY_CAST(split_part(o0, '.', -1) AS HUGEINT)]";
        }

        string[] parts = [.. _ordering.Select((f, i) => OrderingOfDelete(f, "o" + SliceScan.Text(i)))];
        return parts.Length == 1
            ? parts[0]
            : $"CASE WHEN {string.Join(" OR ", parts.Select(p => p + " IS NULL"))} THEN NULL ELSE struct_pack("
                + string.Join(", ", _ordering.Zip(parts, (f, p) => $"{SqlText.Identifier(f.Name)} := {p}")) + ") END";
    }

    // Writers hand on what their records hold: of dates and timestamps that is the number, in the unit of the table's schema.
    private string OrderingOfDelete(Field field, string text)
    {
        string number = $"TRY_CAST({text} AS BIGINT)";
        bool isMillis = snapshot.Columns.FirstOrDefault(c => c.Name == field.Name)?.LogicalType is { } logical && logical.EndsWith("-millis", StringComparison.Ordinal);
        string micros = isMillis ? $"{number} * 1000" : number;
        string? ofNumber = field.DataType switch
        {
            Date32Type => $"DATE '1970-01-01' + CAST({number} AS INTEGER)",
            TimestampType { Timezone: not null } => $"make_timestamptz({micros})",
            TimestampType => $"make_timestamp({micros})",
            Time64Type => $"CAST(make_timestamp({micros}) AS TIME)",
            _ => null,
        };
        string ofText = Ordered(field, $"TRY_CAST({text} AS {SqlText.TypeOf(field)})");
        return ofNumber is null ? ofText : $"CASE WHEN {number} IS NOT NULL THEN {ofNumber} ELSE {ofText} END";
    }

    /// <summary>How many text parts a deleted key's ordering value has.</summary>
    public int OrderingParts => Math.Max(1, _ordering.Count);

    private string DeleteCondition(Func<Field, string> column, Func<string, bool> hasColumn)
    {
        var conditions = new List<string>();
        if (hasColumn("_hoodie_is_deleted"))
        {
            conditions.Add(column(new Field("_hoodie_is_deleted", BooleanType.Default, true)));
        }

        if (hasColumn("_hoodie_operation"))
        {
            conditions.Add($"{column(new Field("_hoodie_operation", StringType.Default, true))} IN ('D', '-U')");
        }

        if (rules.Delete is { } delete && hasColumn(delete.Column) && snapshot.Columns.FirstOrDefault(c => c.Name == delete.Column) is { } marker)
        {
            string text = $"CAST({column(marker.Field)} AS VARCHAR)";
            conditions.Add(rules.IgnoresMarkerCase
                ? $"lower({text}) = {SqlText.Literal(delete.Marker.ToLowerInvariant())}"
                : $"{text} = {SqlText.Literal(delete.Marker)}");
        }

        return conditions.Count == 0 ? "false" : "(" + string.Join(" OR ", conditions.Select(c => $"coalesce({c}, false)")) + ")";
    }

    // Java's order of floating numbers: -0.0 is below 0.0, which the engine takes for equal; NaN is the greatest, as in the engine.
    private static string Ordered(Field field, string value) => field.DataType is FloatType or DoubleType
        ? $"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack(n := {value}, p := NOT signbit({value}) OR isnan({value})) END"
        : value;

    private static string TypeOf(Field field) => field.DataType is FloatType or DoubleType ? $"STRUCT(n {SqlText.TypeOf(field)}, p BOOLEAN)" : SqlText.TypeOf(field);

    private static bool IsIntegerLike(IArrowType type) => type is Int32Type or Int64Type or Date32Type or TimestampType or Time64Type;

    private static string Zero(IArrowType type) => type switch
    {
        Date32Type => "DATE '1970-01-01'",
        TimestampType { Timezone: not null } => "TIMESTAMPTZ '1970-01-01 00:00:00+00'",
        TimestampType => "TIMESTAMP '1970-01-01 00:00:00'",
        Time64Type => "TIME '00:00:00'",
        _ => "0",
    };
}
