using DuckDB.NET.Data;
using LakeHolo.Golden.Tests.Paimon;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Base files other than the usual ones: ORC files are read; skeletons of bootstrapped tables and files that another format wrote are refused by name, in every view.</summary>
public sealed class BaseFileTests : IAsyncDisposable
{
    private const string Skeleton = "00000000000001";
    private const string First = "20260101000000000";
    private const string Second = "20260102000000000";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-hudi-");
    private readonly EngineDatabase _engine;
    private readonly DiskCache _cache;
    private readonly LocalFolderStore _store;
    private readonly HudiReader _reader;

    public BaseFileTests()
    {
        Directory.CreateDirectory(At("table/.hoodie"));
        Directory.CreateDirectory(At("cache"));
        _engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.FullName] });
        _cache = new DiskCache(new DiskCacheOptions { Directory = At("cache") });
        _store = new LocalFolderStore(At("table"));
        _reader = new HudiReader(_engine, _cache);
    }

    public async ValueTask DisposeAsync()
    {
        _reader.Dispose();
        _engine.Dispose();
        _cache.Dispose();
        await _store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("ro")]
    public async Task Base_files_in_ORC_give_the_rows_that_another_reader_of_the_same_files_gives(string? view)
    {
        Properties("hoodie.table.base.file.format=ORC");
        await using (PaimonCase other = PaimonCase.Open("append_fixed_bucket_orc"))
        {
            File.Copy(other.Path("expected/latest.parquet"), At("expected.parquet"));
            string[] files = [.. (await other.LoadAsync(SnapshotSelector.Latest)).EnumerateFiles().Select(f => f.Path)];
            string[] names = [.. files.Select((_, i) => $"f{i}-0_0-1-1_{First}.orc")];
            foreach ((string file, string name) in files.Zip(names))
            {
                File.Copy(other.Path("table/" + file), At("table/" + name));
            }

            Commit(
                First,
                """{"name":"id","type":["null","int"]},{"name":"name","type":["null","string"]},{"name":"amt","type":["null",{"type":"bytes","logicalType":"decimal","precision":12,"scale":3}]},"""
                + """{"name":"x","type":["null","double"]},{"name":"ts","type":["null",{"type":"long","logicalType":"local-timestamp-micros"}]}""",
                names);
        }

        const string Columns = "id, name, amt, x, ts";
        await using TableScan scan = await _reader.PlanAsync(await LoadAsync(), new ScanRequest { View = view });
        string[] expected = Texts($"SELECT {Columns} FROM read_parquet({SqlText.Literal(At("expected.parquet"))})");
        Assert.NotEmpty(expected);
        Assert.Equal(expected, Texts($"SELECT {Columns} FROM ({scan.Sql})"));
    }

    [Fact]
    public async Task A_skeleton_file_is_refused_and_a_file_group_that_was_rewritten_since_is_read()
    {
        Properties("hoodie.bootstrap.base.path=/lake/plain");
        Commit(Skeleton, Id, Write($"a-0_0-1-1_{Skeleton}.parquet", "SELECT 'k' AS _hoodie_record_key"));
        await RefusedAsync("skeleton files of a bootstrap base path");
        Commit(Second, Id, Write($"a-0_0-2-2_{Second}.parquet", "SELECT 7 AS id"));
        await using TableScan scan = await _reader.PlanAsync(await LoadAsync(), ScanRequest.All);
        Assert.Equal(["(7)"], Texts($"SELECT id FROM ({scan.Sql})"));
    }

    [Fact]
    public async Task Files_of_a_full_bootstrap_are_ordinary_ones()
    {
        Properties("hoodie.bootstrap.base.path=/lake/plain");
        Commit("00000000000002", Id, Write("a-0_0-1-1_00000000000002.parquet", "SELECT 7 AS id"));
        await using TableScan scan = await _reader.PlanAsync(await LoadAsync(), ScanRequest.All);
        Assert.Equal(["(7)"], Texts($"SELECT id FROM ({scan.Sql})"));
    }

    [Fact]
    public async Task Files_that_another_format_wrote_are_refused_whether_a_commit_or_the_folder_names_them()
    {
        Properties("");
        string name = Write($"part-0_{First}_hudiext", "SELECT 7 AS id");
        Commit(First, Id, name);
        await RefusedAsync("Apache XTable");
        File.Delete(At("table/" + name));
        await RefusedAsync("Apache XTable");
    }

    [Fact]
    public async Task A_table_that_is_being_restored_is_refused_until_it_is_done()
    {
        Properties("");
        Commit(First, Id, Write($"a-0_0-1-1_{First}.parquet", "SELECT 7 AS id"));
        File.WriteAllText(At($"table/.hoodie/{Second}.restore.inflight"), "");
        await RefusedAsync($"restore {Second}");
        File.WriteAllText(At($"table/.hoodie/{Second}.restore"), "");
        await using TableScan scan = await _reader.PlanAsync(await LoadAsync(), ScanRequest.All);
        Assert.Equal(["(7)"], Texts($"SELECT id FROM ({scan.Sql})"));
    }

    [Fact]
    public async Task A_recorded_file_whose_name_is_not_known_is_refused_and_one_that_nobody_recorded_passed_over()
    {
        Properties("");
        Commit(First, Id, Write($"a-0_0-1-1_{First}.parquet", "SELECT 7 AS id"));
        Write("part-0.parquet", "SELECT 8 AS id");
        await using (TableScan scan = await _reader.PlanAsync(await LoadAsync(), ScanRequest.All))
        {
            Assert.Equal(["(7)"], Texts($"SELECT id FROM ({scan.Sql})"));
        }

        // Legacy names have no token; those of native log files (table version 10) two numbers behind the instant.
        Commit(Second, Id, Write($"b-0_{Second}.parquet", "SELECT 9 AS id"));
        await RefusedAsync($"a data file named b-0_{Second}.parquet");
    }

    [Fact]
    public async Task Files_in_folders_without_a_partition_marker_and_below_partitions_are_not_the_tables()
    {
        Properties("");
        foreach (string folder in (string[])["p", "p/below", "other"])
        {
            Directory.CreateDirectory(At("table/" + folder));
            Write($"{folder}/{folder.Length}-0_0-1-1_{First}.parquet", $"SELECT {folder.Length} AS id");
        }

        File.WriteAllText(At($"table/.hoodie/{First}.deltacommit"), $$"""{"extraMetadata":{"schema":"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"id\",\"type\":\"int\"}]}"},"operationType":"INSERT"}""");
        await Ids("(1)", "(5)", "(7)");
        File.WriteAllText(At("table/p/.hoodie_partition_metadata"), "partitionDepth=1\n");
        File.WriteAllText(At("table/p/below/.hoodie_partition_metadata"), "partitionDepth=2\n");
        await Ids("(1)");

        async Task Ids(params string[] expected)
        {
            await using TableScan scan = await _reader.PlanAsync(await LoadAsync(), ScanRequest.All);
            Assert.Equal(expected, Texts($"SELECT id FROM ({scan.Sql})"));
        }
    }

    [Fact]
    public async Task The_schema_is_that_of_the_newest_commit_that_has_one_else_that_of_the_table_else_that_of_a_file()
    {
        const string Column = """{"name":"id","type":"int"},{"name":"x","type":["null","int"]}""";
        Properties("""hoodie.table.create.schema={"type"\:"record","name"\:"r","fields"\:[{"name"\:"id","type"\:"int"},{"name"\:"c","type"\:"int"}]}""");
        string file = Write($"a-0_0-1-1_{First}.parquet", "SELECT 7 AS id");
        string commit = At($"table/.hoodie/{First}.deltacommit");
        Commit(First, Column, file);
        File.WriteAllText(At($"table/.hoodie/{Second}.deltacommit"), $$"""{"extraMetadata":{"schema":""},"operationType":"COMPACT"}""");
        Assert.Equal(["id", "x"], (await LoadAsync()).Columns.Select(c => c.Name));

        // A compaction tells the schema of the writer that ran it, which may be an older one.
        File.WriteAllText(
            At($"table/.hoodie/{Second}.commit"),
            """{"extraMetadata":{"schema":"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"old\",\"type\":\"int\"}]}"},"operationType":"COMPACT"}""");
        File.Delete(At($"table/.hoodie/{Second}.deltacommit"));
        Assert.Equal(["id", "x"], (await LoadAsync()).Columns.Select(c => c.Name));
        File.WriteAllText(commit, "");
        Assert.Equal(["id", "c"], (await LoadAsync()).Columns.Select(c => c.Name));
        Properties("");
        Assert.Equal(["old"], (await LoadAsync()).Columns.Select(c => c.Name));
        File.Delete(At($"table/.hoodie/{Second}.commit"));
        Assert.Empty((await LoadAsync()).Columns);
        Commit(First, Column, file);
        File.WriteAllText(commit, File.ReadAllText(commit).Replace("schema", "other", StringComparison.Ordinal));
        await RefusedAsync("whose commits hold no schema");
    }

    private const string Id = """{"name":"id","type":"int"}""";

    private string At(string path) => Path.Combine(_folder.FullName, path);

    private void Properties(string more) => File.WriteAllText(
        At("table/.hoodie/hoodie.properties"),
        $"hoodie.table.name=t\nhoodie.table.version=6\nhoodie.table.type=MERGE_ON_READ\nhoodie.timeline.layout.version=1\nhoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields=id\n{more}\n");

    private void Commit(string instant, string fields, params string[] files)
    {
        string writes = string.Join(',', files.Select(f => $$"""{"fileId":"{{f[..f.IndexOf('_', StringComparison.Ordinal)]}}","path":"{{f}}","partitionPath":""}"""));
        string schema = $$"""{"type":"record","name":"r","fields":[{{fields}}]}""".Replace("\"", "\\\"", StringComparison.Ordinal);
        File.WriteAllText(
            At($"table/.hoodie/{instant}.deltacommit"), $$"""{"partitionToWriteStats":{"":[{{writes}}]},"extraMetadata":{"schema":"{{schema}}"},"operationType":"INSERT"}""");
    }

    private string Write(string name, string sql)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY ({sql}) TO {SqlText.Literal(At("table/" + name))} (FORMAT parquet)");
        return name;
    }

    private async Task<HudiSnapshot> LoadAsync()
        => (HudiSnapshot)await new HudiTableFormat().LoadSnapshotAsync(new LakeTable("s", "d", "t", "hudi", new TableRoot(_store, "")), SnapshotSelector.Latest, null);

    private async Task RefusedAsync(string what)
    {
        LakeException error = await Assert.ThrowsAsync<LakeException>(LoadAsync);
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
    }

    private string[] Texts(string sql)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT CAST(x AS VARCHAR) FROM (SELECT ROW(COLUMNS(*)) AS x FROM ({sql}))";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0));
        }

        return [.. rows.Order(StringComparer.Ordinal)];
    }
}
