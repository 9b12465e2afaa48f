using System.Globalization;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Paimon.MergeEngines;

/// <summary>An aggregate function of one column, as SQL over an accumulator and an input.</summary>
/// <param name="Column">The column.</param>
/// <param name="Name">The function, as the option spells it.</param>
/// <param name="Options">The table's options.</param>
internal sealed record AggregateFunction(PaimonField Column, string Name, MergeOptions Options)
{
    private const string FirstValueName = "first_value";

    private string Type => PaimonColumns.TypeOf(Column);

    /// <summary>Whether the function needs to know if it ever had an input: a first NULL counts, too.</summary>
    public bool NeedsStartFlag => Name == FirstValueName;

    /// <summary>The accumulator after an added row; null if the function is not supported for this column.</summary>
    /// <param name="acc">Accumulator.</param>
    /// <param name="x">Input.</param>
    /// <param name="started">Whether there was an input before; only of interest with <see cref="NeedsStartFlag"/>.</param>
    public string? Add(string acc, string x, string started) => Name switch
    {
        "sum" => Sum(acc, x),
        "product" => Product(acc, x),
        "max" when Comparable => Skip(acc, x, Pick(acc, x, ">")),
        "min" when Comparable => Skip(acc, x, Pick(acc, x, "<")),
        "last_value" or "primary-key" => x,
        "last_non_null_value" => $"coalesce({x}, {acc})",
        FirstValueName => $"CASE WHEN {started} THEN {acc} ELSE {x} END",
        "first_non_null_value" or "first_not_null_value" => $"coalesce({acc}, {x})",
        "bool_and" when Column.Type.Kind == PaimonTypeKind.Boolean => Skip(acc, x, $"({acc} AND {x})"),
        "bool_or" when Column.Type.Kind == PaimonTypeKind.Boolean => Skip(acc, x, $"({acc} OR {x})"),
        "listagg" when Column.Type.IsString => ListAgg(acc, x),
        "collect" when Column.Type.Kind == PaimonTypeKind.Array => Collect(acc, x),
        "merge_map" when Column.Type.Kind == PaimonTypeKind.Map => Skip(acc, x, $"map_concat({acc}, {x})"),
        "merge_map_with_keytime" when Column.Type.Kind == PaimonTypeKind.Map && Column.Type.Value!.Fields.Count > 0 => Skip(acc, x, MergeByTime(acc, x)),
        "nested_update" when IsRowArray && !HasNewNestedOptions => NestedUpdate(acc, x),
        "nested_partial_update" when IsRowArray && NestedKey.Count > 0 && !HasNewNestedOptions => Skip(acc, x, NestedPartialUpdate(acc, x)),
        _ => null,
    };

    /// <summary>As <see cref="Add"/>, with the input taken as the earlier of the two.</summary>
    public string? AddReversed(string acc, string x, string started) => Name == "collect" && !IgnoreRetract ? Add(acc, x, started) : Add(x, acc, started);

    /// <summary>The accumulator after a retracted row; null if the function cannot retract.</summary>
    public string? Retract(string acc, string x)
    {
        if (IgnoreRetract)
        {
            return acc;
        }

        return Name switch
        {
            "sum" => SumRetract(acc, x),
            "product" when Column.Type.IsInteger => Skip(acc, acc, $"CASE WHEN {x} IS NULL THEN {acc} WHEN {x} = 0 THEN error('product retracts a zero') ELSE CAST({acc} // {x} AS {Type}) END"),
            "product" when Column.Type.IsFloating => $"CASE WHEN {x} IS NULL OR {acc} IS NULL THEN {acc} ELSE CAST({acc} / {x} AS {Type}) END",
            "last_value" => $"CAST(NULL AS {Type})",
            "last_non_null_value" => $"CASE WHEN {x} IS NULL THEN {acc} ELSE NULL END",
            "primary-key" => x,
            "collect" => $"CASE WHEN {x} IS NULL OR {acc} IS NULL THEN {acc} ELSE list_filter({acc}, lambda e, i: "
                + $"len(list_filter({acc}[1:i], lambda q: q IS NOT DISTINCT FROM e)) > len(list_filter({x}, lambda q: q IS NOT DISTINCT FROM e))) END",
            "merge_map" => $"CASE WHEN {x} IS NULL OR {acc} IS NULL THEN {acc} ELSE map_from_entries(list_filter(map_entries({acc}), lambda e: NOT list_contains(map_keys({x}), e.key))) END",
            "nested_update" when !HasNewNestedOptions => NestedRetract(acc, x),
            _ => null,
        };
    }

