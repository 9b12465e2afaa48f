using System.Diagnostics.CodeAnalysis;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>The types of the Avro specification.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The specification's own names")]
public enum AvroKind
{
    /// <summary>No value, no bytes.</summary>
    Null,

    /// <summary>One byte.</summary>
    Boolean,

    /// <summary>32 bits, zig-zag.</summary>
    Int,

    /// <summary>64 bits, zig-zag.</summary>
    Long,

    /// <summary>IEEE 754, 4 bytes.</summary>
    Float,

    /// <summary>IEEE 754, 8 bytes.</summary>
    Double,

    /// <summary>Length and bytes.</summary>
    Bytes,

    /// <summary>Length and UTF-8.</summary>
    String,

    /// <summary>Fields in order.</summary>
    Record,

    /// <summary>Index of a symbol.</summary>
    Enum,

    /// <summary>Blocks of items.</summary>
    Array,

    /// <summary>Blocks of string keys and values.</summary>
    Map,

    /// <summary>Index of a branch and its value.</summary>
    Union,

    /// <summary>A fixed number of bytes.</summary>
    Fixed,
}

/// <summary>A parsed Avro schema. A named type that is referred to again is the same object, so a schema may contain itself.</summary>
/// <remarks>Source: Avro specification 1.12, "Schema Declaration".</remarks>
public sealed class AvroSchema
{
    private Dictionary<string, int>? _fieldIndexes;

    internal AvroSchema(AvroKind kind) => Kind = kind;

    /// <summary>The type.</summary>
    public AvroKind Kind { get; }

    /// <summary>Full name of a record, enum or fixed; null for the others.</summary>
    public string? FullName { get; internal init; }

    /// <summary>Full names that this named type also goes by.</summary>
    public IReadOnlyList<string> Aliases { get; internal init; } = [];

    /// <summary>Fields of a record, in order.</summary>
    public IReadOnlyList<AvroField> Fields { get; internal set; } = [];

    /// <summary>Item type of an array or value type of a map.</summary>
    public AvroSchema? Items { get; internal set; }

    /// <summary>Branches of a union.</summary>
    public IReadOnlyList<AvroSchema> Branches { get; internal set; } = [];

    /// <summary>Symbols of an enum.</summary>
    public IReadOnlyList<string> Symbols { get; internal init; } = [];

    /// <summary>Size of a fixed, in bytes.</summary>
    public int FixedSize { get; internal init; }

    // Number of types that a value walks through when references are followed: small text can spell a type of 2^n fields without a byte of data.
    internal long Weight { get; set; } = 1;

    /// <summary>The logical type's name, if its attributes are valid; an invalid or absent one is null, as the specification demands.</summary>
    public string? LogicalType { get; internal init; }

    /// <summary>Precision of a decimal.</summary>
    public int Precision { get; internal init; }

    /// <summary>Scale of a decimal.</summary>
    public int Scale { get; internal init; }

    /// <summary>Parses a schema's JSON text.</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FormatInvalid"/> if it is no Avro schema.</exception>
    public static AvroSchema Parse(string json, string pathForErrors) => AvroSchemaParser.Parse(System.Text.Encoding.UTF8.GetBytes(json), pathForErrors);

    /// <summary>Parses a schema's JSON text in UTF-8.</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FormatInvalid"/> if it is no Avro schema.</exception>
    public static AvroSchema Parse(ReadOnlyMemory<byte> json, string pathForErrors) => AvroSchemaParser.Parse(json, pathForErrors);

    /// <summary>Position of a record's field, by name; -1 if there is none.</summary>
    public int IndexOfField(string name)
    {
        Dictionary<string, int> indexes = _fieldIndexes ??= Fields.Select((f, i) => (f.Name, i)).ToDictionary(p => p.Name, p => p.i, StringComparer.Ordinal);
        return indexes.TryGetValue(name, out int index) ? index : -1;
    }

    /// <summary>For a union of null and one other type (in either order) that other type, for anything else the schema itself.</summary>
    public AvroSchema NonNull =>
        Kind == AvroKind.Union && Branches.Count == 2 && Branches[0].Kind == AvroKind.Null ? Branches[1]
        : Kind == AvroKind.Union && Branches.Count == 2 && Branches[1].Kind == AvroKind.Null ? Branches[0]
        : this;

    /// <inheritdoc/>
    public override string ToString() => FullName ?? LogicalType ?? Kind.ToString().ToLowerInvariant();
}

/// <summary>A field of an Avro record.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Aliases">Names that it also goes by.</param>
/// <param name="DefaultJson">Its default as JSON text, or null without one.</param>
public sealed record AvroField(string Name, AvroSchema Type, IReadOnlyList<string> Aliases, string? DefaultJson);
