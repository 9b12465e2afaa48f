using System.Globalization;
using System.IO.Hashing;
using System.Text;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>The table's <c>hoodie.properties</c>: Java properties text, with the values a reader needs under names of their own.</summary>
public sealed class HudiProperties
{
    // Classes and types, with and without underscores.
    private static readonly string[] OwnValueGenerators =
        ["Simple", "Complex", "Nonpartitioned", "NON_PARTITION", "GlobalDelete", "GLOBAL_DELETE", "AutoRecord", "AUTO_RECORD", "SqlKeyGenerator", "SPARK_SQL", "Uuid"];

    private static readonly string[] OwnPackages = ["org.apache.hudi.", "com.uber.hoodie.", "org.apache.spark.sql.hudi."];

    private readonly Dictionary<string, string> _values;

    private HudiProperties(Dictionary<string, string> values) => _values = values;

    /// <summary>Whether the file is as it was written: its last property is a checksum of the database's and the table's names. Null if it has none.</summary>
    public bool? IsWhole => Text("hoodie.table.checksum") is not { } checksum ? null
        : checksum == Crc32.HashToUInt32(Encoding.UTF8.GetBytes($"{_values.GetValueOrDefault("hoodie.database.name")}.{_values.GetValueOrDefault("hoodie.table.name")}")).ToString(CultureInfo.InvariantCulture);

    /// <summary>Every property as stored.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    /// <summary><c>hoodie.table.version</c>; 0 if absent (tables older than 0.6).</summary>
    public int TableVersion => Integer("hoodie.table.version") ?? 0;

    /// <summary>1: instants are start times, JSON commits; 2: completion times, Avro commits.</summary>
    public int TimelineLayout => Integer("hoodie.timeline.layout.version") ?? (TableVersion <= 7 ? 1 : 2);

    /// <summary>Folder of the timeline below the table's root, with its trailing '/'.</summary>
    public string TimelineFolder => TimelineLayout == 1 ? ".hoodie/" : ".hoodie/" + (Text("hoodie.timeline.path") ?? "timeline").Trim('/') + "/";

    /// <summary>Folder of the archived timeline of layout 2, with its trailing '/'.</summary>
    public string HistoryFolder => TimelineFolder + (Text("hoodie.timeline.history.path") ?? "history").Trim('/') + "/";

    /// <summary>Folder of the archived timeline of layout 1, with its trailing '/'.</summary>
    public string ArchiveFolder => ".hoodie/" + (Text("hoodie.archivelog.folder") ?? "archived").Trim('/') + "/";

    /// <summary>Whether log files may exist.</summary>
    public bool IsMergeOnRead => string.Equals(Text("hoodie.table.type"), "MERGE_ON_READ", StringComparison.OrdinalIgnoreCase);

    /// <summary>Partition columns; the key generator's <c>:TYPE</c> suffix is cut off.</summary>
    public IReadOnlyList<string> PartitionFields => [.. List("hoodie.table.partition.fields").Select(f => f.Split(':')[0])];

    /// <summary>Record key columns; empty for generated keys.</summary>
    public IReadOnlyList<string> RecordKeyFields => List("hoodie.table.recordkey.fields");

    /// <summary>Ordering columns, the name of version 9 before the older one.</summary>
    public IReadOnlyList<string> OrderingFields => List("hoodie.table.ordering.fields") is { Count: > 0 } fields ? fields : List("hoodie.table.precombine.field");

    /// <summary>Whether the <c>_hoodie_*</c> columns are filled.</summary>
    public bool PopulatesMetaFields => Text("hoodie.meta.fields.mode") is { } mode
        ? string.Equals(mode, "ALL", StringComparison.OrdinalIgnoreCase)
        : Flag("hoodie.populate.meta.fields", true);

    /// <summary>Whether partition columns are missing in the files and must come from the path.</summary>
    public bool DropsPartitionColumns => Flag("hoodie.datasource.write.drop.partition.columns", false);

    /// <summary>Whether folders are named <c>column=value</c>; null if the table does not say.</summary>
    public bool? HasNamedPartitions => Text("hoodie.datasource.write.hive_style_partitioning") is null ? null : Flag("hoodie.datasource.write.hive_style_partitioning", false);

    /// <summary>Whether partition values are percent-encoded in folder names.</summary>
    public bool UrlEncodesPartitions => Flag("hoodie.datasource.write.partitionpath.urlencode", false);

    /// <summary>Whether change logs are written beside the data.</summary>
    public bool IsCdcEnabled => Flag("hoodie.table.cdc.enabled", false);

    /// <summary>The payload class with its present package name, or null.</summary>
    public string? PayloadClass => Text("hoodie.compaction.payload.class")?.Replace("com.uber.hoodie", "org.apache.hudi", StringComparison.Ordinal);

