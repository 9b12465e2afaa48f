using System.Text;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Cli.Output;

namespace LakeHolo.Cli.Tests.Output;

public sealed class CellTextTests
{
    [Fact]
    public void Decimals_keep_their_scale_and_all_their_digits()
    {
        Decimal128Array money = Columns.Decimals(14, 2, 150, -5, 0, 99_999_999_999_999);
        Decimal128Array longest = Columns.Decimals(38, 0, Int128.Parse("99999999999999999999999999999999999999", null), -Int128.Parse("99999999999999999999999999999999999999", null));

        Assert.Equal(["1.50", "-0.05", "0.00", "999999999999.99"], All(money));
        Assert.Equal(["99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"], All(longest));
    }

    [Fact]
    public void Timestamps_show_as_many_digits_as_they_have_in_every_unit_and_before_1970()
    {
        Assert.Equal(["1970-01-01 00:00:00", "1969-12-31 23:59:59.999999", "2026-11-01 12:30:00.5"], All(Columns.Timestamps(TimeUnit.Microsecond, null, 0, -1, 1_793_536_200_500_000)));
        Assert.Equal(["1970-01-01 00:00:00.001", "1969-12-31 23:59:59.99"], All(Columns.Timestamps(TimeUnit.Millisecond, null, 1, -10)));
        Assert.Equal(["1970-01-01 00:00:00.000000001Z"], All(Columns.Timestamps(TimeUnit.Nanosecond, "UTC", 1)));
        Assert.Equal(["1970-01-01 00:00:01Z"], All(Columns.Timestamps(TimeUnit.Second, "UTC", 1)));
    }

    [Fact]
    public void A_time_beyond_the_calendar_is_shown_as_what_it_is_and_not_wrapped()
    {
        Assert.Equal(["0001-01-01", "9999-12-31", "epoch day 2932897"], All(Columns.Days(-719_162, 2_932_896, 2_932_897)));
        Assert.StartsWith("epoch second", CellText.Of(Columns.Timestamps(TimeUnit.Second, null, 253_402_300_800), 0), StringComparison.Ordinal);
    }

    [Fact]
    public void Doubles_read_back_to_the_same_bits()
    {
        double[] values = [0.1, -0.0, 1e300, double.Epsilon, 1d / 3];
        string?[] texts = All(Columns.Doubles(values));
        Assert.Equal(values.Select(BitConverter.DoubleToInt64Bits), texts.Select(t => BitConverter.DoubleToInt64Bits(double.Parse(t!, System.Globalization.CultureInfo.InvariantCulture))));
    }

    [Fact]
    public void Nested_values_are_json_also_in_a_slice()
    {
        ListArray lists = Columns.Lists([1, 2], null, [], [3]);
        StructArray structs = Columns.Structs(4, ("id", Columns.Longs(1, 2, null, 4)), ("name", Columns.Texts("a", "b\"c", "d", null)));

        Assert.Equal(["[1,2]", null, "[]", "[3]"], All(lists));
        Assert.Equal(["[]", "[3]"], All((ListArray)ArrowArrayFactory.Slice(lists, 2, 2)));
        Assert.Equal(["{\"id\":1,\"name\":\"a\"}", "{\"id\":2,\"name\":\"b\\\"c\"}", "{\"id\":null,\"name\":\"d\"}", "{\"id\":4,\"name\":null}"], All(structs));
        Assert.Equal(["{\"id\":null,\"name\":\"d\"}", "{\"id\":4,\"name\":null}"], All((StructArray)ArrowArrayFactory.Slice(structs, 2, 2)));
    }

    [Fact]
    public void Json_numbers_keep_integers_beyond_what_a_double_holds()
    {
        Assert.Equal("9007199254740993", Json(Columns.Longs(9_007_199_254_740_993), 0));
        Assert.Equal("1.50", Json(Columns.Decimals(14, 2, 150), 0));
        Assert.Equal("\"NaN\"", Json(Columns.Doubles(double.NaN), 0));
        Assert.Equal("null", Json(Columns.Texts([null]), 0));
    }

    private static string?[] All(IArrowArray array) => [.. Enumerable.Range(0, array.Length).Select(i => CellText.Of(array, i))];

    private static string Json(IArrowArray array, int row)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            CellText.WriteJson(json, array, row);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
