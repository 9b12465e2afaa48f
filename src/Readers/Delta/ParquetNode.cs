using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta.Schema;
using ParquetSharp;
using ParquetSharp.Schema;

namespace LakeHolo.Readers.Delta;

/// <summary>A node of a Parquet file's schema.</summary>
internal sealed record ParquetNode
{
    private const int MaxDepth = 200;

    public required string Name { get; init; }

    public int FieldId { get; init; } = -1;

    public bool IsGroup { get; init; }

    public bool IsRepeated { get; init; }

    public IReadOnlyList<ParquetNode> Children { get; init; } = [];

    public PhysicalType Physical { get; init; }

    public LogicalTypeEnum Logical { get; init; } = LogicalTypeEnum.None;

    public int Precision { get; init; }

    public int Scale { get; init; }

    /// <summary>Whether bytes are annotated as text.</summary>
    public bool IsMarkedText => Logical is LogicalTypeEnum.String or LogicalTypeEnum.Enum or LogicalTypeEnum.Json;

    /// <summary>Reads a file's footer.</summary>
    public static ParquetNode Read(string localPath)
    {
        try
        {
            using var reader = new ParquetFileReader(localPath);
            using GroupNode root = reader.FileMetaData.Schema.GroupNode;
            return Convert(root, 0);
        }
        catch (ParquetException e)
        {
            throw LakeException.FormatInvalid($"A data file is unreadable: {e.Message}", localPath, e);
        }
    }

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

    /// <summary>Key and value of a map; null if this is no map.</summary>
    public (ParquetNode Key, ParquetNode Value)? Entry() =>
        Children is [{ IsRepeated: true, Children: [var key, var value] }] ? (key, value) : null;

    /// <summary>Whether every stored value is one of a type, or one that widens to it.</summary>
    public bool Holds(DeltaType type)
    {
        if (IsGroup)
        {
            return false;
        }

        bool isInt = Physical is PhysicalType.Int32 or PhysicalType.Int64
            && Logical is LogicalTypeEnum.None or LogicalTypeEnum.Int;
        return type switch
        {
            DeltaDecimal d => Logical == LogicalTypeEnum.Decimal
                ? Scale <= d.Scale && Precision - Scale <= d.Precision - d.Scale
                : isInt && d.Precision - d.Scale >= (Physical == PhysicalType.Int32 ? 10 : 20),
            DeltaPrimitive p => p.Kind switch
            {
                DeltaPrimitiveKind.Long => isInt,
                DeltaPrimitiveKind.Integer or DeltaPrimitiveKind.Short or DeltaPrimitiveKind.Byte => isInt && Physical == PhysicalType.Int32,
                DeltaPrimitiveKind.Float => Physical == PhysicalType.Float,
                DeltaPrimitiveKind.Double => Physical is PhysicalType.Double or PhysicalType.Float || (isInt && Physical == PhysicalType.Int32),
                DeltaPrimitiveKind.Boolean => Physical == PhysicalType.Boolean,
                DeltaPrimitiveKind.Date => Physical == PhysicalType.Int32,
                DeltaPrimitiveKind.Timestamp => Physical is PhysicalType.Int64 or PhysicalType.Int96,
                DeltaPrimitiveKind.TimestampNtz => Physical is PhysicalType.Int64 or PhysicalType.Int96
                    || (Physical == PhysicalType.Int32 && Logical == LogicalTypeEnum.Date),
                DeltaPrimitiveKind.String => Physical == PhysicalType.ByteArray,
                DeltaPrimitiveKind.Binary => Physical is PhysicalType.ByteArray or PhysicalType.FixedLenByteArray,
                _ => false,
            },
            _ => false,
        };
    }

    /// <summary>For messages.</summary>
    public string Describe() => IsGroup ? "a group" : $"{Physical} ({Logical})";

    private static ParquetNode Convert(Node node, int depth)
    {
        if (depth > MaxDepth)
        {
            throw LakeException.FormatInvalid($"A Parquet schema is nested deeper than {MaxDepth} levels");
        }

        using LogicalType logical = node.LogicalType;
        var converted = new ParquetNode
        {
            Name = node.Name,
            FieldId = node.FieldId,
            IsRepeated = node.Repetition == Repetition.Repeated,
            Logical = logical.Type,
        };
        if (node is GroupNode group)
        {
            var children = new List<ParquetNode>(group.FieldCount);
            for (int i = 0; i < group.FieldCount; i++)
            {
                using Node child = group.Field(i);
                children.Add(Convert(child, depth + 1));
            }

            return converted with { IsGroup = true, Children = children };
        }

        return converted with
        {
            Physical = ((PrimitiveNode)node).PhysicalType,
            Precision = logical is DecimalLogicalType p ? p.Precision : 0,
            Scale = logical is DecimalLogicalType s ? s.Scale : 0,
        };
    }
}
