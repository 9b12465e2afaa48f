using System.Globalization;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Conditions whose text, as the engine shows it, could be taken for another one: no file that holds a row of the answer is pruned.</summary>
public sealed class DeltaConditionTests
{
    [Theory]
    [InlineData("s = 'optional: x'", "0")] // what the engine writes before filters that need not be applied
    [InlineData("s IN ('optional: x', 'it''s optional: y')", "0, 1")]
    [InlineData("s = 'a\nb' OR s IN ('q\nr', 'optional: x')", "0, 2")] // shown on several lines
    [InlineData("s IN ('a\nb', 'q')", "2")]
    [InlineData("n % 5 = 2", "0, 2")] // n, of which expressions were computed beside a number of that name
    [InlineData("N + 0 IN (7, 13)", "0, 1")]
    [InlineData("f = 0.1", "0")] // a float is shown as 0.1, and lies beside the double of that text
    [InlineData("f IN (0.3::FLOAT, 16777216)", "1, 2")]
    [InlineData("f IN (NULL, 0.1::FLOAT, 1e-30::FLOAT)", "0")] // among others read as doubles
    [InlineData("f IS NOT DISTINCT FROM 0.1::FLOAT", "0")]
    [InlineData("n::DOUBLE * 0.1 / 3 = '1.3'::DOUBLE / 3", "1")]
    [InlineData("n::DOUBLE + '0.12345678901234567'::DOUBLE = '7.12345678901234567'::DOUBLE", "0")] // shown with 16 digits, and read as a decimal
    [InlineData("f >= 0.3::FLOAT", "1, 2")]
    [InlineData("f <= 0.1::FLOAT", "0")]
    [InlineData("g = 0.1", "0")]
    [InlineData("g < 'Infinity'::FLOAT AND id > 0", "1, 2")] // shown as 1e1000
    [InlineData("g + 1 > '-Infinity'::DOUBLE AND f::DOUBLE < 'Infinity'", "0, 1, 2")]
    public async Task A_condition_finds_its_rows(string condition, string expected)
    {
        using var table = new HandMadeTable("facts");
        (string Text, string F, string Added)[] files = [("optional: x", "0.1", "0.1"), ("it''s optional: y", "0.3", "0.3"), ("a\nb", "1.6777216E7", "16777216")];
        string[] adds = [.. files.Select((file, i) =>
        {
            long size = table.WriteFile($"{i}.parquet", $"SELECT {i}::BIGINT AS id, '{file.Text}' AS s, {file.Added}::FLOAT AS g");
            string text = System.Text.Json.JsonSerializer.Serialize(file.Text.Replace("''", "'", StringComparison.Ordinal));
            string statistics = string.Create(CultureInfo.InvariantCulture, $$$"""{"numRecords":1,"minValues":{"id":{{{i}}},"s":{{{text}}},"g":{{{file.Added}}}},"maxValues":{"id":{{{i}}},"s":{{{text}}},"g":{{{file.Added}}}},"nullCount":{"id":0,"s":0,"g":0}}""");
            return HandMadeTable.Add($"{i}.parquet", size, statistics, new() { ["n"] = $"{7 + (i % 2 * 6) + (i / 2 * 10)}", ["f"] = file.F });
        })];
        table.Commit(0, [.. HandMadeTable.Create(["id long", "s string", "g float", "n integer", "f float"], ["n", "f"]), .. adds]);
        await using OneTableLake lake = await OneTableLake.StartAsync(table);
        Assert.Equal(expected.Split(", ").Select(id => $"[{id}]"), await lake.RowsAsync($"SELECT id FROM facts WHERE {condition}"));
    }

    /// <summary>Long decimals: of literals no digit is lost, and bounds that a writer kept as floating numbers hide no value.</summary>
    [Theory]
    [InlineData("d = 0.123456789012345678901234567891", "0")]
    [InlineData("d BETWEEN 0.123456789012345678901234567890 AND 0.123456789012345678901234567891", "0")]
    [InlineData("d > 0.123456789012345678901234567891", "1")]
    [InlineData("big = '12345678901234567891'::DECIMAL(20,0)", "0")] // its floating number is 12345678901234567000
    [InlineData("big >= '12345678901234567891'::DECIMAL(20,0) AND big < '12345678901234567892'::DECIMAL(20,0)", "0")]
    [InlineData("big = '98765432109876543219'::DECIMAL(20,0)", "1")] // 98765432109876550000
    [InlineData("big <= '98765432109876543219'::DECIMAL(20,0) AND big > '98765432109876543218'::DECIMAL(20,0)", "1")]
    [InlineData("big IN (-7, '98765432109876543219'::DECIMAL(20,0), '12345678901234567891'::DECIMAL(20,0))", "0, 1")]
    [InlineData("e = '0.12345678901234567890123456789012345678'::DECIMAL(38,38)", "0")] // all 38 digits behind the point
    [InlineData("e > '0.12345678901234567890123456789012345678'::DECIMAL(38,38)", "1")]
    [InlineData("e IN (0, '0.12345678901234567890123456789012345679'::DECIMAL(38,38))", "1")]
    public async Task Long_decimals_are_found_to_the_last_digit(string condition, string expected)
    {
        using var table = new HandMadeTable("facts");
        (string D, string Big, string Floating)[] files = [("0.123456789012345678901234567891", "12345678901234567891", "12345678901234567000"), ("0.123456789012345678901234567892", "98765432109876543219", "9.876543210987655e19")];
        string[] adds = [.. files.Select((file, i) =>
        {
            long size = table.WriteFile($"{i}.parquet", $"SELECT {i}::BIGINT AS id, '{file.D}'::DECIMAL(38,30) AS d, '{file.Big}'::DECIMAL(20,0) AS big, '0.1234567890123456789012345678901234567{8 + i}'::DECIMAL(38,38) AS e");
            string bounds = $$"""{"id":{{i}},"d":{{file.D}},"big":{{file.Floating}},"e":0.1234567890123456789012345678901234567{{8 + i}}}""";
            return HandMadeTable.Add($"{i}.parquet", size, $$$"""{"numRecords":1,"minValues":{{{bounds}}},"maxValues":{{{bounds}}},"nullCount":{"id":0,"d":0,"big":0,"e":0}}""");
        })];
        table.Commit(0, [.. HandMadeTable.Create(["id long", "d decimal(38,30)", "big decimal(20,0)", "e decimal(38,38)"]), .. adds]);
        await using OneTableLake lake = await OneTableLake.StartAsync(table);
        Assert.Equal(expected.Split(", ").Select(id => $"[{id}]"), await lake.RowsAsync($"SELECT id FROM facts WHERE {condition}"));
    }
}
