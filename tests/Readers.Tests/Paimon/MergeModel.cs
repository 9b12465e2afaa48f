using System.Globalization;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>A version of a key as a run holds it.</summary>
/// <param name="Level">Level of the run.</param>
/// <param name="Kind">0 +I, 1 -U, 2 +U, 3 -D.</param>
/// <param name="Sequence">Sequence number.</param>
/// <param name="Values">Values by column; the first is the key.</param>
internal sealed record ModelRow(int Level, int Kind, long Sequence, object?[] Values)
{
    public bool IsRetract => Kind is 1 or 3;
}

/// <summary>Merges the versions of one key row by row, as the format's rules are written down: slow, plain, and apart from the reader's own code.</summary>
internal sealed class MergeModel(IReadOnlyList<string> columns, IReadOnlyDictionary<string, string> options)
{
    private readonly string _engine = options.GetValueOrDefault("merge-engine", "deduplicate");
    private readonly string[] _sequence = Split(options.GetValueOrDefault("sequence.field"));
    private readonly bool _descending = options.GetValueOrDefault("sequence.field.sort-order") == "descending";
    private readonly bool _ignoreDelete = options.GetValueOrDefault("ignore-delete") == "true";
    private readonly List<(string[] Sequence, string[] Protected)> _groups =
        [.. options.Where(o => o.Key.EndsWith(".sequence-group", StringComparison.Ordinal)).Select(o => (Split(o.Key["fields.".Length..^".sequence-group".Length]), Split(o.Value)))];

    private bool IsLookup => _engine != "first-row" && (options.GetValueOrDefault("changelog-producer") == "lookup" || options.GetValueOrDefault("force-lookup") == "true" || HasVectors);

    private bool HasVectors => options.GetValueOrDefault("deletion-vectors.enabled") == "true";

    // Level 0 is not there before it was compacted.
    private bool SkipsLevelZero => _engine == "first-row" || (HasVectors && options.GetValueOrDefault("deletion-vectors.merge-on-read") != "true");

    /// <summary>The key's row and its kind (1 and 3: the key has no row, and these are the values of what removed it), or null if nothing is left of it.</summary>
    public (int Kind, object?[] Values)? Merge(IEnumerable<ModelRow> versions)
    {
        List<ModelRow> rows = [.. versions.Where(v => !SkipsLevelZero || v.Level > 0)];
        rows.Sort(Compare);
        if (rows.Count == 0)
        {
            return null;
        }

        if (rows.Count == 1)
        {
            return (rows[0].Kind, rows[0].Values);
        }

        if (IsLookup)
        {
            int lowest = rows.Where(r => r.Level > 0).Select(r => r.Level).DefaultIfEmpty(-1).Min();
            rows.RemoveAll(r => r.Level > 0 && r.Level != lowest);
        }

        switch (_engine)
        {
            case "deduplicate":
                ModelRow? last = rows.LastOrDefault(r => !_ignoreDelete || !r.IsRetract);
                return last is null ? null : (last.Kind, last.Values);
            case "first-row":
                return rows.FirstOrDefault(r => !r.IsRetract) is ModelRow first ? (first.Kind, first.Values) : null;
            case "aggregation":
                return Aggregate(rows);
            default:
                return PartialUpdate(rows);
        }
    }

    private int Compare(ModelRow a, ModelRow b)
    {
        foreach (string column in _sequence)
        {
            object? x = a.Values[At(column)];
            object? y = b.Values[At(column)];
            int order = CompareValues(x, y);
            if (order != 0)
            {
                return _descending && x is not null && y is not null ? -order : order;
            }
        }

        return a.Sequence != b.Sequence ? a.Sequence.CompareTo(b.Sequence) : b.IsRetract.CompareTo(a.IsRetract);
    }

    private (int Kind, object?[] Values) Aggregate(List<ModelRow> rows)
    {
        bool removes = options.GetValueOrDefault("aggregation.remove-record-on-delete") == "true";
        object?[] acc = new object?[columns.Count];
        bool[] started = new bool[columns.Count];
        bool deleted = false;
        foreach (ModelRow row in rows)
        {
            deleted = removes && row.Kind == 3;
            if (deleted)
            {
                acc = [.. row.Values];
                continue;
            }

            for (int i = 0; i < columns.Count; i++)
            {
                string function = _sequence.Contains(columns[i]) ? "last_value" : i == 0 ? "primary-key" : FunctionOf(i) ?? "last_non_null_value";
                acc[i] = row.IsRetract ? Retract(function, i, acc[i], row.Values[i]) : Add(function, i, acc[i], row.Values[i], ref started[i]);
            }
        }

        return (deleted ? 3 : 0, acc);
    }

