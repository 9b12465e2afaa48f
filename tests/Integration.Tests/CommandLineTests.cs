using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests;

/// <summary>The command line as a process: what it prints, and what it ends with.</summary>
public sealed class CommandLineTests(LocalLake lake) : IClassFixture<LocalLake>
{
    [Fact]
    public async Task Tables_lists_every_table_with_its_format()
    {
        Outcome tables = await lake.Server.RunAsync("tables");
        Assert.Equal(0, tables.ExitCode);
        Assert.Equal(18, tables.Output.TrimEnd('\n').Split('\n').Length - 1);
        Assert.Contains("dwd.orders,dwd,paimon,", tables.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inspect_shows_columns_history_and_what_becomes_of_each_feature()
    {
        Outcome inspect = await lake.Server.RunAsync("inspect", "dwd.order_items");
        Assert.True(inspect.ExitCode == 0, inspect.Errors);
        Assert.Contains("unit_price_eur", inspect.Output, StringComparison.Ordinal);
        Assert.Contains("deletionVectors,read\n", inspect.Output, StringComparison.Ordinal);
        Assert.Contains("appendOnly,ignored (writers only)\n", inspect.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lake_is_queried_alone_without_a_server()
    {
        using var data = new TemporaryFolder();
        Outcome alone = await CommandLine.LakeholoAsync("query", "SELECT count(*) AS n FROM dwd.products", "--lake", SampleLake.Lake, "--data-dir", data.Path, "--format", "json");
        Assert.True(alone.ExitCode == 0, alone.Errors);
        Assert.Equal("{\"n\":240}\n", alone.Output);
    }

    [Fact]
    public async Task A_lake_is_queried_alone_while_a_server_has_the_data_folder()
    {
        Outcome alone = await CommandLine.LakeholoAsync(
            "query", "SELECT count(*) AS n FROM dwd.products", "--lake", SampleLake.Lake, "--data-dir", lake.Server.DataDirectory, "--format", "json");
        Assert.Equal("{\"n\":240}\n", alone.Output);
        Assert.Contains("without its hot copies", alone.Errors, StringComparison.Ordinal);
        Outcome promote = await CommandLine.LakeholoAsync("promote", "dwd.products", "--lake", SampleLake.Lake, "--data-dir", lake.Server.DataDirectory);
        Assert.NotEqual(0, promote.ExitCode);
        Assert.Contains("Another process uses this data folder", promote.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Promote_demote_refresh_status_and_sync_say_what_they_did()
    {
        Outcome promoted = await lake.Server.RunAsync("promote", "dwd.products");
        Assert.Contains("promoted", promoted.Output, StringComparison.Ordinal);
        Outcome status = await lake.Server.RunAsync("status");
        Assert.Contains("shop.dwd.products", status.Output, StringComparison.Ordinal);
        Outcome refreshed = await lake.Server.RunAsync("refresh", "dwd.products");
        Assert.Contains("unchanged", refreshed.Output, StringComparison.Ordinal);
        Outcome verified = await lake.Server.RunAsync("verify", "dwd.products");
        Assert.Contains("verified", verified.Output, StringComparison.Ordinal);
        Outcome demoted = await lake.Server.RunAsync("demote", "dwd.products");
        Assert.Contains("demoted", demoted.Output, StringComparison.Ordinal);
        Outcome synced = await lake.Server.RunAsync("sync");
        Assert.Contains("shop,18,", synced.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, "query", "SELEC 1")]
    [InlineData(1, "query", "SELECT * FROM read_parquet('/etc/passwd')")]
    [InlineData(1, "query", "DROP TABLE dwd.products")]
    [InlineData(2, "query", "SELECT 1", "--formt", "csv")]
    [InlineData(2, "quary", "SELECT 1")]
    [InlineData(3, "query", "SELECT * FROM dwd.product")]
    [InlineData(3, "promote", "dwd.nothing")]
    public async Task What_goes_wrong_has_an_exit_code_and_one_message(int expected, string command, params string[] arguments)
    {
        Outcome outcome = await lake.Server.RunAsync(command, arguments);
        Assert.True(outcome.ExitCode == expected, $"{outcome.ExitCode}: {outcome.Output}{outcome.Errors}");
        Assert.StartsWith("lakeholo: ", outcome.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_promotion_that_fails_ends_with_its_reason_and_an_exit_code()
    {
        using var folder = new TemporaryFolder();
        foreach (string table in (string[])["one", "two"])
        {
            string log = Directory.CreateDirectory(folder.File($"lake/dwd/{table}/_delta_log")).FullName;
            await File.WriteAllTextAsync(
                Path.Combine(log, "00000000000000000000.json"), """{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timeMachine"],"writerFeatures":["timeMachine"]}}""");
        }

        string[] lake = ["--lake", folder.File("lake"), "--data-dir", folder.File("data")];
        Outcome one = await CommandLine.LakeholoAsync(["promote", "dwd.one", .. lake]);
        Assert.Equal(4, one.ExitCode);
        Assert.Contains("timeMachine", one.Errors, StringComparison.Ordinal);
        Outcome both = await CommandLine.LakeholoAsync(["promote", "dwd.*", .. lake]);
        Assert.Equal(1, both.ExitCode);
        Assert.Contains("timeMachine", both.Output, StringComparison.Ordinal);
        Assert.Contains("2 of 2 tables failed to promote", both.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rows.csv", "id,name\n")]
    [InlineData("rows.json", "{\"id\":")]
    [InlineData("rows.parquet", "PAR1")]
    [InlineData("rows.arrow", "\uffff")]
    public async Task Rows_go_to_a_file_in_the_format_of_its_name(string name, string begins)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File(name);
        Outcome written = await lake.Server.RunAsync("query", "SELECT product_id AS id, name FROM dwd.products ORDER BY 1", "--output", path);
        Assert.True(written.ExitCode == 0, written.Errors);
        Assert.Contains($"240 rows written to {path}", written.Errors, StringComparison.Ordinal);
        Assert.Equal(begins.Select(c => (byte)c), (await File.ReadAllBytesAsync(path)).Take(begins.Length));

        Outcome failed = await lake.Server.RunAsync("query", "SELECT 1 // 0, error('no')", "--output", folder.File("none.csv"));
        Assert.Equal(1, failed.ExitCode);
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public async Task Statements_of_a_file_run_in_order_until_one_fails()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("all.sql"), "SET max_staleness = '1h'; -- a comment; with a mark\nSELECT ';' AS x;\nSELECT nothing FROM dwd.products; SELECT 'not reached' AS y");
        Outcome outcome = await lake.Server.RunAsync("query", "--file", folder.File("all.sql"), "--format", "csv");
        Assert.Equal(1, outcome.ExitCode);
        Assert.EndsWith("x\n;\n", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("nothing", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_said_so()
    {
        Outcome outcome = await CommandLine.LakeholoAsync("query", "SELECT 1", "--server", "grpc://127.0.0.1:1");
        Assert.Equal(5, outcome.ExitCode);
        Assert.Contains("lakeholo serve", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_for_everybody_without_users_does_not_start_unless_told_to()
    {
        using var data = new TemporaryFolder();
        Outcome outcome = await CommandLine.LakeholoAsync("serve", "--lake", SampleLake.Lake, "--data-dir", data.Path, "--listen", "grpc://0.0.0.0:39999");
        Assert.NotEqual(0, outcome.ExitCode);
        Assert.Contains("insecure", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_stops_cleanly_when_asked_to_and_frees_its_data_folder()
    {
        await using var server = new LakeServer(SampleLake.Lake);
        await server.StartAsync();
        Assert.Equal(["240"], await server.RowsAsync("SELECT count(*) FROM dwd.products"));
        Assert.Equal(0, await server.StopAsync());
        await server.StartAsync();
        Assert.Equal(["240"], await server.RowsAsync("SELECT count(*) FROM dwd.products"));
    }
}
