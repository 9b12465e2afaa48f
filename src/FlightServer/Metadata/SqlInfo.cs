using System.Reflection;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.FlightServer.Metadata;

/// <summary>The answers to GetSqlInfo: each code in the union's child that drivers cast it to.</summary>
internal static class SqlInfo
{
    private static readonly ListType TextList = new(new Field("item", StringType.Default, true));

    private static readonly MapType Conversions = new(
        new Field("key", Int32Type.Default, false), new Field("value", new ListType(new Field("item", Int32Type.Default, true)), true));

    private static readonly UnionType Values = new(
        [
            new Field("string_value", StringType.Default, false), new Field("bool_value", BooleanType.Default, false), new Field("bigint_value", Int64Type.Default, false),
            new Field("int32_bitmask", Int32Type.Default, false), new Field("string_list", TextList, false), new Field("int32_to_int32_list_map", Conversions, false),
        ],
        [0, 1, 2, 3, 4, 5], UnionMode.Dense);

    /// <summary>Schema of the rows.</summary>
    public static readonly Schema Schema = new([new Field("info_name", UInt32Type.Default, false), new Field("value", Values, false)], null);

    private static readonly SortedDictionary<uint, object> Answers = Build();

    /// <summary>The rows for the asked codes that are known; for none asked, all.</summary>
    public static RecordBatch Rows(IEnumerable<uint> asked)
    {
        uint[] wanted = [.. asked.Distinct()];
        uint[] codes = wanted.Length == 0 ? [.. Answers.Keys] : [.. wanted.Where(Answers.ContainsKey)];
        var names = new UInt32Array.Builder().AppendRange(codes).Build();
        var types = new byte[codes.Length];
        var offsets = new int[codes.Length];
        var texts = new List<string>();
        var flags = new List<bool>();
        var longs = new List<long>();
        var ints = new List<int>();
        var lists = new List<string[]>();
        for (int i = 0; i < codes.Length; i++)
        {
            (types[i], offsets[i]) = Answers[codes[i]] switch
            {
                string s => ((byte)0, Put(texts, s)),
                bool b => ((byte)1, Put(flags, b)),
                long l => ((byte)2, Put(longs, l)),
                int n => ((byte)3, Put(ints, n)),
                string[] l => ((byte)4, Put(lists, l)),
                _ => throw new InvalidOperationException("Unknown kind of answer"),
            };
        }

        IArrowArray[] children =
        [
            new StringArray.Builder().AppendRange(texts).Build(), new BooleanArray.Builder().AppendRange(flags).Build(), new Int64Array.Builder().AppendRange(longs).Build(),
            new Int32Array.Builder().AppendRange(ints).Build(), Lists(lists), NoConversions(),
        ];
        var value = new DenseUnionArray(Values, codes.Length, children, new ArrowBuffer(types), new ArrowBuffer(System.Runtime.InteropServices.MemoryMarshal.AsBytes(offsets.AsSpan()).ToArray()));
        return new RecordBatch(Schema, [names, value], codes.Length);
    }

    private static int Put<T>(List<T> list, T value)
    {
        list.Add(value);
        return list.Count - 1;
    }

    private static ListArray Lists(List<string[]> lists)
    {
        var builder = new ListArray.Builder(new Field("item", StringType.Default, true));
        var items = (StringArray.Builder)builder.ValueBuilder;
        foreach (string[] list in lists)
        {
            builder.Append();
            items.AppendRange(list);
        }

        return builder.Build();
    }

    private static MapArray NoConversions()
    {
        var item = new ArrayData(Int32Type.Default, 0, 0, 0, [ArrowBuffer.Empty, ArrowBuffer.Empty]);
        var list = new ArrayData(Conversions.ValueField.DataType, 0, 0, 0, [ArrowBuffer.Empty, new ArrowBuffer(new byte[4])], [item]);
        var key = new ArrayData(Int32Type.Default, 0, 0, 0, [ArrowBuffer.Empty, ArrowBuffer.Empty]);
        var entries = new ArrayData(Conversions.KeyValueType, 0, 0, 0, [ArrowBuffer.Empty], [key, list]);
        return new MapArray(new ArrayData(Conversions, 0, 0, 0, [ArrowBuffer.Empty, new ArrowBuffer(new byte[4])], [entries]));
    }

    private static SortedDictionary<uint, object> Build()
    {
        var answers = new SortedDictionary<uint, object>
        {
            [0] = "LakeHolo",
            [1] = typeof(SqlInfo).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0],
            [2] = "23.0.0",
            [3] = true,
            [4] = true,
            [5] = false,
            [6] = string.Empty,
            [7] = string.Empty,
            [8] = 1,
            [9] = true,
            [10] = false,
            [11] = false,
            [100] = 0,
            [101] = 0,
            [500] = false,
            [501] = false,
            [502] = false,
            [503] = 1L,
            [504] = "\"",
            [505] = 1L,
            [506] = true,
            [507] = 3L,
            [508] = Array("QUALIFY", "ASOF", "PIVOT", "UNPIVOT", "SUMMARIZE", "PROMOTE", "DEMOTE", "REFRESH", "SYNC"),
            [509] = Array("abs", "ceil", "floor", "round", "sqrt", "ln", "log", "power", "mod", "sign", "exp"),
            [510] = Array("concat", "length", "lower", "upper", "substring", "trim", "replace", "strpos", "split_part", "regexp_replace"),
            [511] = Array("coalesce", "nullif", "typeof"),
            [512] = Array("date_trunc", "date_part", "date_diff", "strftime", "now", "today", "year", "month", "day"),
            [513] = "\\",
            [514] = string.Empty,
            [515] = true,
            [516] = true,
            [518] = true,
            [519] = false,
            [520] = true,
            [521] = true,
            [522] = 3,
            [523] = true,
            [524] = true,
            [525] = 7,
            [526] = 1,
            [527] = false,
            [528] = 6,
            [529] = "schema",
            [530] = string.Empty,
            [531] = "catalog",
            [532] = true,
            [533] = 7,
            [534] = 7,
            [535] = 0,
            [536] = false,
            [537] = false,
            [538] = 15,
            [539] = true,
            [540] = 3,
            [556] = false,
            [562] = 0L,
            [563] = false,
            [564] = 1,
            [565] = false,
            [566] = false,
            [567] = 2,
            [568] = 0,
            [569] = 0,
            [570] = 0,
            [571] = 0,
            [572] = false,
            [573] = false,
            [574] = false,
            [575] = false,
            [576] = false,
        };
        foreach (uint maximum in Enumerable.Range(541, 15).Concat(Enumerable.Range(557, 5)))
        {
            answers[maximum] = 0L;
        }

        return answers;

        static string[] Array(params string[] items) => items;
    }
}
