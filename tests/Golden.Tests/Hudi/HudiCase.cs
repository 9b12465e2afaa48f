using System.IO.Compression;
using System.Text.Json;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>One golden case unpacked into a folder of its own, with an engine and a reader over it.</summary>
internal sealed class HudiCase : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-hudi-");
    private readonly EngineDatabase _engine;
    private readonly DiskCache _cache;
    private readonly HudiReader _reader;

    private HudiCase(string zip)
    {
        ZipFile.ExtractToDirectory(zip, _folder.FullName);
        Definition = JsonDocument.Parse(File.ReadAllBytes(Path("case.json"))).RootElement;
        Directory.CreateDirectory(Path("table"));
        Directory.CreateDirectory(Path("cache"));
        _engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.FullName] });
        _cache = new DiskCache(new DiskCacheOptions { Directory = Path("cache") });
        _reader = new HudiReader(_engine, _cache);
        Table = new LakeTable("golden", "hudi", "t", "hudi", new TableRoot(new LocalFolderStore(Path("table")), ""));
    }

    public JsonElement Definition { get; }

    public LakeTable Table { get; }

    public HudiTableFormat TableFormat { get; } = new();

    public static string Folder
    {
        get
        {
            string? folder = AppContext.BaseDirectory;
            while (folder is not null && !Directory.Exists(System.IO.Path.Combine(folder, "cases", "hudi")))
            {
                folder = System.IO.Path.GetDirectoryName(folder);
            }

            return System.IO.Path.Combine(folder ?? throw new DirectoryNotFoundException("tests/Golden.Tests/cases"), "cases", "hudi");
        }
    }

    public static HudiCase Open(string name) => new(System.IO.Path.Combine(Folder, name + ".zip"));

    public string Path(string relative) => System.IO.Path.Combine(_folder.FullName, relative);

    public async Task<HudiSnapshot> LoadAsync(SnapshotSelector at, HudiSnapshot? known = null)
        => (HudiSnapshot)await TableFormat.LoadSnapshotAsync(Table, at, known);

    public ValueTask<TableScan> PlanAsync(HudiSnapshot snapshot, string? view = null) => _reader.PlanAsync(snapshot, new ScanRequest { View = view });

    public ValueTask<TableScan> PlanChangesAsync(HudiSnapshot snapshot, string from, string to) => _reader.PlanChangesAsync(snapshot, from, to);

    /// <summary>Null if the relation's rows are those of the expected file, else what differs.</summary>
    public string? Difference(string relation, string expectedFile)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        string expected = $"SELECT * FROM read_parquet({SqlText.Literal(Path(expectedFile))})";
        Dictionary<string, string> types = Columns(connection, expected);
        string[] left = [.. types.Keys.Except(["_hoodie_commit_seqno", "_hoodie_file_name", "_hoodie_operation", "rowkind"])];
        string[] missing = [.. left.Except(Columns(connection, relation).Keys)];
        if (missing.Length > 0)
        {
            return "missing columns " + string.Join(", ", missing);
        }

        // As text: NaN equals NaN, and -0.0 is not 0.0. Columns of one name may differ in type only where the text is the same.
        // The order of a map's entries means nothing; an average's type differs between engines, and Flink writes instants without their zone (UTC).
        string columns = string.Join(", ", left.Select(c => types[c].StartsWith("MAP(", StringComparison.Ordinal) && !types[c].EndsWith(']')
            ? $"CAST(list_sort(map_entries({SqlText.Identifier(c)})) AS VARCHAR) AS {SqlText.Identifier(c)}"
            : types[c].StartsWith("DECIMAL(", StringComparison.Ordinal) || types[c] is "TIMESTAMP" or "TIMESTAMP WITH TIME ZONE"
                ? $"CAST(CAST({SqlText.Identifier(c)} AS {types[c]}) AS VARCHAR) AS {SqlText.Identifier(c)}"
                : $"CAST({SqlText.Identifier(c)} AS VARCHAR) AS {SqlText.Identifier(c)}"));
        string ours = $"SELECT {columns} FROM ({relation})";
        string theirs = $"SELECT {columns} FROM ({expected})";
        string extra = Sample(connection, $"({ours}) EXCEPT ALL ({theirs})");
        string lost = Sample(connection, $"({theirs}) EXCEPT ALL ({ours})");
        return extra.Length + lost.Length == 0 ? null : $"extra:\n{extra}lost:\n{lost}";
    }

    public long Count(string relation)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM ({relation})";
        return (long)command.ExecuteScalar()!;
    }

    public async ValueTask DisposeAsync()
    {
        _engine.Dispose();
        _cache.Dispose();
        await Table.Root.Store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    /// <summary>Rows of an aggregate with the table named <c>lineitem</c>.</summary>
    public static string Aggregate(string relation, string sql) => $"WITH lineitem AS ({relation}) {sql}";

    private static Dictionary<string, string> Columns(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"DESCRIBE {sql}";
        using DuckDBDataReader reader = command.ExecuteReader();
        var columns = new Dictionary<string, string>();
        while (reader.Read())
        {
            columns.Add(reader.GetString(0), reader.GetString(1));
        }

        return columns;
    }

    private static string Sample(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT * FROM ({sql}) LIMIT 4";
        using DuckDBDataReader reader = command.ExecuteReader();
        var text = new System.Text.StringBuilder();
        while (reader.Read())
        {
            for (int i = 0; i < reader.FieldCount; i++)
            {
                text.Append(i == 0 ? "  " : " | ").Append(reader.GetName(i)).Append('=').Append(reader.IsDBNull(i) ? "NULL" : reader.GetString(i));
            }

            text.Append('\n');
        }

        return text.ToString();
    }
}
