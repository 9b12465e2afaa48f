using System.Globalization;
using System.Text;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>Where the files of a table lie: partition and bucket folders, index files.</summary>
public static class PaimonPaths
{
    private const string DefaultPartition = "__DEFAULT_PARTITION__";

    /// <summary>The folder of a bucket, with a trailing '/': relative to the table, or absolute if <c>data-file.path-directory</c> is.</summary>
    /// <param name="schema">The schema whose options rule.</param>
    /// <param name="types">Types of the partition columns.</param>
    /// <param name="partition">Values of the partition columns.</param>
    /// <param name="bucket">Bucket number; -2 for the postpone bucket.</param>
    /// <param name="otherSpelling">The spelling of dates and times that <c>partition.legacy-name</c> does not say; some writers used it.</param>
    public static string BucketFolder(PaimonSchema schema, IReadOnlyList<PaimonType> types, IReadOnlyList<object?> partition, int bucket, bool otherSpelling = false)
    {
        bool legacy = !string.Equals(schema.Option("partition.legacy-name"), "false", StringComparison.OrdinalIgnoreCase) ^ otherSpelling;
        string defaultName = schema.Option("partition.default-name") ?? DefaultPartition;
        var path = new StringBuilder();
        string? directory = schema.Option("data-file.path-directory")?.TrimEnd('/');
        if (!string.IsNullOrEmpty(directory))
        {
            path.Append(directory).Append('/');
        }

        for (int i = 0; i < partition.Count; i++)
        {
            string text = PartitionText(partition[i], types[i], legacy, schema.PartitionKeys[i]);
            path.Append(Escape(schema.PartitionKeys[i])).Append('=').Append(Escape(IsBlank(text) ? defaultName : text)).Append('/');
        }

        string name = bucket == PaimonDataFile.PostponeBucket ? "postpone" : bucket.ToString(CultureInfo.InvariantCulture);
        return path.Append("bucket-").Append(name).Append('/').ToString();
    }

    private static string PartitionText(object? value, PaimonType type, bool legacy, string column) => value switch
    {
        null => "",
        long days when type.Kind == PaimonTypeKind.Date && legacy => days.ToString(CultureInfo.InvariantCulture),
        long millis when type.Kind == PaimonTypeKind.Time => legacy ? millis.ToString(CultureInfo.InvariantCulture) : TimeText(millis, type.Length),
        PaimonTimestamp t => legacy ? IsoText(t) : TimestampText(t, type.Length),
        double d => JavaFloatText(d, type.Kind == PaimonTypeKind.Float),
        byte[] when !type.IsString && legacy => throw LakeException.FeatureUnsupported(
            $"The partition column '{column}' is binary and partition.legacy-name is true: its folder cannot be named"),
        byte[] bytes => Encoding.UTF8.GetString(bytes),
        _ => PaimonValue.ToText(value, type)!,
    };

    private static string TimeText(long millis, int precision)
    {
        string text = TimeSpan.FromMilliseconds(millis).ToString("hh\\:mm\\:ss", CultureInfo.InvariantCulture);
        if (precision == 0)
        {
            return text;
        }

        string fraction = (millis % 1000).ToString("000", CultureInfo.InvariantCulture)[..Math.Min(precision, 3)].TrimEnd('0');
        return text + "." + (fraction.Length == 0 ? "0" : fraction);
    }

    // As java.time.LocalDateTime prints itself: seconds only if there are any, the fraction in groups of three digits.
    private static string IsoText(PaimonTimestamp t)
    {
        string text = PaimonValue.ToText(t, NanoTimestamp)!;
        string fraction = text[20..];
        string moment = text[..10] + "T" + text[11..19];
        if (fraction.All(c => c == '0'))
        {
            return moment.EndsWith(":00", StringComparison.Ordinal) ? moment[..^3] : moment;
        }

        int digits = fraction.EndsWith("000000", StringComparison.Ordinal) ? 3 : fraction.EndsWith("000", StringComparison.Ordinal) ? 6 : 9;
        return moment + "." + fraction[..digits];
    }

    private static string TimestampText(PaimonTimestamp t, int precision)
    {
        string text = PaimonValue.ToText(t, NanoTimestamp)!;
        string fraction = text[20..].TrimEnd('0');
        fraction = fraction.PadRight(precision, '0');
        return fraction.Length == 0 ? text[..19] : text[..20] + fraction;
    }

    private static readonly PaimonType NanoTimestamp = new() { Kind = PaimonTypeKind.Timestamp, Length = 9 };

    private static string JavaFloatText(double value, bool single)
    {
        if (double.IsNaN(value) || double.IsInfinity(value))
        {
            return double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
        }

        string shortest = single ? ((float)value).ToString("E8", CultureInfo.InvariantCulture) : value.ToString("E16", CultureInfo.InvariantCulture);
        string round = single ? ((float)value).ToString("R", CultureInfo.InvariantCulture) : value.ToString("R", CultureInfo.InvariantCulture);
        double magnitude = Math.Abs(value);
        if (magnitude == 0 || magnitude is >= 1e-3 and < 1e7)
        {
            string plain = round.Contains('E', StringComparison.Ordinal) ? ((decimal)value).ToString(CultureInfo.InvariantCulture) : round;
            return plain.Contains('.', StringComparison.Ordinal) ? plain : plain + ".0";
        }

        // Digits of the shortest round-trip form, with the point after the first one.
        int exponent = int.Parse(shortest.AsSpan(shortest.IndexOf('E', StringComparison.Ordinal) + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string digits = new string([.. round.TakeWhile(c => c != 'E').Where(char.IsAsciiDigit)]).TrimStart('0').TrimEnd('0');
        string fraction = digits.Length > 1 ? digits[1..] : "0";
        return string.Create(CultureInfo.InvariantCulture, $"{(value < 0 ? "-" : "")}{digits[0]}.{fraction}E{exponent}");
    }

    private static bool IsBlank(string text) => text.All(IsJavaWhiteSpace);

    // Character.isWhitespace: the separators 0x1C to 0x1F count, the no-break spaces do not.
    private static bool IsJavaWhiteSpace(char c) => c is >= '\u001C' and <= '\u001F'
        || (char.IsWhiteSpace(c) && c is not ('\u00A0' or '\u2007' or '\u202F' or '\u0085'));

    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            if (c < 0x20 || c == 0x7F || "\"#%'*/:=?\\{}[]^".Contains(c, StringComparison.Ordinal))
            {
                escaped.Append('%').Append(((int)c).ToString("X2", CultureInfo.InvariantCulture));
            }
            else
            {
                escaped.Append(c);
            }
        }

        return escaped.ToString();
    }
}
