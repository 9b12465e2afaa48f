using System.Globalization;
using System.Text.RegularExpressions;
using Apache.Arrow;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.HotTier;

/// <summary>How stored columns become those of a newer snapshot: renamed and dropped by the list alone, added and widened by ALTER TABLE.</summary>
/// <param name="Columns">The columns afterwards.</param>
/// <param name="Alterations">What stands behind ALTER TABLE. Harmless to readers of the columns as they were: what is added they do not know, and what is wider is cast back.</param>
/// <param name="Unproven">New columns of which older files may hold values.</param>
/// <param name="NextColumn">Next number of a stored column.</param>
internal sealed partial record ColumnPlan(
    IReadOnlyList<StoredColumn> Columns, IReadOnlyList<string> Alterations, IReadOnlyList<StoredColumn> Unproven, int NextColumn)
{
    private static readonly string[] Integers = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"];

    /// <summary>The columns of a promotion.</summary>
    /// <exception cref="LakeCatalog.LakeException">NotFound: the table has no such column.</exception>
    public static IReadOnlyList<StoredColumn> Initial(Snapshot snapshot, PromotionSpec promotion)
    {
        IEnumerable<Field> fields = snapshot.Schema.FieldsList;
        if (promotion.Columns is { } names)
        {
            fields = [.. names.Select(n => Find(snapshot, n)).Distinct()];
        }

        return [.. fields.Select((f, i) => Stored(snapshot, f, i))];
    }

    /// <summary>A column by its name, without regard to case.</summary>
    public static Field Find(Snapshot snapshot, string name) => snapshot.Schema.FieldsList.FirstOrDefault(f => f.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw LakeCatalog.LakeException.NotFound($"{snapshot.Table.FullName} has no column {name}");

    /// <summary>A column that is stored for the first time.</summary>
    public static StoredColumn Stored(Snapshot snapshot, Field field, int number) => new(
        field.Name, SqlText.TypeOf(field), snapshot.ColumnIdentity(field.Name), "c" + number.ToString(CultureInfo.InvariantCulture));

    /// <summary>Plans the change.</summary>
    /// <exception cref="CannotFollowException">A type changed in a way that is no widening, or nothing of the old columns is left.</exception>
    public static ColumnPlan Of(HotStamp stamp, Snapshot to, PromotionSpec promotion)
    {
        Dictionary<string, StoredColumn> known = stamp.Columns.ToDictionary(c => c.Identity, StringComparer.Ordinal);
        var columns = new List<StoredColumn>();
        var alterations = new List<string>();
        var unproven = new List<StoredColumn>();
        int next = stamp.NextColumn;
        foreach (Field field in to.Schema.FieldsList)
        {
            StoredColumn wanted = Stored(to, field, next);
            if (!known.TryGetValue(wanted.Identity, out StoredColumn? stored))
            {
                if (promotion.Columns is not null)
                {
                    continue;
                }

                next++;
                columns.Add(wanted);

                // Left over where a refresh was cut off between altering and its own transaction.
                alterations.Add($"DROP COLUMN IF EXISTS {wanted.Stored}");
                alterations.Add($"ADD COLUMN {wanted.Stored} {wanted.Type}");
                if (!to.HasColumnIdentities)
                {
                    unproven.Add(wanted);
                }

                continue;
            }

            if (stored.Type != wanted.Type)
            {
                alterations.Add(IsWider(stored.Type, wanted.Type)
                    ? $"ALTER COLUMN {stored.Stored} TYPE {wanted.Type}"
                    : throw new CannotFollowException($"the type of column {field.Name} changed from {stored.Type} to {wanted.Type}"));
            }

            columns.Add(wanted with { Stored = stored.Stored });
        }

        return columns.Exists(c => known.ContainsKey(c.Identity))
            ? new ColumnPlan(columns, alterations, unproven, next)
            : throw new CannotFollowException("none of its columns is left");
    }

    /// <summary>Whether every value of a type is one of another, and the engine's cast gives it.</summary>
    public static bool IsWider(string from, string to)
    {
        (int from, int to) integers = (System.Array.IndexOf(Integers, from), System.Array.IndexOf(Integers, to));
        if (integers.from >= 0 && integers.to >= 0)
        {
            return integers.to > integers.from;
        }

        if (to == "DOUBLE")
        {
            return from == "FLOAT" || integers.from is >= 0 and <= 2;
        }

        if (Decimal(to) is var (precision, scale))
        {
            int[] digits = [3, 5, 10, 19];
            (int Precision, int Scale)? old = integers.from >= 0 ? (digits[integers.from], 0) : Decimal(from);
            return old is var (oldPrecision, oldScale) && scale >= oldScale && precision - scale >= oldPrecision - oldScale;
        }

        return from == "DATE" && to == "TIMESTAMP";
    }

    private static (int Precision, int Scale)? Decimal(string type) => DecimalType().Match(type) is { Success: true } match
        ? (int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture))
        : null;

    [GeneratedRegex(@"^DECIMAL\((\d+),(\d+)\)$")]
    private static partial Regex DecimalType();
}

/// <summary>A copy cannot follow a difference exactly: it has to be built anew.</summary>
internal sealed class CannotFollowException(string why) : Exception(why);
