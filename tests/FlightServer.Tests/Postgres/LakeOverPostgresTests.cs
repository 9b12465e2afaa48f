using System.Buffers.Binary;
using System.Text;
using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>The PostgreSQL door of a real lake.</summary>
public sealed class LakeOverPostgresTests : IAsyncLifetime
{
    private const int TextOid = 25;
    private const int Int8Oid = 20;
    private const int Int4Oid = 23;
    private const int IntervalOid = 1186;
    private const int DateOid = 1082;
    private const int NumericOid = 1700;
    private const int NumericArrayOid = 1231;
    private const int DoubleOid = 701;
    private const int FloatOid = 700;
    private const int TimestampOid = 1114;

    private PgShop _shop = null!;

    public async ValueTask InitializeAsync() => _shop = await PgShop.StartAsync();

    public async ValueTask DisposeAsync() => await _shop.DisposeAsync();

    [Fact]
    public async Task In_a_transaction_a_table_stays_at_the_snapshot_of_its_first_read()
    {
        using PgWire wire = await _shop.LoginAsync();
        List<PgMessage> prepared = await wire.Parse("SELECT count(*) FROM dwd.products", "count").Sync().RoundTripAsync();
        Assert.Equal("1Z", PgWire.Types(prepared));
        await wire.QueryAsync("BEGIN");
        Assert.Equal("10", await wire.TextAsync("SELECT count(*) FROM dwd.products"));
        _shop.Shop.Write("dwd", "products", "SELECT 100 + range::INTEGER AS product_id, 'q' AS name FROM range(5)", "more");
        Assert.Equal("10", await wire.TextAsync("SELECT count(*) FROM dwd.products p"));
        Assert.Equal("10", await CountAsync(wire));
        using (PgWire other = await _shop.LoginAsync())
        {
            Assert.Equal("15", await other.TextAsync("SELECT count(*) FROM dwd.products"));
        }

        await wire.QueryAsync("ROLLBACK");
        Assert.Equal("15", await wire.TextAsync("SELECT count(*) FROM dwd.products"));
        Assert.Equal("15", await CountAsync(wire));
    }

    [Fact]
    public async Task Parameters_keep_their_values_empty_texts_too()
    {
        using PgWire wire = await _shop.LoginAsync();
        byte[] day = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(day, 8766 + 3); // days since 2000-01-01
        byte[] id = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(id, 3);
        List<PgMessage> rows = await wire.Parse("SELECT $1 AS t, length($1) AS n, order_id, order_date FROM dwd.orders WHERE order_id = $2 AND order_date = $3", "", TextOid, Int8Oid, DateOid)
            .Bind([[], id, day], formats: [0, 1, 1]).Execute().Sync().RoundTripAsync();
        Assert.Equal("|0|3|2024-01-04", Row(rows));
        rows = await wire.Parse("SELECT $1 || 'x'").Bind([Encoding.UTF8.GetBytes(" a ")]).Execute().Sync().RoundTripAsync();
        Assert.Equal(" a x", Row(rows));
        rows = await wire.Parse("SELECT $1 IS NULL AS a, $2 IS NULL AS b, $3 IS NULL AS c", "", TextOid, TextOid, Int8Oid).Bind([null, [], null]).Execute().Sync().RoundTripAsync();
        Assert.Equal("t|f|t", rows.Single(m => m.Type == 'D').Row); // null is not an empty value
        rows = await wire.Parse("SELECT count(*) FROM dwd.orders WHERE order_id = ANY($1)").Bind(["{1,2,300}"u8.ToArray()]).Execute().Sync().RoundTripAsync();
        Assert.Equal("2", Row(rows));
    }

    [Theory]
    [InlineData("1e-9", "0.0000000010")]
    [InlineData("12345678901234567890.123", "12345678901234567890.1230000000")]
    [InlineData("2.5E3", "2500.0000000000")]
    [InlineData("1e-30", null)]
    [InlineData("1.0000000000000000000000000000000001", null)]
    [InlineData("1e-20", null)]
    [InlineData("1.00000000005", null)]
    [InlineData("1.50000000000", "1.5000000000")]
    [InlineData("-9999999999999999999999999999", "-9999999999999999999999999999.0000000000")]
    [InlineData("12345678901234567890123456789", null)]
    [InlineData("12345678901234567890123456789012345678", null)]
    public async Task A_numeric_parameter_is_exact_or_refused(string text, string? expected)
    {
        using PgWire wire = await _shop.LoginAsync();
        List<PgMessage> rows = await wire.Parse("SELECT $1 AS x", "", NumericOid).Bind([Encoding.UTF8.GetBytes(text)]).Execute().Sync().RoundTripAsync();
        if (expected is null)
        {
            Assert.Equal("22003", rows.Single(m => m.Type == 'E').Field('C'));
        }
        else
        {
            Assert.Equal(expected, Row(rows));
        }
    }

