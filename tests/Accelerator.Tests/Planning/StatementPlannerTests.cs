using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Tests.Fakes;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Tests.Planning;

public sealed class StatementPlannerTests : IAsyncLifetime
{
    private readonly FakeLake _lake = new();

    public async ValueTask InitializeAsync()
    {
        _lake.AddTable("dwd", "orders", "SELECT i AS id, 'c' || (i % 3) AS customer, DATE '2026-01-01' + (i % 10)::INT AS day, (i * 1.5)::DECIMAL(10, 2) AS amount, {'k': i, 'v': 'x'} AS s FROM range(100) t(i)");
        _lake.AddTable("dws", "customers", "SELECT 'c' || i AS customer, 'name' || i AS name FROM range(3) t(i)");
        _lake.AddTable("ods", "odd", "SELECT 1 AS \"a b\", 2 AS \"x>5 OR y\", 3 AS y");
        await _lake.StartAsync();
    }

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    [Theory]
    [InlineData("SELECT count(*) FROM dwd.orders", "100")]
    [InlineData("SELECT count(*) FROM lake.dwd.orders", "100")]
    [InlineData("SELECT count(*) FROM orders", "100")]
    [InlineData("SELECT count(*) FROM DWD.Orders o WHERE o.ID < 10", "10")]
    [InlineData("SELECT dwd.orders.id FROM dwd.orders WHERE dwd.orders.id = 7", "7")]
    [InlineData("SELECT lake.dwd.orders.id FROM lake.dwd.orders WHERE orders.id = 8", "8")]
    [InlineData("WITH orders AS (SELECT * FROM dwd.orders WHERE id < 5) SELECT sum(id) FROM orders", "10")]
    [InlineData("WITH orders AS (FROM orders) SELECT count(*) FROM orders", "100")]
    [InlineData("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT max(n) FROM r", "5")]
    [InlineData("SELECT c.name, count(*) FROM dwd.orders o JOIN dws.customers c USING (customer) GROUP BY 1 ORDER BY 1 LIMIT 1", "name0|34")]
    [InlineData("SELECT a.id + b.id FROM dwd.orders a JOIN dwd.orders b ON a.id = b.id WHERE a.id = 3 AND b.amount > 1", "6")]
    [InlineData("SELECT (SELECT max(id) FROM dwd.orders), EXISTS (FROM dws.customers WHERE customer = 'zz')", "99|False")]
    [InlineData("SELECT id FROM (SELECT id, amount FROM dwd.orders) WHERE id = 4", "4")]
    [InlineData("SELECT o.s.k FROM dwd.orders o WHERE o.s.k = 12", "12")]
    [InlineData("SELECT s.v FROM dwd.orders WHERE id = 1", "x")]
    [InlineData("SELECT id FROM dwd.orders QUALIFY row_number() OVER (ORDER BY id DESC) = 1", "99")]
    [InlineData("SELECT \"a b\" + \"x>5 OR y\" FROM ods.odd WHERE \"x>5 OR y\" = 2", "3")]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE customer LIKE 'c1%' AND day BETWEEN DATE '2026-01-02' AND DATE '2026-01-03'", "7")]
    [InlineData("SELECT 1 AS x, 2 AS x", "1|2")]
    [InlineData("VALUES (1, 'a')", "1|a")]
    [InlineData("SELECT sum(id) FROM (SELECT id FROM dwd.orders UNION ALL SELECT 1)", "4951")]
    [InlineData("SELECT name FROM lakeholo.tables WHERE schema = 'dws'", "customers")]
    [InlineData("SHOW TABLES FROM dws", "lake|dws|customers|dws|parquet")]
    [InlineData("SELECT count(*) FROM (DESCRIBE dwd.orders)", "5")]
    [InlineData("DESCRIBE SELECT id FROM dwd.orders", "id|BIGINT|YES|NULL|NULL|NULL")]
    [InlineData("SELECT column_name FROM (SUMMARIZE SELECT id FROM dwd.orders)", "id")]
    [InlineData("SELECT snapshot FROM dwd.\"orders$snapshots\"", "1")]
    [InlineData("SELECT count(*) FROM dwd.\"orders$files\"", "1")]
    [InlineData("SELECT o.id FROM dwd.orders AS o(id, who, d, a, t) WHERE o.d = DATE '2026-01-02' AND o.id < 5", "1")]
    [InlineData("SELECT struct_extract(o, 'id') FROM dwd.orders o WHERE id = 6", "6")]
    [InlineData("SELECT struct_extract(orders, 'customer') FROM dwd.orders WHERE id = 7", "c1")]
    [InlineData("SELECT count(*) FROM dwd.orders NATURAL JOIN dws.customers", "100")]
    [InlineData("SELECT #2 FROM dws.customers WHERE customer = 'c2'", "name2")]
    [InlineData("SELECT COLUMNS('na.*') FROM dws.customers WHERE customer = 'c1'", "name1")]
    [InlineData("SELECT customers.* EXCLUDE (customer) FROM dws.customers WHERE customer = 'c0'", "name0")]
    public async Task Queries_answer_over_rewritten_names(string sql, string expected)
        => Assert.Equal([expected], await _lake.QueryAsync(sql));

