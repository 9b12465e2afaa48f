using System.IO.Compression;
using System.Text;
using System.Text.Json;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.DeletionVectors;
using LakeHolo.LakeCatalog.Delta.Files;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Delta;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Real bytes, changed at random: whatever comes, it is parsed or refused with a <see cref="LakeException"/>, within bounds of memory, and
/// what is parsed is what an independent parser finds.</summary>
public class DeltaFuzzTests
{
    [Fact]
    public void A_damaged_commit_is_parsed_as_another_parser_does_or_refused() => Fuzz.Run(
        15_000,
        [.. Entries("dv_delete_update_merge", "_delta_log/", ".json"), .. Entries("log_unknown_things", "_delta_log/", ".json")],
        bytes =>
        {
            CommitActions commit = CommitParser.Parse(bytes, 1, "fuzz");
            Assert.Equal(PathsByDocument(bytes), commit.Adds.Concat(commit.Removes).Select(f => f.Path).Order(StringComparer.Ordinal));
        });

    [Fact]
    public void A_damaged_deletion_vector_is_decoded_or_refused() => Fuzz.Run(
        40_000,
        [.. Entries("dv_random_prefix_purge", "deletion_vector_", ".bin").Concat(Entries("dv_delete_update_merge", "deletion_vector_", ".bin")).Select(b => b[5..^4])],
        bytes =>
        {
            long[] positions = DeletionVectorDecoder.Decode(bytes, 1000, "fuzz");
            Assert.Equal(1000, positions.Length);
        });

    [Fact]
    public async Task A_damaged_file_of_deletion_vectors_gives_the_same_positions_or_is_refused()
    {
        using DeltaCase golden = DeltaCase.Open("dv_delete_update_merge");
        DeltaSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        (FileBlock block, int row) = snapshot.Files.Live().First(f => f.Block.DeletionVector(f.Row) is { StorageType: "u" });
        DeletionVectorDescriptor vector = block.DeletionVector(row)!;
        long[] positions = await DeletionVectorReader.ReadAsync(snapshot, vector);
        string path = golden.File("case/table/" + DeletionVectorReader.RelativePath(vector.PathOrInlineDv, "fuzz"));
        Fuzz.Run(3_000, [await File.ReadAllBytesAsync(path)], bytes =>
        {
            File.WriteAllBytes(path, bytes);

            // Everything is in memory or on a local disk: nothing is waited for.
            Assert.Equal(positions, DeletionVectorReader.ReadAsync(snapshot, vector).AsTask().GetAwaiter().GetResult());
        });
    }