    [Theory]
    [InlineData("order_id = $1", NumericOid, "5.5", "0")] // a library's binding makes six of it for a column of whole numbers
    [InlineData("order_id = $1", NumericOid, "5.4", "0")]
    [InlineData("order_id = $1", NumericOid, "5.0", "1")]
    [InlineData("order_id < $1", NumericOid, "5.5", "6")]
    [InlineData("amount = $1", NumericOid, "6.254", "0")]
    [InlineData("amount = $1", 0, "6.2500000001", "0")]
    [InlineData("amount > $1", 0, "1e-20", "99")]
    [InlineData("amount < $1", 0, "1e-30", "22003")]
    [InlineData("amount < $1", NumericOid, "12345678901234567890123456789012345678", "22003")]
    [InlineData("order_id = $1", 0, "5.5", "22P02")]
    [InlineData("amount = ANY($1)", NumericArrayOid, "{6.25,7.5}", "2")]
    [InlineData("amount = ANY($1)", NumericArrayOid, "{6.25,6.2500000000001}", "22003")]
    [InlineData("order_id = ANY($1)", NumericArrayOid, "{5.000000000001}", "22003")]
    [InlineData("$1::numeric > 0 AND order_id = 1", 0, "1e-15", "1")]
    [InlineData("$1::numeric > 0", 0, "1e-16", "22003")]
    [InlineData("CAST($1 AS numeric) > 0", TextOid, "1e-16", "22003")]
    [InlineData("($1)::pg_catalog.numeric > 0", NumericOid, "1e-16", "22003")]
    [InlineData("$1::numeric(9,2) = 0.13 AND order_id = 1", NumericOid, "0.125", "1")] // who gives digits has it rounded
    [InlineData("$1 > 0", DoubleOid, "1e400", "22003")]
    [InlineData("$1 > 0", DoubleOid, "1e-400", "22003")]
    [InlineData("$1 > 0", FloatOid, "1e39", "22003")]
    [InlineData("$1 > 0 AND order_id = 1", DoubleOid, "Infinity", "1")]
    [InlineData("order_id = 3 AND order_date >= $1", TimestampOid, "2024-01-04 12:00:00", "0")]
    [InlineData("order_id = 3 AND order_date >= $1", TimestampOid, "2024-01-04 00:00:00", "1")]
    public async Task A_parameter_keeps_its_value_or_is_refused_whatever_it_is_compared_with(string condition, int type, string value, string expected)
    {
        using PgWire wire = await _shop.LoginAsync();
        wire.Parse($"SELECT count(*) FROM dwd.orders WHERE {condition}", "", type);
        PgMessage answer = (await wire.Bind([Encoding.UTF8.GetBytes(value)]).Execute().Sync().RoundTripAsync()).First(m => m.Type is 'D' or 'E');
        Assert.Equal(expected, answer.Type == 'D' ? answer.Row : answer.Field('C'));
    }

    [Theory]
    [InlineData("SELECT amount + $1 FROM dwd.orders WHERE order_id = 3", "1.5", NumericOid, "5.2500000000")]
    [InlineData("SELECT $1 * amount FROM dwd.orders WHERE order_id = 3", "2", NumericOid, "7.500000000000")]
    [InlineData("SELECT order_id - $1 FROM dwd.orders WHERE order_id = 3", "5", Int8Oid, "-2")]
    [InlineData("SELECT order_id + $1 FROM dwd.orders WHERE order_id = 3", "0.5", Int8Oid, "22P02")]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE amount + $1 = 5.25", "1.5", NumericOid, "1")]
    [InlineData("SELECT CAST(amount AS DOUBLE PRECISION) / $1 FROM dwd.orders WHERE order_id = 3", "0.5", DoubleOid, "7.5")]
    [InlineData("SELECT order_date + $1 FROM dwd.orders WHERE order_id = 3", "2", Int4Oid, "2024-01-06")]
    [InlineData("SELECT round(amount, $1) FROM dwd.orders WHERE order_id = 3", "1", Int4Oid, "3.8")]
    [InlineData("SELECT split_part('a b', ' ', $1)", "2", Int4Oid, "b")]
    [InlineData("SELECT TIMESTAMP '2024-01-01' + $1", "1 day", IntervalOid, "2024-01-02 00:00:00")]
    [InlineData("SELECT TIMESTAMP '2024-01-02' - $1", "2024-01-01", TimestampOid, "1 day")]
    [InlineData("SELECT round($1, 2)", "1.2345", NumericOid, "1.23")]
    [InlineData("SELECT no_such_function($1)", "x", null, "42883")]
    public async Task An_operand_without_a_type_has_that_of_the_other_side(string sql, string value, int? type, string expected)
    {
        using PgWire wire = await _shop.LoginAsync();
        List<PgMessage> answer = await wire.Parse(sql).Describe('S').Bind([Encoding.UTF8.GetBytes(value)]).Execute().Sync().RoundTripAsync();
        PgMessage row = answer.First(m => m.Type is 'D' or 'E');
        Assert.Equal(expected, row.Type == 'D' ? row.Row : row.Field('C'));
        Assert.Equal(type, answer.FirstOrDefault(m => m.Type == 't')?.Int32(2));
    }

