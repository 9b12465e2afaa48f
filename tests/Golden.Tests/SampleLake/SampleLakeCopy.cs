using System.Text;
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

namespace LakeHolo.Golden.Tests.SampleLake;

/// <summary>A scratch copy of sample-lake/ with an instance over it, and the expected answers beside it.</summary>
public sealed class SampleLakeCopy : IAsyncDisposable
{
    private readonly string _scratch = Directory.CreateTempSubdirectory("lakeholo-sample-").FullName;
    private readonly EngineDatabase _expected;

    private SampleLakeCopy()
    {
        Home = FindHome();
        LakeDirectory = Path.Combine(_scratch, "lake");
        CopyDirectory(Path.Combine(Home, "lake"), LakeDirectory);
        _expected = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [Home] });
    }

    public static string FindHome()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "LakeHolo.sln")))
        {
            folder = Path.GetDirectoryName(folder.TrimEnd('/')) ?? throw new InvalidOperationException("The test does not run inside the project");
        }

        return Path.Combine(folder, "sample-lake");
    }

    public string Home { get; }

    public string LakeDirectory { get; }

    public LakeInstance Instance { get; private set; } = null!;

    public QuerySession Session { get; private set; } = null!;

    public static IEnumerable<string> QueryNames => Directory.GetFiles(Path.Combine(FindHome(), "queries"), "*.sql").Select(f => Path.GetFileNameWithoutExtension(f)!).Order();

    /// <summary>Counts what is asked of storage.</summary>
    internal CountingStore Store { get; private set; } = null!;

    /// <summary>Starts an instance; tables can be copied to further places before (from, to, relative to the lake).</summary>
    public static async Task<SampleLakeCopy> StartAsync(Action<List<(string From, string To)>>? copies = null)
    {
        var copy = new SampleLakeCopy();
        var wanted = new List<(string From, string To)>();
        copies?.Invoke(wanted);
        foreach ((string from, string to) in wanted)
        {
            copy.CopyTable(from, to);
        }

        await copy.RestartAsync();
        return copy;
    }

    /// <summary>Stops the instance if there is one, and starts one over the same folders.</summary>
    public async Task RestartAsync()
    {
        if (Instance is not null)
        {
            await Instance.DisposeAsync();
        }

        Store = new CountingStore(new LocalFolderStore(LakeDirectory));
        var options = new LakeOptions
        {
            Sources = [new LakeSource { Name = "shop", Root = new TableRoot(Store, string.Empty) }],
            DataDirectory = Path.Combine(_scratch, "data"),
            FolderColumns = LegacyCatalogColumns,
        };
        Instance = await LakeInstance.StartAsync(options, NullLoggerFactory.Instance, TimeProvider.System);
        Session = Instance.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
    }

    /// <summary>The columns of the one table whose files do not hold any (sample-lake/README.md).</summary>
    public static IReadOnlyDictionary<string, string> LegacyCatalogColumns { get; } = new Dictionary<string, string>
    {
        ["ods.legacy_catalog"] = "sku VARCHAR, product_id INTEGER, name VARCHAR, dept VARCHAR, weight_g INTEGER, discontinued BOOLEAN",
    };

    public string Query(string name) => File.ReadAllText(Path.Combine(Home, "queries", name + ".sql"));

    /// <summary>Rows of a statement as text, sorted; every cell in the engine's own spelling.</summary>
    public async Task<List<string>> RowsAsync(string sql)
    {
        string text = string.Join('\n', sql.Split('\n').Where(l => !l.TrimStart().StartsWith("--", StringComparison.Ordinal))).TrimEnd().TrimEnd(';');
        IPreparedQuery prepared = await Instance.Engine.PrepareAsync(Session, $"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({text})", default);
        await using IQueryResult result = await prepared.ExecuteAsync(Session, null, 0, default);
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                StringArray[] columns = [.. Enumerable.Range(0, batch.ColumnCount).Select(c => (StringArray)batch.Column(c))];
                for (int r = 0; r < batch.Length; r++)
                {
                    rows.Add(Line(columns.Select(c => c.GetString(r))));
                }
            }
        }

        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    /// <summary>Runs a management statement and gives its rows as text.</summary>
    public async Task<List<string>> ManageAsync(string sql)
    {
        IPreparedQuery prepared = await Instance.Engine.PrepareAsync(Session, sql, default);
        await using IQueryResult result = await prepared.ExecuteAsync(Session, null, 0, default);
        var rows = new List<string>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                for (int r = 0; r < batch.Length; r++)
                {
                    rows.Add(Line(Enumerable.Range(0, batch.ColumnCount).Select(c => batch.Column(c) switch
                    {
                        StringArray a => a.GetString(r),
                        Int64Array a => a.GetValue(r)?.ToString(),
                        _ => "…",
                    })));
                }
            }
        }

        return rows;
    }

    /// <summary>Rows of a Parquet file below sample-lake/expected, in the same spelling.</summary>
    public List<string> Expected(string file)
    {
        using DuckDBConnection connection = _expected.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet({SqlText.Literal(Path.Combine(Home, "expected", file))})";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(Line(Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetString(i))));
        }

        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    public void CopyTable(string from, string to) => CopyDirectory(Path.Combine(LakeDirectory, from), Path.Combine(LakeDirectory, to));

    /// <summary>Plays an update step: data files first, then the commits, then what a cleaner removed.</summary>
    public void Play(int step)
    {
        string folder = Path.Combine(Home, "updates", "steps", step.ToString("D3"));
        string add = Path.Combine(folder, "add");
        if (Directory.Exists(add))
        {
            foreach (string file in Directory.EnumerateFiles(add, "*", SearchOption.AllDirectories).OrderBy(f => CommitRank(f[add.Length..])).ThenBy(f => f, StringComparer.Ordinal))
            {
                string target = LakeDirectory + file[add.Length..];
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target + ".copying", overwrite: true);
                File.Move(target + ".copying", target, overwrite: true);
            }
        }

        string removed = Path.Combine(folder, "remove.txt");
        foreach (string line in File.Exists(removed) ? File.ReadAllLines(removed).Where(l => l.Length > 0) : [])
        {
            File.Delete(Path.Combine(LakeDirectory, line));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Instance is not null)
        {
            await Instance.DisposeAsync();
        }

        _expected.Dispose();
        Directory.Delete(_scratch, recursive: true);
    }

    private static int CommitRank(string path) => path switch
    {
        _ when path.Contains("/_delta_log/", StringComparison.Ordinal) || path.Contains("/snapshot/", StringComparison.Ordinal) => 2,
        _ when path.Contains("/.hoodie/", StringComparison.Ordinal) => path.Contains("/.hoodie/metadata/", StringComparison.Ordinal) ? 1 : 2,
        _ => 0,
    };

    private static string Line(IEnumerable<string?> cells)
    {
        var line = new StringBuilder();
        foreach (string? cell in cells)
        {
            line.Append(ValueText.Of(cell)).Append('|');
        }

        return line.ToString();
    }

    private static void CopyDirectory(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(to + directory[from.Length..]);
        }

        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, to + file[from.Length..]);
        }
    }
}
