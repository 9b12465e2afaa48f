using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Types;

/// <summary>Array parameters as the text of the engine's lists.</summary>
internal static class ArrayText
{
    /// <summary>From <c>{1,NULL,"b,c"}</c>; an array of one dimension.</summary>
    public static string ToList(string text, PgType element)
    {
        string trimmed = text.Trim();
        var list = new StringBuilder("[");
        if (trimmed.Length < 2 || trimmed[0] != '{' || trimmed[^1] != '}')
        {
            throw new PgError("22P02", $"malformed array literal: \"{text}\"");
        }

        string body = trimmed[1..^1];
        int at = 0;
        while (at < body.Length)
        {
            (string? value, at) = Element(body, at, text);
            Append(list, element, value is null ? null : ParameterReader.Text(element, value));
        }

        return list.Append(']').ToString();
    }

    /// <summary>From the binary form.</summary>
    public static string FromBinary(ReadOnlySpan<byte> bytes, PgType element)
    {
        PgError wrong = new("22P03", "incorrect binary data format for an array");
        if (bytes.Length < 12)
        {
            throw wrong;
        }

        int dimensions = BinaryPrimitives.ReadInt32BigEndian(bytes);
        PgType sent = PgType.Find(BinaryPrimitives.ReadInt32BigEndian(bytes[8..])) ?? element;
        if (dimensions == 0)
        {
            return "[]";
        }

        if (dimensions != 1 || bytes.Length < 20)
        {
            throw dimensions > 1 ? PgError.Unsupported("arrays of several dimensions cannot be parameters") : wrong;
        }

        int count = BinaryPrimitives.ReadInt32BigEndian(bytes[12..]);
        ReadOnlySpan<byte> rest = bytes[20..];
        if (count < 0 || count > rest.Length / 4)
        {
            throw wrong;
        }

        var list = new StringBuilder("[");
        for (int i = 0; i < count; i++)
        {
            int length = rest.Length >= 4 ? BinaryPrimitives.ReadInt32BigEndian(rest) : throw wrong;
            rest = rest[4..];
            if (length < -1 || length > rest.Length)
            {
                throw wrong;
            }

            Append(list, element, length < 0 ? null : ParameterReader.Read(sent, binary: true, rest[..length]));
            rest = length < 0 ? rest : rest[length..];
        }

        return list.Append(']').ToString();
    }

    private static void Append(StringBuilder list, PgType element, object? value)
    {
        if (element == PgType.Numeric)
        {
            ParameterReader.CheckDigits(value, ParameterReader.CastScale);
        }

        if (list.Length > 1)
        {
            list.Append(", ");
        }

        switch (value)
        {
            case null:
                list.Append("NULL");
                break;
            case bool b:
                list.Append(b ? "true" : "false");
                break;
            case DateOnly d:
                list.Append(d.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
                break;
            case TimeOnly t:
                Quoted(list, t.ToString("HH:mm:ss.ffffff", CultureInfo.InvariantCulture));
                break;
            case DateTime t:
                Quoted(list, t.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture));
                break;
            case DateTimeOffset t:
                Quoted(list, t.ToString("yyyy-MM-dd HH:mm:ss.ffffffzzz", CultureInfo.InvariantCulture));
                break;
            case byte[] bytes:
                Quoted(list, string.Concat(bytes.Select(b => $"\\x{b:X2}")));
                break;
            case IFormattable number:
                list.Append(number.ToString(null, CultureInfo.InvariantCulture));
                break;
            default:
                Quoted(list, (string)value);
                break;
        }
    }

    private static void Quoted(StringBuilder list, string text) =>
        list.Append('"').Append(text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');

    private static (string? Value, int Next) Element(string body, int at, string whole)
    {
        while (at < body.Length && char.IsWhiteSpace(body[at]))
        {
            at++;
        }

        var value = new StringBuilder();
        bool quoted = at < body.Length && body[at] == '"';
        if (at < body.Length && body[at] == '{')
        {
            throw PgError.Unsupported("arrays of several dimensions cannot be parameters");
        }

        at += quoted ? 1 : 0;
        bool closed = !quoted;
        while (at < body.Length && (quoted || body[at] != ','))
        {
            if (quoted && body[at] == '"')
            {
                at++;
                closed = true;
                break;
            }

            if (body[at] == '\\' && at + 1 < body.Length)
            {
                at++;
            }

            value.Append(body[at++]);
        }

        while (at < body.Length && char.IsWhiteSpace(body[at]))
        {
            at++;
        }

        if (!closed || (at < body.Length && body[at] != ','))
        {
            throw new PgError("22P02", $"malformed array literal: \"{whole}\"");
        }

        string text = quoted ? value.ToString() : value.ToString().TrimEnd();
        return (!quoted && text.Equals("NULL", StringComparison.OrdinalIgnoreCase) ? null : text, at + 1);
    }
}
