using System.Buffers.Binary;
using System.Globalization;
using CsCheck;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.LakeCatalog.Tests.Avro;

namespace LakeHolo.LakeCatalog.Tests.Paimon;

/// <summary>Manifests whose entries are kept as they were written: what a snapshot tells of their files is what a naive model tells, opened anew and followed.</summary>
public sealed class LargeManifestTests
{
    private const string File = """
        {"type":"record","name":"file","fields":[{"name":"_FILE_NAME","type":"string"},{"name":"_FILE_SIZE","type":"long"},{"name":"_ROW_COUNT","type":"long"},{"name":"_SCHEMA_ID","type":"long"},
        {"name":"_LEVEL","type":"int"},{"name":"_EXTRA_FILES","type":{"type":"array","items":"string"}},{"name":"_DELETE_ROW_COUNT","type":["null","long"]},{"name":"_EXTERNAL_PATH","type":["null","string"]}]}
        """;

    private const string Entry = """
        {"type":"record","name":"entry","fields":[{"name":"_VERSION","type":"int"},{"name":"_KIND","type":"int"},{"name":"_PARTITION","type":"bytes"},{"name":"_BUCKET","type":"int"},
        {"name":"_TOTAL_BUCKETS","type":"int"},{"name":"_FILE","type":
        """ + File + "}]}";

    private const string List = """{"type":"record","name":"list","fields":[{"name":"_VERSION","type":"int"},{"name":"_FILE_NAME","type":"string"}]}""";
    private const int Large = 1_500; // of more than 1,024 entries the files are decoded when they are asked for

    // Few names, so that files come and go on several levels, with and without companions and a place of their own.
    private static readonly Gen<Model> GenFile = Gen.Select(
        Gen.Int[0, 6], Gen.Int[-1, 3], Gen.Int[0, 400], Gen.Int[0, 2], Gen.Int[0, 1],
        (p, bucket, number, level, kind) => new Model(p, bucket, $"data-{number}.parquet", level, kind == 1 ? ["x"] : [], number % 7 == 0 ? $"file:/elsewhere/data-{number}.parquet" : null));

    [Fact]
    public async Task Files_of_large_manifests_are_those_of_a_naive_model_opened_anew_and_followed()
    {
        await Gen.Select(GenFile.Array[Large, Large + 500], GenFile.Array[0, 200], Gen.Int[0, 1_000_000]).SampleAsync(async (first, second, seed) =>
        {
            using var lake = new Lake();
            // An identity is added once in a table's life and deleted at most once.
            Model[] files = [.. first.Concat(second).Distinct()];
            Model[] older = [.. files.Take(files.Length - second.Length)];
            Model[] newer = [.. files.Skip(older.Length)];
            var random = new Random(seed);
            Model[] gone = [.. older.Where(_ => random.Next(5) == 0)];
            Model[] goneLater = [.. files.Except(gone).Where(_ => random.Next(9) == 0)];
            lake.Manifest("m1", [.. older.Select(f => (0, f))]);
            lake.Manifest("m2", [.. gone.Select(f => (1, f))]);
            lake.Manifest("m3", [.. newer.Select(f => (0, f)), .. goneLater.Select(f => (1, f))]);
            lake.Commit(1, ["m1"], ["m2"]);
            PaimonSnapshot before = await lake.OpenAsync(null);
            Check([.. older.Except(gone)], before);

            lake.Commit(2, ["m1", "m2"], ["m3"]);
            PaimonSnapshot after = await lake.OpenAsync(before);
            Model[] live = [.. files.Except(gone).Except(goneLater)];
            Check(live, after);
            Check(live, await lake.OpenAsync(null));
            await CheckDiffAsync(before, after);

            // The same files, written again into one manifest: nothing changes.
            lake.Manifest("m4", [.. live.Select(f => (0, f))]);
            lake.Commit(3, ["m4"], []);
            PaimonSnapshot merged = await lake.OpenAsync(after);
            Check(live, merged);
            SnapshotDiff same = await new PaimonTableFormat().DiffAsync(after, merged);
            Assert.Empty(same.Added.Concat(same.Removed));
            await CheckDiffAsync(before, merged);
        }, iter: 20);
    }

