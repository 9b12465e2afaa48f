using System.Globalization;
using System.Text.Json;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>The schema versions of a table with schema-on-read (<c>hoodie.schema.on.read.enable</c>): columns keep their id when they are renamed, and a
/// column that is dropped and added again is another one.</summary>
public sealed class SchemaHistory
{
    private const int MaxDepth = 64;
    private readonly SortedDictionary<string, Node> _versions = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ColumnMap> _maps = new(StringComparer.Ordinal);
    private readonly Node _read;

    private SchemaHistory(SortedDictionary<string, Node> versions, Node read)
    {
        _versions = versions;
        _read = read;
        foreach ((string version, Node node) in versions)
        {
            _maps[version] = Map(read, node);
        }
    }

    /// <summary>The version of a file that an instant wrote; null if the instant is older than every version, and the file's names are the table's.</summary>
    public string? VersionOf(string instant) => Newest(_versions, instant);

    /// <summary>The id of a column of the read schema; null for one that it does not hold.</summary>
    public long? IdOf(string column) => _read.Children.Where(c => c.Name == column).Select(c => (long?)c.Id).FirstOrDefault();

    /// <summary>Where the columns of the read schema lie in files of a version.</summary>
    public ColumnMap? MapFor(string? version) => version is null ? null : _maps[version];

    /// <summary>A column's own name, and the names it has in files of other versions.</summary>
    public IEnumerable<string> NamesOf(string column) => _maps.Values.Select(m => m.SourceOf(column)).OfType<string>().Append(column).Distinct();

    /// <summary>Reads a history file (or a single schema); the read schema is the newest version up to an instant.</summary>
    /// <exception cref="LakeException">FormatInvalid for broken JSON.</exception>
    public static SchemaHistory? Parse(ReadOnlyMemory<byte> json, string until, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 2 * MaxDepth });
            var versions = new SortedDictionary<string, Node>(StringComparer.Ordinal);
            foreach (JsonElement schema in document.RootElement.GetProperty("schemas").EnumerateArray())
            {
                JsonElement id = schema.TryGetProperty("version_id", out JsonElement v) ? v : schema.GetProperty("version-id");
                versions[id.GetInt64().ToString(CultureInfo.InvariantCulture)] = ParseType(schema, 0);
            }

            return Newest(versions, until) is { } read ? new SchemaHistory(versions, versions[read]) : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw LakeException.FormatInvalid("Hudi: the schema history is malformed: " + error.Message, path, error);
        }
    }

    private static string? Newest(SortedDictionary<string, Node> versions, string instant)
        => versions.Keys.LastOrDefault(v => string.CompareOrdinal(v, instant) <= 0);

    private static Node ParseType(JsonElement type, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new InvalidOperationException("nested too deeply");
        }

        if (type.ValueKind != JsonValueKind.Object)
        {
            return new Node([]);
        }

        var children = new List<(string, long, Node)>();
        switch (type.GetProperty("type").GetString())
        {
            case "record":
                foreach (JsonElement field in type.GetProperty("fields").EnumerateArray())
                {
                    children.Add((field.GetProperty("name").GetString()!, field.GetProperty("id").GetInt64(), ParseType(field.GetProperty("type"), depth + 1)));
                }

                break;
            case "array":
                children.Add(("item", Member(type, "element-id", "element_id").GetInt64(), ParseType(type.GetProperty("element"), depth + 1)));
                break;
            case "map":
                children.Add(("value", Member(type, "value-id", "value_id").GetInt64(), ParseType(type.GetProperty("value"), depth + 1)));
                break;
        }

        return new Node(children);
    }

    private static JsonElement Member(JsonElement element, string name, string other) => element.TryGetProperty(name, out JsonElement value) ? value : element.GetProperty(other);

    private static ColumnMap Map(Node read, Node file)
    {
        var columns = new Dictionary<string, (string?, ColumnMap)>(StringComparer.Ordinal);
        foreach ((string name, long id, Node type) in read.Children)
        {
            (string Name, long Id, Node Type) source = file.Children.FirstOrDefault(c => c.Id == id);
            columns[name] = source.Name is null ? (null, ColumnMap.Empty) : (source.Name, Map(type, source.Type));
        }

        return new ColumnMap(columns);
    }

    private sealed record Node(IReadOnlyList<(string Name, long Id, Node Type)> Children);
}

/// <summary>Names of columns in a file, by their names in the read schema.</summary>
public sealed class ColumnMap(IReadOnlyDictionary<string, (string? Source, ColumnMap Children)> columns)
{
    /// <summary>No columns: names are as they are.</summary>
    public static ColumnMap Empty { get; } = new(new Dictionary<string, (string?, ColumnMap)>());

    /// <summary>The name in the file; null if the file does not hold the column (it may hold another of the same name).</summary>
    public string? SourceOf(string name) => columns.TryGetValue(name, out (string? Source, ColumnMap Children) column) ? column.Source : name;

    /// <summary>The map of a column's fields; of a list's items and a map's values under <c>item</c> and <c>value</c>.</summary>
    public ColumnMap ChildrenOf(string name) => columns.TryGetValue(name, out (string? Source, ColumnMap Children) column) ? column.Children : Empty;
}
