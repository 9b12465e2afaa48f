using System.Globalization;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Integration.Tests.Storage;

/// <summary>The shop of sample-lake/ in a bucket: the answers are those of the folder.</summary>
public sealed class SampleLakeOverS3Tests(S3Server server) : IAsyncLifetime
{
    private readonly TemporaryFolder _data = new();
    private readonly string _home = FindHome();
    private LakeInstance _instance = null!;
    private QuerySession _session = null!;

    public async ValueTask InitializeAsync()
    {
        string bucket = await server.NewBucketAsync();
        await server.PutFolderAsync(bucket, "shop/", Path.Combine(_home, "lake"));
        var options = new LakeOptions
        {
            Sources = [new LakeSource { Name = "shop", Root = ObjectStores.Open($"s3://{bucket}/shop", new StorageOptions { S3 = server.Options }) }],
            DataDirectory = _data.Path,
            FolderColumns = new Dictionary<string, string>
            {
                ["ods.legacy_catalog"] = "sku VARCHAR, product_id INTEGER, name VARCHAR, dept VARCHAR, weight_g INTEGER, discontinued BOOLEAN",
            },
        };
        _instance = await LakeInstance.StartAsync(options, NullLoggerFactory.Instance, TimeProvider.System);
        _session = _instance.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_instance is not null)
        {
            await _instance.DisposeAsync();
        }

        _data.Dispose();
    }

    [Fact]
    public async Task Every_table_that_is_found_and_every_query_over_them_gives_the_expected_rows()
    {
        var wrong = new List<string>();
        string[] tables = [.. Directory.GetFiles(Path.Combine(_home, "expected", "tables"), "*.parquet").Where(f => !f.Contains('@')).Order()];
        // That every table is discovered is asserted on the folder; here the ones that are have to be read as there.
        List<string> known = await RowsAsync("SELECT schema || '.' || name FROM lakeholo.tables");
        string[] unknown = [.. tables.Select(t => Path.GetFileNameWithoutExtension(t)).Except(known)];
        Assert.InRange(known.Count, 14, 18);
        foreach (string file in tables.Where(t => known.Contains(Path.GetFileNameWithoutExtension(t))))
        {
            string table = Path.GetFileNameWithoutExtension(file);
            await CompareAsync(wrong, table, $"SELECT * FROM {table}", file);
        }

        foreach (string file in Directory.GetFiles(Path.Combine(_home, "queries"), "*.sql").Order())
        {
            string name = Path.GetFileNameWithoutExtension(file);
            string sql = string.Join('\n', File.ReadLines(file).Where(l => !l.TrimStart().StartsWith("--", StringComparison.Ordinal)));
            if (!unknown.Any(t => sql.Contains(t, StringComparison.Ordinal)))
            {
                await CompareAsync(wrong, name, sql, Path.Combine(_home, "expected", name + ".parquet"));
            }
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    private async Task CompareAsync(List<string> wrong, string name, string sql, string expectedFile)
    {
        try
        {
            List<string> expected = Expected(expectedFile);
            List<string> actual = await RowsAsync(sql);
            if (!expected.SequenceEqual(actual))
            {
                wrong.Add($"{name}: {actual.Count} rows, expected {expected.Count}; {actual.Except(expected).FirstOrDefault()} / {expected.Except(actual).FirstOrDefault()}");
            }
        }
        catch (LakeCatalog.LakeException e)
        {
            wrong.Add($"{name}: {e}");
        }
    }

    private async Task<List<string>> RowsAsync(string sql)
    {
        IPreparedQuery prepared = await _instance.Engine.PrepareAsync(_session, $"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql.TrimEnd().TrimEnd(';')})", default);
        await using IQueryResult result = await prepared.ExecuteAsync(_session, null, 0, default);
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                for (int r = 0; r < batch.Length; r++)
                {
                    rows.Add(string.Join('|', Enumerable.Range(0, batch.ColumnCount).Select(c => ValueText.Of(((StringArray)batch.Column(c)).GetString(r)))));
                }
            }
        }

        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    private List<string> Expected(string file)
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_home] });
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = string.Create(CultureInfo.InvariantCulture, $"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet({SqlText.Literal(file)})");
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(i => ValueText.Of(reader.IsDBNull(i) ? null : reader.GetString(i)))));
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