    private (int Kind, object?[] Values) PartialUpdate(List<ModelRow> rows)
    {
        object?[] acc = new object?[columns.Count];
        bool[] started = new bool[columns.Count];
        bool any = false;
        bool added = false;
        bool deleted = false;
        foreach (ModelRow row in rows)
        {
            deleted = false;
            if (row.IsRetract)
            {
                if (!any)
                {
                    acc = [.. row.Values];
                }

                any = true;
                if (_ignoreDelete)
                {
                    continue;
                }

                if (_groups.Count > 0)
                {
                    deleted = RetractGroups(acc, row);
                }
                else if (options.GetValueOrDefault("partial-update.remove-record-on-delete") == "true")
                {
                    if (row.Kind == 3)
                    {
                        row.Values.CopyTo(acc, 0);
                        deleted = true;
                    }
                }
                else
                {
                    throw new InvalidOperationException("a retract row without a policy");
                }

                continue;
            }

            any = added = true;
            for (int i = 0; i < columns.Count; i++)
            {
                object? input = row.Values[i];
                if (GroupOf(columns[i]) is not { } group)
                {
                    acc[i] = input ?? acc[i];
                }
                else if (!group.Sequence.All(s => row.Values[At(s)] is null))
                {
                    string? function = group.Sequence.Contains(columns[i]) ? null : FunctionOf(i);
                    if (IsNewer(group.Sequence, row.Values, acc))
                    {
                        if (group.Sequence.Contains(columns[i]))
                        {
                            foreach (string s in group.Sequence)
                            {
                                acc[At(s)] = row.Values[At(s)];
                            }
                        }
                        else
                        {
                            acc[i] = function is null ? input : Add(function, i, acc[i], input, ref started[i]);
                        }
                    }
                    else if (function is not null)
                    {
                        bool never = false;
                        acc[i] = Add(function, i, input, acc[i], ref never);
                    }
                }
            }
        }

        return (deleted || !added ? 3 : 0, acc);
    }

    private bool RetractGroups(object?[] acc, ModelRow row)
    {
        string[] removing = Split(options.GetValueOrDefault("partial-update.remove-record-on-sequence-group"));
        for (int i = 0; i < columns.Count; i++)
        {
            if (GroupOf(columns[i]) is not { } group || group.Sequence.All(s => row.Values[At(s)] is null))
            {
                continue;
            }

            string? function = group.Sequence.Contains(columns[i]) ? null : FunctionOf(i);
            if (!IsNewer(group.Sequence, row.Values, acc))
            {
                acc[i] = function is null ? acc[i] : Retract(function, i, acc[i], row.Values[i]);
                continue;
            }

            if (row.Kind == 3 && group.Sequence.Any(removing.Contains))
            {
                row.Values.CopyTo(acc, 0);
                return true;
            }

            if (group.Sequence.Contains(columns[i]))
            {
                foreach (string s in group.Sequence)
                {
                    acc[At(s)] = row.Values[At(s)];
                }
            }
            else
            {
                acc[i] = function is null ? null : Retract(function, i, acc[i], row.Values[i]);
            }
        }

        return false;
    }

    private (string[] Sequence, string[] Protected)? GroupOf(string column)
    {
        foreach ((string[] Sequence, string[] Protected) group in _groups)
        {
            if (group.Sequence.Contains(column) || group.Protected.Contains(column))
            {
                return group;
            }
        }

        return null;
    }

    private bool IsNewer(string[] sequence, object?[] incoming, object?[] current)
    {
        foreach (string column in sequence)
        {
            int order = CompareValues(incoming[At(column)], current[At(column)]);
            if (order != 0)
            {
                return order > 0;
            }
        }

        return true;
    }

    private string? FunctionOf(int i) => options.GetValueOrDefault($"fields.{columns[i]}.aggregate-function") ?? options.GetValueOrDefault("fields.default-aggregate-function");

    private object? Retract(string function, int i, object? acc, object? x)
    {
        if (options.GetValueOrDefault($"fields.{columns[i]}.ignore-retract") == "true")
        {
            return acc;
        }

        return function switch
        {
            "primary-key" => x,
            "sum" => x is null ? acc : unchecked((int)((acc is null ? 0 : (int)acc) - (int)x)),
            "product" => x is null || acc is null ? acc : (int)acc / (int)x,
            "last_value" => null,
            "last_non_null_value" => x is null ? acc : null,
            _ => throw new InvalidOperationException(function + " cannot retract"),
        };
    }

    private static object? Add(string function, int i, object? acc, object? x, ref bool started)
    {
        bool first = !started;
        started = true;
        return function switch
        {
            "primary-key" or "last_value" => x,
            "last_non_null_value" => x ?? acc,
            "first_value" => first ? x : acc,
            "first_non_null_value" => acc ?? x,
            _ when x is null => acc,
            _ when acc is null => x,
            "sum" => unchecked((int)acc + (int)x),
            "product" => unchecked((int)acc * (int)x),
            "max" => CompareValues(x, acc) > 0 ? x : acc,
            "min" => CompareValues(x, acc) < 0 ? x : acc,
            "bool_and" => (bool)acc && (bool)x,
            "bool_or" => (bool)acc || (bool)x,
            "listagg" => (string)x == "" ? acc : (string)acc == "" ? x : string.Create(CultureInfo.InvariantCulture, $"{acc},{x}"),
            _ => throw new InvalidOperationException(function + i.ToString(CultureInfo.InvariantCulture)),
        };
    }

    private int At(string column)
    {
        for (int i = 0; i < columns.Count; i++)
        {
            if (columns[i] == column)
            {
                return i;
            }
        }

        throw new InvalidOperationException(column);
    }

    private static int CompareValues(object? a, object? b) => (a, b) switch
    {
        (null, null) => 0,
        (null, _) => -1,
        (_, null) => 1,
        (string x, string y) => string.CompareOrdinal(x, y),
        (double x, double y) => double.IsNaN(x) || double.IsNaN(y) ? double.IsNaN(x).CompareTo(double.IsNaN(y))
            : x == 0 && y == 0 ? double.IsNegative(y).CompareTo(double.IsNegative(x)) : x.CompareTo(y),
        _ => ((IComparable)a).CompareTo(b),
    };

    private static string[] Split(string? list) => list is null ? [] : list.Split(',', StringSplitOptions.TrimEntries);
}
