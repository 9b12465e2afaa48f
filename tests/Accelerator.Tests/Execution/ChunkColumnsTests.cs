using Apache.Arrow;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Execution;

namespace LakeHolo.Accelerator.Tests.Execution;

/// <summary>What is read out of the engine's chunks is what the engine's own conversion to Arrow gives.</summary>
public sealed class ChunkColumnsTests : IDisposable
{
    private readonly DuckDBConnection _connection = new("DataSource=:memory:");

    /// <summary>A connection streams one result at a time.</summary>
    private readonly DuckDBConnection _other = new("DataSource=:memory:");
    private readonly EngineConnection _engine;

    public ChunkColumnsTests()
    {
        _connection.Open();
        _other.Open();
        _engine = new EngineConnection(_connection);
    }

    public static TheoryData<string> Values => new(
        "i % 2 = 0",
        "(i % 200 - 100)::TINYINT",
        "(i * 7 - 9000)::SMALLINT",
        "(i * 100003)::INTEGER",
        "(hash(i) >> 1)::BIGINT * -1",
        "(i % 256)::UTINYINT",
        "(i * 5)::USMALLINT",
        "(i * 99991)::UINTEGER",
        "hash(i)",
        "(i / 7.0)::FLOAT",
        "CASE i % 5 WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN '-inf'::DOUBLE WHEN 2 THEN -0.0::DOUBLE ELSE i / 3.0 END",
        "DATE '1960-01-01' + i::INTEGER * 9",
        "TIME '00:00:00.000001' + to_seconds(i)",
        "TIMESTAMP '1969-12-01 01:02:03.456789' + to_hours(i)",
        "(TIMESTAMP '1969-12-01 01:02:03.456789' + to_hours(i))::TIMESTAMPTZ",
        "(TIMESTAMP '1969-12-01 01:02:03' + to_hours(i))::TIMESTAMP_S",
        "(TIMESTAMP '1969-12-01 01:02:03.456' + to_hours(i))::TIMESTAMP_MS",
        "(TIMESTAMP '1969-12-01 01:02:03.456789' + to_hours(i))::TIMESTAMP_NS",
        "(i % 100 - 50)::DECIMAL(4,2)",
        "(i * 3 - 5000)::DECIMAL(9,3)",
        "(i * 3000000 - 5000000000)::DECIMAL(18,4)",
        "(i - 2500)::DECIMAL(38,10) * 123456789012",
        "repeat('ä', (i % 9)::INTEGER)",
        "'customer ' || (i * 7919)",
        "CASE WHEN i % 97 = 0 THEN repeat('long ', (i % 4000)::INTEGER) ELSE '' END",
        "repeat('\\x00\\xFF', (i % 8)::INTEGER)::BLOB");

    [Theory]
    [MemberData(nameof(Values))]
    public async Task Values_are_those_of_the_engines_own_conversion(string value)
    {
        foreach (int rows in (int[])[1, 63, 64, 2100])
        {
            foreach (string nulls in (string[])["false", "true", "i % 3 = 0", "i >= 64", "i <> 63"])
            {
                await SameAsync($"SELECT CASE WHEN NOT ({nulls}) THEN {value} END AS v, {value} AS w FROM range({rows}) t(i)", isDirect: true);
            }
        }
    }

    [Theory]
    [InlineData("[i, i + 1]")]
    [InlineData("{'a': i}")]
    [InlineData("uuid()::VARCHAR::UUID", false)]
    [InlineData("i::HUGEINT")]
    [InlineData("INTERVAL 1 DAY * i")]
    [InlineData("(CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END)::ENUM ('a', 'b')")]
    public async Task Other_types_are_the_engines_to_convert(string value, bool isStable = true) =>
        await SameAsync($"SELECT i, {value} AS v FROM range(3000) t(i)", isDirect: false, isStable ? 2 : 1);

    [Fact]
    public void Memory_of_rows_that_were_given_back_cannot_be_read()
    {
        using PreparedRows rows = _engine.Execute("SELECT i FROM range(10) t(i)", []);
        RecordBatch batch = rows.Next()!;
        ArrowBuffer values = batch.Column(0).Data.Buffers[1];
        Assert.Equal(80, values.Length);
        batch.Dispose();
        batch.Dispose();
        Assert.Throws<ObjectDisposedException>(() => values.Span.Length);
    }

    [Fact]
    public void Rows_outlive_the_result_that_they_came_from()
    {
        RecordBatch batch;
        using (PreparedRows rows = _engine.Execute("SELECT 'a text of more than twelve bytes ' || i AS t FROM range(2000) t(i)", []))
        {
            batch = rows.Next()!;
        }

        using (batch)
        {
            Assert.Equal("a text of more than twelve bytes 1999", ((StringArray)batch.Column(0)).GetString(1999));
        }
    }

    public void Dispose()
    {
        _engine.Dispose();
        _connection.Dispose();
        _other.Dispose();
    }

    private async Task SameAsync(string sql, bool isDirect, int columns = 2)
    {
        using PreparedRows rows = _engine.Execute(sql, []);
        using DuckDBCommand command = _other.CreateCommand();
        command.CommandText = sql;
        using IArrowArrayStream stream = command.ExecuteArrowStream();
        Assert.Equal(stream.Schema.FieldsList.Select(f => (f.Name, f.DataType.ToString())), rows.Schema.FieldsList.Select(f => (f.Name, f.DataType.ToString())));
        while (await stream.ReadNextRecordBatchAsync(TestContext.Current.CancellationToken) is { } expected)
        {
            using RecordBatch? actual = rows.Next();
            using (expected)
            {
                Assert.NotNull(actual);
                Assert.Equal(isDirect, actual.GetType() != typeof(RecordBatch));
                Assert.Equal(expected.Length, actual.Length);
                for (int c = 0; c < columns; c++)
                {
                    Same(expected.Column(c).Data, actual.Column(c).Data, isDirect, sql);
                }
            }
        }

        Assert.Null(rows.Next());
    }

    private static void Same(ArrayData expected, ArrayData actual, bool isDirect, string sql)
    {
        Assert.True(expected.NullCount == actual.NullCount, sql);
        for (int row = 0; row < expected.Length; row++)
        {
            bool valid = IsValid(expected, row);
            Assert.True(valid == IsValid(actual, row), sql);
            Assert.True(!valid || Value(expected, row).SequenceEqual(Value(actual, row)), $"row {row} of {sql}");
            Assert.True(valid || !isDirect || Value(actual, row).IndexOfAnyExcept((byte)0) < 0, $"something is told beneath the NULL of row {row} of {sql}");
        }

        for (int i = 0; i < (expected.Children?.Length ?? 0); i++)
        {
            Same(expected.Children![i], actual.Children![i], isDirect, sql);
        }
    }

    private static bool IsValid(ArrayData data, int row) => data.Buffers[0].IsEmpty || BitUtility.GetBit(data.Buffers[0].Span, row);

    private static ReadOnlySpan<byte> Value(ArrayData data, int row)
    {
        switch (data.DataType)
        {
            case BooleanType:
                return new[] { BitUtility.GetBit(data.Buffers[1].Span, row) ? (byte)1 : (byte)0 };
            case StringType or BinaryType:
                ReadOnlySpan<int> offsets = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(data.Buffers[1].Span);
                return data.Buffers[2].Span[offsets[row]..offsets[row + 1]];
            case FixedWidthType type:
                return data.Buffers[1].Span.Slice(row * type.BitWidth / 8, type.BitWidth / 8);
            default:
                return default;
        }
    }
}
