using System.Globalization;
using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;
using static LakeHolo.Integration.Tests.Harness.OdbcConnection;

namespace LakeHolo.Integration.Tests;

/// <summary>What applications do over ODBC (Excel, Tableau's older connector, SAS): psqlODBC through unixODBC, function by function.</summary>
public sealed class OdbcApplications : IAsyncLifetime
{
    private readonly string _port = LakeServer.FreePort().ToString(CultureInfo.InvariantCulture);
    private LakeServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = new LakeServer(SampleLake.Lake, $"postgres.listen: \"127.0.0.1:{_port}\"");
        await _server.StartAsync();
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public void Tables_columns_keys_and_types_are_told()
    {
        using OdbcConnection odbc = Connect();
        Assert.Contains("shop|dwd|orders|TABLE", Rows(odbc.Read(s => SQLTables(s, null, 0, "dwd", -3, "%", -3, "TABLE", -3)), 4));
        Assert.All(odbc.Read(s => SQLTables(s, null, 0, "dwd", -3, "ord%", -3, null, 0)).Rows, r => Assert.StartsWith("ord", r[2], StringComparison.Ordinal));

        (string[] names, string[][] columns) = odbc.Read(s => SQLColumns(s, null, 0, "dwd", -3, "orders", -3, "%", -3));
        Assert.Equal(["TABLE_CAT", "TABLE_SCHEM", "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "COLUMN_SIZE"], names[..7]);
        Assert.Equal(19, columns.Length);
        string[] amount = Assert.Single(columns, c => c[3] == "amount_eur");
        Assert.Equal(["2", "numeric", "12"], amount[4..7]); // SQL_NUMERIC
        Assert.Equal("2", amount[8]);
        Assert.Equal(["-5", "int8"], Assert.Single(columns, c => c[3] == "order_id")[4..6]); // SQL_BIGINT

        Assert.Equal(["shop|dwd|orders|order_id|1"], Rows(odbc.Read(s => SQLPrimaryKeys(s, null, 0, "dwd", -3, "orders", -3)), 5));
        Assert.Empty(odbc.Read(s => SQLForeignKeys(s, null, 0, null, 0, null, 0, null, 0, "dwd", -3, "orders", -3)).Rows);
        Assert.Contains(odbc.Read(s => SQLStatistics(s, null, 0, "dwd", -3, "orders", -3, 1, 0)).Rows, r => r[8] == "order_id" && r[3] == "0");
        Assert.Equal("COLUMN_NAME", odbc.Read(s => SQLSpecialColumns(s, 1, null, 0, "dwd", -3, "orders", -3, 0, 1)).Names[1]); // rows have no number to find them by
        (_, string[][] types) = odbc.Read(s => SQLGetTypeInfo(s, 0));
        Assert.Superset( // the driver's own list: it has timestamps with a zone only
            new HashSet<string> { "int2", "int4", "int8", "float4", "float8", "numeric", "bool", "text", "varchar", "char", "date", "time", "timestamptz", "bytea", "uuid" }, types.Select(t => t[0]).ToHashSet());
    }

    [Fact]
    public void Columns_of_a_result_are_described()
    {
        using OdbcConnection odbc = Connect();
        IntPtr statement = odbc.NewStatement();
        OdbcConnection.Check(SQLExecDirect(statement, "SELECT order_id, amount_eur, 'x'::varchar AS note, 1.5::float8 AS f, DATE '2026-01-02' AS d FROM dwd.orders LIMIT 1", -3), statement);
        Assert.Equal(("order_id", (short)-5), (Describe(statement, 1).Name, Describe(statement, 1).Type));
        Assert.Equal(("amount_eur", (short)2, 12ul, (short)2), (Describe(statement, 2).Name, Describe(statement, 2).Type, Describe(statement, 2).Size, Describe(statement, 2).Digits));
        Assert.Equal((short)6, Describe(statement, 4).Type);
        Assert.Equal((short)91, Describe(statement, 5).Type);
        Assert.Equal("int8", Attribute(statement, 1, 14)); // SQL_DESC_TYPE_NAME
        Free(statement);
    }

    [Theory]
    [InlineData("")]
    [InlineData("UseServerSidePrepare=0;")]
    public void Parameters_of_the_common_types_come_back_as_they_were(string option)
    {
        using OdbcConnection odbc = Connect(option);
        string[][][] answers = odbc.ReadPrepared(
            "SELECT CAST(? AS int2), CAST(? AS int4), CAST(? AS int8), CAST(? AS numeric(20,3)), CAST(? AS float8), CAST(? AS text), CAST(? AS date), CAST(? AS timestamp), CAST(? AS bool), CAST(? AS uuid)",
            [5, 4, -5, 2, 8, 12, 91, 93, -7, -11],
            ["-7", "123456", "9007199254740993", "12345678901234567.125", "1.5", "it's \"ü\"", "2026-02-28", "2026-02-28 23:59:59.123456", "1", "00112233-4455-6677-8899-aabbccddeeff"],
            [null, null, null, null, null, null, null, null, null, null]);
        Assert.Equal(
            ["-7", "123456", "9007199254740993", "12345678901234567.125", "1.5", "it's \"ü\"", "2026-02-28", "2026-02-28 23:59:59.123456", "1", "00112233-4455-6677-8899-AABBCCDDEEFF"],
            answers[0][0]);
        Assert.All(answers[1][0], v => Assert.Equal("-", v));

        Assert.Equal(
            ["240", "2", "0"],
            odbc.ReadPrepared("SELECT count(*) FROM dwd.products WHERE product_id >= ?", [4], ["1001"], ["1239"], [null]).Select(a => a[0][0]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("UseServerSidePrepare=0;")]
    [InlineData("ByteaAsLongVarBinary=1;")]
    public void Parameters_are_bound_as_they_lie_in_a_C_program(string option)
    {
        const string Sql =
            "SELECT CAST(? AS int2), CAST(? AS int4), CAST(? AS int8), CAST(? AS float4), CAST(? AS float8), CAST(? AS numeric(20,3)), CAST(? AS bool), CAST(? AS text), CAST(? AS bytea), CAST(? AS date), CAST(? AS time), CAST(? AS timestamp)";
        (short C, short Sql, ulong Size, short Digits, byte[]? Value)[] values =
        [
            (-15, 5, 5, 0, BitConverter.GetBytes((short)-7)),
            (-16, 4, 10, 0, BitConverter.GetBytes(-123456)),
            (-25, -5, 19, 0, BitConverter.GetBytes(9007199254740993L)),
            (7, 7, 7, 0, BitConverter.GetBytes(0.25f)),
            (8, 8, 15, 0, BitConverter.GetBytes(-1.5e300)),
            (2, 2, 20, 3, [20, 3, 0, .. BitConverter.GetBytes((Int128)1234567890123)]), // SQL_NUMERIC_STRUCT: digits, scale, 0 for less than zero, value
            (-7, -7, 1, 0, [1]),
            (1, 12, 100, 0, System.Text.Encoding.UTF8.GetBytes("it's \\ \"ü\"")),
            (-2, -3, 100, 0, [0, 255, 39, 92]),
            (91, 91, 10, 0, [.. BitConverter.GetBytes((short)1969), 2, 0, 28, 0]),
            (92, 92, 8, 0, [23, 0, 59, 0, 58, 0]),
            (93, 93, 26, 6, [.. BitConverter.GetBytes((short)1969), 12, 0, 31, 0, 23, 0, 59, 0, 58, 0, .. BitConverter.GetBytes(123456000)]),
        ];
        using OdbcConnection odbc = Connect(option);
        Assert.Equal(
            ["-7", "-123456", "9007199254740993", "0.25", "-1.5e+300", "-1234567890.123", "1", "it's \\ \"ü\"", "00ff275c", "1969-02-28", "23:59:58", "1969-12-31 23:59:58.123456"],
            odbc.ReadBound(Sql, values)[0]);
        Assert.All(odbc.ReadBound(Sql, [.. values.Select(v => v with { Value = null })])[0], v => Assert.Equal("-", v));
    }

    [Theory]
    [InlineData("UseDeclareFetch=0;", 100, 3)]
    [InlineData("UseDeclareFetch=1;Fetch=7;", 1, 240)]
    [InlineData("UseDeclareFetch=1;Fetch=100;", 64, 4)]
    public void Rows_come_in_portions_of_any_size(string options, int size, int portions)
    {
        using OdbcConnection odbc = Connect(options);
        Assert.Equal((240, 240 * (1001 + 1240) / 2, portions), odbc.ReadByArrays("SELECT product_id FROM dwd.products", size));
        Assert.Equal((0, 0, 0), odbc.ReadByArrays("SELECT product_id FROM dwd.products WHERE false", size));
    }

    [Fact]
    public async Task Errors_have_their_states_and_a_statement_can_be_cancelled()
    {
        using OdbcConnection odbc = Connect();
        Assert.Equal("42P01", odbc.Fail(s => SQLExecDirect(s, "SELECT * FROM dwd.nothing", -3)).State);
        Assert.Equal("42703", odbc.Fail(s => SQLExecDirect(s, "SELECT nothing FROM dwd.orders", -3)).State);
        Assert.Equal("42601", odbc.Fail(s => SQLExecDirect(s, "SELEC 1", -3)).State);
        Assert.Equal("22P02", odbc.Fail(s => SQLExecDirect(s, "SELECT CAST('x' AS integer)", -3)).State);
        Assert.Equal("25006", odbc.Fail(s => SQLExecDirect(s, "DELETE FROM dwd.orders", -3)).State);
        Assert.Equal("57014", await odbc.CancelAsync("SELECT count(*) FROM range(100000000000) a, range(1000) b"));
        Assert.Equal("240", odbc.Read(s => SQLExecDirect(s, "SELECT count(*) FROM dwd.products", -3)).Rows[0][0]);
    }

    private static string[] Rows((string[] Names, string[][] Rows) answer, int columns) => [.. answer.Rows.Select(r => string.Join('|', r[..columns]))];

    private OdbcConnection Connect(string options = "") => new($"Driver=PostgreSQL Unicode;Servername=127.0.0.1;Port={_port};Database=shop;UID=ana;PWD=x;SSLmode=disable;{options}");
}
