using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.FlightServer.Tests.Harness;

/// <summary>A cell as text, of any type, to compare two ways of getting it.</summary>
internal static class CellText
{
    public static string Of(IArrowArray array, int row) => array switch
    {
        NullArray => "null",
        _ when array is not UnionArray && array.IsNull(row) => "null",
        StringArray a => a.GetString(row),
        BooleanArray a => a.GetValue(row).ToString()!,
        BinaryArray a => Convert.ToHexString(a.GetBytes(row)),
        MapArray a => List(a.KeyValues, a.ValueOffsets[row], a.ValueOffsets[row + 1]),
        ListArray a => List(a.Values, a.ValueOffsets[row], a.ValueOffsets[row + 1]),
        FixedSizeListArray a => List(a.Values, (a.Offset + row) * ((FixedSizeListType)a.Data.DataType).ListSize, (a.Offset + row + 1) * ((FixedSizeListType)a.Data.DataType).ListSize),
        SparseUnionArray a => a.TypeIds[row] + ":" + Of(a.Fields[a.TypeIds[row]], row),
        DenseUnionArray a => a.TypeIds[row] + ":" + Of(a.Fields[a.TypeIds[row]], a.ValueOffsets[row]),
        StructArray a => "{" + string.Join(",", a.Fields.Select(f => Of(f, row))) + "}",
        _ when array.Data.DataType is FixedWidthType type =>
            Convert.ToHexString(array.Data.Buffers[1].Span.Slice((array.Data.Offset + row) * type.BitWidth / 8, type.BitWidth / 8)),
        _ => throw new NotSupportedException(array.Data.DataType.Name),
    };

    private static string List(IArrowArray values, int from, int to) => "[" + string.Join(",", Enumerable.Range(from, to - from).Select(i => Of(values, i))) + "]";
}
