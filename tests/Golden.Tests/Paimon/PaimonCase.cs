using System.IO.Compression;
using System.Text.Json;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>One golden case unpacked into a folder of its own, with an engine and a reader over it.</summary>
internal sealed class PaimonCase : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-paimon-");
    private readonly EngineDatabase _engine;
    private readonly DiskCache _cache;
    private readonly LocalFolderStore _store;

    private PaimonCase(string zip)
    {
        ZipFile.ExtractToDirectory(zip, _folder.FullName);
        Definition = JsonDocument.Parse(File.ReadAllBytes(Path("case.json"))).RootElement;
        Directory.CreateDirectory(Path("table"));
        Directory.CreateDirectory(Path("cache"));
        _engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.FullName] });
        _cache = new DiskCache(new DiskCacheOptions { Directory = Path("cache") });
        _store = new LocalFolderStore(Path("table"));
        Reader = new PaimonReader(_engine, _cache);
        Table = TableAt("");
    }

    public JsonElement Definition { get; }

    public LakeTable Table { get; }

    public PaimonReader Reader { get; }

    public PaimonTableFormat TableFormat { get; } = new();

    public static string Folder
    {
        get
        {
            string? folder = AppContext.BaseDirectory;
            while (folder is not null && !Directory.Exists(System.IO.Path.Combine(folder, "cases", "paimon")))
            {
                folder = System.IO.Path.GetDirectoryName(folder);
            }

            return System.IO.Path.Combine(folder ?? throw new DirectoryNotFoundException("tests/Golden.Tests/cases"), "cases", "paimon");
        }
    }

    public static PaimonCase Open(string name) => new(System.IO.Path.Combine(Folder, name + ".zip"));

    public string Path(string relative) => System.IO.Path.Combine(_folder.FullName, relative);

    public LakeTable TableAt(string prefix, string name = "t") => new("golden", "paimon", name, "paimon", new TableRoot(_store, prefix));

    public async Task<PaimonSnapshot> LoadAsync(SnapshotSelector at, PaimonSnapshot? known = null, LakeTable? table = null) =>
        (PaimonSnapshot)await TableFormat.LoadSnapshotAsync(table ?? Table, at, known);

    /// <summary>Plays a step of a replay onto the table.</summary>
    public void Apply(int step)
    {
        string folder = Path($"steps/{step:000}");
        string add = System.IO.Path.Combine(folder, "add");
        foreach (string file in Directory.Exists(add) ? Directory.GetFiles(add, "*", SearchOption.AllDirectories) : [])
        {
            string target = Path("table/" + System.IO.Path.GetRelativePath(add, file));
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }

        string remove = System.IO.Path.Combine(folder, "remove.txt");
        foreach (string file in File.Exists(remove) ? File.ReadAllLines(remove).Where(l => l.Length > 0) : [])
        {
            File.Delete(Path("table/" + file));
        }
    }

    public List<string> Texts(string sql)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var texts = new List<string>();
        while (reader.Read())
        {
            texts.Add(reader.GetString(0));
        }

        return texts;
    }

    public long Count(string relation)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM ({relation})";
        return (long)command.ExecuteScalar()!;
    }

    public bool HasColumn(string expectedFile, string name)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        return Columns(connection, $"SELECT * FROM read_parquet({SqlText.Literal(Path(expectedFile))})").Any(c => c.Name == name);
    }

    /// <summary>Null if the relation's rows, as a multiset, are those of the expected file, else what differs.</summary>
    /// <param name="relation">Our rows.</param>
    /// <param name="expectedFile">A Parquet file of the case.</param>
    /// <param name="setColumns">Columns of arrays whose order says nothing.</param>
    /// <param name="signlessZero">Whether −0.0 counts as 0.0.</param>
    /// <param name="ignored">Columns that are not compared.</param>
    public string? Difference(string relation, string expectedFile, IReadOnlyCollection<string>? setColumns = null, bool signlessZero = false, IReadOnlyCollection<string>? ignored = null)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        string expected = $"SELECT * FROM read_parquet({SqlText.Literal(Path(expectedFile))})";
        List<(string Name, string Type)> left = Columns(connection, expected);
        List<(string Name, string Type)> right = Columns(connection, relation);
        if (!left.Select(c => c.Name).Order(StringComparer.Ordinal).SequenceEqual(right.Select(c => c.Name).Order(StringComparer.Ordinal)))
        {
            return $"columns are {string.Join(", ", right.Select(c => c.Name))}, expected {string.Join(", ", left.Select(c => c.Name))}";
        }

        left.RemoveAll(c => ignored?.Contains(c.Name) == true);

        // As text NaN equals NaN, and −0.0 is not 0.0; map entries have no order.
        string Text(string name, string type)
        {
            string column = SqlText.Identifier(name);
            string value = type.StartsWith("MAP", StringComparison.Ordinal) ? $"list_sort(list_transform(map_entries({column}), lambda e: CAST(e AS VARCHAR)))"
                : setColumns?.Contains(name) == true ? $"list_sort(list_transform({column}, lambda e: CAST(e AS VARCHAR)))"
                : type is "TIME WITH TIME ZONE" ? $"CAST({column} AS TIME)"
                : type is "HUGEINT" && left.First(c => c.Name == name).Type == "DOUBLE" ? $"CAST({column} AS DOUBLE)"
                : signlessZero && type is "DOUBLE" or "FLOAT" ? $"{column} + 0"
                : column;
            return $"CAST({value} AS VARCHAR) AS {column}";
        }

        string ours = $"SELECT {string.Join(", ", left.Select(c => Text(c.Name, right.First(r => r.Name == c.Name).Type)))} FROM ({relation})";
        string theirs = $"SELECT {string.Join(", ", left.Select(c => Text(c.Name, c.Type)))} FROM ({expected})";
        string extra = Sample(connection, $"({ours}) EXCEPT ALL ({theirs})");
        string lost = Sample(connection, $"({theirs}) EXCEPT ALL ({ours})");
        return extra.Length + lost.Length == 0 ? null : $"extra:\n{extra}lost:\n{lost}";
    }

    /// <summary>Types of the relation against the snapshot's schema; null if they agree.</summary>
    public string? TypeDifference(string relation, PaimonSnapshot snapshot)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        IEnumerable<string> wrong = Columns(connection, relation)
            .Select(c => (c.Name, c.Type, Wanted: Engine(connection, SqlText.TypeOf(snapshot.Schema.GetFieldByName(c.Name)))))
            .Where(c => c.Type != c.Wanted).Select(c => $"{c.Name} is {c.Type}, not {c.Wanted}");
        string text = string.Join("; ", wrong);
        return text.Length == 0 ? null : text;
    }

    public async ValueTask DisposeAsync()
    {
        Reader.Dispose();
        _engine.Dispose();
        _cache.Dispose();
        await _store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static string Engine(DuckDBConnection connection, string type) => Columns(connection, $"SELECT CAST(NULL AS {type}) AS x")[0].Type;

    private static List<(string Name, string Type)> Columns(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"DESCRIBE {sql}";
        using DuckDBDataReader reader = command.ExecuteReader();
        var names = new List<(string, string)>();
        while (reader.Read())
        {
            names.Add((reader.GetString(0), reader.GetString(1)));
        }

        return names;
    }

    private static string Sample(DuckDBConnection connection, string sql)
    {
        const int Rows = 4;
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var text = new System.Text.StringBuilder();
        for (int row = 0; row < Rows && reader.Read(); row++)
        {
            text.AppendJoin(" | ", Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? "NULL" : reader.GetString(i))).Append('\n');
        }

        return text.ToString();
    }
}
