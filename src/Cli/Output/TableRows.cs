using System.Globalization;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.Cli.Output;

/// <summary>A table for people: fitted to the width of the terminal, numbers to the right, long results cut with a note of how many rows there are.</summary>
internal sealed class TableRows(TextWriter writer, int width, int maxRows) : IRowWriter
{
    private const int MinColumnWidth = 6;

    private readonly List<string[]> _rows = [];
    private string[] _names = [];
    private bool[] _right = [];
    private long _count;

    public ValueTask BeginAsync(Schema schema)
    {
        _names = [.. schema.FieldsList.Select(f => Clean(f.Name))];
        _right = [.. schema.FieldsList.Select(f => f.DataType is NumberType or Decimal128Type)];
        return ValueTask.CompletedTask;
    }

    public ValueTask WriteAsync(RecordBatch batch, CancellationToken cancellationToken)
    {
        for (int row = 0; row < batch.Length && _rows.Count < maxRows; row++)
        {
            _rows.Add([.. Enumerable.Range(0, batch.ColumnCount).Select(c => Clean(CellText.Of(batch.Column(c), row) ?? "NULL"))]);
        }

        _count += batch.Length;
        return ValueTask.CompletedTask;
    }

    public async ValueTask EndAsync()
    {
        if (_names.Length == 0)
        {
            return;
        }

        int[] widths = Widths();
        await writer.WriteLineAsync(Line(_names, widths, new bool[_names.Length]));
        await writer.WriteLineAsync(string.Join("─┼─", widths.Select(w => new string('─', w))));
        foreach (string[] row in _rows)
        {
            await writer.WriteLineAsync(Line(row, widths, _right));
        }

        string shown = _count > _rows.Count ? string.Create(CultureInfo.InvariantCulture, $", the first {_rows.Count} shown (--max-rows)") : string.Empty;
        await writer.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"({_count:#,0} {(_count == 1 ? "row" : "rows")}{shown})"));
    }

    public async ValueTask DisposeAsync() => await writer.FlushAsync();

    private int[] Widths()
    {
        int[] widths = [.. _names.Select((n, c) => Math.Max(1, Math.Max(TextWidth.Of(n), _rows.Select(r => TextWidth.Of(r[c])).DefaultIfEmpty(0).Max())))];
        int available = width - (3 * (widths.Length - 1));
        while (widths.Sum() > available && widths.Max() > MinColumnWidth)
        {
            int widest = System.Array.IndexOf(widths, widths.Max());
            int second = widths.Where((_, i) => i != widest).DefaultIfEmpty(MinColumnWidth).Max();
            int surplus = widths.Sum() - available;
            widths[widest] = Math.Max(MinColumnWidth, Math.Max(widths[widest] - surplus, Math.Min(second, widths[widest] - 1)));
        }

        return widths;
    }

    private static string Line(string[] cells, int[] widths, bool[] right)
        => string.Join(" │ ", cells.Select((cell, c) => TextWidth.Fit(cell, widths[c], right[c]))).TrimEnd();

    /// <summary>No control characters: a value must not move the cursor or change colours.</summary>
    private static string Clean(string text)
    {
        if (!text.Any(char.IsControl))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            clean.Append(c switch { '\n' => '↵', '\t' => '→', _ when char.IsControl(c) => '·', _ => c });
        }

        return clean.ToString();
    }
}

/// <summary>Columns of a terminal that a text takes: wide East Asian characters take two.</summary>
internal static class TextWidth
{
    public static int Of(string text) => text.EnumerateRunes().Sum(Of);

    /// <summary>Pads a text, or cuts it with an ellipsis.</summary>
    public static string Fit(string text, int width, bool right)
    {
        int taken = Of(text);
        if (taken <= width)
        {
            string padding = new(' ', width - taken);
            return right ? padding + text : text + padding;
        }

        var cut = new StringBuilder();
        int used = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (used + Of(rune) > width - 1)
            {
                break;
            }

            cut.Append(rune);
            used += Of(rune);
        }

        return cut.Append('…').ToString() + new string(' ', width - 1 - used);
    }

    private static int Of(Rune rune)
    {
        if (Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format)
        {
            return 0;
        }

        int v = rune.Value;
        bool wide = v is (>= 0x1100 and <= 0x115F) or (>= 0x2E80 and <= 0xA4CF) or (>= 0xAC00 and <= 0xD7A3) or (>= 0xF900 and <= 0xFAFF)
            or (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF00 and <= 0xFF60) or (>= 0xFFE0 and <= 0xFFE6) or (>= 0x1F300 and <= 0x1FAFF) or (>= 0x20000 and <= 0x3FFFD);
        return wide ? 2 : 1;
    }
}
