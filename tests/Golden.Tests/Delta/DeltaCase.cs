using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>One golden case unpacked into a folder of its own, with an engine and a reader over it.</summary>
internal sealed class DeltaCase : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DiskCache _cache;

    private DeltaCase(string zip)
    {
        ZipFile.ExtractToDirectory(zip, File("case"));
        Definition = JsonDocument.Parse(System.IO.File.ReadAllBytes(File("case/case.json"))).RootElement;
        Directory.CreateDirectory(File("cache"));
        string table = Definition.TryGetProperty("table_dir", out JsonElement dir) ? dir.GetString()! : "table";
        Directory.CreateDirectory(File("case/" + table));
        var store = new LocalFolderStore(File("case"));
        Engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.Path] });
        _cache = new DiskCache(new DiskCacheOptions { Directory = File("cache") });
        Reader = new DeltaReader(Engine, _cache);
        Table = new LakeTable("golden", "delta", "t", "delta", new TableRoot(store, table + "/"));
        var locations = new Dictionary<string, TableRoot>();
        if (Definition.TryGetProperty("absolute_prefix", out JsonElement prefixes))
        {
            foreach (JsonProperty prefix in prefixes.EnumerateObject())
            {
                locations[prefix.Name] = new TableRoot(store, prefix.Value.GetString() + "/");
            }
        }

        TableFormat = new DeltaTableFormat(new ExternalLocations(locations));
        SetFileTimes();
    }

    public JsonElement Definition { get; }

    public LakeTable Table { get; }

    public DeltaTableFormat TableFormat { get; }

    public DeltaReader Reader { get; }

    public EngineDatabase Engine { get; }

    public static IEnumerable<string> Names =>
        Directory.EnumerateFiles(GoldenCases.Folder("delta"), "*.zip").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal);

    public static DeltaCase Open(string name) => new(Path.Combine(GoldenCases.Folder("delta"), name + ".zip"));

    public string File(string relative) => _folder.File(relative);

    public string Expected(JsonElement read) =>
        $"SELECT * FROM read_parquet({SqlText.Literal(File("case/" + read.GetProperty("expected").GetString()))})";

    public async Task<DeltaSnapshot> LoadAsync(SnapshotSelector at, DeltaSnapshot? known = null) =>
        (DeltaSnapshot)await TableFormat.LoadSnapshotAsync(Table, at, known);

    public void Dispose()
    {
        Engine.Dispose();
        _cache.Dispose();
        _folder.Dispose();
    }

    // Copies lose the times of commit files, and tables without in-commit timestamps have no other.
    private void SetFileTimes()
    {
        if (!Definition.TryGetProperty("file_times", out JsonElement times) && !Definition.TryGetProperty("commit_times", out times))
        {
            return;
        }

        foreach (JsonProperty time in times.EnumerateObject())
        {
            string commit = File($"case/{Table.Root.Prefix}_delta_log/{long.Parse(time.Name, CultureInfo.InvariantCulture):D20}.json");
            if (System.IO.File.Exists(commit))
            {
                System.IO.File.SetLastWriteTimeUtc(commit, DateTimeOffset.Parse(time.Value.GetString()!, CultureInfo.InvariantCulture).UtcDateTime);
            }
        }
    }
}
