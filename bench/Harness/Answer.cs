using System.Globalization;
using Apache.Arrow;

namespace LakeHolo.Bench.Harness;

/// <summary>Rows as text, for comparing answers; numbers that are not whole are compared with a tolerance, rows without regard to their order.</summary>
internal sealed class Answer(IReadOnlyList<string?[]> rows)
{
    private const double Tolerance = 1e-6;

    public IReadOnlyList<string?[]> Rows { get; } = rows;

    /// <summary>Reads and disposes batches.</summary>
    public static async Task<Answer> ReadAsync(IAsyncEnumerable<RecordBatch> batches)
    {
        var rows = new List<string?[]>();
        await foreach (RecordBatch batch in batches)
        {
            using (batch)
            {
                for (int row = 0; row < batch.Length; row++)
                {
                    rows.Add([.. Enumerable.Range(0, batch.ColumnCount).Select(c => Cell(batch.Column(c), row))]);
                }
            }
        }

        return new Answer(rows);
    }

    /// <summary>Null if both hold the same rows, else the first difference.</summary>
    public string? DifferenceFrom(Answer other)
    {
        if (Rows.Count != other.Rows.Count)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{Rows.Count} rows, {other.Rows.Count} there");
        }

        string?[][] mine = Sorted(Rows);
        string?[][] theirs = Sorted(other.Rows);
        for (int i = 0; i < mine.Length; i++)
        {
            if (mine[i].Length != theirs[i].Length || !mine[i].Zip(theirs[i]).All(p => Same(p.First, p.Second)))
            {
                return $"[{string.Join(", ", mine[i])}], [{string.Join(", ", theirs[i])}] there";
            }
        }

        return null;
    }

    private static string?[][] Sorted(IReadOnlyList<string?[]> rows)
        // Numbers that are not whole come last in the order: their last digits may differ.
        => [.. rows.OrderBy(r => string.Join('\u0001', r.Where(c => c is null || !IsReal(c))), StringComparer.Ordinal)
            .ThenBy(r => string.Join('\u0001', r.Where(c => c is not null && IsReal(c)).Select(Rounded)), StringComparer.Ordinal)];

    private static string Rounded(string? cell) => double.Parse(cell!, CultureInfo.InvariantCulture).ToString("E4", CultureInfo.InvariantCulture);

    private static bool IsReal(string cell) => cell.AsSpan().ContainsAny('.', 'e', 'E') && double.TryParse(cell, CultureInfo.InvariantCulture, out _);

    private static bool Same(string? a, string? b)
        => a == b || (a is not null && b is not null && double.TryParse(a, CultureInfo.InvariantCulture, out double x) && double.TryParse(b, CultureInfo.InvariantCulture, out double y)
            && Math.Abs(x - y) <= Tolerance * Math.Max(1, Math.Max(Math.Abs(x), Math.Abs(y))));

    private static string? Cell(IArrowArray array, int row) => array.IsNull(row) ? null : array switch
    {
        StringArray a => a.GetString(row),
        BooleanArray a => a.GetValue(row)!.Value ? "1" : "0",
        Int8Array a => Text(a.GetValue(row)),
        Int16Array a => Text(a.GetValue(row)),
        Int32Array a => Text(a.GetValue(row)),
        Int64Array a => Text(a.GetValue(row)),
        UInt8Array a => Text(a.GetValue(row)),
        UInt16Array a => Text(a.GetValue(row)),
        UInt32Array a => Text(a.GetValue(row)),
        UInt64Array a => Text(a.GetValue(row)),
        FloatArray a => Text(a.GetValue(row)),
        DoubleArray a => Text(a.GetValue(row)),
        Decimal128Array a => Decimal(a.GetString(row)),
        Date32Array a => a.GetDateTime(row)!.Value.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        TimestampArray a => a.GetTimestamp(row)!.Value.ToString("yyyy-MM-dd HH:mm:ss.FFFFFF", CultureInfo.InvariantCulture),
        _ => throw new NotSupportedException($"Answers with {array.Data.DataType.Name} are not compared"),
    };

    private static string Decimal(string text) => text.Contains('.', StringComparison.Ordinal) ? text.TrimEnd('0').TrimEnd('.') : text;

    private static string? Text<T>(T? value)
        where T : struct, IFormattable => value?.ToString(null, CultureInfo.InvariantCulture);
}

/// <summary>Comparing answers of contenders.</summary>
internal static class Answers
{
    /// <exception cref="InvalidOperationException">They differ: a benchmark of wrong answers is worth nothing.</exception>
    public static async Task CompareAsync(string query, Task<Answer> ours, Task<Answer> peer)
    {
        Answer answer = await ours;
        if (answer.DifferenceFrom(await peer) is { } difference)
        {
            throw new InvalidOperationException($"{query}: the answers differ: {difference}");
        }
    }
}
