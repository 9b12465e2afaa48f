namespace LakeHolo.LakeCatalog.Avro;

/// <summary>A decoded record with access by name, for metadata (manifests, timelines, log headers). A field that the writer's schema lacks reads as null.</summary>
/// <remarks>Values are null, <see cref="bool"/>, <see cref="int"/>, <see cref="long"/>, <see cref="float"/>, <see cref="double"/>, byte arrays (bytes, fixed),
/// strings (string, enum), <see cref="AvroRecord"/>, <c>object?[]</c> (array) and <c>Dictionary&lt;string, object?&gt;</c> (map); logical types are not applied.</remarks>
public sealed class AvroRecord
{
    private readonly object?[] _values;
    private readonly string _path;

    internal AvroRecord(AvroSchema schema, object?[] values, string path)
    {
        Schema = schema;
        _values = values;
        _path = path;
    }

    /// <summary>The writer's schema.</summary>
    public AvroSchema Schema { get; }

    /// <summary>A value, or null if it is null or not there.</summary>
    public object? this[string field]
    {
        get
        {
            int index = Schema.IndexOfField(field);
            return index < 0 ? null : _values[index];
        }
    }

    /// <summary>A value by position in the schema.</summary>
    public object? this[int index] => _values[index];

    /// <summary>Whether the writer's schema has the field.</summary>
    public bool Has(string field) => Schema.IndexOfField(field) >= 0;

    /// <summary>Whether the value is null or not there.</summary>
    public bool IsNull(string field) => this[field] is null;

    /// <summary>A string or enum symbol that must be there.</summary>
    public string GetString(string field) => GetStringOrNull(field) ?? throw Missing(field);

    /// <summary>A string or enum symbol.</summary>
    public string? GetStringOrNull(string field) => Get<string>(field);

    /// <summary>An int or long that must be there.</summary>
    public long GetLong(string field) => GetLongOrNull(field) ?? throw Missing(field);

    /// <summary>An int or long.</summary>
    public long? GetLongOrNull(string field) => this[field] switch
    {
        null => null,
        long value => value,
        int value => value,
        var other => throw Mismatch(field, "a number", other),
    };

    /// <summary>An int (or a long in its range) that must be there.</summary>
    public int GetInt(string field) => GetIntOrNull(field) ?? throw Missing(field);

    /// <summary>An int (or a long in its range).</summary>
    public int? GetIntOrNull(string field) =>
        GetLongOrNull(field) is not { } value ? null : value == (int)value ? (int)value : throw Mismatch(field, "a 32-bit number", value);

    /// <summary>A boolean that must be there.</summary>
    public bool GetBoolean(string field) => GetBooleanOrNull(field) ?? throw Missing(field);

    /// <summary>A boolean.</summary>
    public bool? GetBooleanOrNull(string field) => this[field] switch
    {
        null => null,
        bool value => value,
        var other => throw Mismatch(field, "a boolean", other),
    };

    /// <summary>Bytes or fixed that must be there.</summary>
    public byte[] GetBytes(string field) => GetBytesOrNull(field) ?? throw Missing(field);

    /// <summary>Bytes or fixed.</summary>
    public byte[]? GetBytesOrNull(string field) => Get<byte[]>(field);

    /// <summary>A record that must be there.</summary>
    public AvroRecord GetRecord(string field) => GetRecordOrNull(field) ?? throw Missing(field);

    /// <summary>A record.</summary>
    public AvroRecord? GetRecordOrNull(string field) => Get<AvroRecord>(field);

    /// <summary>An array; empty if it is null or not there.</summary>
    public IReadOnlyList<object?> GetArray(string field) => Get<object?[]>(field) ?? [];

    /// <summary>A map; empty if it is null or not there.</summary>
    public IReadOnlyDictionary<string, object?> GetMap(string field) => Get<Dictionary<string, object?>>(field) ?? [];

    private T? Get<T>(string field)
        where T : class => this[field] switch
        {
            null => null,
            T value => value,
            var other => throw Mismatch(field, typeof(T).Name, other),
        };

    private LakeException Missing(string field) => LakeException.FormatInvalid($"The Avro record '{Schema.FullName}' has no value for '{field}'", _path);

    private LakeException Mismatch(string field, string expected, object found) =>
        LakeException.FormatInvalid($"The Avro record '{Schema.FullName}' has {found.GetType().Name} in '{field}' where {expected} is expected", _path);
}