    [Fact]
    public async Task A_large_manifest_that_breaks_off_or_adds_a_file_twice_is_an_error()
    {
        using var lake = new Lake();
        Model[] files = [.. Enumerable.Range(0, Large).Select(i => new Model(i % 5, 0, $"data-{i}.parquet", 0, [], null))];
        lake.Manifest("m1", [.. files.Select(f => (0, f))]);
        lake.Manifest("m2", [(0, files[^1])]);
        lake.Commit(1, ["m1"], ["m2"]);
        LakeException twice = await Assert.ThrowsAsync<LakeException>(() => lake.OpenAsync(null));
        Assert.Contains("data-1499.parquet is added twice", twice.Message, StringComparison.Ordinal);

        lake.Commit(1, ["m1"], []);
        PaimonSnapshot known = await lake.OpenAsync(null);
        lake.Commit(2, ["m1"], ["m2"]);
        twice = await Assert.ThrowsAsync<LakeException>(() => lake.OpenAsync(known));
        Assert.Contains("data-1499.parquet is added twice", twice.Message, StringComparison.Ordinal);

        byte[] whole = System.IO.File.ReadAllBytes(lake.Path("manifest/m1"));
        System.IO.File.WriteAllBytes(lake.Path("manifest/m1"), whole[..(whole.Length / 2)]);
        await Assert.ThrowsAsync<LakeException>(() => lake.OpenAsync(null));
    }

    [Fact]
    public async Task Partitions_of_a_table_that_was_made_anew_have_the_values_of_its_own_type()
    {
        using var lake = new Lake();
        lake.Manifest("m1", [(0, new Model(1, 0, "a.parquet", 0, [], null))]);
        lake.Commit(1, ["m1"], []);
        PaimonSnapshot known = await lake.OpenAsync(null);
        Assert.Equal([1L], Assert.Single(known.Files).Partition);

        string schema = lake.Path("schema/schema-0");
        System.IO.File.WriteAllText(schema, System.IO.File.ReadAllText(schema).Replace("\"name\":\"p\",\"type\":\"INT NOT NULL\"", "\"name\":\"p\",\"type\":\"BOOLEAN NOT NULL\"", StringComparison.Ordinal));
        lake.Manifest("n1", [(0, new Model(1, 0, "a.parquet", 0, [], null))]);
        lake.Commit(1, ["n1"], []);
        Assert.Equal([true], Assert.Single((await lake.OpenAsync(known)).Files).Partition);
    }

    private static void Check(IReadOnlyCollection<Model> expected, PaimonSnapshot snapshot)
    {
        Assert.Equal(Texts(expected), snapshot.Files.Select(TextOf).Order(StringComparer.Ordinal));
        Assert.Equal((expected.Count, expected.Sum(f => f.SizeBytes), expected.Sum(f => (long)f.Rows)), (snapshot.Files.Count, snapshot.Files.SizeBytes, snapshot.Files.RowCount));
        var places = new PaimonPlaces(p => (long)p.Values[0]! is 1 or 4, b => b.Bucket != 2);
        Assert.Equal(Texts(expected.Where(f => f.Partition is 1 or 4 && f.Bucket != 2)), snapshot.Files.Select(places).Select(TextOf).Order(StringComparer.Ordinal));
        Assert.Equal(expected.Count(f => f.Partition is 1 or 4 && f.Bucket is not (2 or -1) && f.Level > 0), snapshot.Files.CountOf(places, new PaimonLevels(HasKey: true, PassOverLevelZero: true, null)));
        HashSet<string> paths = [.. expected.Select(f => f.Path).Where((_, i) => i % 50 == 0), "p=1/bucket-0/none.parquet"];
        Assert.Equal(Texts(expected.Where(f => paths.Contains(f.Path))), snapshot.Files.SelectPaths(paths).Select(TextOf).Order(StringComparer.Ordinal));
    }

    private static async Task CheckDiffAsync(PaimonSnapshot from, PaimonSnapshot to)
    {
        SnapshotDiff diff = await new PaimonTableFormat().DiffAsync(from, to);
        string[] before = [.. from.Files.Where(from.IsVisible).Select(TextOf)];
        string[] after = [.. to.Files.Where(to.IsVisible).Select(TextOf)];
        Assert.Equal((after.Except(before).Count(), before.Except(after).Count()), (diff.Added.Count, diff.Removed.Count));
    }

    private static IEnumerable<string> Texts(IEnumerable<Model> files) => files.Select(f => f.ToText()).Order(StringComparer.Ordinal);

    private static string TextOf(PaimonDataFile file)
        => new Model((int)(long)file.Partition[0]!, file.Bucket, file.Name, file.Level, [.. file.ExtraFiles], file.ExternalPath).ToKey() + "|" + file.Path + "|" + file.SizeBytes.ToString(CultureInfo.InvariantCulture);

