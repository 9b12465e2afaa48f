namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>What drivers do with the messages of the extended protocol, beyond one statement at a time.</summary>
public sealed class ExtendedProtocolTests
{
    [Fact]
    public async Task What_was_answered_so_far_comes_at_a_flush_without_a_sync()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        await wire.Parse("SELECT 7 AS x", "s").Describe('S', "s").Send('H').FlushAsync();
        Assert.Equal("1tT", PgWire.Types([await wire.ReadAsync(), await wire.ReadAsync(), await wire.ReadAsync()]));
        await wire.Bind(statement: "s").Execute().Send('H').FlushAsync();
        Assert.Equal("2DC", PgWire.Types([await wire.ReadAsync(), await wire.ReadAsync(), await wire.ReadAsync()]));
        Assert.Equal("Z", PgWire.Types(await wire.Sync().RoundTripAsync()));
    }

    [Fact]
    public async Task Several_statements_that_were_sent_at_once_are_answered_each_and_an_error_ends_only_those_up_to_its_sync()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        wire.Parse("SELECT 1 AS x").Bind().Execute().Parse("SELECT 2 AS x").Bind().Execute().Sync();
        wire.Parse("SELECT 3 AS x").Bind().Execute().Parse("SELECT nothing").Bind().Execute().Parse("SELECT 4 AS x").Bind().Execute().Sync();
        await wire.Parse("SELECT 5 AS x").Bind().Execute().Sync().FlushAsync();
        List<PgMessage> first = await wire.UntilReadyAsync();
        Assert.Equal("12DC12DCZ", PgWire.Types(first));
        Assert.Equal(["1", "2"], first.Where(m => m.Type == 'D').Select(m => m.Row));
        List<PgMessage> second = await wire.UntilReadyAsync();
        Assert.Equal("12DCEZ", PgWire.Types(second));
        Assert.Equal("42703", second[4].Field('C'));
        Assert.Equal("5", (await wire.UntilReadyAsync())[2].Row);
    }

    [Fact]
    public async Task A_portal_that_is_closed_ends_its_query()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        await wire.QueryAsync("BEGIN");
        Assert.Equal("12DDsZ", PgWire.Types(await wire.Parse("SELECT order_id FROM orders ORDER BY 1").Bind(portal: "p").Execute(2, "p").Sync().RoundTripAsync()));
        Assert.Equal(1, server.Service.OpenResults);
        Assert.Equal("3Z", PgWire.Types(await wire.Send('C', [(byte)'P', .. PgWire.Zero("p")]).Sync().RoundTripAsync()));
        Assert.Equal(0, server.Service.OpenResults);
        Assert.Equal("34000", (await wire.Execute(2, "p").Sync().RoundTripAsync())[0].Field('C'));
        await wire.QueryAsync("ROLLBACK");

        // Outside of a transaction a portal lives up to its Sync.
        Assert.Equal("12DsZ", PgWire.Types(await wire.Parse("SELECT order_id FROM orders").Bind(portal: "q").Execute(1, "q").Sync().RoundTripAsync()));
        Assert.Equal(0, server.Service.OpenResults);
        Assert.Equal("34000", (await wire.Execute(1, "q").Sync().RoundTripAsync())[0].Field('C'));
    }

    [Theory]
    [InlineData("SELECT nothing FROM orders", "42703", 8)]
    [InlineData("SELECT 1;  SELECT order_id, nothing FROM orders", "42703", 29)]
    [InlineData("SELECT 'ü', nothing FROM orders", "42703", 13)]
    [InlineData("SELECT 1 FROM orders WHERE )", "42601", 28)]
    [InlineData("SELECT 1 / 0 FROM", "42601", 0)]
    [InlineData("SELECT no_such_function(1)", "42883", 8)]
    [InlineData("SELECT sum(order_id), customer FROM orders", "42803", 23)]
    public async Task An_error_has_its_state_and_the_place_in_the_text(string sql, string state, int position)
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        PgMessage error = (await wire.QueryAsync(sql)).Single(m => m.Type == 'E');
        Assert.Equal(("ERROR", state), (error.Field('V'), error.Field('C')));
        if (position > 0)
        {
            Assert.Equal(position.ToString(System.Globalization.CultureInfo.InvariantCulture), error.Field('P'));
        }
    }

    [Fact]
    public async Task Discard_forgets_statements_cursors_and_settings()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        await wire.QueryAsync("SET statement_timeout = '1min'; PREPARE p AS SELECT 1; BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT 1; COMMIT");
        await wire.Parse("SELECT 1", "s").Sync().RoundTripAsync();
        Assert.Equal("DISCARD PLANS", (await wire.QueryAsync("DISCARD PLANS"))[0].Text);
        Assert.Equal("60000", await wire.TextAsync("SHOW statement_timeout"));
        Assert.Equal("DISCARD ALL", (await wire.QueryAsync("DISCARD ALL")).Single(m => m.Type == 'C').Text);
        Assert.Equal("0", await wire.TextAsync("SHOW statement_timeout"));
        Assert.Equal("26000", (await wire.QueryAsync("EXECUTE p"))[0].Field('C'));
        Assert.Equal("26000", (await wire.Bind(statement: "s").Sync().RoundTripAsync())[0].Field('C'));
        Assert.Equal("34000", (await wire.QueryAsync("FETCH 1 FROM h"))[0].Field('C'));
        await wire.QueryAsync("BEGIN");
        Assert.Equal("25001", (await wire.QueryAsync("DISCARD ALL"))[0].Field('C'));
    }

    [Fact]
    public async Task Settings_are_reset_alone_and_all_together()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync(settings: ["application_name", "x"]);
        await wire.QueryAsync("SET statement_timeout = 7; SET application_name TO y; SET extra_float_digits = 3");
        Assert.Equal("7", await wire.TextAsync("SHOW statement_timeout"));
        Assert.Equal("RESET", (await wire.QueryAsync("RESET statement_timeout"))[0].Text);
        Assert.Equal("0", await wire.TextAsync("SHOW statement_timeout"));
        Assert.Equal("3", await wire.TextAsync("SHOW extra_float_digits"));
        List<PgMessage> all = await wire.QueryAsync("RESET ALL");
        Assert.Equal("1", await wire.TextAsync("SHOW extra_float_digits"));
        Assert.Equal("x", await wire.TextAsync("SHOW application_name")); // what it began with
        Assert.Contains(all, m => m.Type == 'S' && m.Text == "application_name\0x");
    }

    [Fact]
    public async Task Notices_come_with_their_state_and_do_not_end_anything()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        await wire.QueryAsync("BEGIN");
        List<PgMessage> again = await wire.QueryAsync("BEGIN");
        Assert.Equal("NCZ", PgWire.Types(again));
        Assert.Equal(("WARNING", "25001"), (again[0].Field('V'), again[0].Field('C')));
        await wire.QueryAsync("ROLLBACK");
        List<PgMessage> none = await wire.Parse("ROLLBACK").Bind().Execute().Sync().RoundTripAsync();
        Assert.Contains(none, m => m.Type == 'N' && m.Field('C') == "25P01");
        Assert.Equal("ROLLBACK", none.Single(m => m.Type == 'C').Text);
    }
}
