using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Values of columns whose type was altered, by the rules of Paimon's casts.</summary>
public sealed class PaimonCastsTests : IDisposable
{
    private readonly EngineDatabase _engine = new(new EngineOptions { Threads = 1 });

    public void Dispose() => _engine.Dispose();

    [Theory]
    [InlineData("INT", "300", "TINYINT", "44")]
    [InlineData("INT", "-129", "TINYINT", "127")]
    [InlineData("BIGINT", "4294967297", "INT", "1")]
    [InlineData("SMALLINT", "-5", "BIGINT", "-5")]
    [InlineData("DOUBLE", "1e20", "INT", "2147483647")]
    [InlineData("DOUBLE", "'nan'", "INT", "0")]
    [InlineData("DOUBLE", "-1e30", "BIGINT", "-9223372036854775808")]
    [InlineData("DOUBLE", "300.7", "TINYINT", "44")]
    [InlineData("DOUBLE", "3e9", "SMALLINT", "-1")]
    [InlineData("FLOAT", "-1.9", "INT", "-1")]
    [InlineData("DOUBLE", "1e300", "FLOAT", "inf")]
    [InlineData("DECIMAL(10,3)", "1.255", "DECIMAL(10,2)", "1.26")]
    [InlineData("DECIMAL(10,3)", "-1.255", "DECIMAL(10,2)", "-1.26")]
    [InlineData("DECIMAL(10,2)", "12345.00", "DECIMAL(4,1)", null)]
    [InlineData("INT", "12345", "DECIMAL(4,0)", null)]
    [InlineData("BIGINT", "5", "DECIMAL(5,2)", "5.00")]
    [InlineData("DECIMAL(10,2)", "300.99", "TINYINT", "44")]
    [InlineData("DECIMAL(10,2)", "-1.99", "INT", "-1")]
    [InlineData("INT", "2", "BOOLEAN", "true")]
    [InlineData("DECIMAL(3,1)", "0.5", "BOOLEAN", "false")]
    [InlineData("BOOLEAN", "true", "DECIMAL(3,1)", "1.0")]
    [InlineData("DECIMAL(5,2)", "1.50", "STRING", "1.50")]
    [InlineData("INT", "12345", "VARCHAR(3)", "123")]
    [InlineData("INT", "5", "CHAR(3)", "5  ")]
    [InlineData("STRING", "'abcdef'", "VARCHAR(3)", "abc")]
    [InlineData("STRING", "'\U0001F600b'", "VARCHAR(1)", "\U0001F600")]
    [InlineData("BYTES", "'\\x01'", "BINARY(2)", "\\x01\\x00")]
    [InlineData("BYTES", "'\\x01\\x02'", "VARBINARY(1)", "\\x01")]
    [InlineData("STRING", "'Yes'", "BOOLEAN", "true")]
    [InlineData("STRING", "'N'", "BOOLEAN", "false")]
    [InlineData("STRING", "'-12'", "INT", "-12")]
    [InlineData("STRING", "'+12'", "BIGINT", "12")]
    [InlineData("STRING", "'1.9'", "INT", "1")]
    [InlineData("STRING", "'-1.9'", "TINYINT", "-1")]
    [InlineData("STRING", "'.9'", "INT", "0")]
    [InlineData("STRING", "'-.'", "INT", "0")]
    [InlineData("STRING", "'007.'", "SMALLINT", "7")]
    [InlineData("STRING", "'-9223372036854775808'", "BIGINT", "-9223372036854775808")]
    [InlineData("STRING", "' 1.5e2 '", "DOUBLE", "150.0")]
    [InlineData("STRING", "'+.5f'", "FLOAT", "0.5")]
    [InlineData("STRING", "'7.d'", "DOUBLE", "7.0")]
    [InlineData("STRING", "'0.1'", "FLOAT", "0.1")]
    [InlineData("STRING", "'NaN'", "DOUBLE", "nan")]
    [InlineData("STRING", "'-Infinity'", "FLOAT", "-inf")]
    [InlineData("STRING", "'+.5'", "DECIMAL(4,1)", "0.5")]
    [InlineData("STRING", "'-5.'", "DECIMAL(4,1)", "-5.0")]
    [InlineData("STRING", "'2.25'", "DECIMAL(4,1)", "2.3")]
    [InlineData("STRING", "'-2.25'", "DECIMAL(4,1)", "-2.3")]
    [InlineData("STRING", "'0'", "DATE", "1970-01-01")]
    [InlineData("STRING", "'2024-2'", "DATE", "2024-02-01")]
    [InlineData("STRING", "'2024-2-9 11:12:13'", "DATE", "2024-02-09")]
    [InlineData("STRING", "' 2024-02-09'", "DATE", "2024-02-09")]
    [InlineData("STRING", "' 2024'", "DATE", "2024-01-01")]
    [InlineData("DOUBLE", "0.9", "BOOLEAN", "false")]
    [InlineData("DOUBLE", "-1.5", "BOOLEAN", "true")]
    [InlineData("FLOAT", "'nan'", "BOOLEAN", "false")]
    [InlineData("DECIMAL(2,2)", "0.5", "STRING", "0.50")]
    [InlineData("DECIMAL(2,2)", "-0.05", "STRING", "-0.05")]
    [InlineData("DECIMAL(2,2)", "0", "STRING", "0.00")]
    [InlineData("DECIMAL(38,38)", "-0.1", "STRING", "-0.10000000000000000000000000000000000000")]
    [InlineData("DECIMAL(3,2)", "-0.05", "STRING", "-0.05")]
    [InlineData("DECIMAL(4,1)", "0.1", "FLOAT", "0.1")]
    [InlineData("DECIMAL(18,17)", "1.00000000000000011", "DOUBLE", "1.0000000000000002")]
    [InlineData("DECIMAL(18,1)", "90071992547409930.7", "DOUBLE", "9.007199254740994e+16")]
    [InlineData("DECIMAL(38,10)", "123456789012345678.0000000001", "DOUBLE", "1.2345678901234568e+17")]
    [InlineData("DECIMAL(38,2)", "123456789012345678901234567890.99", "BIGINT", "-4362896299872285998")]
    [InlineData("TIMESTAMP(6)", "'1969-12-31 23:59:59.5'", "BIGINT", "0")]
    [InlineData("TIMESTAMP(6)", "'1969-12-31 23:59:58.4'", "INT", "-1")]
    [InlineData("TIMESTAMP(6)", "'3000-02-03 23:59:59.999999'", "DATE", "3000-02-03")]
    [InlineData("TIMESTAMP(6)", "'1969-12-31 23:59:59.999999'", "TIME(0)", "23:59:59.999")]
    [InlineData("TIMESTAMP(6)", "'1969-12-31 23:59:59.999'", "TIMESTAMP(0)", "1970-01-01 00:00:00")]
    [InlineData("TIMESTAMP(6)", "'1969-12-31 23:59:58.999'", "TIMESTAMP(1)", "1969-12-31 23:59:59")]
    [InlineData("TIMESTAMP(6)", "'2024-01-02 03:04:05.678901'", "TIMESTAMP(2)", "2024-01-02 03:04:05.67")]
    [InlineData("STRING", "'1.55'", "DECIMAL(4,1)", "1.6")]
    [InlineData("STRING", "'99999'", "DECIMAL(4,1)", null)]
    [InlineData("STRING", "'19723'", "DATE", "2024-01-01")]
    [InlineData("STRING", "'2024-01-01'", "DATE", "2024-01-01")]
    [InlineData("DATE", "'1969-12-31'", "TIMESTAMP(3)", "1969-12-31 00:00:00")]
    [InlineData("DATE", "'1969-12-31'", "TIMESTAMP(9)", "1969-12-31 00:00:00")]
    [InlineData("DOUBLE", "2.345", "DECIMAL(10,2)", "2.35")]
    [InlineData("DOUBLE", "-2.345", "DECIMAL(10,2)", "-2.35")]
    [InlineData("DOUBLE", "1e14", "DECIMAL(15,0)", "100000000000000")]
    [InlineData("DOUBLE", "1e-7", "DECIMAL(15,9)", "0.000000100")]
    [InlineData("DOUBLE", "1e300", "DECIMAL(10,2)", null)]
    [InlineData("FLOAT", "0.1", "DECIMAL(15,12)", "0.100000001490")]
    [InlineData("STRING", "'2024-2-9'", "TIMESTAMP(3)", "2024-02-09 00:00:00")]
    [InlineData("STRING", "'2023-02-30 1:02:03'", "TIMESTAMP(3)", "2023-02-28 01:02:03")]
    [InlineData("STRING", "'1969-12-31 23:59:59.987654321'", "TIMESTAMP(6)", "1969-12-31 23:59:59.987654")]
    [InlineData("STRING", "'1969-12-31 23:59:59.987654321'", "TIMESTAMP(1)", "1969-12-31 23:59:59.9")]
    [InlineData("STRING", "'1969-12-31 23:59:59.5'", "TIMESTAMP(0)", "1969-12-31 23:59:59")]
    [InlineData("STRING", "'2024-12-31 00:00:00.'", "TIMESTAMP(6)", "2024-12-31 00:00:00")]
    [InlineData("TIME(0)", "'12:03:04'", "STRING", "12:03:04")]
    [InlineData("TIME(3)", "'12:03:04.120'", "STRING", "12:03:04.12")]
    [InlineData("TIME(1)", "'12:03:04.987'", "STRING", "12:03:04.9")]
    [InlineData("TIME(3)", "'12:03:04'", "STRING", "12:03:04.0")]
    [InlineData("TIME(3)", "'12:03:04.5'", "TIMESTAMP(3)", "1970-01-01 12:03:04.5")]
    [InlineData("TIMESTAMP(6)", "'1969-12-31 23:59:59.999999'", "DATE", "1970-01-01")]
    [InlineData("TIMESTAMP(6)", "'2024-02-03 23:59:59'", "DATE", "2024-02-03")]
    [InlineData("TIMESTAMP(6)", "'1969-12-31 23:00:00'", "TIME(0)", "23:00:00")]
    [InlineData("TIMESTAMP(6)", "'1969-12-31 23:59:59.9999'", "TIMESTAMP(3)", "1969-12-31 23:59:59.999")]
    [InlineData("TIMESTAMP(3)", "'2024-01-02 03:04:05.12'", "STRING", "2024-01-02 03:04:05.120")]
    [InlineData("BIGINT", "-1", "TIMESTAMP(3)", "1969-12-31 23:59:59")]
    [InlineData("TIMESTAMP(3)", "'2024-01-01'", "BIGINT", "1704067200")]
    public void A_value_is_cast_as_the_writer_casts_it(string from, string value, string to, string? expected)
    {
        Assert.Equal(expected, Cast(from, value, to));
        Assert.Null(Cast(from, "NULL", to));
    }

