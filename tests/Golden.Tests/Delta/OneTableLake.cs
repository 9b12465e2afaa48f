using System.Globalization;
using Apache.Arrow;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>An instance over the folder of a <see cref="HandMadeTable"/>, and a session.</summary>
internal sealed class OneTableLake : IAsyncDisposable
{
    private readonly LakeInstance _lake;
    private readonly QuerySession _session;

    private OneTableLake(LakeInstance lake)
    {
        _lake = lake;
        _session = lake.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
    }

    public static async Task<OneTableLake> StartAsync(HandMadeTable table) => new(await LakeInstance.StartAsync(
        new LakeOptions
        {
            Sources = [new LakeSource { Name = "l", Root = new TableRoot(new LocalFolderStore(table.Folder), string.Empty) }],
            DataDirectory = table.File("cache/data"),
        },
        NullLoggerFactory.Instance,
        TimeProvider.System));

    /// <summary>A management statement.</summary>
    public Task ManageAsync(string statement) => AskAsync(statement);

    /// <summary>Rows of a query as text, ordered, as <see cref="HandMadeTable.Rows"/> gives them.</summary>
    public async Task<string[]> RowsAsync(string sql) => [.. (await AskAsync($"SELECT COLUMNS(*)::VARCHAR FROM ({sql})")).Order(StringComparer.Ordinal)];

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    private async Task<List<string>> AskAsync(string sql)
    {
        IPreparedQuery prepared = await _lake.Engine.PrepareAsync(_session, sql, TestContext.Current.CancellationToken);
        await using IQueryResult result = await prepared.ExecuteAsync(_session, null, 0, TestContext.Current.CancellationToken);
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(TestContext.Current.CancellationToken))
        {
            using (batch)
            {
                rows.AddRange(Enumerable.Range(0, batch.Length).Select(r => $"[{string.Join(", ", Enumerable.Range(0, batch.ColumnCount).Select(c => batch.Column(c) switch
                {
                    StringArray a => a.GetString(r) ?? "NULL",
                    Int64Array a => a.GetValue(r)?.ToString(CultureInfo.InvariantCulture) ?? "NULL",
                    _ => "…",
                }))}]"));
            }
        }

        return rows;
    }
}
