using System.Text;

namespace LakeHolo.FlightServer.Tests.Postgres;

public sealed class ProtocolTests
{
    [Fact]
    public async Task A_client_is_told_the_settings_that_drivers_look_at()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync(settings: ["application_name", "psql", "TimeZone", "Europe/Berlin", "client_encoding", "'utf-8'", "options", "-c statement_timeout=5s"]);
        Assert.Equal("15.0", wire.Status["server_version"]);
        Assert.Equal("UTF8", wire.Status["client_encoding"]);
        Assert.Equal("ISO, MDY", wire.Status["DateStyle"]);
        Assert.Equal("on", wire.Status["integer_datetimes"]);
        Assert.Equal("Europe/Berlin", wire.Status["TimeZone"]);
        Assert.Equal("psql", wire.Status["application_name"]);
        Assert.Equal("5000", await wire.TextAsync("show statement_timeout"));
    }

    [Fact]
    public async Task Questions_about_encryption_get_one_byte_each_before_the_start()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await PgWire.OpenAsync(server.Address);
        Assert.Equal((byte)'N', await wire.AskForTlsAsync());
        await wire.StartAsync("ana");
        await wire.AuthenticateAsync(null);
        Assert.Equal("1", await wire.TextAsync("select 1"));
    }

    [Fact]
    public async Task Several_statements_in_one_text_are_answered_in_order_up_to_the_first_error()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        Assert.Equal("CTDCZ", PgWire.Types(await wire.QueryAsync("SET extra_float_digits = 2; select 1 as x;")));
        List<PgMessage> failed = await wire.QueryAsync("select 1 as x; selec 2; select 3 as y");
        Assert.Equal("TDCEZ", PgWire.Types(failed));
        Assert.Equal("I", failed[^1].Text);
        Assert.Equal("IZ", PgWire.Types(await wire.QueryAsync(" ; -- nothing\n")));
    }

    [Fact]
    public async Task Rows_come_in_portions_when_an_execute_has_a_limit_and_the_query_runs_once()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        await wire.QueryAsync("BEGIN");
        List<PgMessage> first = await wire.Parse("SELECT order_id FROM orders ORDER BY 1").Bind(portal: "c").Describe('P', "c").Execute(40, "c").Sync().RoundTripAsync();
        Assert.Equal("12T" + new string('D', 40) + "sZ", PgWire.Types(first));
        List<PgMessage> second = await wire.Execute(40, "c").Execute(40, "c").Sync().RoundTripAsync();
        Assert.Equal(new string('D', 40) + "s" + new string('D', 20) + "CZ", PgWire.Types(second));
        Assert.Equal("40", second[0].Row);
        Assert.Equal("SELECT 20", second[^2].Text);
        Assert.Equal("T", second[^1].Text);
        await wire.QueryAsync("COMMIT");
        Assert.Equal("34000", (await wire.Execute(1, "c").Sync().RoundTripAsync())[0].Field('C'));
        Assert.Equal(0, server.Service.OpenResults);
    }

    [Fact]
    public async Task An_error_reaches_a_client_that_flushes_and_does_not_sync_yet()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        await wire.Parse("select nothing from nowhere").Bind().Execute().Send('H').FlushAsync();
        Assert.Equal('E', (await wire.ReadAsync()).Type);
        Assert.Equal("Z", PgWire.Types(await wire.Sync().RoundTripAsync()));
    }

    [Fact]
    public async Task After_an_error_everything_up_to_sync_is_passed_over()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        List<PgMessage> answers = await wire.Parse("select nothing from nowhere").Bind().Execute().Parse("select 1").Bind().Execute().Sync().RoundTripAsync();
        Assert.Equal("EZ", PgWire.Types(answers));
        Assert.Equal("12DCZ", PgWire.Types(await wire.Parse("select 1").Bind().Execute().Sync().RoundTripAsync()));
    }

    [Fact]
    public async Task A_statement_is_described_before_it_has_values()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        List<PgMessage> answers = await wire.Parse("SELECT 7::BIGINT AS a, 'x' AS b", "s").Describe('S', "s").Sync().RoundTripAsync();
        Assert.Equal("1tTZ", PgWire.Types(answers));
        Assert.Equal([("a", 20, -1, (short)0), ("b", 25, -1, (short)0)], answers[2].Columns());
        List<PgMessage> run = await wire.Bind(statement: "s", results: [1, 0]).Describe('P').Execute().Sync().RoundTripAsync();
        Assert.Equal((short)1, run[1].Columns()[0].Format);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 7], run[2].Values()[0]);
        Assert.Equal("26000", (await wire.Send('C', [(byte)'S', .. PgWire.Zero("s")]).Bind(statement: "s").Sync().RoundTripAsync())[1].Field('C'));
    }

    [Fact]
    public async Task A_failed_transaction_takes_nothing_but_its_end_or_a_savepoint()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        Assert.Equal("T", (await wire.QueryAsync("BEGIN; SAVEPOINT s"))[^1].Text);
        Assert.Equal("E", (await wire.QueryAsync("selec 1"))[^1].Text);
        Assert.Equal("25P02", (await wire.QueryAsync("select 1"))[0].Field('C'));
        Assert.Equal("T", (await wire.QueryAsync("ROLLBACK TO SAVEPOINT s"))[^1].Text);
        Assert.Equal("E", (await wire.QueryAsync("selec 1"))[^1].Text);
        List<PgMessage> end = await wire.QueryAsync("COMMIT");
        Assert.Equal("ROLLBACK", end[0].Text);
        Assert.Equal("I", end[^1].Text);
        Assert.Equal("NCZ", PgWire.Types(await wire.QueryAsync("COMMIT")));
    }

    [Fact]
    public async Task Cursors_are_fetched_forward_and_end_with_their_transaction()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        List<PgMessage> opened = await wire.QueryAsync("BEGIN;declare \"SQL_CUR1\" cursor for select order_id from orders order by 1;fetch 2 in \"SQL_CUR1\"");
        Assert.Equal("CCTDDCZ", PgWire.Types(opened));
        Assert.Equal("FETCH 2", opened[^2].Text);
        Assert.Equal("2", await wire.TextAsync("FETCH NEXT FROM \"SQL_CUR1\""));
        Assert.Equal("MOVE 90", (await wire.QueryAsync("MOVE FORWARD 90 FROM \"SQL_CUR1\""))[0].Text);
        Assert.Equal(7, (await wire.QueryAsync("FETCH ALL FROM \"SQL_CUR1\"")).Count(m => m.Type == 'D'));
        Assert.Equal("FETCH 0", (await wire.QueryAsync("FETCH 5 FROM \"SQL_CUR1\""))[^2].Text);
        Assert.Equal("55000", (await wire.QueryAsync("FETCH PRIOR FROM \"SQL_CUR1\""))[0].Field('C'));
        await wire.QueryAsync("ROLLBACK; BEGIN; declare h cursor with hold for select order_id from orders; COMMIT");
        Assert.Equal("CLOSE CURSOR", (await wire.QueryAsync("CLOSE h"))[0].Text);
        Assert.Equal("34000", (await wire.QueryAsync("FETCH 1 FROM \"SQL_CUR1\""))[0].Field('C'));
        Assert.Equal("25P01", (await wire.QueryAsync("declare n cursor for select 1"))[0].Field('C'));
        Assert.Equal(0, server.Service.OpenResults);
    }

    [Fact]
    public async Task Copy_sends_text_csv_and_binary()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        string text = string.Concat((await wire.QueryAsync("COPY (SELECT 1::INT AS a, 'x' || chr(9) || 'y\\' AS b, NULL::INT AS c) TO STDOUT")).Where(m => m.Type == 'd').Select(m => m.Text));
        Assert.Equal("1\tx\\ty\\\\\t\\N\n", text);
        string csv = string.Concat((await wire.QueryAsync("COPY (SELECT 1::INT AS a, 'x,\"y' AS b, NULL::INT AS c) TO STDOUT WITH (FORMAT csv, HEADER)")).Where(m => m.Type == 'd').Select(m => m.Text));
        Assert.Equal("a,b,c\n1,\"x,\"\"y\",\n", csv);
        List<PgMessage> binary = await wire.QueryAsync("COPY (SELECT 258::INT AS a) TO STDOUT WITH BINARY");
        Assert.Equal("HddcCZ", PgWire.Types(binary));
        Assert.Equal("PGCOPY\n", Encoding.Latin1.GetString(binary[1].Body, 0, 7));
        Assert.Equal([0, 1, 0, 0, 0, 4, 0, 0, 1, 2], binary[1].Body[19..]);
        Assert.Equal([255, 255], binary[2].Body);
        Assert.Equal("HdcCZ", PgWire.Types(await wire.QueryAsync("COPY (SELECT 258::INT AS a WHERE false) TO STDOUT WITH BINARY")));
        Assert.Equal("COPY 1", binary[^2].Text);
        Assert.Equal("25006", (await wire.QueryAsync("COPY orders FROM STDIN"))[0].Field('C'));
    }

    [Fact]
    public async Task A_running_statement_is_cancelled_by_its_secret_alone()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        await wire.Send('Q', PgWire.Zero("WAIT")).FlushAsync();
        Task<List<PgMessage>> answering = wire.UntilReadyAsync();
        await CancelAsync(wire.Secret + 1);
        Assert.False(answering.IsCompleted);

        // A request that comes before the statement runs is lost, as the protocol has it: it is made until there is an answer.
        while (!answering.IsCompleted)
        {
            await CancelAsync(wire.Secret);
        }

        List<PgMessage> answer = await answering;
        Assert.Equal("57014", answer[0].Field('C'));
        Assert.Equal("1", await wire.TextAsync("select 1"));

        async Task CancelAsync(int secret)
        {
            using PgWire other = await PgWire.OpenAsync(server.Address);
            await other.SendRawAsync(PgWire.Untyped([.. PgWire.Int(80877102), .. PgWire.Int(wire.ProcessId), .. PgWire.Int(secret)]));
            Assert.True(await other.IsClosedAsync());
        }
    }

    [Fact]
    public async Task Settings_are_set_shown_reset_and_rolled_back()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        List<PgMessage> set = await wire.QueryAsync("SET TIME ZONE 'Asia/Tokyo'");
        Assert.Equal("CSZ", PgWire.Types(set));
        Assert.Equal("TimeZone\0Asia/Tokyo", set[1].Text);
        List<PgMessage> shown = await wire.QueryAsync("SHOW TIME ZONE");
        Assert.Equal("TimeZone", shown[0].Columns()[0].Name);
        Assert.Equal("Asia/Tokyo", shown[1].Row);
        Assert.Equal("read committed", await wire.TextAsync("SHOW TRANSACTION ISOLATION LEVEL"));
        await wire.QueryAsync("BEGIN; SET LOCAL statement_timeout = '1min'");
        Assert.Equal("60000", await wire.TextAsync("SHOW statement_timeout"));
        await wire.QueryAsync("COMMIT");
        Assert.Equal("0", await wire.TextAsync("SHOW statement_timeout"));
        await wire.QueryAsync("BEGIN; SET work_mem = '1GB'; ROLLBACK");
        Assert.Equal("4MB", await wire.TextAsync("SHOW work_mem"));
        Assert.Equal("hot", await wire.TextAsync("SET lakeholo.tier = 'hot'; SHOW lakeholo.tier"));
        Assert.Equal("DISCARD ALL", (await wire.QueryAsync("DISCARD ALL"))[0].Text);
        Assert.Equal("auto", await wire.TextAsync("SHOW tier"));
        Assert.Equal("22023", (await wire.QueryAsync("SET client_encoding = 'LATIN1'"))[0].Field('C'));
        Assert.Equal("42704", (await wire.QueryAsync("SET nothing_known = 1"))[0].Field('C'));
        Assert.Equal("55P02", (await wire.QueryAsync("SET server_version = '9'"))[0].Field('C'));
    }

    [Theory]
    [InlineData("INSERT INTO orders VALUES (1)")]
    [InlineData("SELECT * FROM orders FOR UPDATE")]
    [InlineData("SELECT * FROM orders FOR NO KEY UPDATE SKIP LOCKED")]
    [InlineData("SELECT order_id INTO TEMPORARY TABLE x FROM orders")]
    [InlineData("CREATE LOCAL TEMPORARY TABLE \"#Tableau_1_Connect_Check\" (\"COL\" INTEGER) ON COMMIT PRESERVE ROWS")]
    public async Task What_writes_or_locks_is_refused_and_the_connection_goes_on(string sql)
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        Assert.Equal("25006", (await wire.QueryAsync(sql))[0].Field('C'));
        Assert.Equal("1", await wire.TextAsync("select 1"));
    }

    [Fact]
    public async Task Prepared_statements_of_sql_and_of_the_protocol_are_the_same()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        Assert.Equal("PREPARE", (await wire.QueryAsync("PREPARE p AS SELECT 42 AS x"))[0].Text);
        Assert.Equal("42", await wire.TextAsync("EXECUTE p"));
        Assert.Equal("2DCZ", PgWire.Types(await wire.Bind(statement: "p").Execute().Sync().RoundTripAsync()));
        Assert.Equal("42P05", (await wire.Parse("select 1", "p").Sync().RoundTripAsync())[0].Field('C'));
        Assert.Equal("DEALLOCATE", (await wire.QueryAsync("DEALLOCATE \"p\""))[0].Text);
        Assert.Equal("26000", (await wire.QueryAsync("EXECUTE p"))[0].Field('C'));
    }
}
