using System.Text.Json;

namespace LakeHolo.Golden.Tests.SampleLake;

/// <summary>The system tables of tables: one shape for all formats, and what they say is what queries find.</summary>
public sealed class SystemTableTests : IAsyncLifetime
{
    private static readonly string[] Tables = ["dwd.order_items", "ods.payments", "dwd.orders", "ods.users"];

    private SampleLakeCopy _lake = null!;

    public async ValueTask InitializeAsync() => _lake = await SampleLakeCopy.StartAsync();

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    [Fact]
    public async Task A_system_table_has_the_same_columns_for_every_format()
    {
        (string Suffix, string Columns)[] shapes =
        [
            ("snapshots", "snapshot, committed_at, operation, schema_id, details"),
            ("files", "path, kind, format, size_bytes, row_count, deleted_row_count, partition, file_group, level, statistics"),
            ("partitions", "partition, file_count, size_bytes, row_count"),
            ("schemas", "schema_id, position, column_name, data_type, is_nullable"),
            ("options", "name, value"),
        ];
        foreach ((string suffix, string columns) in shapes)
        {
            foreach (string table in Tables)
            {
                List<string> found = await _lake.RowsAsync($"SELECT string_agg(column_name, ', ') AS names FROM (DESCRIBE SELECT * FROM {Of(table, suffix)})");
                Assert.Equal([columns + "|"], found);
            }
        }
    }

    [Fact]
    public async Task Files_and_partitions_add_up_to_the_table()
    {
        foreach (string table in Tables)
        {
            string[] name = table.Split('.');
            string known = $"SELECT file_count, size_bytes FROM lakeholo.tables WHERE schema = '{name[0]}' AND name = '{name[1]}'";
            Assert.Equal(await _lake.RowsAsync(known), await _lake.RowsAsync($"SELECT count(*) AS file_count, sum(size_bytes)::BIGINT AS size_bytes FROM {Of(table, "files")}"));
            Assert.Equal(
                await _lake.RowsAsync(known),
                await _lake.RowsAsync($"SELECT sum(file_count)::BIGINT AS file_count, sum(size_bytes)::BIGINT AS size_bytes FROM {Of(table, "partitions")}"));
        }

        foreach (string table in Tables.Take(2))
        {
            List<string> counted = await _lake.RowsAsync($"SELECT count(*) AS n FROM {table}");
            Assert.Equal(counted, await _lake.RowsAsync($"SELECT sum(row_count - deleted_row_count)::BIGINT AS n FROM {Of(table, "files")}"));
            Assert.Equal(counted, await _lake.RowsAsync($"SELECT sum(row_count)::BIGINT AS n FROM {Of(table, "partitions")}"));
        }
    }

    [Fact]
    public async Task Statistics_of_delta_files_hold_minimum_maximum_and_nulls_by_column()
    {
        List<string> statistics = await _lake.RowsAsync($"SELECT statistics FROM {Of("dwd.order_items", "files")}");
        Assert.NotEmpty(statistics);
        Assert.All(statistics, line =>
        {
            using JsonDocument document = JsonDocument.Parse(line[..^1]);
            JsonProperty column = document.RootElement.EnumerateObject().First();
            Assert.Equal(["min", "max", "nulls"], column.Value.EnumerateObject().Select(p => p.Name));
        });
    }

    [Fact]
    public async Task Snapshots_begin_with_the_newest_and_schemas_end_with_the_tables()
    {
        foreach (string table in Tables)
        {
            string[] name = table.Split('.');
            Assert.Equal(
                await _lake.RowsAsync($"SELECT snapshot FROM lakeholo.tables WHERE schema = '{name[0]}' AND name = '{name[1]}'"),
                await _lake.RowsAsync($"SELECT arg_max(snapshot, committed_at) AS snapshot FROM {Of(table, "snapshots")}"));
            Assert.Equal(["0|"], await _lake.RowsAsync($"SELECT count(*) AS n FROM {Of(table, "snapshots")} WHERE committed_at IS NULL OR operation = ''"));
            List<string> columns = await _lake.RowsAsync($"SELECT column_name FROM (DESCRIBE {table})");
            List<string> recorded = await _lake.RowsAsync($"SELECT DISTINCT column_name FROM {Of(table, "schemas")}");
            Assert.Equal([], columns.Except(recorded).Where(c => !c.StartsWith("_hoodie", StringComparison.Ordinal)));
        }
    }

    private static string Of(string table, string suffix)
    {
        string[] name = table.Split('.');
        return $"{name[0]}.\"{name[1]}${suffix}\"";
    }
}
