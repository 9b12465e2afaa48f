using System.IO.Compression;
using System.Text.Json;
using DuckDB.NET.Data;
using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Golden.Tests.Harness;

/// <summary>One golden case unpacked into a folder of its own, with an engine and a disk cache over it.</summary>
internal abstract class UnpackedCase : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly string _format;

    protected UnpackedCase(string format, string name)
    {
        _format = format;
        _folder = Directory.CreateTempSubdirectory($"lakeholo-{format}-");
        ZipFile.ExtractToDirectory(System.IO.Path.Combine(GoldenCases.Folder(format), name + ".zip"), _folder.FullName);
        Definition = JsonDocument.Parse(File.ReadAllBytes(Path("case.json"))).RootElement;
        Directory.CreateDirectory(Path("table"));
        Directory.CreateDirectory(Path("cache"));
        Engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.FullName] });
        Cache = new DiskCache(new DiskCacheOptions { Directory = Path("cache"), WholeFileBytes = 0, LeastEndBytes = 64, AlwaysViews = true });
        Store = new LocalFolderStore(Path("table"));
        Table = TableAt("");
        RemoteTable = new LakeTable("golden", format, "t", format, new TableRoot(new CountingStore(Store, isRemote: true), ""));
    }

    public JsonElement Definition { get; }

    public LakeTable Table { get; }

    /// <summary>The table in a store that gives no local paths.</summary>
    public LakeTable RemoteTable { get; }

    public EngineDatabase Engine { get; }

    public LocalFolderStore Store { get; }

    protected DiskCache Cache { get; }

    public string Path(string relative) => System.IO.Path.Combine(_folder.FullName, relative);

    public LakeTable TableAt(string prefix, string name = "t") => new("golden", _format, name, _format, new TableRoot(Store, prefix));

    /// <summary>A relation over a Parquet file of the case.</summary>
    public string Expected(string file) => $"SELECT * FROM read_parquet({SqlText.Literal(Path(file))})";

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

    /// <summary>The first column of a query as text.</summary>
    public List<string> Texts(string sql)
    {
        using DuckDBConnection connection = Engine.OpenConnection();
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
        using DuckDBConnection connection = Engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM ({relation})";
        return (long)command.ExecuteScalar()!;
    }

    public virtual async ValueTask DisposeAsync()
    {
        Engine.Dispose();
        Cache.Dispose();
        await Store.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