    [Theory]
    [InlineData("INT", "maybe")]
    [InlineData("INT", " 12 ")]
    [InlineData("INT", "1e3")]
    [InlineData("INT", "1_000")]
    [InlineData("INT", "")]
    [InlineData("INT", "-")]
    [InlineData("INT", "0x1F")]
    [InlineData("TINYINT", "128")]
    [InlineData("DOUBLE", "1_000")]
    [InlineData("DOUBLE", "inf")]
    [InlineData("DECIMAL(4,1)", "nan")]
    [InlineData("DECIMAL(4,1)", "1_0")]
    [InlineData("DECIMAL(4,1)", " 1")]
    [InlineData("DECIMAL(9,1)", "1e3")]
    [InlineData("DATE", "-5")]
    [InlineData("DATE", "2024/01/01")]
    [InlineData("DATE", "2024-02-30")]
    [InlineData("DATE", "epoch")]
    [InlineData("DATE", "infinity")]
    [InlineData("BOOLEAN", "maybe")]
    [InlineData("DECIMAL(4,1)", "maybe")]
    [InlineData("DATE", "maybe")]
    [InlineData("DOUBLE", "maybe")]
    [InlineData("TIMESTAMP(3)", "20240101")]
    [InlineData("TIMESTAMP(3)", "2024-01-32")]
    [InlineData("TIMESTAMP(3)", "2024-01-01T00:00:00")]
    [InlineData("TIMESTAMP(3)", "2024-01-01 24:00:00")]
    [InlineData("TIMESTAMP(3)", "0000-01-01")]
    [InlineData("TIMESTAMP(3)", "")]
    public void A_text_that_is_no_value_of_the_type_is_an_error_and_not_null(string to, string text)
        => Assert.Throws<DuckDBException>(() => Cast("STRING", SqlText.Literal(text), to));

