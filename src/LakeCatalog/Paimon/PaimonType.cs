namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>Root of a Paimon type.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Naming", "CA1720", Justification = "The names are those of the specification's types.")]
public enum PaimonTypeKind
{
    /// <summary>CHAR(n).</summary>
    Char,

    /// <summary>VARCHAR(n) and STRING.</summary>
    VarChar,

    /// <summary>BOOLEAN.</summary>
    Boolean,

    /// <summary>BINARY(n).</summary>
    Binary,

    /// <summary>VARBINARY(n) and BYTES.</summary>
    VarBinary,

    /// <summary>DECIMAL(p, s).</summary>
    Decimal,

    /// <summary>TINYINT.</summary>
    TinyInt,

    /// <summary>SMALLINT.</summary>
    SmallInt,

    /// <summary>INT.</summary>
    Int,

    /// <summary>BIGINT.</summary>
    BigInt,

    /// <summary>FLOAT.</summary>
    Float,

    /// <summary>DOUBLE.</summary>
    Double,

    /// <summary>DATE.</summary>
    Date,

    /// <summary>TIME(p); milliseconds whatever p says.</summary>
    Time,

    /// <summary>TIMESTAMP(p), a wall clock time.</summary>
    Timestamp,

    /// <summary>TIMESTAMP(p) WITH LOCAL TIME ZONE, an instant.</summary>
    TimestampLtz,

    /// <summary>VARIANT.</summary>
    Variant,

    /// <summary>BLOB: bytes in files of their own.</summary>
    Blob,

    /// <summary>VECTOR(element, n).</summary>
    Vector,

    /// <summary>ARRAY.</summary>
    Array,

    /// <summary>MULTISET: element to count.</summary>
    Multiset,

    /// <summary>MAP.</summary>
    Map,

    /// <summary>ROW.</summary>
    Row,

    /// <summary>A type this reader does not know; refused when a query needs the column.</summary>
    Unknown,
}

/// <summary>A column or nested field.</summary>
/// <param name="Id">Its id, which survives renames.</param>
/// <param name="Name">Its name in one schema.</param>
/// <param name="Type">Its type.</param>
/// <param name="Description">A comment, or null.</param>
public sealed record PaimonField(int Id, string Name, PaimonType Type, string? Description = null);

/// <summary>A Paimon data type.</summary>
public sealed record PaimonType
{
    /// <summary>Longest length of STRING and BYTES.</summary>
    public const int MaxLength = int.MaxValue;

    /// <summary>The root.</summary>
    public required PaimonTypeKind Kind { get; init; }

    /// <summary>Whether NULL is allowed.</summary>
    public bool Nullable { get; init; } = true;

    /// <summary>Length, precision, or vector size.</summary>
    public int Length { get; init; }

    /// <summary>Scale of a DECIMAL.</summary>
    public int Scale { get; init; }

    /// <summary>Element type of ARRAY, MULTISET and VECTOR, key type of MAP.</summary>
    public PaimonType? Element { get; init; }

    /// <summary>Value type of MAP.</summary>
    public PaimonType? Value { get; init; }

    /// <summary>Fields of a ROW.</summary>
    public IReadOnlyList<PaimonField> Fields { get; init; } = [];

    /// <summary>The type as the schema spells it, for messages.</summary>
    public string Text { get; init; } = "";

    /// <summary>Strings.</summary>
    public bool IsString => Kind is PaimonTypeKind.Char or PaimonTypeKind.VarChar;

    /// <summary>Byte strings.</summary>
    public bool IsBinary => Kind is PaimonTypeKind.Binary or PaimonTypeKind.VarBinary;

    /// <summary>Floating point numbers.</summary>
    public bool IsFloating => Kind is PaimonTypeKind.Float or PaimonTypeKind.Double;

    /// <summary>Integers.</summary>
    public bool IsInteger => Kind is PaimonTypeKind.TinyInt or PaimonTypeKind.SmallInt or PaimonTypeKind.Int or PaimonTypeKind.BigInt;

    /// <summary>ARRAY, MAP, ROW, MULTISET, VECTOR.</summary>
    public bool IsNested => Kind is PaimonTypeKind.Array or PaimonTypeKind.Map or PaimonTypeKind.Row or PaimonTypeKind.Multiset or PaimonTypeKind.Vector;

    /// <summary>Timestamps finer than a microsecond, here or in a nested type.</summary>
    public bool HoldsNanoseconds => (Kind is PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz && Length > 6)
        || Element?.HoldsNanoseconds == true || Value?.HoldsNanoseconds == true || Fields.Any(f => f.Type.HoldsNanoseconds);

    /// <summary>A VARIANT, here or in a nested type.</summary>
    public bool HoldsVariant => Kind == PaimonTypeKind.Variant || Element?.HoldsVariant == true || Value?.HoldsVariant == true || Fields.Any(f => f.Type.HoldsVariant);

    /// <summary>Whether two types have the same values, names and ids of nested fields included; nullability aside.</summary>
    public bool HasSameValuesAs(PaimonType other) =>
        Kind == other.Kind && Length == other.Length && Scale == other.Scale
        && Same(Element, other.Element) && Same(Value, other.Value)
        && Fields.Count == other.Fields.Count
        && Fields.Zip(other.Fields).All(p => p.First.Id == p.Second.Id && p.First.Name == p.Second.Name && p.First.Type.HasSameValuesAs(p.Second.Type));

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static bool Same(PaimonType? a, PaimonType? b) => a is null ? b is null : b is not null && a.HasSameValuesAs(b);
}