    [Fact]
    public async Task A_deletion_vector_of_more_rows_than_can_be_held_is_refused_before_it_is_read()
    {
        using DeltaCase golden = DeltaCase.Open("dv_delete_update_merge");
        DeltaSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        var vector = new DeletionVectorDescriptor("u", new string('0', 20), 1, 1 << 20, 1L << 34);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => DeletionVectorReader.ReadAsync(snapshot, vector).AsTask());
        Assert.Equal(LakeErrorKind.ResourcesExhausted, refused.Kind);
    }

    [Theory]
    [InlineData("ckpt_classic", ".checkpoint.parquet")]
    [InlineData("ckpt_struct_stats", ".checkpoint.parquet")]
    [InlineData("ckpt_v2_parquet", ".parquet")]
    [InlineData("rs_checkpoint_compaction", ".checkpoint.parquet")]
    public void A_damaged_checkpoint_is_read_or_refused(string golden, string extension)
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("c.parquet");
        var root = new TableRoot(new LocalFolderStore(folder.Path), string.Empty);
        Fuzz.Run(500, Entries(golden, "_delta_log/", extension), bytes =>
        {
            File.WriteAllBytes(path, bytes);
            var reader = new CheckpointReader(root, 1, ExternalLocations.None);
            reader.ReadHeaderAsync([new ObjectEntry("c.parquet", bytes.Length, default, "1")], CancellationToken.None).AsTask().GetAwaiter().GetResult();
            FileBlock block = reader.ReadFilesAsync(["p"], trackRows: true, CancellationToken.None).AsTask().GetAwaiter().GetResult();
            _ = block.RepeatedPath();
            for (int row = 0; row < block.Count; row++)
            {
                Assert.True(block.Path(row).Length >= 0 && block.RowCount(row) >= -1);
                _ = block.StatisticsJson(row);
            }
        });
    }

    [Fact]
    public void A_damaged_hint_and_damaged_statistics_are_used_or_ignored()
    {
        Fuzz.Run(20_000, Entries("ckpt_v2_json", "_last_checkpoint", "_last_checkpoint"), bytes => LastCheckpoint.Parse(bytes));
        byte[] stats = Encoding.UTF8.GetBytes("""{"numRecords":3,"minValues":{"a":{"b":1},"t":"2024-01-01T00:00:00.000Z"},"maxValues":{"a":{"b":9},"t":"2024-02-01T00:00:00.000Z"},"nullCount":{"a":{"b":0},"t":0}}""");
        Fuzz.Run(20_000, [stats], bytes =>
        {
            using var builder = new FileBlock.Builder([], "fuzz", trackRows: false);
            builder.Add("x.parquet"u8, 1, bytes, null, null, null, null);
            FileBlock block = builder.Build();
            _ = block.Bounds(["a", "b"], new DeltaPrimitive(DeltaPrimitiveKind.Long)).CompareMin(0, 5L);
            _ = block.Bounds(["t"], new DeltaPrimitive(DeltaPrimitiveKind.Timestamp)).CompareMax(0, 5L);
        });
    }

    [Fact]
    public void A_damaged_schema_is_parsed_or_refused()
    {
        const string Schema = """{"type":"struct","fields":[{"name":"a","type":{"type":"array","elementType":{"type":"map","keyType":"string","valueType":"decimal(10,2)","valueContainsNull":true},"containsNull":true},"nullable":true,"metadata":{"delta.typeChanges":[{"fromType":"integer","toType":"long"}]}}]}""";
        Fuzz.Run(20_000, [Encoding.UTF8.GetBytes(Schema)], bytes => DeltaSchemaParser.Parse(Encoding.UTF8.GetString(bytes), ColumnMappingMode.None, "fuzz"));
    }

    [Fact]
    public void A_damaged_variant_is_decoded_or_refused()
    {
        byte[] metadata = [0x01, 0x01, 0x00, 0x03, 0x6B, 0x65, 0x79];
        Assert.Equal("""{"key":5}""", VariantText.ToJson(metadata, [0x02, 0x01, 0x00, 0x00, 0x02, 0x0C, 0x05]));
        Fuzz.Run(20_000, [[0x02, 0x01, 0x00, 0x00, 0x02, 0x0C, 0x05], [0x03, 0x02, 0x00, 0x02, 0x04, 0x0C, 0x01, 0x0C, 0x02]], bytes => VariantText.ToJson(metadata, bytes));
    }

    [Fact]
    public void Inline_vectors_and_paths_decode_as_the_specification_says()
    {
        byte[] data = DeletionVectorDecoder.DecodeZ85("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "fuzz");
        Assert.Equal([3, 4, 7, 11, 18, 29], DeletionVectorDecoder.Decode(data.AsSpan(0, 44), 6, "fuzz"));
        Assert.Equal("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin", DeletionVectorReader.RelativePath("ab^-aqEH.-t@S}K{vb[*k^", "fuzz"));
        Assert.Equal("deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin", DeletionVectorReader.RelativePath("vBn[lx{q8@P<9BNH/isA", "fuzz"));
    }

    // Paths of adds and removes by the library's own document model, one object after the other.
    private static IOrderedEnumerable<string> PathsByDocument(byte[] bytes)
    {
        var paths = new List<string>();
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { AllowMultipleValues = true, MaxDepth = 512 });
        while (reader.Read())
        {
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            paths.AddRange(document.RootElement.EnumerateObject().Where(p => (p.NameEquals("add"u8) || p.NameEquals("remove"u8)) && p.Value.ValueKind == JsonValueKind.Object)
                .Select(p => p.Value.GetProperty("path").GetString()!));
        }

        return paths.Order(StringComparer.Ordinal);
    }

    private static List<byte[]> Entries(string golden, string part, string extension)
    {
        using ZipArchive zip = ZipFile.OpenRead(Path.Combine(GoldenCases.Folder("delta"), golden + ".zip"));
        var contents = new List<byte[]>();
        foreach (ZipArchiveEntry entry in zip.Entries.Where(e => e.FullName.Contains(part, StringComparison.Ordinal)
            && e.FullName.EndsWith(extension, StringComparison.Ordinal)))
        {
            using Stream stream = entry.Open();
            using var copy = new MemoryStream();
            stream.CopyTo(copy);
            contents.Add(copy.ToArray());
        }

        return contents;
    }
}
