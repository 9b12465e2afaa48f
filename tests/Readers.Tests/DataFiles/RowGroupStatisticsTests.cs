using System.Numerics;
using System.Text;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Readers.Tests.DataFiles;

public sealed class RowGroupStatisticsTests : IDisposable
{
    private static readonly TimestampType Micros = new(TimeUnit.Microsecond, (string?)null);
    private static readonly TimestampType Instants = new(TimeUnit.Microsecond, "UTC");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Bounds_are_those_of_the_values_and_missing_where_the_files_type_is_another()
    {
        using (var engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.Path] }))
        {
            using DuckDBConnection connection = engine.OpenConnection();
            EngineDatabase.Execute(connection, $"""
                COPY (SELECT (i - 2)::TINYINT AS i8, (i - 2)::SMALLINT AS i16, (i - 2)::INTEGER AS i32, (i - 2)::BIGINT AS i64, i::UINTEGER AS u32, i::UBIGINT AS u64, i::FLOAT AS f, i::DOUBLE AS x,
                  DATE '1969-12-30' + i::INTEGER AS day, make_timestamp_ms(i - 2) AS ms, make_timestamp(i - 2) AS us, make_timestamp_ns(i - 2) AS ns, make_timestamptz(i - 2) AS tz,
                  ((i - 2) / 10)::DECIMAL(9, 1) AS d9, ((i - 2) / 10)::DECIMAL(18, 1) AS d18, ((i - 2) / 10)::DECIMAL(30, 1) AS d30, 'ä' || i AS t, encode('ä' || i) AS b,
                  i > 2 AS flag, NULL::INTEGER AS nothing, struct_pack(i32 := i::INTEGER) AS s, [i] AS list
                  FROM range(5) r(i)) TO {SqlText.Literal(_folder.File("t.parquet"))} (FORMAT parquet)
                """);
        }

        byte[] file = File.ReadAllBytes(_folder.File("t.parquet"));
        byte[] footer = file[^(int)ParquetLayout.FooterBytes(file.AsSpan(^8..), file.Length)!.Value..^8];
        ColumnRange? Of(string column, IArrowType type) => Assert.Single(RowGroupStatistics.Of(footer, column, type, "t"));
        (object?, object?)? Bounds(string column, IArrowType type) => Of(column, type) is { } range ? (range.Min, range.Max) : null;
        static ScanDecimal Tenths(int unscaled) => new(new BigInteger(unscaled), 1);

        Assert.Equal((-2L, 2L), Bounds("i8", Int8Type.Default));
        Assert.Equal((-2L, 2L), Bounds("i8", Int16Type.Default));
        Assert.Equal((-2L, 2L), Bounds("i16", Int32Type.Default));
        Assert.Equal((-2L, 2L), Bounds("I32", Int64Type.Default));
        Assert.Equal((-2L, 2L), Bounds("i64", Int64Type.Default));
        Assert.Equal((-2L, 2L), Bounds("day", Date32Type.Default));
        Assert.Equal((-2000L, 2000L), Bounds("ms", Micros));
        Assert.Equal((-2L, 2L), Bounds("us", Micros));
        Assert.Equal((-2L, 2L), Bounds("tz", Instants));
        Assert.Equal((Tenths(-2), Tenths(2)), Bounds("d9", new Decimal128Type(9, 1)));
        Assert.Equal((Tenths(-2), Tenths(2)), Bounds("d18", new Decimal128Type(20, 1)));
        Assert.Equal(("ä0", "ä4"), Bounds("t", StringType.Default));

        (string, IArrowType)[] unknown =
        [
            ("i32", Int16Type.Default), ("i64", Int32Type.Default), ("u32", Int64Type.Default), ("u64", Int64Type.Default), ("f", FloatType.Default), ("x", DoubleType.Default),
            ("i32", StringType.Default), ("t", Int64Type.Default), ("day", Micros), ("us", Date32Type.Default), ("ns", Micros), ("us", Instants), ("tz", Micros),
            ("us", new TimestampType(TimeUnit.Millisecond, (string?)null)), ("d9", new Decimal128Type(9, 2)), ("d18", new Decimal128Type(9, 1)), ("i32", new Decimal128Type(9, 0)),
            ("b", StringType.Default), ("flag", BooleanType.Default), ("nothing", Int32Type.Default), ("s", Int32Type.Default), ("list", Int64Type.Default), ("gone", Int32Type.Default),
        ];
        foreach ((string column, IArrowType type) in unknown)
        {
            Assert.True(Of(column, type) is null, $"{column} as {type.Name}");
        }
    }

    [Fact]
    public void Bounds_whose_meaning_is_not_certain_are_not_used()
    {
        static (object?, object?)? Text(string writer, int? order, params (int Field, byte[] Value)[] bounds) => Bounds(6, 0, StringType.Default, writer, order, bounds);
        static (object?, object?)? Number(string writer, int? order, params (int Field, byte[] Value)[] bounds) => Bounds(1, null, Int32Type.Default, writer, order, bounds);
        byte[] a = "a"u8.ToArray(), b = "b"u8.ToArray(), cut = [0x62, 0xC3], one = [1, 0, 0, 0], minus = [0xFF, 0xFF, 0xFF, 0xFF];

        Assert.Equal(("a", "b"), Text("parquet-mr", 1, (5, b), (6, a)));
        Assert.Equal(("a", "b"), Text("DuckDB version v1", null, (5, b), (6, a)));
        Assert.Null(Text("parquet-mr", null, (5, b), (6, a))); // no order
        Assert.Null(Text("parquet-mr", 2, (5, b), (6, a))); // an order that is not known
        Assert.Null(Text("DuckDB version v1", 2, (5, b), (6, a)));
        Assert.Null(Text("parquet-mr", 1, (1, b), (2, a))); // the older fields, ordered as signed bytes
        Assert.Equal(("a", null), Text("parquet-mr", 1, (5, cut), (6, a))); // cut within a character
        Assert.Null(Text("parquet-mr", 1, (5, a), (6, b))); // the wrong way round
        Assert.Null(Text("parquet-mr", 1));

        Assert.Equal((-1L, 1L), Number("parquet-mr", 1, (5, one), (6, minus)));
        Assert.Equal((-1L, 1L), Number("parquet-mr", null, (1, one), (2, minus)));
        Assert.Equal((null, 1L), Number("parquet-mr", null, (1, minus), (5, one))); // never a bound of each kind
        Assert.Null(Number("parquet-mr", 2, (5, one), (6, minus)));
        Assert.Null(Number("parquet-mr", 1, (5, minus), (6, one)));
        Assert.Null(Number("parquet-mr", 1, (5, [1]), (6, [1, 2])));
    }

    private static (object?, object?)? Bounds(int physical, int? converted, IArrowType type, string writer, int? order, (int Field, byte[] Value)[] bounds)
    {
        ColumnRange? range = Assert.Single(RowGroupStatistics.Of(Footer(physical, converted, writer, order, bounds), "c", type, "t"));
        return range is null ? null : (range.Min, range.Max);
    }

    // Thrift's compact protocol by hand: (distance to the field before << 4 | type), value; a struct ends in 0.
    private static byte[] Footer(int physical, int? converted, string writer, int? order, (int Field, byte[] Value)[] bounds)
    {
        byte type = (byte)(physical * 2); // zigzag
        var statistics = new List<byte>();
        int before = 0;
        foreach ((int field, byte[] value) in bounds)
        {
            statistics.AddRange([(byte)(((field - before) << 4) | 8), (byte)value.Length, .. value]);
            before = field;
        }

        byte[] annotation = converted is { } c ? [0x25, (byte)(c * 2)] : [];
        byte[] orders = order is { } kind ? [0x19, 0x1C, (byte)((kind << 4) | 12), 0, 0] : [];
        return
        [
            0x15, 2, // version
            0x19, 0x2C, 0x48, 1, (byte)'r', 0x15, 2, 0, 0x15, type, 0x25, 2, 0x18, 1, (byte)'c', .. annotation, 0, // schema
            0x16, 20, // rows
            0x19, 0x1C, // row groups
            0x19, 0x1C, 0x26, 0, 0x1C, 0x15, type, 0x19, 0x15, 0, 0x19, 0x18, 1, (byte)'c', 0x15, 0, 0x16, 20, 0x16, 0, 0x16, 2, 0x26, 8, 0x3C, .. statistics, 0, 0, 0,
            0x16, 0, 0x16, 20, 0,
            0x28, (byte)writer.Length, .. Encoding.UTF8.GetBytes(writer), .. orders, 0,
        ];
    }
}
