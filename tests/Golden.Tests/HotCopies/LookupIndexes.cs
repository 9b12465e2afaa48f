using System.Text.Json;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>Copies WITH (lookup = true) find a key by its index: the engine's own profile of the statements says so, and counts the rows that it looked at.</summary>
public sealed class LookupIndexes : IAsyncLifetime
{
    private SampleLakeCopy _lake = null!;

    public async ValueTask InitializeAsync() => _lake = await SampleLakeCopy.StartAsync();

    public async ValueTask DisposeAsync() => await _lake.DisposeAsync();

    [Fact]
    public async Task A_prepared_lookup_reads_a_row_by_the_index_after_refreshes_a_rewrite_of_the_file_and_a_restart()
    {
        foreach (string table in (string[])["dwd.orders", "dwd.users_current"])
        {
            await _lake.ManageAsync($"PROMOTE TABLE {table} WITH (lookup = true)");
        }

        LooksUp("promoted");
        for (int step = 1; step <= 7; step++)
        {
            _lake.Play(step);
            await _lake.ManageAsync("REFRESH TABLE *.*");
        }

        LooksUp("followed");
        foreach (HotCopy copy in _lake.Instance.Store.Copies.ToArray())
        {
            CatalogTable table = _lake.Instance.Catalog.Tables.Single(t => t.Table.FullName == copy.Record.FullName);
            Snapshot snapshot = await _lake.Instance.Catalog.LoadSnapshotAsync(table, SnapshotSelector.Latest, synced: false, default);
            HotBuild build = await _lake.Instance.Store.RewriteAsync(snapshot, copy, default);
            _lake.Instance.Store.Publish(build, null, DateTimeOffset.UtcNow, DateTimeOffset.UtcNow);
        }

        LooksUp("rewritten");
        await _lake.RestartAsync();
        LooksUp("restarted");
        await AnswersAsync();
        foreach (string table in (string[])["dwd.orders", "dwd.users_current"])
        {
            await _lake.ManageAsync($"DEMOTE TABLE {table}");
            await _lake.ManageAsync($"PROMOTE TABLE {table}");
        }

        Assert.NotEqual("INDEX_SCAN", Profile(_lake.Instance.Store.Copies.Single(c => c.Record.Name == "orders"), "order_id").Kind);
    }

    private void LooksUp(string when)
    {
        foreach ((string table, string key) in (IEnumerable<(string, string)>)[("orders", "order_id"), ("users_current", "user_id")])
        {
            (string kind, long rows, long found) = Profile(_lake.Instance.Store.Copies.Single(c => c.Record.Name == table), key);
            Assert.True(kind == "INDEX_SCAN" && rows is > 0 and < 10 && found > 0, $"{when}, {table}: {kind}, {rows} rows, {found} found");
            Assert.DoesNotContain("FSST", Compressions(table));
        }
    }

    // How the engine keeps the texts of a copy: of FSST it decodes all before the one that is wanted.
    private string Compressions(string table)
    {
        HotCopy copy = _lake.Instance.Store.Copies.Single(c => c.Record.Name == table);
        using DuckDBConnection connection = _lake.Instance.Store.Engine.OpenConnection();
        return (string)HotDatabase.Scalar(connection, $"SELECT string_agg(DISTINCT compression, ' ') FROM pragma_storage_info({SqlText.Literal(copy.Database.Rows)}) WHERE segment_type = 'VARCHAR'")!;
    }

    // The statement as the executor prepares it: the copy's columns under their names and types, the condition outside, its value bound.
    private (string Kind, long Rows, long Found) Profile(HotCopy copy, string key)
    {
        string relation = copy.Database.Select(copy.State.Stamp);
        using DuckDBConnection connection = _lake.Instance.Store.Engine.OpenConnection();
        object value = HotDatabase.Scalar(connection, $"SELECT max({key}) FROM ({relation})")!;
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM ({relation}) AS t WHERE {key} = $1";
        command.Parameters.Add(new DuckDBParameter(value));
        using DuckDBDataReader reader = command.ExecuteReader();
        Assert.True(reader.Read());
        using JsonDocument profile = JsonDocument.Parse(reader.GetString(1));
        JsonElement scan = Scans(profile.RootElement).Single();
        string kind = scan.GetProperty("extra_info").TryGetProperty("Type", out JsonElement type) ? type.GetString()! : string.Empty;
        return (kind.ToUpperInvariant().Replace(' ', '_'), scan.GetProperty("operator_rows_scanned").GetInt64(), scan.GetProperty("operator_cardinality").GetInt64());
    }

    private static IEnumerable<JsonElement> Scans(JsonElement node)
    {
        IEnumerable<JsonElement> below = node.TryGetProperty("children", out JsonElement children) ? children.EnumerateArray().SelectMany(Scans) : [];
        return node.TryGetProperty("operator_type", out JsonElement type) && type.GetString() == "TABLE_SCAN" ? below.Append(node) : below;
    }

    private async Task AnswersAsync()
    {
        List<string> keys = [.. (await _lake.RowsAsync("SELECT order_id FROM dwd.orders USING SAMPLE reservoir(20 ROWS) REPEATABLE (7)")).Select(k => k.TrimEnd('|'))];
        foreach (string key in keys)
        {
            string sql = $"SELECT * FROM dwd.orders WHERE order_id = {key}";
            await _lake.ManageAsync("SET tier = 'hot'");
            List<string> hot = await _lake.RowsAsync(sql);
            await _lake.ManageAsync("SET tier = 'lake'");
            Assert.Single(hot);
            Assert.Equal(await _lake.RowsAsync(sql), hot);
        }

        await _lake.ManageAsync("SET tier = 'auto'");
    }
}
