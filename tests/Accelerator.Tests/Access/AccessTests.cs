using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Tests.Fakes;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Tests.Access;

public sealed class AccessTests : IAsyncLifetime
{
    private readonly FakeLake _lake = new();
    private QuerySession _ann = null!;
    private QuerySession _bob = null!;
    private QuerySession _eve = null!;
    private QuerySession _root = null!;

    public async ValueTask InitializeAsync()
    {
        _lake.AddTable("dwd", "people", "SELECT i AS id, CASE WHEN i % 2 = 0 THEN 'EU' ELSE 'US' END AS region, 'secret' || i AS ssn, (1000 + i)::BIGINT AS salary, 'n' || i AS name FROM range(10) t(i)");
        _lake.AddTable("dwd", "orders", "SELECT i AS id, i % 10 AS person FROM range(20) t(i)");
        _lake.AddTable("hr", "vault", "SELECT 42 AS answer");
        _lake.Access = new AccessOptions
        {
            Roles =
            [
                new AccessRole("analyst")
                {
                    Grants =
                    [
                        new TableGrant("roles, analyst, dwd.people")
                        {
                            Tables = "dwd.people",
                            Filter = "region = 'EU'",
                            Masks = new Dictionary<string, string> { ["ssn"] = "'***'", ["salary"] = "NULL", ["name"] = "left(name, 1)" },
                        },
                        new TableGrant("roles, analyst, dwd.orders") { Tables = "lake.dwd.ord*" },
                    ],
                },
                new AccessRole("self") { Grants = [new TableGrant("roles, self, dwd.people") { Tables = "dwd.people", Filter = "name = current_user" }] },
                new AccessRole("dwd") { Grants = [new TableGrant("roles, dwd, dwd.*") { Layer = "dwd" }] },
                new AccessRole("admin") { IsAdmin = true, Grants = [new TableGrant("roles, admin, *") { Tables = "*" }] },
            ],
            Users = new Dictionary<string, IReadOnlyList<string>> { ["ann"] = ["analyst"], ["n3"] = ["self"], ["bob"] = ["analyst", "self"], ["root"] = ["admin"], ["eve"] = [] },
        };
        await _lake.StartAsync();
        (_ann, _bob, _eve, _root) = (Open("ann"), Open("bob"), Open("eve"), Open("root"));
    }

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    private QuerySession Open(string user, params string[] roles) => _lake.Engine.OpenSession(new SessionIdentity(user, "here", "xunit") { Roles = roles });

    private async Task<LakeException> RefusedAsync(QuerySession who, string sql) => await Assert.ThrowsAsync<LakeException>(() => _lake.QueryAsync(who, sql));

