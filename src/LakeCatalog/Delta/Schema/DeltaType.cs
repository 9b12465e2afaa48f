namespace LakeHolo.LakeCatalog.Delta.Schema;

#pragma warning disable CA1720 // The specification's own words for types.

/// <summary>A type of a Delta schema (Delta PROTOCOL.md, "Schema Serialization Format").</summary>
public abstract record DeltaType;

/// <summary>Types without parameters.</summary>
public enum DeltaPrimitiveKind
{
    /// <summary>UTF-8 text.</summary>
    String,

    /// <summary>64 bits, signed.</summary>
    Long,

    /// <summary>32 bits, signed.</summary>
    Integer,

    /// <summary>16 bits, signed.</summary>
    Short,

    /// <summary>8 bits, signed.</summary>
    Byte,

    /// <summary>IEEE single.</summary>
    Float,

    /// <summary>IEEE double.</summary>
    Double,

    /// <summary>true or false.</summary>
    Boolean,

    /// <summary>Bytes.</summary>
    Binary,

    /// <summary>Days since 1970-01-01.</summary>
    Date,

    /// <summary>An instant, microseconds.</summary>
    Timestamp,

    /// <summary>Wall clock time, microseconds.</summary>
    TimestampNtz,

    /// <summary>Always null; never stored.</summary>
    Void,

    /// <summary>Semi-structured value.</summary>
    Variant,

    /// <summary>Months, signed, 32 bits.</summary>
    YearMonthInterval,

    /// <summary>Microseconds, signed, 64 bits.</summary>
    DayTimeInterval,
}

/// <summary>A type without parameters.</summary>
public sealed record DeltaPrimitive(DeltaPrimitiveKind Kind) : DeltaType;

/// <summary><c>decimal(p,s)</c>.</summary>
public sealed record DeltaDecimal(int Precision, int Scale) : DeltaType;

/// <summary>A list.</summary>
public sealed record DeltaArray(DeltaType Element) : DeltaType;

/// <summary>A map.</summary>
public sealed record DeltaMap(DeltaType Key, DeltaType Value) : DeltaType;

/// <summary>A struct, also the whole row.</summary>
public sealed record DeltaStruct(IReadOnlyList<DeltaField> Fields) : DeltaType;

/// <summary>A field of a struct.</summary>
public sealed record DeltaField
{
    /// <summary>The name users see.</summary>
    public required string Name { get; init; }

    /// <summary>The name in Parquet files, partition values and statistics; equal to <see cref="Name"/> without column mapping.</summary>
    public required string PhysicalName { get; init; }

    /// <summary>The column mapping id; null without column mapping.</summary>
    public int? FieldId { get; init; }

    /// <summary>Its type.</summary>
    public required DeltaType Type { get; init; }

    /// <summary>The writer's promise; files may say otherwise.</summary>
    public bool Nullable { get; init; } = true;

    /// <summary>Comment, if any.</summary>
    public string? Comment { get; init; }
}

/// <summary>How columns are found in Parquet files.</summary>
public enum ColumnMappingMode
{
    /// <summary>By their names.</summary>
    None,

    /// <summary>By physical names.</summary>
    Name,

    /// <summary>By Parquet field ids.</summary>
    Id,
}