    [Fact]
    public async Task A_text_that_was_sent_before_is_planned_from_memory_and_its_filters_still_prune()
    {
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(["50"], await _lake.QueryAsync("SELECT count(*) FROM dwd.orders WHERE id >= 50"));
        }

        Assert.Equal(3, _lake.Requests.Count);
        Assert.All(_lake.Requests, r => Assert.Equal(new ScanFilter.Compare("id", ScanComparison.GreaterOrEqual, new ScanLiteral(50L)), r.Request.Filter));
    }

    [Fact]
    public async Task What_the_query_log_tells_is_measured_too()
    {
        var seen = new System.Collections.Concurrent.ConcurrentDictionary<string, double>(StringComparer.Ordinal);
        using var listener = new System.Diagnostics.Metrics.MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Meter.Name == "LakeHolo.Accelerator")
                {
                    l.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => seen.AddOrUpdate(instrument.Name, value, (_, v) => v + value));
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => seen.AddOrUpdate(instrument.Name, value, (_, v) => v + value));
        listener.Start();

        await _lake.QueryAsync("SELECT * FROM dwd.orders");

        Assert.InRange(seen["lakeholo.statement.rows"], 100, double.MaxValue); // other tests may run beside
        Assert.InRange(seen["lakeholo.scan.files"], 1, double.MaxValue);
        Assert.NotEqual(0, seen["lakeholo.statement.duration"]);
        Assert.NotEqual(0, seen["lakeholo.statement.phase"]);
        List<string> logged = await _lake.QueryAsync("SELECT metadata_ms > 0, planning_ms > 0, engine_ms > 0, fetched_bytes FROM lakeholo.query_log WHERE state = 'done' ORDER BY id LIMIT 1");
        Assert.Equal(["True|True|True|0"], logged);
    }

    [Theory]
    [InlineData("max_lake_bytes", "10MiB", true)]
    [InlineData("max_lake_bytes", "1000", true)]
    [InlineData("max_lake_bytes", "2 gb", true)]
    [InlineData("max_lake_bytes", "-1", false)]
    [InlineData("max_lake_bytes", "9999999TiB", false)]
    [InlineData("max_lake_requests", "many", false)]
    public void Bounds_of_storage_are_sizes(string option, string value, bool accepted)
    {
        LakeException? refused = Record.Exception(() => Accelerator.Sessions.SessionOptions.Check(option, value)) as LakeException;
        Assert.Equal(accepted, refused is null);
    }

    [Theory]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE day < current_date", false)]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE day < now()", false)]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE id = random()", false)]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE day < DATE '2026-01-03'", true)]
    public void Only_what_the_clock_and_chance_do_not_touch_is_repeatable(string sql, bool expected)
    {
        using var planning = new Accelerator.Planning.PlanningEngine();
        Assert.Equal(expected, planning.With(c => Accelerator.Sql.SyntaxTree.Parse(c, sql)).IsRepeatable);
    }

    [Theory]
    [InlineData("SELECT count(*) FROM dwd.orders", true)]
    [InlineData("SELECT id FROM dwd.orders ORDER BY id LIMIT 10", true)]
    [InlineData("SELECT id FROM dwd.orders ORDER BY id LIMIT 10 OFFSET 5", false)]
    [InlineData("SELECT id FROM (SELECT id FROM dwd.orders ORDER BY id OFFSET 5) LIMIT 10", false)]
    [InlineData("SELECT id FROM dwd.orders TABLESAMPLE 10%", false)]
    [InlineData("SELECT id FROM dwd.orders USING SAMPLE 10 ROWS", false)]
    [InlineData("WITH c AS (SELECT id FROM dwd.orders USING SAMPLE 10 ROWS) SELECT max(id) FROM c", false)]
    public void A_plan_lasts_that_takes_no_sample_and_skips_no_rows(string sql, bool expected)
    {
        using var planning = new Accelerator.Planning.PlanningEngine();
        Assert.Equal(expected, planning.With(c => Accelerator.Sql.SyntaxTree.Parse(c, sql)).HasLastingPlan);
    }

    [Fact]
    public void Every_allowed_function_that_the_engine_calls_inconsistent_is_known_as_unrepeatable()
    {
        using var planning = new Accelerator.Planning.PlanningEngine();
        string[] names = planning.With(c =>
        {
            using DuckDB.NET.Data.DuckDBCommand command = c.CreateCommand();
            command.CommandText = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'";
            using DuckDB.NET.Data.DuckDBDataReader reader = command.ExecuteReader();
            var found = new List<string>();
            while (reader.Read())
            {
                found.Add(reader.GetString(0));
            }

            return found.ToArray();
        });
        Assert.NotEmpty(names);
        Assert.Empty(names.Except(Accelerator.Sql.SyntaxTree.Unrepeatable, StringComparer.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Only_the_needed_columns_and_the_understood_filters_reach_the_reader()
    {
        await _lake.QueryAsync("SELECT sum(amount) FROM dwd.orders WHERE day >= DATE '2026-01-05' AND customer IN ('c1', 'c2') AND id % 2 = 0");
        (string table, ScanRequest request) = Assert.Single(_lake.Requests);
        Assert.Equal("dwd.orders", table);
        Assert.Equal(["id", "customer", "day", "amount"], request.Columns!);
        ScanFilter.And filter = Assert.IsType<ScanFilter.And>(request.Filter);
        Assert.Contains(new ScanFilter.Compare("day", ScanComparison.GreaterOrEqual, new ScanLiteral(new DateOnly(2026, 1, 5))), Flatten(filter));
    }

    [Theory]
    [InlineData("SELECT count(*) FROM dwd.orders", true)]
    [InlineData("SELECT 1 FROM dwd.orders", true)]
    [InlineData("SELECT count(*) FROM dwd.orders, (SELECT 1 AS one)", true)]
    [InlineData("SELECT count(id) FROM dwd.orders", false)]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE id > 3", false)]
    [InlineData("SELECT count(*) FROM dwd.orders WHERE random() > 2", true)]
    [InlineData("SELECT count(*) FROM dwd.orders a JOIN dwd.orders b USING (id)", false)]
    [InlineData("SELECT count(DISTINCT o) FROM dwd.orders o", false)]
    public async Task The_reader_is_told_when_rows_are_only_counted(string sql, bool onlyCounts)
    {
        await _lake.QueryAsync(sql);
        Assert.All(_lake.Requests, r => Assert.Equal(onlyCounts, r.Request.OnlyCounts));
    }

    [Theory]
    [InlineData("SELECT id, customer FROM dwd.orders ORDER BY id DESC LIMIT 3", "id", true)]
    [InlineData("SELECT customer FROM dwd.orders ORDER BY day, id LIMIT 3 OFFSET 2", "day", false)]
    [InlineData("SELECT c FROM (SELECT customer AS c, amount AS a FROM dwd.orders WHERE id > 2) ORDER BY a DESC LIMIT 1", "amount", true)]
    [InlineData("SELECT id FROM dwd.orders ORDER BY id", null, false)]
    [InlineData("SELECT id FROM dwd.orders ORDER BY id + 1 LIMIT 1", null, false)]
    [InlineData("SELECT customer, max(id) FROM dwd.orders GROUP BY customer ORDER BY customer LIMIT 3", null, false)]
    public async Task The_reader_is_told_which_rows_a_top_n_wants_first_and_reads_only_its_columns(string sql, string? column, bool descending)
    {
        await _lake.QueryAsync(sql);
        ScanRequest request = Assert.Single(_lake.Requests).Request;
        Assert.Equal(column is null ? null : new ScanOrder(column, descending), request.Order);
        Assert.InRange(request.Columns!.Count, 1, 3);
    }

    [Fact]
    public async Task Constants_with_quotes_and_commas_reach_the_reader_as_they_are()
    {
        string[] odd = ["it's, '", ", x='y", "'", "a' AND 'b", "'',", ") OR (1=1", "\"q\"", "--", "/*"];
        foreach ((string low, string high) in odd.SelectMany(a => odd.Select(b => (a, b))))
        {
            _lake.Requests.Clear();
            await _lake.QueryAsync($"SELECT id FROM dwd.orders WHERE customer > {SqlText.Literal(low)} AND customer <> {SqlText.Literal(high)} AND id > 3");
            ScanFilter[] filters = [.. Flatten(Assert.Single(_lake.Requests).Request.Filter!)];
            Assert.Contains(new ScanFilter.Compare("id", ScanComparison.Greater, new ScanLiteral(3L)), filters);
            Assert.All(filters.OfType<ScanFilter.Compare>().Where(f => f.Column == "customer"), f => Assert.Contains((string)f.Value.Value, new[] { low, high }));
        }

        // The plan's text breaks at a line end: what cannot be told from it prunes nothing.
        _lake.Requests.Clear();
        await _lake.QueryAsync("SELECT id FROM dwd.orders WHERE customer = E'a\\n'', id=''4' AND id > 3");
        Assert.Null(Assert.Single(_lake.Requests).Request.Filter);
    }

    [Fact]
    public async Task A_table_that_is_joined_to_itself_gets_the_needs_of_each_reference()
    {
        await _lake.QueryAsync("SELECT a.id FROM dwd.orders a JOIN dwd.orders b ON a.id = b.id WHERE a.customer = 'c1' AND b.amount > 5");
        Assert.Equal([["id", "amount"], ["id", "customer"]], _lake.Requests.Select(r => r.Request.Columns!.ToArray()).OrderBy(c => c[1]));
    }

    [Fact]
    public async Task Unnamed_expressions_are_called_as_the_user_wrote_them()
    {
        Accelerator.Sessions.IPreparedQuery prepared = await _lake.Engine.PrepareAsync(_lake.Session, "SELECT (SELECT max(id) FROM dwd.orders)", default);
        Assert.Equal("(SELECT max(id) FROM dwd.orders)", prepared.ResultSchema.FieldsList[0].Name);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(60, 1)]
    public async Task A_prepared_statement_sees_the_snapshots_of_its_executions_start(int secondsLater, int loads)
    {
        Accelerator.Sessions.IPreparedQuery prepared = await _lake.Engine.PrepareAsync(_lake.Session, "SELECT count(*) FROM dwd.orders", default);
        int before = _lake.Loads;
        _lake.Time.Advance(TimeSpan.FromSeconds(secondsLater));
        await (await prepared.ExecuteAsync(_lake.Session, null, 0, default)).DisposeAsync();
        Assert.Equal(loads, _lake.Loads - before);
    }

    [Fact]
    public async Task A_table_is_loaded_once_a_statement()
    {
        int before = _lake.Loads;
        await _lake.QueryAsync("SELECT count(*) FROM dwd.orders a, dwd.orders b, (SELECT 1 FROM dwd.orders LIMIT 1) c");
        Assert.Equal(1, _lake.Loads - before);
    }

    [Theory]
    [InlineData("SELECT * FROM dwd.orders AT (VERSION => 7)", "7")]
    [InlineData("SELECT * FROM dwd.orders AT (VERSION => 'tag-1')", "tag-1")]
    [InlineData("SELECT p.id FROM dwd.orders p AT (VERSION => 3 + 4)", "7")]
    public async Task Time_travel_selects_a_version(string sql, string version)
    {
        await _lake.QueryAsync(sql);
        Assert.Contains($"\"snapshot\":\"{version}\"", (await _lake.QueryAsync("SELECT tables FROM lakeholo.query_log ORDER BY id"))[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Parameters_are_bound_by_position()
    {
        var schema = new Schema([new Field("a", Int64Type.Default, true), new Field("b", StringType.Default, true)], null);
        using var batch = new RecordBatch(schema, [new Int64Array.Builder().Append(90).Build(), new StringArray.Builder().Append("c1").Build()], 1);
        Assert.Equal(["3"], await _lake.QueryAsync("SELECT count(*) FROM dwd.orders WHERE id >= ? AND customer = ?", batch));

        // Their values prune as constants do, and only the columns that the statement names are read.
        ScanRequest request = _lake.Requests[^1].Request;
        Assert.Equal(["id", "customer"], request.Columns!);
        Assert.Contains(new ScanFilter.Compare("customer", ScanComparison.Equal, new ScanLiteral("c1")), Flatten(request.Filter!));
    }

    [Fact]
    public async Task A_parameter_that_does_not_fit_its_place_is_the_querys_fault()
    {
        var schema = new Schema([new Field("a", StringType.Default, true)], null);
        using var batch = new RecordBatch(schema, [new StringArray.Builder().Append("tomorrow").Build()], 1);
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.QueryAsync("SELECT count(*) FROM dwd.orders WHERE day = ?", batch));
        Assert.Equal(LakeErrorKind.QueryInvalid, e.Kind);
        Assert.DoesNotContain("LINE 1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_table_is_answered_with_the_nearest_names()
    {
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.QueryAsync("SELECT * FROM dwd.order"));
        Assert.Equal(LakeErrorKind.NotFound, e.Kind);
        Assert.Contains("dwd.orders", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_column_is_the_querys_fault()
    {
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.QueryAsync("SELECT nope FROM dwd.orders"));
        Assert.Equal(LakeErrorKind.QueryInvalid, e.Kind);
        Assert.Contains("nope", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("LINE 1", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Session_options_are_checked()
    {
        await _lake.QueryAsync("SET max_staleness = '30s'");
        Assert.Equal("30s", _lake.Session.Options["max_staleness"]);
        await Assert.ThrowsAsync<LakeException>(() => _lake.QueryAsync("SET tier = 'warm'"));
        await Assert.ThrowsAsync<LakeException>(() => _lake.QueryAsync("SET threads = 4"));
        await _lake.QueryAsync("RESET max_staleness");
        Assert.False(_lake.Session.Options.ContainsKey("max_staleness"));
    }

    private static IEnumerable<ScanFilter> Flatten(ScanFilter filter) => filter is ScanFilter.And and ? and.Parts.SelectMany(Flatten) : [filter];
}