    private bool IgnoreRetract => Options.FieldFlag(Column.Name, "ignore-retract");

    private bool Comparable => !Column.Type.IsNested && Column.Type.Kind is not (PaimonTypeKind.Variant or PaimonTypeKind.Blob);

    private bool IsRowArray => Column.Type.Kind == PaimonTypeKind.Array && Column.Type.Element!.Kind == PaimonTypeKind.Row;

    private bool HasNewNestedOptions => Options.FieldOption(Column.Name, "nested-sequence-field") is not null
        || Options.FieldOption(Column.Name, "nested-key-null-strategy") is not null;

    private bool IsDistinct => Options.FieldFlag(Column.Name, "distinct");

    private IReadOnlyList<string> NestedKey => MergeOptions.Split(Options.FieldOption(Column.Name, "nested-key"));

    private static string Skip(string acc, string x, string otherwise) => $"CASE WHEN {x} IS NULL THEN {acc} WHEN {acc} IS NULL THEN {x} ELSE {otherwise} END";

    private string Pick(string acc, string x, string comparison)
    {
        // −0.0 is below +0.0 for Paimon, equal for the engine.
        string zero = !Column.Type.IsFloating ? "" : comparison == ">"
            ? $" OR ({x} = {acc} AND signbit({acc}) AND NOT signbit({x}))"
            : $" OR ({x} = {acc} AND signbit({x}) AND NOT signbit({acc}))";
        return $"CASE WHEN {x} {comparison} {acc}{zero} THEN {x} ELSE {acc} END";
    }

    private string? Sum(string acc, string x)
    {
        string? sum = Arithmetic($"{acc} + {x}", $"CAST({acc} AS HUGEINT) + CAST({x} AS HUGEINT)");
        return sum is null ? null : Skip(acc, x, sum);
    }

    private string? SumRetract(string acc, string x)
    {
        string? difference = Arithmetic($"{acc} - {x}", $"CAST({acc} AS HUGEINT) - CAST({x} AS HUGEINT)");
        string? negative = Arithmetic($"-{x}", $"-CAST({x} AS HUGEINT)");
        return difference is null ? null : $"CASE WHEN {x} IS NULL THEN {acc} WHEN {acc} IS NULL THEN {negative} ELSE {difference} END";
    }

    private string? Product(string acc, string x)
    {
        // Both factors' digits must fit into the engine's widest decimal.
        if (Column.Type.Kind == PaimonTypeKind.Decimal && Column.Type.Length * 2 > 38)
        {
            return null;
        }

        string? product = Arithmetic($"{acc} * {x}", $"CAST({acc} AS HUGEINT) * CAST({x} AS HUGEINT)");
        return product is null ? null : Skip(acc, x, product);
    }

    // Integers wrap, unless the table wants an error; a decimal that does not fit becomes NULL, or an error where the writer would have kept more digits than the type has.
    private string? Arithmetic(string plain, string wide) => Column.Type switch
    {
        { IsInteger: true } when Options.FieldFlag(Column.Name, Name + ".fail-on-overflow") => $"CAST({wide} AS {Type})",
        { IsInteger: true } type => PaimonCasts.Integer(wide, type, fits: false),
        { IsFloating: true } => $"CAST({plain} AS {Type})",
        { Kind: PaimonTypeKind.Decimal, Length: 38 } => $"TRY_CAST(TRY({plain}) AS {Type})",
        { Kind: PaimonTypeKind.Decimal, Length: > 18 } => $"TRY_CAST({plain} AS {Type})",
        { Kind: PaimonTypeKind.Decimal } => Name == "product" ? $"TRY_CAST({plain} AS {Type})" : $"CAST({plain} AS {Type})",
        _ => null,
    };

    private string ListAgg(string acc, string x)
    {
        string delimiter = SqlText.Literal(Options.FieldOption(Column.Name, "list-agg-delimiter") ?? ",");
        string appended = $"{acc} || {delimiter} || {x}";
        if (IsDistinct)
        {
            string tokens = $"string_split({x}, {delimiter})";
            string fresh = $"list_filter({tokens}, lambda t, i: t <> '' AND list_position({tokens}, t) = i AND NOT list_contains(string_split({acc}, {delimiter}), t))";
            appended = $"{acc} || array_to_string(list_transform({fresh}, lambda t: {delimiter} || t), '')";
        }

        return $"CASE WHEN {x} IS NULL THEN {acc} WHEN {acc} IS NULL THEN {x} WHEN {x} = '' THEN {acc} WHEN {acc} = '' THEN {x} ELSE {appended} END";
    }

