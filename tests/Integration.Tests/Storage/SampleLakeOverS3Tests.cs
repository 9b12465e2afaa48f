using Apache.Arrow;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Integration.Tests.Storage;

/// <summary>The shop of sample-lake/ in a bucket: the answers are those of the folder.</summary>
public sealed class SampleLakeOverS3Tests(S3Server server) : IAsyncLifetime
{
    private readonly TemporaryFolder _data = new();
    private readonly string _home = FindHome();
    private LakeInstance _bucket = null!;
    private LakeInstance _folder = null!;

    public async ValueTask InitializeAsync()
    {
        string bucket = await server.NewBucketAsync();
        await server.PutFolderAsync(bucket, "shop/", Path.Combine(_home, "lake"));
        _bucket = await StartAsync($"s3://{bucket}/shop", "bucket");
        _folder = await StartAsync(Path.Combine(_home, "lake"), "folder");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (LakeInstance? instance in (LakeInstance?[])[_bucket, _folder])
        {
            if (instance is not null)
            {
                await instance.DisposeAsync();
            }
        }

        _data.Dispose();
    }

    [Fact]
    public async Task Every_table_and_query_gives_the_rows_that_the_folder_gives()
    {
        List<string> tables = await RowsAsync(_folder, "SELECT schema || '.' || name FROM lakeholo.tables");
        Assert.Equal(tables, await RowsAsync(_bucket, "SELECT schema || '.' || name FROM lakeholo.tables"));
        Assert.Equal(18, tables.Count);
        IEnumerable<string> queries = Directory.GetFiles(Path.Combine(_home, "queries"), "*.sql").Order()
            .Select(f => string.Join('\n', File.ReadLines(f).Where(l => !l.TrimStart().StartsWith("--", StringComparison.Ordinal))).TrimEnd().TrimEnd(';'));
        foreach (string sql in tables.Select(t => $"SELECT * FROM {t}").Concat(queries))
        {
            List<string> expected = await RowsAsync(_folder, sql);
            Assert.NotEmpty(expected);
            Assert.True(expected.SequenceEqual(await RowsAsync(_bucket, sql)), sql);
        }
    }

    private async Task<LakeInstance> StartAsync(string location, string data)
    {
        var options = new LakeOptions
        {
            Sources = [new LakeSource { Name = "shop", Root = ObjectStores.Open(location, new StorageOptions { S3 = server.Options }) }],
            DataDirectory = _data.File(data),
            FolderColumns = new Dictionary<string, string>
            {
                ["ods.legacy_catalog"] = "sku VARCHAR, product_id INTEGER, name VARCHAR, dept VARCHAR, weight_g INTEGER, discontinued BOOLEAN",
            },
        };
        return await LakeInstance.StartAsync(options, NullLoggerFactory.Instance, TimeProvider.System);
    }

    private static async Task<List<string>> RowsAsync(LakeInstance instance, string sql)
    {
        QuerySession session = instance.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
        IPreparedQuery prepared = await instance.Engine.PrepareAsync(session, $"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql})", default);
        await using IQueryResult result = await prepared.ExecuteAsync(session, null, 0, default);
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                for (int r = 0; r < batch.Length; r++)
                {
                    rows.Add(string.Join('|', Enumerable.Range(0, batch.ColumnCount).Select(c => ((StringArray)batch.Column(c)).GetString(r) ?? "NULL")));
                }
            }
        }

        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    private static string FindHome()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "LakeHolo.sln")))
        {
            folder = Path.GetDirectoryName(folder.TrimEnd('/')) ?? throw new DirectoryNotFoundException("sample-lake");
        }

        return Path.Combine(folder, "sample-lake");
    }
}