    [Theory]
    [InlineData("SELECT count(*) FROM dwd.people", "5")]
    [InlineData("SELECT count(*) FROM dwd.people WHERE region = 'US'", "0")]
    [InlineData("SELECT max(id) FROM dwd.people", "8")]
    [InlineData("SELECT count(*) FROM dwd.people WHERE ssn LIKE 'secret%'", "0")]
    [InlineData("SELECT DISTINCT ssn FROM dwd.people", "***")]
    [InlineData("SELECT count(salary) FROM dwd.people", "0")]
    [InlineData("SELECT count(*) FROM dwd.people WHERE salary > 0 OR salary <= 0", "0")]
    [InlineData("SELECT DISTINCT name FROM dwd.people", "n")]
    [InlineData("SELECT min(p.ssn) FROM lake.dwd.people AS p", "***")]
    [InlineData("SELECT DISTINCT c FROM dwd.people AS x(a, b, c, d, e)", "***")]
    [InlineData("SELECT DISTINCT struct_extract(people, 'ssn') FROM dwd.people", "***")]
    [InlineData("SELECT DISTINCT #3 FROM dwd.people", "***")]
    [InlineData("SELECT DISTINCT COLUMNS('ss.') FROM dwd.people", "***")]
    [InlineData("SELECT DISTINCT ssn FROM (FROM dwd.people)", "***")]
    [InlineData("WITH people AS (FROM people) SELECT DISTINCT ssn FROM people", "***")]
    [InlineData("WITH RECURSIVE r AS (SELECT id, ssn FROM dwd.people UNION SELECT id, ssn FROM r) SELECT DISTINCT ssn FROM r", "***")]
    [InlineData("SELECT DISTINCT ssn FROM dwd.people UNION SELECT ssn FROM dwd.people", "***")]
    [InlineData("SELECT count(*) FROM dwd.orders o JOIN dwd.people p ON o.person = p.id", "10")]
    [InlineData("SELECT count(*) FROM dwd.orders o JOIN dwd.people p ON 'secret' || o.person = p.ssn", "0")]
    [InlineData("SELECT (SELECT max(ssn) FROM dwd.people)", "***")]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE EXISTS (SELECT 1 FROM dwd.people WHERE ssn = 'secret' || person)", "0")]
    [InlineData("SELECT DISTINCT ssn FROM dwd.people AT (VERSION => 1)", "***")]
    [InlineData("SELECT count(*) FROM dwd.people WHERE CAST(replace(name, 'n', '') AS INTEGER) = 1 AND false", "0")]
    [InlineData("SELECT count(*) FROM dwd.people WHERE CAST(CASE WHEN region = 'US' THEN 'boom' ELSE '1' END AS INTEGER) = 1", "5")]
    [InlineData("SELECT count(*) FROM dwd.people WHERE 1 = CAST(region || 'x' AS INTEGER) AND id = 1", "0")]
    [InlineData("SELECT ssn FROM dwd.people ORDER BY salary DESC, ssn DESC LIMIT 1", "***")]
    [InlineData("SELECT first_value(ssn) OVER (ORDER BY id) FROM dwd.people LIMIT 1", "***")]
    [InlineData("SELECT ssn FROM dwd.people GROUP BY ALL HAVING count(*) > 1", "***")]
    [InlineData("SELECT max FROM (SUMMARIZE dwd.people) WHERE column_name = 'ssn'", "***")]
    [InlineData("SELECT count(*) FROM dwd.people TABLESAMPLE 100%", "5")]
    [InlineData("SELECT DISTINCT ssn /* FROM x */ FROM dwd.people -- WHERE", "***")]
    [InlineData("SELECT count(*) FROM dwd.people WHERE true OR region = 'US'", "5")]
    public async Task Nothing_gets_round_a_filter_or_a_mask(string sql, string expected)
    {
        Assert.NotEmpty(await _lake.QueryAsync(_root, "SELECT 1")); // who sees all is asked between
        Assert.Equal([expected], await _lake.QueryAsync(_ann, sql));
    }

    [Fact]
    public async Task A_text_that_was_bound_for_one_user_never_serves_another_with_other_grants()
    {
        const string Text = "SELECT count(*), min(ssn) FROM dwd.people";
        for (int round = 0; round < 3; round++)
        {
            Assert.Equal(["10|secret0"], await _lake.QueryAsync(_root, Text));
            Assert.Equal(["5|***"], await _lake.QueryAsync(_ann, Text));
            Assert.Equal(["1|secret3"], await _lake.QueryAsync(Open("n3"), Text));
            Assert.Equal("There is no table dwd.people; SELECT * FROM lakeholo.tables lists them", (await RefusedAsync(_eve, Text)).Message);
        }
    }

    [Theory]
    [InlineData("SELECT (SELECT max(ssn) FROM dwd.people AT (VERSION => 'old')) FROM (SELECT 'EU' AS region)")]
    [InlineData("SELECT * FROM (SELECT 'EU' AS region) AS x, dwd.people AT (VERSION => 'old')")]
    [InlineData("SELECT * FROM (SELECT 'EU' AS region) AS x, LATERAL (SELECT ssn FROM dwd.people AT (VERSION => 'old')) AS p")]
    [InlineData("SELECT count(*) FROM dwd.people AT (VERSION => 'old')")]
    public async Task A_version_without_the_filters_column_is_refused_whatever_the_query_around_calls_so(string sql)
    {
        _lake.OldSchemas["dwd/people/"] = ["id", "ssn", "salary", "name"];
        Assert.Equal(["5|***"], await _lake.QueryAsync(_ann, "SELECT count(*), min(ssn) FROM dwd.people"));
        Assert.Equal(LakeErrorKind.PermissionDenied, (await RefusedAsync(_ann, sql)).Kind);
        Assert.Contains(_lake.Denials, d => d.User == "ann");
        Assert.Equal(["10"], await _lake.QueryAsync(_root, "SELECT count(ssn) FROM dwd.people AT (VERSION => 'old')"));
    }

    [Theory]
    [InlineData("SELECT count(*), count(details) FROM dwd.\"people$snapshots\"", "1|0", "1|1")]
    [InlineData("SELECT count(*), count(details) FROM lakeholo.snapshots WHERE \"table\" = 'people'", "1|0", "1|1")]
    public async Task What_commits_tell_is_for_those_who_read_the_whole_table(string sql, string part, string whole)
    {
        Assert.Equal([part], await _lake.QueryAsync(_ann, sql));
        Assert.Equal([whole], await _lake.QueryAsync(_root, sql));
    }