    [Theory]
    [InlineData("amount + $1", NumericOid, "5.7500000000", null)]
    [InlineData("$1 * amount", Int8Oid, "7.50", null)]
    [InlineData("round(amount * $1, 2)", NumericOid, "7.50", null)]
    [InlineData("coalesce($1, amount)", DoubleOid, "2", "3.75")]
    [InlineData("coalesce($1, amount)", NumericOid, "2.0000000000", "3.7500000000")]
    [InlineData("sum(amount) * $1", Int8Oid, "7.50", null)]
    [InlineData("CAST(order_id AS SMALLINT) + $1", Int8Oid, "5", null)]
    [InlineData("CASE WHEN amount > $1 THEN $1 ELSE 0 END", NumericOid, "2.0000000000", "0.0000000000")]
    public async Task A_column_whose_type_comes_from_a_parameter_is_what_was_described_for_a_value_and_for_null(string column, int type, string ofTwo, string? ofNull)
    {
        using PgWire wire = await _shop.LoginAsync();
        foreach ((byte[]? value, string expected) in (IEnumerable<(byte[]?, string)>)[("2"u8.ToArray(), ofTwo), (null, ofNull ?? "∅")])
        {
            List<PgMessage> answer = await wire.Parse($"SELECT {column} AS c FROM dwd.orders WHERE order_id = 3", "", type).Describe('S').Bind([value]).Execute().Sync().RoundTripAsync();
            Assert.DoesNotContain(answer, m => m.Type == 'E');
            Assert.Equal(expected, answer.Single(m => m.Type == 'D').Row);
        }
    }

    [Fact]
    public async Task Rows_keep_their_order_where_a_column_of_NULLs_is_given_its_described_type()
    {
        using PgWire wire = await _shop.LoginAsync();
        List<PgMessage> answer = await wire.Parse("SELECT i, $1 * CAST(i AS DECIMAL(12,2)) AS c FROM generate_series(1, 300000) g(i) ORDER BY i % 1000 DESC, i", "", NumericOid).Describe('S').Bind([null]).Execute().Sync().RoundTripAsync();
        int[] ids = [.. answer.Where(m => m.Type == 'D').Select(m => int.Parse(m.Row.Split('|')[0], System.Globalization.CultureInfo.InvariantCulture))];
        Assert.Equal(Enumerable.Range(1, 300_000).OrderByDescending(i => i % 1000).ThenBy(i => i), ids);
    }

    [Fact]
    public async Task Files_are_left_out_by_the_value_of_a_parameter_as_it_is()
    {
        _shop.Shop.Write("dwd", "products", "SELECT 100 + range::INTEGER AS product_id, 'q' AS name FROM range(5)", "more");
        using PgWire wire = await _shop.LoginAsync();
        foreach (int type in (int[])[DoubleOid, NumericOid])
        {
            wire.Parse("SELECT count(*) FROM dwd.products WHERE product_id > $1", "", type);
            Assert.Equal("1", Row(await wire.Bind(["103.5"u8.ToArray()]).Execute().Sync().RoundTripAsync()));
        }
    }

    [Theory]
    [InlineData("EXECUTE n(1e-20)")]
    [InlineData("EXECUTE n('0.12345678901')")]
    public async Task Constants_of_EXECUTE_are_not_rounded_either(string execute)
    {
        using PgWire wire = await _shop.LoginAsync();
        await wire.QueryAsync("PREPARE n(numeric) AS SELECT $1 AS x");
        Assert.Equal("22003", (await wire.QueryAsync(execute)).First(m => m.Type is 'D' or 'E').Field('C'));
        Assert.Equal("0.1234567890", await wire.TextAsync("EXECUTE n(0.123456789)"));
    }

