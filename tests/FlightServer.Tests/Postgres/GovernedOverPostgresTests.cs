using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Execution;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>Limits, kills, the query log and metrics are the server's, not a door's: they hold for PostgreSQL clients as for those of Flight SQL.</summary>
public sealed class GovernedOverPostgresTests
{
    private const string Endless = "SELECT count(*) FROM range(100000000000) a, range(1000) b WHERE a.range + b.range < 0";
    private const string RunningId = "SELECT id FROM lakeholo.query_log WHERE state = 'running' AND sql LIKE '%100000000000%' AND sql NOT LIKE '%query_log%'";

    [Fact]
    public async Task A_statement_is_killed_by_its_number_by_its_user_or_an_administrator_only()
    {
        var access = new AccessOptions
        {
            Roles = [new AccessRole("reader") { Grants = [new TableGrant("roles, reader") { Tables = "*" }] }, new AccessRole("admin") { IsAdmin = true }],
            Users = new Dictionary<string, IReadOnlyList<string>> { ["ann"] = ["reader"], ["bob"] = ["reader"], ["root"] = ["admin"] },
        };
        await using PgShop shop = await PgShop.StartAsync(lake: o => o with { Access = access });
        using PgWire ann = await shop.LoginAsync("ann");
        using PgWire bob = await shop.LoginAsync("bob");
        using PgWire root = await shop.LoginAsync("root");
        await ann.Send('Q', PgWire.Zero(Endless)).FlushAsync();
        Task<List<PgMessage>> answering = ann.UntilReadyAsync();
        string id = await RunningAsync(root);
        Assert.Equal(string.Empty, await bob.TextAsync(RunningId));
        Assert.DoesNotContain("killed", await bob.TextAsync("KILL QUERY " + id), StringComparison.Ordinal);
        await Task.Delay(200);
        Assert.False(answering.IsCompleted);
        await root.QueryAsync("KILL QUERY " + id);
        List<PgMessage> answer = await answering;
        Assert.Equal("57014", answer[0].Field('C'));
        Assert.Equal("1", await ann.TextAsync("SELECT 1"));
        Assert.Equal("cancelled|ann", await root.TextAsync($"SELECT state, \"user\" FROM lakeholo.query_log WHERE id = {id}"));

        // Its own user may, too.
        await ann.Send('Q', PgWire.Zero(Endless)).FlushAsync();
        answering = ann.UntilReadyAsync();
        using PgWire again = await shop.LoginAsync("ann");
        id = await RunningAsync(again);
        await again.QueryAsync("KILL QUERY " + id);
        Assert.Equal("57014", (await answering)[0].Field('C'));
    }

    private static async Task<string> RunningAsync(PgWire wire)
    {
        for (int i = 0; i < 1000; i++)
        {
            if (await wire.TextAsync(RunningId) is { Length: > 0 } id)
            {
                return id;
            }
        }

        throw new TimeoutException("The statement never ran");
    }

    [Fact]
    public async Task Statements_beyond_those_that_may_run_and_wait_are_refused()
    {
        await using PgShop shop = await PgShop.StartAsync(lake: o => o with { Limits = new ExecutionLimits { MaxConcurrent = 1, MaxQueued = 0 } });
        using PgWire first = await shop.LoginAsync();
        using PgWire second = await shop.LoginAsync();
        await first.QueryAsync("BEGIN");
        List<PgMessage> open = await first.Parse("SELECT * FROM range(1000000)").Bind(portal: "p").Execute(1, "p").Sync().RoundTripAsync();
        Assert.Equal("12DsZ", PgWire.Types(open));
        string refused = await second.TextAsync("SELECT 1");
        Assert.StartsWith("53000 1 statements run and 0 wait already", refused, StringComparison.Ordinal);
        await first.QueryAsync("ROLLBACK"); // takes the portal and its place with it
        Assert.Equal("1", await second.TextAsync("SELECT 1"));
    }