    private sealed record Model(int Partition, int Bucket, string Name, int Level, string[] Extras, string? External)
    {
        public string Path => External ?? string.Create(CultureInfo.InvariantCulture, $"p={Partition}/bucket-{Bucket}/{Name}");

        public int Rows => 1 + (Name.Length * Level);

        public long SizeBytes => 1_000 + Partition + Bucket;

        public bool Equals(Model? other) => other is not null && ToKey() == other.ToKey();

        public override int GetHashCode() => ToKey().GetHashCode(StringComparison.Ordinal);

        public string ToText() => ToKey() + "|" + Path + "|" + SizeBytes.ToString(CultureInfo.InvariantCulture);

        public string ToKey() => string.Create(CultureInfo.InvariantCulture, $"{Partition}/{Bucket}/{Name}@{Level}+{string.Join(',', Extras)}>{External}");
    }

    private sealed class Lake : IDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("lakeholo-large-").FullName;
        private readonly LocalFolderStore _store;

        public Lake()
        {
            foreach (string name in (string[])["schema", "snapshot", "manifest"])
            {
                Directory.CreateDirectory(Path(name));
            }

            _store = new LocalFolderStore(_folder);
            System.IO.File.WriteAllText(Path("schema/schema-0"), """
                {"version":3,"id":0,"fields":[{"id":0,"name":"k","type":"INT NOT NULL"},{"id":1,"name":"p","type":"INT NOT NULL"}],"partitionKeys":["p"],"primaryKeys":["p","k"],"options":{"bucket":"4"}}
                """);
        }

        public string Path(string name) => System.IO.Path.Combine(_folder, name);

        public void Manifest(string name, IReadOnlyList<(int Kind, Model File)> entries) => Write(name, Entry, [.. entries.Select(e => EntryOf(e.Kind, e.File))]);

        public void Commit(int id, string[] before, string[] added)
        {
            Write($"list-{id}-0", List, [.. before.Select(n => (byte[])[.. AvroContainerTests.Long(2), .. AvroContainerTests.Text(n)])]);
            Write($"list-{id}-1", List, [.. added.Select(n => (byte[])[.. AvroContainerTests.Long(2), .. AvroContainerTests.Text(n)])]);
            System.IO.File.WriteAllText(Path($"snapshot/snapshot-{id}"), $$"""
                {"version":3,"id":{{id}},"schemaId":0,"baseManifestList":"list-{{id}}-0","deltaManifestList":"list-{{id}}-1","commitUser":"u","commitIdentifier":{{id}},"commitKind":"APPEND","timeMillis":{{id}}}
                """);
            System.IO.File.WriteAllText(Path("snapshot/LATEST"), id.ToString(CultureInfo.InvariantCulture));
        }

        public async Task<PaimonSnapshot> OpenAsync(PaimonSnapshot? known)
        {
            var table = new LakeTable("s", "d", "t", "paimon", new TableRoot(_store, ""));
            return (PaimonSnapshot)await new PaimonTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Latest, known);
        }

        public void Dispose()
        {
            _store.DisposeAsync().AsTask().GetAwaiter().GetResult();
            Directory.Delete(_folder, recursive: true);
        }

        private void Write(string name, string schema, byte[][] records)
            => System.IO.File.WriteAllBytes(Path("manifest/" + name), AvroContainerTests.Container("zstandard", schema, records.Length, [.. records.SelectMany(r => r)]));

        private static byte[] EntryOf(int kind, Model file)
        {
            byte[] partition = new byte[4 + 8 + 8];
            partition[3] = 1;
            BinaryPrimitives.WriteInt32LittleEndian(partition.AsSpan(12), file.Partition);
            byte[] extras = file.Extras.Length == 0 ? [0] : [.. AvroContainerTests.Long(file.Extras.Length), .. file.Extras.SelectMany(AvroContainerTests.Text), 0];
            byte[] external = file.External is null ? [0] : [.. AvroContainerTests.Long(1), .. AvroContainerTests.Text(file.External)];
            return
            [
                .. AvroContainerTests.Long(2), .. AvroContainerTests.Long(kind), .. AvroContainerTests.Long(partition.Length), .. partition, .. AvroContainerTests.Long(file.Bucket), .. AvroContainerTests.Long(4),
                .. AvroContainerTests.Text(file.Name), .. AvroContainerTests.Long(file.SizeBytes), .. AvroContainerTests.Long(file.Rows), .. AvroContainerTests.Long(0), .. AvroContainerTests.Long(file.Level),
                .. extras, 0, .. external,
            ];
        }
    }
}