    [Fact]
    public async Task Bpchar_is_a_type_of_parameters_columns_and_the_catalog()
    {
        const int BpCharOid = 1042;
        using PgWire wire = await _shop.LoginAsync();
        foreach (short format in (short[])[0, 1])
        {
            wire.Parse("SELECT order_id, customer::char(12) AS c, 'ab'::bpchar(3), cast($1 as char(2)) FROM dwd.orders WHERE customer = $1 AND order_id < 7", "", BpCharOid).Describe('S');
            List<PgMessage> answers = await wire.Bind(["customer 5"u8.ToArray()], formats: [format], results: [0, format, format, format]).Execute().Sync().RoundTripAsync();
            Assert.Equal("5|customer 5  |ab |cu", Row(answers));
            Assert.Equal([(20, -1), (BpCharOid, 16), (BpCharOid, 7), (BpCharOid, 6)], answers.First(m => m.Type == 'T').Columns().Select(c => (c.Oid, c.Modifier)));
            Assert.Equal(["order_id", "c", "bpchar", "bpchar"], answers.First(m => m.Type == 'T').Columns().Select(c => c.Name));
            wire.Parse("SELECT 1 FROM dwd.orders WHERE customer = $1", "", BpCharOid);
            Assert.Equal("0A000", (await wire.Bind(["customer 5 "u8.ToArray()], formats: [format]).Execute().Sync().RoundTripAsync()).First(m => m.Type is 'D' or 'E').Field('C'));
        }

        Assert.Equal("bpchar|-1|S|1014|bpcharin", await wire.TextAsync("SELECT typname, typlen, typcategory, typarray, typinput FROM pg_type WHERE oid = 1042"));
        Assert.Equal("character(3)|character|character|1042|character[]", await wire.TextAsync("SELECT format_type(1042, 7), format_type(1042, -1), 'bpchar'::regtype, 'character'::regtype::oid, format_type(1014, -1)"));
    }

    [Fact]
    public async Task Every_column_of_a_lake_table_is_written_as_PostgreSQL_writes_it()
    {
        using PgWire wire = await _shop.LoginAsync();
        Assert.Equal(
            "5|customer 5|6.25|f|1.6666666666666667|2024-01-06|2024-01-01 15:00:00|2024-01-01 10:05:00+00|5|5|{a,NULL}|{\"city\":\"B\",\"zip\":5}|\\x0035",
            await wire.TextAsync("SELECT * FROM dwd.orders WHERE order_id = 5"));
    }

    [Fact]
    public async Task The_lake_is_governed_as_through_the_other_door()
    {
        using PgWire wire = await _shop.LoginAsync();
        Assert.Contains("promoted", await wire.TextAsync("PROMOTE TABLE dwd.orders"), StringComparison.Ordinal);
        Assert.Equal("100", await wire.TextAsync("SELECT count(*) FROM dwd.orders"));
        Assert.Equal("t", await wire.TextAsync("SELECT tables LIKE '%hot%' FROM lakeholo.query_log WHERE sql = 'SELECT count(*) FROM dwd.orders' ORDER BY id DESC LIMIT 1"));
        string refused = await wire.TextAsync("SELECT * FROM read_parquet('/etc/passwd')");
        Assert.Contains("read_parquet", refused, StringComparison.Ordinal);
        List<PgMessage> unknown = await wire.QueryAsync("SELECT * FROM dwd.order");
        Assert.Equal("42P01", unknown[0].Field('C'));
        Assert.Contains("orders", unknown[0].Field('M')!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_is_gone_when_its_connection_is()
    {
        using PgWire wire = await _shop.LoginAsync();
        for (int i = 0; i < 3; i++)
        {
            using PgWire other = await _shop.LoginAsync("bob");
            Assert.Equal("1", await other.TextAsync("SELECT 1"));
        }

        using PgWire lost = await PgWire.OpenAsync(_shop.Host.Address);
        await lost.StartAsync("bob", "database", "nowhere");
        Assert.Equal("3D000", (await lost.ReadAsync()).Field('C'));
        await Eventually.TrueAsync(() => _shop.Host.ConnectionCount == 1);
        Assert.Equal("ana", await wire.TextAsync("SELECT string_agg(\"user\", ',') FROM lakeholo.sessions"));
    }

    private static async Task<string> CountAsync(PgWire wire) => Row(await wire.Bind(statement: "count").Execute().Sync().RoundTripAsync());

    private static string Row(List<PgMessage> answers) => string.Join('\n', answers.Where(m => m.Type is 'D' or 'E').Select(m => m.Type == 'D' ? m.Row : m.Field('M')));
}
