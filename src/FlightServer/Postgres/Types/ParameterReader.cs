using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using LakeHolo.Accelerator.Execution;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.FlightServer.Postgres.Types;

/// <summary>Values of parameters from their text or binary form, as the engine's binding takes them. Arrays and intervals become text that the statement
/// casts (<see cref="NeedsCast"/>).</summary>
internal static class ParameterReader
{
    /// <summary>Decimals of a numeric parameter where the statement's text does not tell the engine its type.</summary>
    public const int CastScale = 10;

    private const int MaxDigits = 38;

    /// <summary>Refuses a number that a cast to <c>DECIMAL(38, scale)</c> would round.</summary>
    /// <exception cref="PgError">22003: it has more digits before or behind the point.</exception>
    public static void CheckDigits(object? value, int scale)
    {
        string? text = value switch { long or decimal or BigInteger => ((IFormattable)value).ToString(null, CultureInfo.InvariantCulture), string given => given.Trim(), _ => null };
        if (text is not null && ScanDecimal.TryParse(text, out ScanDecimal number)
            && (number.AtScale(scale) is not { } digits || BigInteger.Abs(digits) >= BigInteger.Pow(10, MaxDigits)))
        {
            throw new PgError("22003", $"value \"{text}\" has more than {scale} decimals or more than {MaxDigits - scale} digits before them, which a numeric parameter keeps here")
            {
                Hint = "Give the digits in the statement: CAST($1 AS numeric(38, 20)).",
            };
        }
    }

    /// <summary>The engine's type that a parameter has to be cast to in the statement's text, or null.</summary>
    public static string? NeedsCast(PgType type) => type.Element is { } element ? EngineName(element) + "[]" : type == PgType.Interval ? "INTERVAL" : null;

    /// <summary>Reads a value.</summary>
    /// <exception cref="PgError">22P02, 22P03, 22007: the bytes are no such value.</exception>
    public static object? Read(PgType type, bool binary, ReadOnlySpan<byte> bytes) => binary ? Binary(type, bytes) : Text(type, MessageBody.Text(bytes));

    /// <exception cref="PgError">0A000: blanks at the end of a BPCHAR, which do not count in comparisons and the like; the engine has no such type.</exception>
    private static string Characters(PgType type, string text) => type == PgType.BpChar && text.EndsWith(' ')
        ? throw new PgError("0A000", "a parameter of type bpchar with blanks at its end is not supported") { Hint = "Send it as text or varchar, in which blanks count, or without them." }
        : text;

    public static object? Text(PgType type, string text)
    {
        if (type.Element is { } element)
        {
            return ArrayText.ToList(text, element);
        }

