using System.Diagnostics;
using System.Globalization;
using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;
using Npgsql;

namespace LakeHolo.Integration.Tests;

/// <summary>PostgreSQL's own and other makers' clients against the server as a process: psql, psqlODBC through unixODBC, and three of Node.js, and Npgsql, which Power BI uses.</summary>
public sealed class PostgresClients : IAsyncLifetime
{
    private const string User = "ana";

    private readonly TemporaryFolder _folder = new();
    private readonly string _port = LakeServer.FreePort().ToString(CultureInfo.InvariantCulture);
    private LakeServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = new LakeServer(SampleLake.Lake, $"postgres.listen: \"127.0.0.1:{_port}\"");
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Psql_lists_describes_queries_and_copies()
    {
        Assert.Contains("dwd|ana", await PsqlAsync(@"\dn"), StringComparison.Ordinal);
        Assert.Contains("dwd|orders|table|ana", await PsqlAsync(@"\dt dwd.*"), StringComparison.Ordinal);
        Assert.Contains("paimon table, layer dwd", await PsqlAsync(@"\dt+ dwd.*"), StringComparison.Ordinal);
        string orders = await PsqlAsync(@"\d dwd.orders");
        Assert.Contains("amount_eur|numeric(12,2)", orders, StringComparison.Ordinal);
        Assert.Contains("PRIMARY KEY, btree (order_id)", await PsqlAsync(@"\d dwd.orders", "-P", "tuples_only=off"), StringComparison.Ordinal);
        Assert.StartsWith("shop|", await PsqlAsync(@"\l"), StringComparison.Ordinal);
        Assert.Equal("240\n", await PsqlAsync("SELECT count(*) FROM dwd.products"));
        Assert.Equal("product_id,price_eur\n1001,34.20\n", await PsqlAsync(@"\copy (SELECT product_id, price_eur FROM dwd.products ORDER BY 1 LIMIT 1) TO STDOUT CSV HEADER"));
        Assert.Equal(240, (await PsqlAsync("SELECT product_id FROM dwd.products", "-v", "FETCH_COUNT=50")).Count(c => c == '\n'));
        Assert.Equal("a|integer\nb|text\n", await PsqlAsync(@"SELECT 1 AS a, 'x' AS b \gdesc", viaInput: true));
        Assert.Equal("BEGIN\n240\nROLLBACK\n", await PsqlAsync("BEGIN; SELECT count(*) FROM dwd.products; ROLLBACK"));

        Outcome wrong = await RunPsqlAsync("SELECT nothing FROM dwd.products", viaInput: false);
        Assert.Equal(1, wrong.ExitCode);
        Assert.Contains("LINE 1: SELECT nothing", wrong.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Odbc_reads_rows_in_portions_and_lists_tables()
    {
        string drivers = await File.ReadAllTextAsync("/etc/odbcinst.ini");
        Assert.Contains("PostgreSQL Unicode", drivers, StringComparison.Ordinal);
        await File.WriteAllLinesAsync(
            _folder.File("odbc.ini"),
            ["[lake]", "Driver=PostgreSQL Unicode", "Servername=127.0.0.1", $"Port={_port}", "Database=shop", $"UID={User}", "UseDeclareFetch=1", "Fetch=100"]);
        string[] rows = (await IsqlAsync("SELECT product_id, name, price_eur, valid_from FROM dwd.products ORDER BY product_id")).TrimEnd('\n').Split('\n');
        Assert.Equal(240, rows.Length);
        Assert.Equal("1001|Garden chair no-name S|34.20|2026-10-12", rows[0]);
        string tables = await IsqlAsync("help");
        Assert.Contains("shop|dwd|orders|TABLE|", tables, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Node_clients_bind_prepare_and_read_by_cursor()
    {
        ProcessStartInfo start = CommandLine.Of("node", Path.Combine(RustClient.ClientsFolder(), "postgres.js"), _port, User, "shop");
        Outcome outcome = await CommandLine.RunAsync(start, null);
        Assert.True(outcome.ExitCode == 0, outcome.Errors);
        Assert.Equal(
            """
            {"name":"pg parameters","value":[{"product_id":1001,"price_eur":"34.20","tags":["garden","sale"]}]}
            {"name":"pg values","value":[{"a":"","b":{"x":1},"c":[1,2],"d":true,"e":"1.50","f":"1970-01-01T00:00:00.000Z","g":{"type":"Buffer","data":[97,98]}}]}
            {"name":"pg prepared 1001","value":240}
            {"name":"pg prepared 1239","value":2}
            {"name":"pg error","value":"42P01"}
            {"name":"pg several","value":[{"x":1},{"y":2}]}
            {"name":"postgres.js list","value":2}
            {"name":"postgres.js cursor","value":40225}
            {"name":"knex count","value":210}
            {"name":"knex table","value":true}

            """,
            outcome.Output);
    }

    [Fact]
    public async Task Npgsql_reads_the_schema_binds_every_type_prepares_copies_and_cancels()
    {
        await using var source = NpgsqlDataSource.Create($"Host=127.0.0.1;Port={_port};Username={User};Database=shop;Timeout=120;Command Timeout=120");
        await using NpgsqlConnection connection = await source.OpenConnectionAsync();
        Assert.Equal(new Version(15, 0), connection.PostgreSqlVersion);
        Assert.Equal(18, (await connection.GetSchemaAsync("Tables")).Rows.Count);
        Assert.Equal(19, (await connection.GetSchemaAsync("Columns", [null, "dwd", "orders"])).Rows.Count);

        object[] values =
        [
            41, 42L, string.Empty, new DateOnly(2024, 1, 2), new DateTime(1969, 12, 31, 23, 59, 59, 500, DateTimeKind.Unspecified), new DateTime(2024, 1, 2, 3, 4, 5, DateTimeKind.Utc), true,
            12.345m, 1.5, Guid.Parse("00000000-0000-0000-0000-000000000007"), new byte[] { 0, 255 }, new[] { 1, 2, 3 }, TimeSpan.FromMinutes(90),
        ];
        await using (var echo = new NpgsqlCommand("SELECT " + string.Join(", ", values.Select((_, i) => $"${i + 1} AS v{i}")), connection))
        {
            echo.Parameters.AddRange(values.Select(v => new NpgsqlParameter { Value = v }).ToArray());
            await using NpgsqlDataReader reader = await echo.ExecuteReaderAsync();
            Assert.True(await reader.ReadAsync());
            for (int i = 0; i < values.Length; i++)
            {
                Assert.Equal(values[i], values[i] is DateOnly ? reader.GetFieldValue<DateOnly>(i) : reader.GetValue(i));
            }
        }

        await using (var prepared = new NpgsqlCommand("SELECT count(*) FROM dwd.products WHERE product_id = ANY($1)", connection))
        {
            NpgsqlParameter ids = prepared.Parameters.Add(new NpgsqlParameter { Value = new[] { 1001, 1002, 7 } });
            await prepared.PrepareAsync();
            Assert.Equal(2L, await prepared.ExecuteScalarAsync());
            ids.Value = new[] { 1003 };
            Assert.Equal(1L, await prepared.ExecuteScalarAsync());
        }

        await using (NpgsqlBinaryExporter export = await connection.BeginBinaryExportAsync("COPY (SELECT product_id, name FROM dwd.products ORDER BY 1 LIMIT 2) TO STDOUT (FORMAT BINARY)"))
        {
            Assert.Equal(2, await export.StartRowAsync());
            Assert.Equal(1001, await export.ReadAsync<int>());
            Assert.Equal("Garden chair no-name S", await export.ReadAsync<string>());
            Assert.Equal(2, await export.StartRowAsync());
            await export.SkipAsync();
            await export.SkipAsync();
            Assert.Equal(-1, await export.StartRowAsync());
        }

        await using (var endless = new NpgsqlCommand("SELECT count(*) FROM range(100000000000) a, range(1000) b", connection))
        {
            using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => endless.ExecuteScalarAsync(soon.Token));
        }

        await using var after = new NpgsqlBatch(connection) { BatchCommands = { new NpgsqlBatchCommand("SELECT 7"), new NpgsqlBatchCommand("SELECT count(*) FROM dwd.products") } };
        await using NpgsqlDataReader both = await after.ExecuteReaderAsync();
        Assert.True(await both.ReadAsync() && both.GetInt32(0) == 7 && await both.NextResultAsync() && await both.ReadAsync() && both.GetInt64(0) == 240);
    }

    private async Task<string> PsqlAsync(string text, params string[] arguments) => (await RunPsqlAsync(text, viaInput: false, arguments)).Answer();

    private async Task<string> PsqlAsync(string text, bool viaInput) => (await RunPsqlAsync(text, viaInput)).Answer();

    private async Task<Outcome> RunPsqlAsync(string text, bool viaInput, params string[] arguments)
    {
        string[] all = ["-X", "-A", "-t", "-h", "127.0.0.1", "-p", _port, "-U", User, "-d", "shop", .. arguments, .. viaInput ? [] : new[] { "-c", text }];
        return await CommandLine.RunAsync(CommandLine.Of("psql", all), viaInput ? text + "\n" : null);
    }

    private async Task<string> IsqlAsync(string statement)
    {
        ProcessStartInfo start = CommandLine.Of("isql", "lake", User, "x", "-b", "-d|");
        start.Environment["ODBCINI"] = _folder.File("odbc.ini");
        return (await CommandLine.RunAsync(start, statement + "\n")).Answer();
    }
}
