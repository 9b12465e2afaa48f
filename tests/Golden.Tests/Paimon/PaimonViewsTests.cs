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
}