        string trimmed = text.Trim();
        try
        {
            return type.Oid switch
            {
                16 => Boolean(trimmed),
                21 => short.Parse(trimmed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
                23 => int.Parse(trimmed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
                20 or 26 or 24 or 2205 or 2206 => long.Parse(trimmed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
                700 => Finite(trimmed, (float)Double(trimmed)),
                701 => Finite(trimmed, Double(trimmed)),
                1700 => Numeric(trimmed),
                17 => Bytes(text),
                1082 => Date(trimmed),
                1083 => Time(trimmed),
                1114 => Timestamp(trimmed, zoned: false),
                1184 => Timestamp(trimmed, zoned: true),
                2950 => Guid.Parse(trimmed),
                _ => Characters(type, text),
            };
        }
        catch (OverflowException e)
        {
            throw new PgError("22003", $"value \"{text}\" is out of range for type {type.Name}", e);
        }
        catch (FormatException e)
        {
            throw new PgError(type.Oid is 1082 or 1083 or 1114 or 1184 ? "22007" : "22P02", $"invalid input syntax for type {type.Name}: \"{text}\"", e);
        }
    }

    /// <summary>The engine's name of a type that parameters can have.</summary>
    public static string EngineName(PgType type) => type.Oid switch
    {
        16 => "BOOLEAN",
        21 => "SMALLINT",
        23 => "INTEGER",
        20 or 26 or 24 or 2205 or 2206 => "BIGINT",
        700 => "FLOAT",
        701 => "DOUBLE",
        1700 => $"DECIMAL(38,{CastScale})",
        17 => "BLOB",
        1082 => "DATE",
        1083 => "TIME",
        1114 => "TIMESTAMP",
        1184 => "TIMESTAMPTZ",
        1186 => "INTERVAL",
        2950 => "UUID",
        _ => "VARCHAR",
    };

    private static object? Binary(PgType type, ReadOnlySpan<byte> bytes)
    {
        if (type.Element is { } element)
        {
            return ArrayText.FromBinary(bytes, element);
        }

        int expected = type.Length > 0 && type != PgType.ObjectName && type != PgType.AclItem ? type.Length : bytes.Length;
        if (bytes.Length != expected)
        {
            throw new PgError("22P03", $"incorrect binary data format for type {type.Name}: {bytes.Length} bytes");
        }

        return type.Oid switch
        {
            16 => bytes[0] != 0,
            21 => BinaryPrimitives.ReadInt16BigEndian(bytes),
            23 => BinaryPrimitives.ReadInt32BigEndian(bytes),
            20 => BinaryPrimitives.ReadInt64BigEndian(bytes),
            26 or 24 or 2205 or 2206 => (long)BinaryPrimitives.ReadUInt32BigEndian(bytes),
            700 => BinaryPrimitives.ReadSingleBigEndian(bytes),
            701 => BinaryPrimitives.ReadDoubleBigEndian(bytes),
            1700 => Numeric(NumericText(bytes)),
            17 => bytes.ToArray(),
            1082 => Date(BinaryPrimitives.ReadInt32BigEndian(bytes)),
            1083 => new TimeOnly(Ranged(BinaryPrimitives.ReadInt64BigEndian(bytes), 0, PgTime.DayMicros - 1) * TimeSpan.TicksPerMicrosecond),
            1114 => DateTime.SpecifyKind(Instant(BinaryPrimitives.ReadInt64BigEndian(bytes)), DateTimeKind.Unspecified),
            1184 => new DateTimeOffset(Instant(BinaryPrimitives.ReadInt64BigEndian(bytes)), TimeSpan.Zero),
            1186 => string.Create(CultureInfo.InvariantCulture,
                $"{BinaryPrimitives.ReadInt32BigEndian(bytes[12..])} months {BinaryPrimitives.ReadInt32BigEndian(bytes[8..])} days {BinaryPrimitives.ReadInt64BigEndian(bytes)} microseconds"),
            2950 => new Guid(bytes, bigEndian: true),
            3802 => MessageBody.Text(bytes.Length > 0 && bytes[0] == 1 ? bytes[1..] : throw new PgError("22P03", "unsupported jsonb version number")),
            _ => Characters(type, MessageBody.Text(bytes)),
        };
    }

    private static bool Boolean(string text) => text.ToLowerInvariant() switch
    {
        "t" or "true" or "y" or "yes" or "on" or "1" => true,
        "f" or "false" or "n" or "no" or "off" or "0" => false,
        _ => throw new FormatException(),
    };

    private static double Double(string text) => text.ToLowerInvariant() switch
    {
        "infinity" or "inf" or "+infinity" => double.PositiveInfinity,
        "-infinity" or "-inf" => double.NegativeInfinity,
        "nan" => double.NaN,
        _ => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
    };

    /// <summary>The runtime makes an infinity of what is too large, and a zero of what is too small.</summary>
    private static T Finite<T>(string text, T value)
        where T : IFloatingPoint<T>
    {
        bool isNumber = ScanDecimal.TryParse(text, out ScanDecimal number);
        return char.IsAsciiLetter(text[^1]) || (!T.IsInfinity(value) && !(T.IsZero(value) && (!isNumber || !number.Unscaled.IsZero))) ? value : throw new OverflowException();
    }

    private static object Numeric(string text)
    {
        if (text.ToLowerInvariant() is "nan" or "infinity" or "-infinity" or "inf" or "-inf")
        {
            return Double(text);
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) ? whole
            : BoundDecimal.TryParse(text, out object number) ? number
            : throw new FormatException();
    }

    private static byte[] Bytes(string text)
    {
        if (text.StartsWith("\\x", StringComparison.Ordinal))
        {
            return Convert.FromHexString(text.AsSpan(2));
        }

        var bytes = new List<byte>();
        byte[] raw = Encoding.UTF8.GetBytes(text);
        for (int i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                bytes.Add(raw[i]);
            }
            else if (i + 1 < raw.Length && raw[i + 1] == '\\')
            {
                bytes.Add((byte)'\\');
                i++;
            }
            else if (i + 3 < raw.Length && raw[i + 1] is >= (byte)'0' and <= (byte)'3' && raw[i + 2] is >= (byte)'0' and <= (byte)'7' && raw[i + 3] is >= (byte)'0' and <= (byte)'7')
            {
                bytes.Add((byte)(((raw[i + 1] - '0') << 6) | ((raw[i + 2] - '0') << 3) | (raw[i + 3] - '0')));
                i += 3;
            }
            else
            {
                throw new FormatException();
            }
        }

        return [.. bytes];
    }

    /// <summary>A date; a time or an offset after it says nothing more. What the runtime cannot hold goes to the engine as text.</summary>
    private static object Date(string text)
    {
        if (text.Length >= 10 && DateOnly.TryParseExact(text.AsSpan(0, 10), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly date))
        {
            return text.EndsWith("BC", StringComparison.OrdinalIgnoreCase) ? text : date;
        }

        return IsSpecial(text) ? text : DateOnly.Parse(text, CultureInfo.InvariantCulture);
    }

    private static object Date(int days) => days switch
    {
        int.MaxValue => "infinity",
        int.MinValue => "-infinity",
        _ when days + PgTime.EpochDays is var d && d > -719_162 && d < 2_932_897 => DateOnly.FromDateTime(DateTime.UnixEpoch).AddDays(d),
        _ => throw new PgError("22008", "date out of range"),
    };

    private static object Time(string text) =>
        TimeOnly.TryParse(text, CultureInfo.InvariantCulture, out TimeOnly time) ? time : text == "24:00:00" ? text : throw new FormatException();

    private static object Timestamp(string text, bool zoned)
    {
        if (IsSpecial(text) || text.EndsWith("BC", StringComparison.OrdinalIgnoreCase))
        {
            return text;
        }

        // "+02" alone is an offset to PostgreSQL, not to the runtime.
        int sign = text.LastIndexOfAny(['+', '-']);
        string full = sign > 10 && text.Length - sign == 3 ? text + ":00" : text;
        var value = DateTimeOffset.Parse(full, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
        return zoned ? value : DateTime.SpecifyKind(value.DateTime, DateTimeKind.Unspecified);
    }

    private static bool IsSpecial(string text) => text.ToLowerInvariant() is "infinity" or "-infinity" or "epoch";

    private static DateTime Instant(long micros)
    {
        long ticks = Ranged(micros, -63_082_281_600_000_000, 252_455_615_999_999_999) * TimeSpan.TicksPerMicrosecond;
        return new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddTicks(ticks);
    }

    private static long Ranged(long value, long min, long max) =>
        value >= min && value <= max ? value : throw new PgError("22008", "date/time field value out of range");

    /// <summary>The text of a binary numeric.</summary>
    private static string NumericText(ReadOnlySpan<byte> bytes)
    {
        PgError wrong = new("22P03", "incorrect binary data format for type numeric");
        if (bytes.Length < 8)
        {
            throw wrong;
        }

        int count = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        int weight = BinaryPrimitives.ReadInt16BigEndian(bytes[2..]);
        int sign = BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]);
        int scale = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]);
        if (bytes.Length != 8 + (count * 2) || count > 4096 || Math.Abs(weight) > 4096 || scale > 16_383)
        {
            throw wrong;
        }

        switch (sign)
        {
            case 0xC000:
                return "NaN";
            case 0xD000:
                return "Infinity";
            case 0xF000:
                return "-Infinity";
            default:
                break;
        }

        var text = new StringBuilder(sign == 0x4000 ? "-" : string.Empty);
        int last = -((scale + 3) / 4);
        var fraction = new StringBuilder();
        for (int exponent = Math.Max(weight, 0); exponent >= last; exponent--)
        {
            int index = weight - exponent;
            int group = index >= 0 && index < count ? BinaryPrimitives.ReadUInt16BigEndian(bytes[(8 + (index * 2))..]) : 0;
            if (group > 9999)
            {
                throw wrong;
            }

            (exponent >= 0 ? text : fraction).Append(CultureInfo.InvariantCulture, $"{group:D4}");
        }

        string whole = text.ToString();
        string digits = whole.TrimStart('-').TrimStart('0');
        return (whole.StartsWith('-') ? "-" : string.Empty) + (digits.Length == 0 ? "0" : digits) + (scale > 0 ? "." + fraction.ToString(0, scale) : string.Empty);
    }
}
