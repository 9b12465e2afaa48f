using Apache.Arrow;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Tests.Postgres;
using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests.Telemetry;

/// <summary>Who, from where, with what, which text, from which tier and snapshot, how much, how long, and why not: of both doors, also while it runs.</summary>
public sealed class QueryLogTests
{
    private const string Failing = "SELECT nothing FROM dwd.orders";

    [Fact]
    public async Task Statements_of_both_doors_stand_in_the_query_log_with_all_that_is_known_of_them()
    {
        await using PgShop shop = await PgShop.StartAsync();
        shop.Shop.Client.Headers.Add("authorization", "Basic " + Convert.ToBase64String("ana:"u8));
        await shop.Shop.Client.RunAsync(new CommandStatementQuery { Query = "FROM dwd.orders" });
        await StatementTests.StatusOf(() => shop.Shop.Client.RunAsync(new CommandStatementQuery { Query = Failing }));
        await shop.Shop.Client.RunAsync(new CommandStatementQuery { Query = "SYNC" });
        using PgWire bob = await PgWire.LoginAsync(shop.Host.Address, "bob", null, "application_name", "report 7.1");
        await bob.QueryAsync("SELECT order_id FROM dwd.orders");
        await bob.QueryAsync("SELECT relname FROM pg_class WHERE relname = 'orders'");
        await bob.QueryAsync("SELECT * FROM range(100000000) LIMIT 5");

        const string Columns = """
            "user" || ' ' || client || ' ' || split_part(client_name, '/', 1) || ' ' || state || ' ' || coalesce(tier, '-') || ' ' || rows || ' ' || (bytes > 0) || ' ' || (duration_ms > 0) || ' '
            || (started_at > now() - INTERVAL 10 MINUTE) || ' ' || coalesce(tables->0->>'table', '-') || ' ' || (tables->0->>'snapshot' IS NOT NULL) || ' ' || coalesce(left(error, 10), '-')
            """;
        // What the PostgreSQL catalog is filled from is asked in the session's name.
        string[] lines = await RowsAsync(shop.Shop.Client, $"SELECT {Columns} FROM (SELECT * REPLACE (tables::JSON AS tables) FROM lakeholo.query_log) WHERE state <> 'running' AND sql NOT LIKE '%lakeholo.%' ORDER BY id");
        Assert.Equal(
            [
                "ana 127.0.0.1 grpc-dotnet done lake 100 true true true lake.dwd.orders true -",
                "ana 127.0.0.1 grpc-dotnet failed - 0 false true true - false Binder Err",
                "ana 127.0.0.1 grpc-dotnet done - 1 false true true - false -",
                "bob 127.0.0.1 report 7.1 done lake 100 true true true lake.dwd.orders true -",
                "bob 127.0.0.1 report 7.1 done catalog 1 true true true - false -",
                "bob 127.0.0.1 report 7.1 done - 5 true true true - false -",
            ],
            lines);
        Assert.Equal([Failing], await RowsAsync(shop.Shop.Client, "SELECT sql FROM lakeholo.query_log WHERE state = 'failed'"));
        Assert.Matches("^grpc-dotnet/[0-9.]+", Assert.Single(await RowsAsync(shop.Shop.Client, "SELECT DISTINCT client_name FROM lakeholo.query_log WHERE \"user\" = 'ana'")));
    }

    [Fact]
    public async Task Sessions_of_both_doors_are_listed_with_what_they_run()
    {
        await using PgShop shop = await PgShop.StartAsync();
        shop.Shop.Client.Headers.Add("authorization", "Basic " + Convert.ToBase64String("ana:"u8));
        Protocol.FlightInfo unread = await shop.Shop.Client.InfoAsync(RawClient.Query("SELECT * FROM range(100000000)"));
        using PgWire bob = await PgWire.LoginAsync(shop.Host.Address, "bob", null, "application_name", "report 7.1");
        Assert.Equal(
            ["ana 127.0.0.1 grpc-dotnet 1 true {}", "bob 127.0.0.1 report 7.1 0 true {\"catalog\":\"lake\"}"],
            await RowsAsync(shop.Shop.Client, """
                SELECT "user" || ' ' || client_address || ' ' || split_part(client_name, '/', 1) || ' ' || running_statements || ' ' || (last_used_at >= opened_at) || ' ' || options
                FROM lakeholo.sessions ORDER BY opened_at
                """));
        Assert.NotEmpty(unread.Endpoint);
        bob.Dispose();
        await Eventually.TrueAsync(() => shop.Host.ConnectionCount == 0);
        Assert.Equal(["ana"], await RowsAsync(shop.Shop.Client, "SELECT \"user\" FROM lakeholo.sessions"));
    }

    private static async Task<string[]> RowsAsync(RawClient client, string sql)
    {
        (_, List<RecordBatch> batches, _) = await client.RunAsync(new CommandStatementQuery { Query = sql });
        return [.. batches.SelectMany(b => Enumerable.Range(0, b.Length).Select(i => ((StringArray)b.Column(0)).GetString(i)))];
    }
}
