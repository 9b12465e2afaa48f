using LakeHolo.Golden.Tests.SampleLake;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>Views of Paimon tables in SQL.</summary>
public class PaimonViewsTests
{
    [Theory]
    [InlineData("ads.top_customers")]
    [InlineData("dwd.orders")]
    [InlineData("dwd.users_current")]
    [InlineData("ads.retention")]
    public async Task The_audit_log_holds_the_rows_of_the_table_behind_their_kinds(string table)
    {
        await using SampleLakeCopy lake = await SampleLakeCopy.StartAsync();
        string[] parts = table.Split('.');
        string log = $"{parts[0]}.\"{parts[1]}$audit_log\"";
        List<string> rows = await lake.RowsAsync($"SELECT * FROM {table} ORDER BY ALL");
        Assert.NotEmpty(rows);
        Assert.Equal(rows, await lake.RowsAsync($"SELECT * EXCLUDE (rowkind) FROM {log} WHERE rowkind IN ('+I', '+U') ORDER BY ALL"));
        Assert.Equal(["0|"], await lake.RowsAsync($"SELECT count(*) FROM {log} WHERE rowkind IS NULL OR rowkind NOT IN ('+I', '-U', '+U', '-D')"));
    }

    [Theory]
    [InlineData("ads.top_customers")]
    [InlineData("dwd.orders")]
    [InlineData("dwd.users_current")]
    public async Task The_binlog_holds_the_audit_log_with_each_value_in_an_array(string table)
    {
        await using SampleLakeCopy lake = await SampleLakeCopy.StartAsync();
        string[] parts = table.Split('.');
        string audit = $"{parts[0]}.\"{parts[1]}$audit_log\"";
        string log = $"{parts[0]}.\"{parts[1]}$binlog\"";
        List<string> rows = await lake.RowsAsync($"SELECT COLUMNS(* EXCLUDE (rowkind)), rowkind FROM {audit} ORDER BY ALL");
        Assert.NotEmpty(rows);
        Assert.Equal(rows, await lake.RowsAsync($"SELECT list_extract(COLUMNS(* EXCLUDE (rowkind)), 1), rowkind FROM {log} ORDER BY ALL"));
        Assert.Equal([$"{rows.Count}|"], await lake.RowsAsync($"SELECT count(*) FROM {log}"));
        string lengths = Assert.Single(await lake.RowsAsync($"SELECT DISTINCT len(COLUMNS(* EXCLUDE (rowkind))) FROM {log}"));
        Assert.All(lengths.TrimEnd('|').Split('|'), l => Assert.Equal("1", l));
    }

    [Fact]
    public async Task Conditions_on_the_arrays_of_the_binlog_choose_its_rows()
    {
        await using SampleLakeCopy lake = await SampleLakeCopy.StartAsync();
        string key = Assert.Single(await lake.RowsAsync("SELECT max(order_id) FROM dwd.orders")).TrimEnd('|');
        Assert.Equal(
            await lake.RowsAsync($"SELECT rowkind, order_id FROM dwd.\"orders$audit_log\" WHERE order_id = {key}"),
            await lake.RowsAsync($"SELECT rowkind, order_id[1] FROM dwd.\"orders$binlog\" WHERE order_id = [{key}]"));
        Assert.Equal(
            await lake.RowsAsync("SELECT count(*) FROM dwd.\"orders$audit_log\" WHERE rowkind = '+I'"),
            await lake.RowsAsync("SELECT count(*) FROM dwd.\"orders$binlog\" WHERE rowkind = '+I'"));
    }
}
