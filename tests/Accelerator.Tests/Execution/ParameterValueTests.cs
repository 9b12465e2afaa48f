using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Tests.Fakes;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Tests.Execution;

/// <summary>Values and texts reach the engine whole, or are refused.</summary>
public sealed class ParameterValueTests
{
    [Theory]
    [InlineData(1_700_000_000_123_456_000, 638_355_968_001_234_560)]
    [InlineData(1_700_000_000_123_462_000, 638_355_968_001_234_620)]
    [InlineData(-1_000, 621_355_967_999_999_990)]
    public void Nanoseconds_become_ticks_without_a_detour_over_floating_point(long nanoseconds, long ticks)
    {
        var type = new TimestampType(TimeUnit.Nanosecond, "UTC");
        using var array = new TimestampArray(type, new ArrowBuffer(BitConverter.GetBytes(nanoseconds)), ArrowBuffer.Empty, 1, 0, 0);
        Assert.Equal(new DateTimeOffset(ticks, TimeSpan.Zero), ReadOne(array));
    }

    [Fact]
    public void What_the_engine_would_cut_or_cannot_hold_is_refused()
    {
        LakeException zero = Assert.Throws<LakeException>(() => ReadOne(new StringArray.Builder().Append("a\0b").Build()));
        Assert.Contains("zero byte", zero.Message, StringComparison.Ordinal);
        LakeException date = Assert.Throws<LakeException>(() => ReadOne(new Date32Array(new ArrowBuffer(BitConverter.GetBytes(int.MaxValue)), ArrowBuffer.Empty, 1, 0, 0)));
        Assert.Contains("out of the range", date.Message, StringComparison.Ordinal);
        Assert.Equal(LakeErrorKind.QueryInvalid, date.Kind);
        LakeException fine = Assert.Throws<LakeException>(() => ReadOne(new TimestampArray(new TimestampType(TimeUnit.Nanosecond, "UTC"), new ArrowBuffer(BitConverter.GetBytes(1_100L)), ArrowBuffer.Empty, 1, 0, 0)));
        Assert.Equal((LakeErrorKind.QueryInvalid, true), (fine.Kind, fine.Message.Contains("finer than a microsecond", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("1.50", 2, "1.50")]
    [InlineData("-0.0000000000000000000000000001", 28, "-0.0000000000000000000000000001")]
    [InlineData("79228162514264337593543950335", 0, "79228162514264337593543950335")]
    [InlineData("79228162514264337593543950336", 0, "79228162514264337593543950336")] // one more than the runtime's decimal holds
    [InlineData("99999999999999999999999999999999999999", 0, "99999999999999999999999999999999999999")]
    [InlineData("12345678901234567890.500000000000000000", 18, "12345678901234567890.5")] // zeros that tell nothing
    [InlineData("-99999999999999999999999999999999.000000", 6, "-99999999999999999999999999999999")]
    public void Decimals_are_bound_to_the_last_digit(string text, int scale, string bound)
    {
        Assert.Equal(bound, Convert.ToString(ReadOne(DecimalOf(text, scale)), System.Globalization.CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("0.12345678901234567890123456789", 29)]
    [InlineData("1234567890123456789012345678.55", 2)]
    public void Decimals_that_binding_would_round_are_refused(string text, int scale)
    {
        LakeException e = Assert.Throws<LakeException>(() => ReadOne(DecimalOf(text, scale)));
        Assert.Equal(LakeErrorKind.QueryInvalid, e.Kind);
        Assert.Contains("digits", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_statement_is_not_cut_at_a_zero_byte()
    {
        await using FakeLake lake = await new FakeLake().StartAsync();
        LakeException e = await Assert.ThrowsAsync<LakeException>(async () => await lake.Engine.PrepareAsync(lake.Session, "SELECT 1 AS a\0, 2", default));
        Assert.Contains("zero byte", e.Message, StringComparison.Ordinal);
    }

    private static Decimal128Array DecimalOf(string text, int scale) => new Decimal128Array.Builder(new Decimal128Type(38, scale)).Append(text).Build();

    private static object? ReadOne(IArrowArray array) =>
        ParameterValues.Read(new RecordBatch(new Schema([new Field("p", array.Data.DataType, true)], null), [array], 1), 0, 1).Single();
}
