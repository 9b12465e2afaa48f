using LakeHolo.LakeCatalog.Delta.Schema;

namespace LakeHolo.Readers.Delta;

/// <summary>Physical types, as parquet.thrift counts them.</summary>
internal enum ParquetPhysical
{
    Boolean,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    ByteArray,
    FixedLenByteArray,
}

/// <summary>What an annotation, new or old, makes of a physical type.</summary>
internal enum ParquetMeaning
{
    None,
    Text,
    Decimal,
    Date,
    Time,
    Timestamp,
    Int,
    Uuid,
    Variant,
    Other,
}

/// <summary>A node of a Parquet file's schema.</summary>
internal sealed record ParquetNode
{
    public required string Name { get; init; }

    public int FieldId { get; init; } = -1;

    public bool IsGroup { get; init; }

    public bool IsRepeated { get; init; }

    public IReadOnlyList<ParquetNode> Children { get; init; } = [];

    public ParquetPhysical Physical { get; init; }

    public ParquetMeaning Meaning { get; init; }

    /// <summary>For timestamps: an instant, not a wall clock time.</summary>
    public bool IsInstant { get; init; }

    /// <summary>For times and timestamps: nanoseconds.</summary>
    public bool IsNanos { get; init; }

    /// <summary>For times and timestamps: milliseconds.</summary>
    public bool IsMillis { get; init; }

    /// <summary>For annotated integers: without a sign.</summary>
    public bool IsUnsigned { get; init; }

    /// <summary>For annotated integers: the number of bits; 0 if the annotation does not say.</summary>
    public int Bits { get; init; }

    public int Precision { get; init; }

    public int Scale { get; init; }

    /// <summary>Whether any node has a field id.</summary>
    public bool HasFieldIds() => Children.Any(c => c.FieldId >= 0 || c.HasFieldIds());

    /// <summary>The element of a list, by Parquet's compatibility rules; null if this is no list.</summary>
    public ParquetNode? Element()
    {
        if (IsRepeated && !IsGroup)
        {
            return this;
        }

        if (Children is not [{ IsRepeated: true } repeated])
        {
            return null;
        }

        bool isElement = repeated.Children.Count != 1 || repeated.Children[0].IsRepeated || repeated.Name == "array" || repeated.Name == Name + "_tuple";
        return isElement ? repeated : repeated.Children[0];
    }

    /// <summary>Whether a list's element is a group of one field that the engine takes for a wrapper, and leaves out.</summary>
    public bool IsOneFieldElement() => Children is [{ IsRepeated: true, Children: [{ IsRepeated: false }] } repeated] && ReferenceEquals(Element(), repeated);

    /// <summary>Key and value of a map; null if this is no map.</summary>
    public (ParquetNode Key, ParquetNode Value)? Entry() =>
        Children is [{ IsRepeated: true, Children: [var key, var value] }] ? (key, value) : null;

    /// <summary>Whether every stored value is one of a type, or one that widens to it exactly.</summary>
    public bool Holds(DeltaType type)
    {
        if (IsGroup)
        {
            return false;
        }

        bool isInt = Physical is ParquetPhysical.Int32 or ParquetPhysical.Int64 && Meaning is ParquetMeaning.None or ParquetMeaning.Int;
        return type switch
        {
            DeltaDecimal d => Meaning == ParquetMeaning.Decimal
                ? Scale <= d.Scale && Precision - Scale <= d.Precision - d.Scale
                : isInt && d.Precision - d.Scale >= IntegerDigits(),
            DeltaPrimitive p => p.Kind switch
            {
                DeltaPrimitiveKind.Long => isInt,
                DeltaPrimitiveKind.Integer or DeltaPrimitiveKind.Short or DeltaPrimitiveKind.Byte => isInt && Physical == ParquetPhysical.Int32,
                DeltaPrimitiveKind.YearMonthInterval => isInt && Physical == ParquetPhysical.Int32,
                DeltaPrimitiveKind.DayTimeInterval => isInt && Physical == ParquetPhysical.Int64,
                DeltaPrimitiveKind.Float => Physical == ParquetPhysical.Float,
                DeltaPrimitiveKind.Double => Physical is ParquetPhysical.Double or ParquetPhysical.Float
                    || (isInt && Physical == ParquetPhysical.Int32),
                DeltaPrimitiveKind.Boolean => Physical == ParquetPhysical.Boolean,
                DeltaPrimitiveKind.Date => Meaning == ParquetMeaning.Date,
                DeltaPrimitiveKind.Timestamp => Meaning == ParquetMeaning.Timestamp || Physical == ParquetPhysical.Int96,
                DeltaPrimitiveKind.TimestampNtz => Meaning is ParquetMeaning.Timestamp or ParquetMeaning.Date || Physical == ParquetPhysical.Int96,
                DeltaPrimitiveKind.String => Physical == ParquetPhysical.ByteArray && Meaning is ParquetMeaning.Text or ParquetMeaning.None,
                DeltaPrimitiveKind.Binary => Physical is ParquetPhysical.ByteArray or ParquetPhysical.FixedLenByteArray
                    && Meaning is ParquetMeaning.Text or ParquetMeaning.None,
                _ => false,
            },
            _ => false,
        };
    }

    // Decimal digits that hold every value of the stored integers.
    private int IntegerDigits() => (Physical, Bits) switch
    {
        (ParquetPhysical.Int32, 8) => 3,
        (ParquetPhysical.Int32, 16) => 5,
        (ParquetPhysical.Int32, _) => 10,
        _ => 20,
    };

    /// <summary>For messages.</summary>
    public string Describe() => IsGroup ? "a group" : Meaning switch
    {
        ParquetMeaning.None => Physical.ToString(),
        ParquetMeaning.Decimal => $"{Physical} (Decimal({Precision},{Scale}))",
        _ => $"{Physical} ({Meaning})",
    };
}
