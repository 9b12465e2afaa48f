using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Cli.Connections;
using LakeHolo.Cli.Output;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.Cli.Tests.Output;

public sealed class StatusLineTests
{
    [Fact]
    public async Task A_line_is_rewritten_at_each_interval_and_cleared_at_the_end()
    {
        var written = new StringWriter();
        var time = new FakeTimeProvider();
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int n = 0;
        await using (new StatusLine(written, Ask, time))
        {
            while (!asked.Task.IsCompleted)
            {
                time.Advance(TimeSpan.FromMilliseconds(500));
                await Task.Yield();
            }
        }

        Assert.StartsWith("\r\u001b[K1\r\u001b[K2", written.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("\r\u001b[K", written.ToString(), StringComparison.Ordinal);

        ValueTask<string> Ask(CancellationToken cancellationToken)
        {
            if (++n == 3)
            {
                asked.TrySetResult();
            }

            return ValueTask.FromResult(n.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public async Task Without_a_terminal_nothing_is_asked()
    {
        await using var unwatched = new StatusLine(null, _ => throw new InvalidOperationException(), TimeProvider.System);
    }

    [Fact]
    public async Task A_promotion_tells_percent_files_rows_and_bytes_and_a_sync_its_tables()
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(Directory.CreateDirectory(folder.File("lake/dwd/big")).FullName, "a.csv");
        await File.WriteAllLinesAsync(path, Enumerable.Range(0, 400_000).Select(i => i == 0 ? "id,text" : $"{i},text of row {i}"));
        var options = new LakeOptions
        {
            Sources = [new LakeSource { Name = "shop", Root = new TableRoot(new LocalFolderStore(folder.File("lake")), string.Empty) }],
            DataDirectory = folder.File("data"),
        };
        CatalogService? catalog = null;
        LakeInstance instance = await LakeInstance.StartAsync(options, NullLoggerFactory.Instance, TimeProvider.System, c => catalog = c);
        Assert.Same(instance.Catalog, catalog);
        await using var connection = new LocalConnection(instance, "here", ownsInstance: true);
        Assert.Equal(string.Empty, await StatusLine.SyncsAsync(connection, default));
        Assert.Equal(string.Empty, await StatusLine.PromotionsAsync(connection, () => TimeSpan.FromSeconds(1), default));

        var seen = new HashSet<string>();
        Task promotion = Task.Run(async () => await StatementsAsync(connection, "PROMOTE TABLE dwd.big"));
        while (!promotion.IsCompleted)
        {
            seen.Add(await StatusLine.PromotionsAsync(connection, () => TimeSpan.FromSeconds(1), default));
        }

        await promotion;
        Assert.Contains(seen, line => System.Text.RegularExpressions.Regex.IsMatch(line, @"^shop\.dwd\.big \d+ % of 1 files, [\d,]+ rows, \d+\.\d MB written"));
    }

    private static async Task StatementsAsync(LocalConnection connection, string sql)
    {
        await using IAnswer answer = await connection.ExecuteAsync(sql, default);
        await foreach (Apache.Arrow.RecordBatch batch in answer.ReadAsync(default))
        {
            batch.Dispose();
        }
    }
}