    [Fact]
    public async Task A_statement_that_takes_longer_than_the_server_allows_ends()
    {
        await using PgShop shop = await PgShop.StartAsync(lake: o => o with { Limits = new ExecutionLimits { StatementTimeout = TimeSpan.FromSeconds(1) } });
        using PgWire wire = await shop.LoginAsync();
        Assert.StartsWith("57014 Stopped: the statement ran longer than the limit of 00:00:01", await wire.TextAsync(Endless), StringComparison.Ordinal);
        Assert.Equal("57014 canceling statement due to statement timeout", await wire.TextAsync("SET statement_timeout = 100; " + Endless));
        Assert.Equal("100", await wire.TextAsync("SHOW statement_timeout"));
    }

    [Fact]
    public async Task A_session_bounds_what_its_statements_take_from_the_lake()
    {
        await using PgShop shop = await PgShop.StartAsync();
        using PgWire wire = await shop.LoginAsync();
        Assert.StartsWith("22023", await wire.TextAsync("SET max_lake_bytes = 'many'"), StringComparison.Ordinal);
        await wire.QueryAsync("SET max_lake_bytes = '1GB'; SET tier = 'hot'");
        Assert.Contains("no hot copy", await wire.TextAsync("SELECT count(*) FROM dwd.orders"), StringComparison.Ordinal);
        await wire.QueryAsync("RESET tier");
        Assert.Equal("100", await wire.TextAsync("SELECT count(*) FROM dwd.orders"));
    }

    [Fact]
    public async Task Every_statement_stands_in_the_query_log_with_its_client_and_its_end()
    {
        await using PgShop shop = await PgShop.StartAsync();
        using PgWire wire = await PgWire.LoginAsync(shop.Host.Address, "ana", null, "application_name", "a report");
        Assert.Equal("100", await wire.TextAsync("SELECT count(*) AS done FROM dwd.orders"));
        Assert.StartsWith("22P02", await wire.TextAsync("SELECT max(CAST(customer AS INTEGER)) AS failed FROM dwd.orders"), StringComparison.Ordinal);
        List<PgMessage> prepared = await wire.Parse("SELECT customer AS prepared FROM dwd.orders WHERE order_id = $1").Bind(["3"u8.ToArray()]).Execute().Sync().RoundTripAsync();
        Assert.Equal("12DCZ", PgWire.Types(prepared));
        Assert.Equal("t", await wire.TextAsync("SELECT count(*) > 2 AS catalog FROM pg_catalog.pg_class"));
        Assert.StartsWith("42703", await wire.TextAsync("SELECT nothing AS catalog_failed FROM pg_catalog.pg_class"), StringComparison.Ordinal);

        async Task<string> LoggedAsync(string text) => await wire.TextAsync(
            $"SELECT state, rows, coalesce(tier, '-'), \"user\", client_name, error IS NULL FROM lakeholo.query_log WHERE sql LIKE '% AS {text} %' AND sql NOT LIKE '%query_log%'");
        Assert.Equal("done|1|lake|ana|a report|t", await LoggedAsync("done"));
        Assert.Equal("failed|0|lake|ana|a report|f", await LoggedAsync("failed"));
        Assert.Equal("done|1|lake|ana|a report|t", await LoggedAsync("prepared"));
        Assert.Equal("done|1|catalog|ana|a report|t", await LoggedAsync("catalog"));
    }

    [Fact]
    public async Task Statements_and_connections_are_measured()
    {
        await using PgShop shop = await PgShop.StartAsync();
        var measured = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name.StartsWith("LakeHolo.", StringComparison.Ordinal))
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((i, v, _, _) => measured.AddOrUpdate(i.Name, v, (_, sum) => sum + v));
        listener.SetMeasurementEventCallback<int>((i, v, _, _) => measured[i.Name] = Math.Max(v, measured.GetValueOrDefault(i.Name)));
        listener.SetMeasurementEventCallback<double>((i, v, _, _) => measured.AddOrUpdate(i.Name, 1, (_, n) => n + 1));
        listener.Start();
        using PgWire wire = await shop.LoginAsync();
        Assert.Equal(100, (await wire.QueryAsync("SELECT order_id FROM dwd.orders")).Count(m => m.Type == 'D'));
        listener.RecordObservableInstruments();
        Assert.True(measured["lakeholo.statement.rows"] >= 100); // other tests run beside this one
        Assert.True(measured["lakeholo.statement.duration"] >= 1);
        Assert.True(measured["lakeholo.scan.files"] >= 1);
        Assert.True(measured["lakeholo.postgres.connections"] >= 1);
    }
}