    /// <summary>The merger strategy id under its name of version 8, else of version 6.</summary>
    public string? MergeStrategyId => Text("hoodie.record.merge.strategy.id") ?? Text("hoodie.compaction.record.merger.strategy");

    /// <summary>The schema that CREATE TABLE stored (Avro JSON), or null.</summary>
    public string? CreateSchema => Text("hoodie.table.create.schema");

    /// <summary>The key generator's class name, without the package if it is one of Hudi's own (a user's class may bear the same name), else its type, else null.</summary>
    public string? KeyGenerator => Text("hoodie.table.keygenerator.class") is not { } name ? Text("hoodie.table.keygenerator.type")
        : OwnPackages.Any(p => name.StartsWith(p, StringComparison.Ordinal)) ? name[(name.LastIndexOf('.') + 1)..]
        : name;

    /// <summary>Whether folders of slash-separated dates stand for one date column (<c>2024/01/15</c>).</summary>
    public bool HasSlashSeparatedDates => Flag("hoodie.datasource.write.slash.separated.date.partitioning", false);

    /// <summary>Whether the folder name of a partition column is its value. Timestamp key generators write formatted text, custom ones may, and one that is not known could write anything.</summary>
    public bool PathHoldsValueOf(string column)
    {
        string generator = KeyGenerator ?? "";
        string? declared = List("hoodie.table.partition.fields").Where(f => f.Split(':')[0] == column).Select(f => f.Split(':').ElementAtOrDefault(1)).FirstOrDefault();
        bool isKnown = generator.Length == 0 || OwnValueGenerators.Any(g => generator.StartsWith(g, StringComparison.OrdinalIgnoreCase));
        bool isCustom = declared is not null || generator.StartsWith("Custom", StringComparison.OrdinalIgnoreCase);
        return isCustom
            ? (isKnown || generator.StartsWith("Custom", StringComparison.OrdinalIgnoreCase)) && "SIMPLE".Equals(declared, StringComparison.OrdinalIgnoreCase)
            : isKnown && !_values.Keys.Any(k => k.Contains("keygen.timebased", StringComparison.Ordinal));
    }

    /// <summary>A property's value, trimmed; null if absent or empty.</summary>
    public string? Text(string key) => _values.TryGetValue(key, out string? value) && value.Trim() is { Length: > 0 } text ? text : null;

    /// <summary>A boolean property.</summary>
    public bool Flag(string key, bool otherwise) => Text(key) is { } text ? string.Equals(text, "true", StringComparison.OrdinalIgnoreCase) : otherwise;

    /// <summary>Parses Java properties text: comments, escapes, continued lines.</summary>
    public static HudiProperties Parse(ReadOnlySpan<byte> utf8)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string line in LogicalLines(Encoding.UTF8.GetString(utf8)))
        {
            int end = 0;
            while (end < line.Length && line[end] is not ('=' or ':' or ' ' or '\t' or '\f'))
            {
                end += line[end] == '\\' ? 2 : 1;
            }

            end = Math.Min(end, line.Length);
            int value = end;
            bool separated = false;
            while (value < line.Length && (line[value] is ' ' or '\t' or '\f' || (!separated && line[value] is '=' or ':')))
            {
                separated |= line[value] is '=' or ':';
                value++;
            }

            values[Unescape(line.AsSpan(0, end))] = Unescape(line.AsSpan(value));
        }

        return new HudiProperties(values);
    }

    private static IEnumerable<string> LogicalLines(string text)
    {
        string pending = "";
        foreach (string raw in text.Split('\n'))
        {
            string line = raw.TrimEnd('\r').TrimStart(' ', '\t', '\f');
            if (pending.Length == 0 && (line.Length == 0 || line[0] is '#' or '!'))
            {
                continue;
            }

            int slashes = line.Length - line.TrimEnd('\\').Length;
            if (slashes % 2 == 1)
            {
                pending += line[..^1];
                continue;
            }

            yield return pending + line;
            pending = "";
        }

        if (pending.Length > 0)
        {
            yield return pending;
        }
    }

    private static string Unescape(ReadOnlySpan<char> text)
    {
        if (!text.Contains('\\'))
        {
            return text.ToString();
        }

        var result = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\' || ++i == text.Length)
            {
                result.Append(text[Math.Min(i, text.Length - 1)]);
                continue;
            }

            if (text[i] == 'u' && i + 4 < text.Length
                && ushort.TryParse(text.Slice(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit))
            {
                result.Append((char)unit);
                i += 4;
                continue;
            }

            result.Append(text[i] switch { 't' => '\t', 'n' => '\n', 'r' => '\r', 'f' => '\f', _ => text[i] });
        }

        return result.ToString();
    }

    private List<string> List(string key) => [.. (Text(key) ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];

    private int? Integer(string key) => int.TryParse(Text(key), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) ? value : null;
}
