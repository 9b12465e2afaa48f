using System.Buffers;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Rows as DataRow messages.</summary>
internal sealed class DataRows(bool[] binary) : IRowFormat
{
    public static bool[] AllText(int columns) => new bool[columns];

    public void Write(WireWriter writer, ColumnWriter[] columns, int row)
    {
        writer.Begin('D');
        writer.Int16((short)columns.Length);
        for (int i = 0; i < columns.Length; i++)
        {
            columns[i].Value(writer, row, binary[i]);
        }

        writer.End();
    }
}

/// <summary>Options of COPY … TO STDOUT.</summary>
internal sealed record CopyOptions
{
    public string Format { get; init; } = "text";

    public char Delimiter { get; init; } = '\t';

    public string Null { get; init; } = "\\N";

    public char Quote { get; init; } = '"';

    public char Escape { get; init; } = '"';

    public bool Header { get; init; }

    public bool QuotesAll { get; init; }

    /// <summary>Columns that are always quoted.</summary>
    public IReadOnlyList<string> Quoted { get; init; } = [];
}

/// <summary>Rows as binary COPY.</summary>
internal sealed class CopyBinary : IRowFormat
{
    private bool _hasHeader;

    /// <summary>Signature, flags and extension length.</summary>
    private static ReadOnlySpan<byte> Header => [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00, 0, 0, 0, 0, 0, 0, 0, 0];

    public void Write(WireWriter writer, ColumnWriter[] columns, int row)
    {
        Begin(writer);
        writer.Int16((short)columns.Length);
        foreach (ColumnWriter column in columns)
        {
            column.Value(writer, row, binary: true);
        }

        writer.End();
    }

    /// <summary>The trailer.</summary>
    public void End(WireWriter writer)
    {
        Begin(writer);
        writer.Int16(-1);
        writer.End();
    }

    // A message a row; the header comes in that of the first, as PostgreSQL sends it: Npgsql looks for both there.
    private void Begin(WireWriter writer)
    {
        writer.Begin('d');
        if (!_hasHeader)
        {
            writer.Raw(Header);
            _hasHeader = true;
        }
    }
}

/// <summary>Rows as COPY's tab-separated text.</summary>
internal sealed class CopyText(CopyOptions options) : IRowFormat
{
    public void Write(WireWriter writer, ColumnWriter[] columns, int row)
    {
        writer.Begin('d');
        for (int i = 0; i < columns.Length; i++)
        {
            if (i > 0)
            {
                writer.Byte((byte)options.Delimiter);
            }

            if (columns[i].IsNull(row))
            {
                writer.Text(options.Null);
                continue;
            }

            int place = writer.Position;
            columns[i].Text(writer, row);
            Escape(writer, place);
        }

        writer.Byte((byte)'\n');
        writer.End();
    }

    private void Escape(WireWriter writer, int place)
    {
        Span<byte> text = writer.Since(place);
        Span<byte> special = [(byte)'\\', (byte)'\n', (byte)'\r', (byte)'\t', 8, 11, 12, (byte)options.Delimiter];
        if (text.IndexOfAny(special) < 0)
        {
            return;
        }

        int length = text.Length;
        byte[] copy = ArrayPool<byte>.Shared.Rent(length);
        text.CopyTo(copy);
        writer.TakeBack(place);
        foreach (byte b in copy.AsSpan(0, length))
        {
            byte letter = b switch
            {
                (byte)'\\' => (byte)'\\',
                (byte)'\n' => (byte)'n',
                (byte)'\r' => (byte)'r',
                (byte)'\t' => (byte)'t',
                8 => (byte)'b',
                11 => (byte)'v',
                12 => (byte)'f',
                _ => b == (byte)options.Delimiter ? b : (byte)0,
            };
            if (letter != 0)
            {
                writer.Byte((byte)'\\');
            }

            writer.Byte(letter != 0 ? letter : b);
        }

        ArrayPool<byte>.Shared.Return(copy);
    }
}

/// <summary>Rows as CSV.</summary>
internal sealed class CopyCsv(CopyOptions options, IReadOnlyList<PgColumn> columns) : IRowFormat
{
    private readonly bool[] _quoted = [.. columns.Select(c => options.QuotesAll || options.Quoted.Contains(c.Name))];

    public void Write(WireWriter writer, ColumnWriter[] columns, int row)
    {
        writer.Begin('d');
        for (int i = 0; i < columns.Length; i++)
        {
            if (i > 0)
            {
                writer.Byte((byte)options.Delimiter);
            }

            if (columns[i].IsNull(row))
            {
                writer.Text(options.Null);
                continue;
            }

            int place = writer.Position;
            columns[i].Text(writer, row);
            Quote(writer, place, _quoted[i], columns.Length == 1);
        }

        writer.Byte((byte)'\n');
        writer.End();
    }

    /// <summary>The line of names.</summary>
    public void WriteHeader(WireWriter writer, IReadOnlyList<PgColumn> names)
    {
        writer.Begin('d');
        for (int i = 0; i < names.Count; i++)
        {
            if (i > 0)
            {
                writer.Byte((byte)options.Delimiter);
            }

            int place = writer.Position;
            writer.Text(names[i].Name);
            Quote(writer, place, always: false, alone: false);
        }

        writer.Byte((byte)'\n');
        writer.End();
    }

    private void Quote(WireWriter writer, int place, bool always, bool alone)
    {
        Span<byte> text = writer.Since(place);
        Span<byte> special = [(byte)options.Delimiter, (byte)options.Quote, (byte)'\n', (byte)'\r'];
        bool needed = always || text.IndexOfAny(special) >= 0 || text.SequenceEqual(System.Text.Encoding.UTF8.GetBytes(options.Null))
            || (alone && text.SequenceEqual("\\."u8));
        if (!needed)
        {
            return;
        }

        int length = text.Length;
        byte[] copy = ArrayPool<byte>.Shared.Rent(Math.Max(1, length));
        text.CopyTo(copy);
        writer.TakeBack(place);
        writer.Byte((byte)options.Quote);
        foreach (byte b in copy.AsSpan(0, length))
        {
            if (b == (byte)options.Quote || b == (byte)options.Escape)
            {
                writer.Byte((byte)options.Escape);
            }

            writer.Byte(b);
        }

        writer.Byte((byte)options.Quote);
        ArrayPool<byte>.Shared.Return(copy);
    }
}
