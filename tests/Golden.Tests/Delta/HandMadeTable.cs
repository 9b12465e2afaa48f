using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>A table whose log is written by hand over Parquet files of the engine: for what no case at hand has. It adds to the real tables and
/// replaces none.</summary>
internal sealed class HandMadeTable : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DiskCache _cache;

    public HandMadeTable(string name = "table", ExternalLocations? locations = null)
    {
        Directory.CreateDirectory(File($"{name}/_delta_log"));
        Directory.CreateDirectory(File("cache"));
        Engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.Path] });
        _cache = new DiskCache(new DiskCacheOptions { Directory = File("cache") });
        Reader = new DeltaReader(Engine, _cache);
        Table = new LakeTable("golden", "delta", "t", "delta", new TableRoot(new LocalFolderStore(_folder.Path), name + "/"));
        Format = new DeltaTableFormat(locations);
    }

    public EngineDatabase Engine { get; }

    public DeltaReader Reader { get; }

    public LakeTable Table { get; }

    public DeltaTableFormat Format { get; }

    public string Folder => _folder.Path;

    public string File(string relative) => _folder.File(relative);

    public string TableFile(string relative) => File(Table.Root.Prefix + relative);

    /// <summary>Writes a data file and gives its size.</summary>
    public long WriteFile(string relative, string sql, string options = "FORMAT parquet")
    {
        string path = TableFile(relative);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using DuckDBConnection connection = Engine.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY ({sql}) TO {SqlText.Literal(path)} ({options})");
        return new FileInfo(path).Length;
    }

    /// <summary>Writes a commit of actions.</summary>
    public void Commit(long version, params string[] actions) => System.IO.File.WriteAllText(
        TableFile(string.Create(CultureInfo.InvariantCulture, $"_delta_log/{version:D20}.json")), string.Join('\n', actions) + "\n");

    /// <summary>Protocol 1/2 and metadata of a table of plain columns: <c>name type</c>.</summary>
    public static string[] Create(string[] columns, string[]? partitionBy = null, Dictionary<string, string>? configuration = null) =>
        ["""{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}""", Metadata(Schema(columns), partitionBy, configuration)];

    /// <summary>Protocol 3/7 with reader features, and metadata.</summary>
    public static string[] CreateWith(string[] features, string schema, string[]? partitionBy = null, Dictionary<string, string>? configuration = null)
    {
        string list = JsonSerializer.Serialize(features);
        return [$$$"""{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":{{{list}}},"writerFeatures":{{{list}}}}}""", Metadata(schema, partitionBy, configuration)];
    }

    public static string Schema(params string[] columns) => new JsonObject
    {
        ["type"] = "struct",
        ["fields"] = new JsonArray([.. columns.Select(c => (JsonNode)new JsonObject
        {
            ["name"] = c[..c.IndexOf(' ', StringComparison.Ordinal)],
            ["type"] = c[(c.IndexOf(' ', StringComparison.Ordinal) + 1)..] is ['{', ..] json ? JsonNode.Parse(json) : c[(c.IndexOf(' ', StringComparison.Ordinal) + 1)..],
            ["nullable"] = true,
            ["metadata"] = new JsonObject(),
        })]),
    }.ToJsonString();

    public static string Metadata(string schema, string[]? partitionBy = null, Dictionary<string, string>? configuration = null) => new JsonObject
    {
        ["metaData"] = new JsonObject
        {
            ["id"] = "00000000-0000-0000-0000-000000000001",
            ["format"] = new JsonObject { ["provider"] = "parquet", ["options"] = new JsonObject() },
            ["schemaString"] = schema,
            ["partitionColumns"] = JsonSerializer.SerializeToNode(partitionBy ?? []),
            ["configuration"] = JsonSerializer.SerializeToNode(configuration ?? []),
        },
    }.ToJsonString();

    public static string Add(string path, long size, string? stats = null, Dictionary<string, string?>? partition = null, bool dataChange = true) => new JsonObject
    {
        ["add"] = new JsonObject
        {
            ["path"] = path,
            ["partitionValues"] = JsonSerializer.SerializeToNode(partition ?? []),
            ["size"] = size,
            ["modificationTime"] = 0,
            ["dataChange"] = dataChange,
            ["stats"] = stats,
        },
    }.ToJsonString();

    public static string Remove(string path, bool dataChange = true) => new JsonObject
    {
        ["remove"] = new JsonObject { ["path"] = path, ["deletionTimestamp"] = 1, ["dataChange"] = dataChange },
    }.ToJsonString();

    public async Task<DeltaSnapshot> LoadAsync(SnapshotSelector? at = null, DeltaSnapshot? known = null) =>
        (DeltaSnapshot)await Format.LoadSnapshotAsync(Table, at ?? SnapshotSelector.Latest, known);

    /// <summary>Rows as text, ordered.</summary>
    public async Task<string[]> RowsAsync(SnapshotSelector? at = null, ScanRequest? request = null)
    {
        await using TableScan scan = await Reader.PlanAsync(await LoadAsync(at), request ?? ScanRequest.All);
        return Rows(scan.Sql);
    }

    /// <summary>Rows of a query as text, ordered.</summary>
    public string[] Rows(string sql)
    {
        using DuckDBConnection connection = Engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT COLUMNS(*)::VARCHAR FROM ({sql})";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add("[" + string.Join(", ", Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? "NULL" : reader.GetString(i))) + "]");
        }

        return [.. rows.Order(StringComparer.Ordinal)];
    }

    public void Dispose()
    {
        Engine.Dispose();
        _cache.Dispose();
        _folder.Dispose();
    }
}