    private string Collect(string acc, string x)
    {
        if (!IsDistinct)
        {
            return Skip(acc, x, $"list_concat({acc}, {x})");
        }

        string all = $"CASE WHEN {x} IS NULL THEN {acc} WHEN {acc} IS NULL THEN {x} ELSE list_concat({acc}, {x}) END";
        return $"CASE WHEN {x} IS NULL AND {acc} IS NULL THEN NULL ELSE "
            + $"{Bind(all, "list_filter(c, lambda e, i: len(list_filter(c[1:i-1], lambda q: q IS NOT DISTINCT FROM e)) = 0)")} END";
    }

    private string NestedUpdate(string acc, string x)
    {
        string limit = Options.FieldOption(Column.Name, "count-limit") is string text && int.TryParse(text, CultureInfo.InvariantCulture, out int n)
            ? n.ToString(CultureInfo.InvariantCulture)
            : "2147483647";
        // What comes first is taken as it is: rows that are NULL, or too many, too. So does FieldNestedUpdateAgg.java up to 1.4.
        string joined = $"list_concat({Rows(acc)}, {Rows(x)}[1:greatest({limit} - len({acc}), 0)])";
        string merged = NestedKey.Count == 0 ? joined : Bind(joined, $"list_filter(c, lambda e, i: {IsLast})");
        return $"CASE WHEN {x} IS NULL THEN {acc} WHEN {acc} IS NULL THEN {x} WHEN len({acc}) >= {limit} THEN {acc} ELSE {merged} END";
    }

    private string NestedRetract(string acc, string x)
    {
        string gone = NestedKey.Count == 0 ? "q IS NOT DISTINCT FROM e" : SameKey("q", "e");
        string kept = Bind(Rows(acc), $"list_filter(c, lambda e, i: {(NestedKey.Count == 0 ? "true" : IsLast)} AND len(list_filter({Rows(x)}, lambda q: {gone})) = 0)");
        return $"CASE WHEN {x} IS NULL OR {acc} IS NULL THEN {acc} ELSE {kept} END";
    }

    // Of rows e of a list c, at i: whether none behind it has its key.
    private string IsLast => $"len(list_filter(c[i+1:], lambda q: {SameKey("q", "e")})) = 0";

    private static string Rows(string list) => $"list_filter({list}, lambda q: q IS NOT NULL)";

    private string NestedPartialUpdate(string acc, string x)
    {
        string all = $"list_filter(list_concat({acc}, {x}), lambda q: q IS NOT NULL)";
        IEnumerable<string> members = Column.Type.Element!.Fields.Select(f =>
            $"{SqlText.Identifier(f.Name)} := list_filter(list_transform(list_filter(c, lambda q: {SameKey("q", "e")}), lambda q: {Member("q", f.Name)}), lambda v: v IS NOT NULL)[-1]");
        string first = $"list_filter(c, lambda e, i: len(list_filter(c[1:i-1], lambda q: {SameKey("q", "e")})) = 0)";
        return Bind(all, $"list_transform({first}, lambda e: struct_pack({string.Join(", ", members)}))");
    }

    // A NULL row removes its key, a row without a time changes nothing, and a time is newer if its text is larger.
    private string MergeByTime(string acc, string x)
    {
        string field = Options.FieldOption(Column.Name, "ts-field") ?? Column.Type.Value!.Fields[^1].Name;
        string Time(string row) => $"CAST({Member(row, field)} AS VARCHAR)";
        string other = $"map_extract_value({x}, e.key)";
        string mine = $"map_extract_value({acc}, e.key)";
        string kept = $"NOT map_contains({x}, e.key) OR ({other} IS NOT NULL AND ({Time(other)} IS NULL OR coalesce({Time(other)} <= {Time("e.value")}, false)))";
        string taken = $"e.value IS NOT NULL AND {Time("e.value")} IS NOT NULL AND coalesce({Time("e.value")} > {Time(mine)}, true)";
        return $"map_from_entries(list_concat(list_filter(map_entries({acc}), lambda e: {kept}), list_filter(map_entries({x}), lambda e: {taken})))";
    }

    private string SameKey(string a, string b) => string.Join(" AND ", NestedKey.Select(k => $"{Member(a, k)} IS NOT DISTINCT FROM {Member(b, k)}"));

    private static string Member(string row, string field) => $"struct_extract({row}, {SqlText.Literal(field)})";

    /// <summary>Names a value <c>c</c> inside an expression.</summary>
    private static string Bind(string value, string body) => $"list_transform([{value}], lambda c: {body})[1]";
}
