using LakeHolo.Accelerator.Access;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>Grants, filters and masks hold through the PostgreSQL door.</summary>
public sealed class AccessOverPostgresTests
{
    [Fact]
    public async Task A_user_sees_what_the_grants_leave_however_it_asks()
    {
        var grant = new TableGrant("roles, reader") { Tables = "dwd.orders", Filter = "order_id < 10", Masks = new Dictionary<string, string> { ["customer"] = "'***'" } };
        var access = new AccessOptions
        {
            Roles = [new AccessRole("reader") { Grants = [grant] }, new AccessRole("admin") { IsAdmin = true, Grants = [new TableGrant("roles, admin") { Tables = "*" }] }, new AccessRole("half") { IsAdmin = true, Grants = [grant] }],
            Users = new Dictionary<string, IReadOnlyList<string>> { ["ann"] = ["reader"], ["root"] = ["admin"], ["mia"] = ["half"] },
        };
        var users = new Dictionary<string, string> { ["ann"] = PasswordHash.Create("a"), ["root"] = PasswordHash.Create("r"), ["mia"] = PasswordHash.Create("m") };
        await using PgShop shop = await PgShop.StartAsync(o => o with { Users = users }, o => o with { Access = access });
        using PgWire root = await shop.LoginAsync("root", "r");
        using PgWire ann = await shop.LoginAsync("ann", "a");

        // The same texts first by who may see all.
        Assert.Equal("100", await root.TextAsync("SELECT count(*) FROM dwd.orders"));
        Assert.Equal("customer 6", await root.TextAsync("SELECT max(customer) FROM dwd.orders"));
        foreach ((string sql, string expected) in new[]
        {
            ("SELECT count(*) FROM dwd.orders", "10"),
            ("SELECT max(customer) FROM dwd.orders", "***"),
            ("SELECT order_id FROM dwd.orders ORDER BY order_id DESC LIMIT 1", "9"),
            ("SELECT count(*) FROM dwd.orders WHERE customer = 'customer 1'", "0"),
            ("SELECT count(*) FROM dwd.orders WHERE customer LIKE 'c%'", "0"),
            ("SELECT o.customer FROM lake.dwd.orders AS o WHERE o.order_id IN (1, 50)", "***"),
            ("WITH x AS (FROM dwd.orders) SELECT count(*) || min(customer) FROM x", "10***"),
            ("SELECT count(*) FROM (SELECT * FROM dwd.orders UNION ALL SELECT * FROM \"dwd\".\"ORDERS\")", "20"),
            ("SELECT (SELECT max(order_id) FROM dwd.orders)", "9"),
            ("SELECT count(*) FROM dwd.orders o WHERE EXISTS (SELECT 1 FROM dwd.orders p WHERE p.order_id > 50)", "0"),
            ("SELECT string_agg(c.relname, ',') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname IN ('dwd', 'dws')", "orders"),
            ("SELECT string_agg(table_name, ',') FROM information_schema.tables WHERE table_schema IN ('dwd', 'dws')", "orders"),
            ("SELECT string_agg(name, ',') FROM lakeholo.tables", "orders"),
        })
        {
            Assert.Equal(expected, await ann.TextAsync(sql));
        }

        Assert.Equal(10, (await ann.QueryAsync("COPY dwd.orders TO STDOUT")).Count(m => m.Type == 'd'));
        string unknown = await ann.TextAsync("SELECT * FROM dwd.nothing");
        Assert.Equal(unknown.Replace("nothing", "products", StringComparison.Ordinal), await ann.TextAsync("SELECT * FROM dwd.products"));
        foreach (string sql in new[]
        {
            "SELECT * FROM dwd.\"orders$files\"", "EXPLAIN LAKE SELECT count(*) FROM dwd.orders", "PROMOTE TABLE dwd.orders", "DEMOTE TABLE dwd.orders", "PROMOTE QUERY q AS SELECT count(*) AS n FROM dwd.orders",
            "REFRESH TABLE dwd.orders", "VERIFY TABLE dwd.orders", "SYNC",
        })
        {
            Assert.Equal("42501", (await ann.QueryAsync(sql)).FirstOrDefault(m => m.Type == 'E')?.Field('C'));
        }

        // A promoted query is a table of its own: who sees a part of what it reads cannot make one, and who has no grant on it does not see it.
        const string Promote = "PROMOTE QUERY totals AS SELECT customer, count(*) AS n FROM dwd.orders GROUP BY customer";
        using PgWire mia = await shop.LoginAsync("mia", "m");
        Assert.Equal("42501", (await mia.QueryAsync(Promote)).First(m => m.Type == 'E').Field('C'));
        Assert.Contains("promoted", await root.TextAsync(Promote), StringComparison.Ordinal);
        Assert.Equal("100", await root.TextAsync("SELECT sum(n) FROM hot.totals"));
        Assert.Contains("There is no table hot.totals", await ann.TextAsync("SELECT sum(n) FROM hot.totals"), StringComparison.Ordinal);

        // By a hot copy, and what others asked is not hers to see.
        Assert.Contains("promoted", await root.TextAsync("PROMOTE TABLE dwd.orders"), StringComparison.Ordinal);
        Assert.Equal("10", await ann.TextAsync("SELECT count(*) FROM dwd.orders"));
        Assert.Equal("***", await ann.TextAsync("SELECT max(customer) FROM dwd.orders"));
        Assert.Equal("ann", await ann.TextAsync("SELECT DISTINCT \"user\" FROM lakeholo.query_log"));
    }
}
