using System.Text;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.LakeCatalog.Tests.Avro;

namespace LakeHolo.LakeCatalog.Tests.Paimon;

/// <summary>From manifest lists to live files and deletion vectors, rule by rule, over hand-made manifests.</summary>
public sealed class ManifestRulesTests : IAsyncDisposable
{
    private const string File = """
        {"type":"record","name":"record__FILE","fields":[{"name":"_FILE_NAME","type":"string"},{"name":"_FILE_SIZE","type":"long"},{"name":"_ROW_COUNT","type":"long"},
        {"name":"_SCHEMA_ID","type":"long"},{"name":"_LEVEL","type":"int"},{"name":"_SOMETHING_NEW","type":["null","string"]}]}
        """;

    // What 0.9 and later write: bare records.
    private static readonly string Manifest = Record($$"""
        {"name":"_VERSION","type":"int"},{"name":"_KIND","type":"int"},{"name":"_PARTITION","type":"bytes"},{"name":"_BUCKET","type":"int"},{"name":"_TOTAL_BUCKETS","type":"int"},
        {"name":"_FILE","type":{{File}}}
        """);

    // What 0.8 and earlier write: the record and its file are unions.
    private static readonly string OldManifest = $"[\"null\",{Manifest.Replace(File, $"[\"null\",{File}]", StringComparison.Ordinal)}]";

    private static readonly string List = Record("""{"name":"_VERSION","type":"int"},{"name":"_FILE_NAME","type":"string"}""");

    private const string Range = """{"type":"record","name":"record__RANGES","fields":[{"name":"f0","type":"string"},{"name":"f1","type":"int"},{"name":"f2","type":"int"}]}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("lakeholo-manifests-").FullName;
    private readonly LocalFolderStore _store;

    public ManifestRulesTests()
    {
        foreach (string name in (string[])["schema", "snapshot", "manifest"])
        {
            Directory.CreateDirectory(Path.Combine(_folder, name));
        }

        _store = new LocalFolderStore(_folder);
        Text("schema/schema-0", """{"version":3,"id":0,"fields":[{"id":0,"name":"k","type":"INT NOT NULL"}],"partitionKeys":[],"primaryKeys":["k"],"options":{}}""");
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Live_files_are_those_of_both_lists_in_the_writers_old_and_new_form(bool isOld)
    {
        Commit(1, [Entry(0, "a", 0, isOld)], [Entry(0, "b", 0, isOld)], isOld);
        Assert.Equal(["a@0", "b@0"], await FilesAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_file_that_a_compaction_moved_to_another_level_stays_alive_whatever_the_order(bool deletedFirst)
    {
        byte[][] moved = [Entry(0, "x", 5), Entry(1, "x", 0)];
        Commit(1, [Entry(0, "x", 0), Entry(0, "y", 0)], deletedFirst ? [moved[1], moved[0]] : moved);
        Assert.Equal(["x@5", "y@0"], await FilesAsync());
    }

    [Fact]
    public async Task A_deletion_before_its_addition_and_one_of_nothing_are_taken()
    {
        Commit(1, [Entry(1, "x", 0), Entry(1, "gone", 0)], [Entry(0, "x", 0), Entry(0, "y", 0)]);
        Assert.Equal(["y@0"], await FilesAsync());
    }

    [Fact]
    public async Task A_file_that_is_added_twice_is_an_error()
    {
        Commit(1, [Entry(0, "x", 0)], [Entry(0, "x", 0)]);
        LakeException error = await Assert.ThrowsAsync<LakeException>(FilesAsync);
        Assert.Equal((LakeErrorKind.FormatInvalid, true), (error.Kind, error.Message.Contains("added twice", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(2, 2, "kind 2")]
    [InlineData(1, 0, "version 1")]
    [InlineData(3, 0, "version 3")]
    public async Task Other_kinds_and_versions_of_entries_are_refused(int version, int kind, string named)
    {
        Commit(1, [], [Entry(kind, "x", 0, version: version)]);
        LakeException error = await Assert.ThrowsAsync<LakeException>(FilesAsync);
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (error.Kind, error.Message.Contains(named, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("7", 3)] // ahead of what is there
    [InlineData("1", 3)] // behind
    [InlineData("3\n", 3)]
    [InlineData("three", 3)]
    [InlineData("-1", 3)]
    [InlineData(null, 3)]
    public async Task The_hint_of_the_latest_snapshot_is_only_a_hint(string? hint, long latest)
    {
        for (int id = 1; id <= 3; id++)
        {
            Commit(id, [], [Entry(0, $"f{id}", 0)]);
        }

        Text("snapshot/snapshot-9.tmp", "{");
        Text("snapshot/.snapshot-8.abc.tmp", "{");
        Text("snapshot/snapshot-8abc", "{");
        if (hint is not null)
        {
            Text("snapshot/LATEST", hint);
        }

        Assert.Equal(latest, (await LoadAsync()).Commit!.Id);
    }

    [Fact]
    public async Task Columns_are_those_of_the_newest_schema_and_of_its_own_one_for_an_older_snapshot()
    {
        Commit(1, [], [Entry(0, "a", 0)]);
        Text("schema/schema-1", """{"version":3,"id":1,"fields":[{"id":0,"name":"k","type":"INT NOT NULL"},{"id":1,"name":"v","type":"INT"}],"partitionKeys":[],"primaryKeys":["k"],"options":{"num-levels":"3"}}""");
        Assert.Equal(["k", "v"], (await LoadAsync()).TableSchema.Fields.Select(f => f.Name));
        PaimonSnapshot older = await LoadAsync(SnapshotSelector.Version("1"));
        Assert.Equal(["k"], older.TableSchema.Fields.Select(f => f.Name));
        Assert.Equal("3", older.TableSchema.Option("num-levels"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Deletion_vectors_are_found_by_file_and_indexes_of_other_kinds_passed_over(bool asUnions)
    {
        string schema = Record($$"""
            {"name":"_VERSION","type":"int"},{"name":"_KIND","type":"int"},{"name":"_PARTITION","type":"bytes"},{"name":"_BUCKET","type":"int"},{"name":"_INDEX_TYPE","type":"string"},
            {"name":"_FILE_NAME","type":"string"},{"name":"_DELETIONS_VECTORS_RANGES","type":["null",{"type":"array","items":{{(asUnions ? $"[\"null\",{Range}]" : Range)}}}]}
            """);
        byte[] Index(int kind, string type, string name, string dataFile) =>
        [
            .. Long(1), .. Long(kind), .. Bytes(new byte[12]), .. Long(0), .. Chars(type), .. Chars(name),
            .. Long(1), .. Long(1), .. asUnions ? Long(1) : [], .. Chars(dataFile), .. Long(1), .. Long(22), 0,
        ];
        byte[] Write(byte[][] entries) => AvroContainerTests.Container("null", schema, entries.Length, [.. entries.SelectMany(e => e)]);
        Text("schema/schema-0", """{"version":3,"id":0,"fields":[{"id":0,"name":"k","type":"INT NOT NULL"}],"partitionKeys":[],"primaryKeys":["k"],"options":{"deletion-vectors.enabled":"true"}}""");
        Commit(1, [], [Entry(0, "a", 1), Entry(0, "b", 1), Entry(0, "c", 1)], index: "i");
        await System.IO.File.WriteAllBytesAsync(Path.Combine(_folder, "manifest/i"), Write(
            [Index(0, "DELETION_VECTORS", "dv1", "a"), Index(0, "btree", "x", "b"), Index(0, "HASH", "h", "b"), Index(0, "DELETION_VECTORS", "dv2", "c"), Index(1, "DELETION_VECTORS", "dv2", "c")]));
        PaimonSnapshot snapshot = await LoadAsync();
        Assert.Equal(["index/dv1 1 22", "", ""], snapshot.Files.OrderBy(f => f.Name).Select(f => snapshot.DeletionVectorOf(f) is { } v ? $"{v.IndexPath} {v.Offset} {v.Length}" : ""));
        await System.IO.File.WriteAllBytesAsync(Path.Combine(_folder, "manifest/i"), Write([Index(0, "DELETION_VECTORS", "dv1", "a"), Index(0, "DELETION_VECTORS", "dv2", "a")]));
        Assert.Contains("two deletion vectors", (await Assert.ThrowsAsync<LakeException>(() => LoadAsync())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "z")]
    [InlineData(5, "")]
    public async Task A_partition_of_which_a_read_sees_no_file_comes_from_the_fallback_branch(int level, string expected)
    {
        foreach (string name in (string[])["schema", "snapshot"])
        {
            Directory.CreateDirectory(Path.Combine(_folder, "branch/branch-b", name));
        }

        Commit(1, [], [Entry(0, "z", 5)]);
        System.IO.File.Move(Path.Combine(_folder, "snapshot/snapshot-1"), Path.Combine(_folder, "branch/branch-b/snapshot/snapshot-1"));
        System.IO.File.Copy(Path.Combine(_folder, "schema/schema-0"), Path.Combine(_folder, "branch/branch-b/schema/schema-0"));
        Commit(2, [], [Entry(0, "a", level)]);
        Text("schema/schema-0", """
            {"version":3,"id":0,"fields":[{"id":0,"name":"k","type":"INT NOT NULL"}],"partitionKeys":[],"primaryKeys":["k"],
            "options":{"merge-engine":"first-row","scan.fallback-branch":"b"}}
            """);
        Assert.Equal(expected, string.Join(' ', (await LoadAsync()).Fallback!.Files.Select(f => f.Name)));
    }

    private static string Record(string fields) => $"{{\"type\":\"record\",\"name\":\"record\",\"fields\":[{fields}]}}";

    private static byte[] Entry(int kind, string name, int level, bool isOld = false, int version = 2) =>
    [
        .. isOld ? Long(1) : [], .. Long(version), .. Long(kind), .. Bytes(new byte[12]), .. Long(0), .. Long(1), .. isOld ? Long(1) : [],
        .. Chars(name), .. Long(100), .. Long(10), .. Long(0), .. Long(level), 0,
    ];

    private static byte[] Long(long value) => AvroContainerTests.Long(value);

    private static byte[] Chars(string text) => AvroContainerTests.Text(text);

    private static byte[] Bytes(byte[] bytes) => [.. Long(bytes.Length), .. bytes];

    private void Commit(int id, byte[][] before, byte[][] delta, bool isOld = false, string? index = null)
    {
        foreach ((string name, byte[][] entries) in (IEnumerable<(string, byte[][])>)[($"base-{id}", before), ($"delta-{id}", delta)])
        {
            System.IO.File.WriteAllBytes(
                Path.Combine(_folder, "manifest", $"m-{name}"), AvroContainerTests.Container("null", isOld ? OldManifest : Manifest, entries.Length, [.. entries.SelectMany(e => e)]));
            System.IO.File.WriteAllBytes(Path.Combine(_folder, "manifest", name), AvroContainerTests.Container("null", List, 1, [.. Long(2), .. Chars($"m-{name}")]));
        }

        Text($"snapshot/snapshot-{id}", $$"""
            {"version":3,"id":{{id}},"schemaId":0,"baseManifestList":"base-{{id}}","deltaManifestList":"delta-{{id}}","indexManifest":{{(index is null ? "null" : $"\"{index}\"")}},
            "commitKind":"APPEND","timeMillis":{{id}}}
            """);
    }

    private void Text(string name, string content) => System.IO.File.WriteAllText(Path.Combine(_folder, name), content, new UTF8Encoding(false));

    private async Task<PaimonSnapshot> LoadAsync(SnapshotSelector? at = null) =>
        (PaimonSnapshot)await new PaimonTableFormat().LoadSnapshotAsync(new LakeTable("l", "s", "t", "paimon", new TableRoot(_store, "")), at ?? SnapshotSelector.Latest, null);

    private async Task<string[]> FilesAsync() => [.. (await LoadAsync()).Files.Select(f => $"{f.Name}@{f.Level}").Order(StringComparer.Ordinal)];
}