    [Theory]
    [InlineData("DOUBLE", "STRING")]
    [InlineData("DOUBLE", "DECIMAL(16,2)")]
    [InlineData("STRING", "TIMESTAMP_LTZ(3)")]
    [InlineData("FLOAT", "VARCHAR(9)")]
    [InlineData("TIMESTAMP(6)", "TIMESTAMP(5)")]
    [InlineData("TIMESTAMP(3)", "TIMESTAMP_LTZ(3)")]
    [InlineData("BYTES", "INT")]
    public void A_cast_that_is_not_written_down_is_refused_with_both_types(string from, string to)
    {
        LakeException error = Assert.Throws<LakeException>(() => PaimonCasts.Cast("x", Type(from), Type(to), "c"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains($"'c' was changed from {from} to {to}", error.Message, StringComparison.Ordinal);
    }

    private string? Cast(string from, string value, string to)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        string cast = PaimonCasts.Cast("x", Type(from), Type(to), "c");
        command.CommandText = $"SELECT CAST({cast} AS VARCHAR) FROM (SELECT CAST({value} AS {PaimonColumns.TypeOf(Type(from))}) AS x)";
        return command.ExecuteScalar() as string;
    }

    private static PaimonType Type(string text)
    {
        string[] parts = text.TrimEnd(')').Split('(', ',');
        int Number(int index) => parts.Length > index ? int.Parse(parts[index], CultureInfo.InvariantCulture) : 0;
        PaimonType Of(PaimonTypeKind kind, int length, int scale = 0) => new() { Kind = kind, Length = length, Scale = scale, Text = text };
        return parts[0] switch
        {
            "STRING" => Of(PaimonTypeKind.VarChar, PaimonType.MaxLength),
            "BYTES" => Of(PaimonTypeKind.VarBinary, PaimonType.MaxLength),
            "TIMESTAMP_LTZ" => Of(PaimonTypeKind.TimestampLtz, Number(1)),
            string name => Of(Enum.Parse<PaimonTypeKind>(name, ignoreCase: true), Number(1), Number(2)),
        };
    }
}