    [Fact]
    public async Task Names_of_columns_do_not_tell_the_filter()
    {
        IPreparedQuery prepared = await _lake.Engine.PrepareAsync(_ann, "SELECT (SELECT max(ssn) FROM dwd.people)", default);
        Assert.Equal("(SELECT max(ssn) FROM dwd.people)", Assert.Single(prepared.ResultSchema.FieldsList).Name);
        Assert.Equal(["***"], await _lake.QueryAsync(_ann, "SELECT (SELECT max(ssn) FROM dwd.people)"));
    }

    [Fact]
    public async Task A_filtered_table_is_pruned_by_its_filter_and_not_by_what_a_statement_asks()
    {
        Assert.Equal(["1"], await _lake.QueryAsync(_ann, "SELECT count(*) FROM dwd.people WHERE id > 7 AND length(region) = 2"));
        string filter = _lake.Requests[^1].Request.Filter?.ToString() ?? string.Empty;
        Assert.Contains("EU", filter, StringComparison.Ordinal);
        Assert.DoesNotContain("7", filter, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_pruned_by_masked_columns_is_not_pruned_by_what_they_hide()
    {
        await _lake.QueryAsync(_ann, "SELECT count(*) FROM dwd.people WHERE salary = 1003 AND ssn = 'secret3'");
        Assert.DoesNotContain(_lake.Requests, r => r.Request.Filter?.ToString().Contains("1003", StringComparison.Ordinal) == true || r.Request.Filter?.ToString().Contains("secret3", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task Rights_of_several_roles_add_up_row_by_row()
    {
        QuerySession n3 = Open("n3", "analyst");
        Assert.Equal(["n|***|6", "n3|secret3|1"], (await _lake.QueryAsync(n3, "SELECT name, ssn, count(*) FROM dwd.people GROUP BY ALL ORDER BY name")).Select(r => r.Replace("|5", "|6")));
        Assert.Equal(["10"], await _lake.QueryAsync(Open("ann", "dwd"), "SELECT count(DISTINCT ssn) FROM dwd.people"));
    }

    [Theory]
    [InlineData("SELECT * FROM hr.vault")]
    [InlineData("SELECT * FROM vault")]
    [InlineData("SELECT * FROM lake.hr.vault")]
    [InlineData("SELECT (SELECT answer FROM hr.vault)")]
    [InlineData("DESCRIBE hr.vault")]
    [InlineData("SUMMARIZE hr.vault")]
    [InlineData("EXPLAIN SELECT * FROM hr.vault")]
    [InlineData("EXPLAIN LAKE SELECT * FROM hr.vault")]
    [InlineData("SELECT * FROM hr.\"vault$files\"")]
    [InlineData("SELECT * FROM hr.\"vault$snapshots\"")]
    [InlineData("SELECT * FROM table_changes('hr.vault', 1, 2)")]
    public async Task A_table_that_may_not_be_read_is_like_one_that_is_not_there(string sql)
    {
        LakeException hidden = await RefusedAsync(_ann, sql);
        LakeException unknown = await RefusedAsync(_ann, sql.Replace("vault", "vaulx", StringComparison.Ordinal));
        Assert.Equal((unknown.Kind, unknown.Message.Replace("vaulx", "vault", StringComparison.Ordinal)), (hidden.Kind, hidden.Message));
        Assert.Single(_lake.Denials, d => d.User == "ann" && d.Reason.Contains("lake.hr.vault", StringComparison.Ordinal));
        Assert.Equal(["1"], await _lake.QueryAsync(_root, "SELECT count(*) FROM lakeholo.query_log WHERE state = 'denied'"));
        Assert.Equal(["0"], await _lake.QueryAsync(_ann, "SELECT count(*) FROM lakeholo.query_log WHERE state = 'denied'"));
    }

    [Theory]
    [InlineData("EXPLAIN SELECT * FROM dwd.people")]
    [InlineData("EXPLAIN LAKE SELECT count(*) FROM dwd.people")]
    [InlineData("SELECT * FROM dwd.\"people$files\"")]
    [InlineData("SELECT * FROM dwd.\"people$partitions\"")]
    [InlineData("PROMOTE TABLE dwd.orders")]
    [InlineData("DEMOTE TABLE dwd.orders")]
    [InlineData("REFRESH TABLE dwd.orders")]
    [InlineData("VERIFY TABLE dwd.orders")]
    [InlineData("SYNC")]
    [InlineData("PROMOTE QUERY q AS SELECT count(*) FROM hr.vault")]
    public async Task What_tells_of_hidden_rows_and_what_is_for_administrators_is_refused_and_noted(string sql)
    {
        Assert.Equal(LakeErrorKind.PermissionDenied, (await RefusedAsync(_ann, sql)).Kind);
        Assert.NotEmpty(_lake.Denials);
    }

    [Fact]
    public async Task Listings_show_what_may_be_read()
    {
        Assert.Equal(["orders", "people"], await _lake.QueryAsync(_ann, "SELECT name FROM lakeholo.tables ORDER BY 1"));
        Assert.Equal(["0"], await _lake.QueryAsync(_ann, "SELECT count(*) FROM lakeholo.columns WHERE \"table\" = 'vault'"));
        Assert.Equal(["0"], await _lake.QueryAsync(_ann, "SELECT count(*) FROM lakeholo.snapshots WHERE \"table\" = 'vault'"));
        Assert.Equal(["dwd"], await _lake.QueryAsync(_ann, "SELECT schema_name FROM information_schema.schemata"));
        Assert.Equal(["0"], await _lake.QueryAsync(_eve, "SELECT count(*) FROM information_schema.tables"));
        Assert.Equal(["NULL"], await _lake.QueryAsync(_ann, "SELECT file_count FROM lakeholo.tables WHERE name = 'people'"));
        CatalogListing listing = await _lake.Engine.ListCatalogAsync(_ann, new CatalogFilter(null, null, null, ["TABLE"], true), default);
        Assert.Equal(["orders", "people"], listing.Tables.Select(t => t.Name));
        Assert.DoesNotContain(listing.Schemas, s => s.Schema == "hr");
    }

    [Fact]
    public async Task Users_see_their_own_statements_and_sessions_and_stop_only_those()
    {
        await _lake.QueryAsync(_root, "SELECT 'from root'");
        await _lake.QueryAsync(_ann, "SELECT 1");
        Assert.Equal(["ann"], await _lake.QueryAsync(_ann, "SELECT DISTINCT \"user\" FROM lakeholo.query_log"));
        Assert.Equal(["ann"], await _lake.QueryAsync(_ann, "SELECT DISTINCT \"user\" FROM lakeholo.sessions"));
        Assert.Equal(["4"], await _lake.QueryAsync(_root, "SELECT count(*) FROM lakeholo.sessions"));
        Assert.Equal(LakeErrorKind.NotFound, (await RefusedAsync(_ann, "KILL QUERY 1")).Kind);
    }

    [Fact]
    public async Task A_transaction_has_the_rights_of_its_session()
    {
        QuerySession transaction = _ann.BeginTransaction();
        Assert.Equal(["5|***"], await _lake.QueryAsync(transaction, "SELECT count(*), min(ssn) FROM dwd.people"));
        Assert.Equal(LakeErrorKind.NotFound, (await RefusedAsync(transaction, "FROM hr.vault")).Kind);
    }

    [Theory]
    [InlineData("SELECT current_user", "ann")]
    [InlineData("SELECT upper(session_user)", "ANN")]
    [InlineData("SELECT current_user FROM (SELECT 1) WHERE current_user = 'ann'", "ann")]
    public async Task Values_of_the_session_are_the_users(string sql, string expected) => Assert.Equal([expected], await _lake.QueryAsync(_ann, sql));

    [Theory]
    [InlineData("nosuch = 1", null, "nosuch")]
    [InlineData("id IN (SELECT answer FROM hr.vault)", null, "its own table")]
    [InlineData("id = ?", null, "its own table")]
    [InlineData(null, "read_text('/etc/passwd')", "read_text")]
    public async Task Wrong_expressions_are_refused_at_start_by_the_name_of_their_setting(string? filter, string? mask, string expected)
    {
        var grant = new TableGrant("lakeholo.yaml:7: roles, x, dwd.people")
        {
            Tables = "dwd.people",
            Filter = filter,
            Masks = mask is null ? new Dictionary<string, string>() : new Dictionary<string, string> { ["ssn"] = mask },
        };
        await using var lake = new FakeLake { Access = new AccessOptions { Roles = [new AccessRole("x") { Grants = [grant] }] } };
        lake.AddTable("dwd", "people", "SELECT 1 AS id, 'x' AS ssn");
        await lake.StartAsync();
        LakeException error = Assert.Throws<LakeException>(lake.Engine.CheckAccess);
        Assert.Contains("lakeholo.yaml:7: roles, x, dwd.people", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }
}
