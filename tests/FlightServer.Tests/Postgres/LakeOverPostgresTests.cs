using System.Buffers.Binary;
using System.Text;
using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>The PostgreSQL door of a real lake.</summary>
public sealed class LakeOverPostgresTests : IAsyncLifetime
{
    private const int TextOid = 25;
    private const int Int8Oid = 20;
    private const int DateOid = 1082;
    private const int NumericOid = 1700;

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
