using System.IO.Compression;
using Apache.Arrow;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.DataFiles.Blob;
using LakeHolo.Readers.DataFiles.Orc;
using LakeHolo.Readers.Paimon;
using LakeHolo.Readers.Paimon.Pruning.FileIndexes;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Broken bytes are refused in words: mutated files of real tables give the rows they hold or a <see cref="LakeException"/>, never another error, and
/// never take much more memory than they have bytes.</summary>
public sealed class PaimonFuzzTests
{
    [Theory]
    [InlineData("pk_dedup_uncompacted", "manifest/", 450)]
    [InlineData("append_dv_delete_v1", "manifest/", 300)]
    [InlineData("old_v0_5_pk_dedup", "manifest/", 180)]
    [InlineData("append_file_index", "manifest/", 180)]
    [InlineData("evolution_append_parquet", "schema/", 180)]
    [InlineData("tags_branches_rollback", "snapshot/", 180)]
    public async Task Mutated_metadata_is_refused_in_words(string name, string folder, int rounds)
    {
        DirectoryInfo root = Directory.CreateTempSubdirectory("lakeholo-fuzz-");
        try
        {
            ZipFile.ExtractToDirectory(CaseOf(name), root.FullName);
            string table = Path.Combine(root.FullName, "table");
            await using var store = new LocalFolderStore(table);
            var lake = new LakeTable("s", "d", name, "paimon", new TableRoot(store, ""));
            string[] files = [.. Directory.GetFiles(Path.Combine(table, folder)).Order(StringComparer.Ordinal)];
            byte[][] originals = [.. files.Select(File.ReadAllBytes)];
            await Fuzz.RunAsync(rounds, originals, async (bytes, which) =>
            {
                await File.WriteAllBytesAsync(files[which], bytes);
                try
                {
                    var snapshot = (PaimonSnapshot)await new PaimonTableFormat().LoadSnapshotAsync(lake, SnapshotSelector.Latest, null);
                    _ = snapshot.EnumerateFiles().Count();
                }
                finally
                {
                    await File.WriteAllBytesAsync(files[which], originals[which]);
                }
            });
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("append_all_types_orc", ".orc", 450)]
    [InlineData("flink_orc_06", ".orc", 300)]
    [InlineData("append_mixed_formats_and_codecs", ".orc", 300)]
    [InlineData("append_all_types_avro", ".avro", 600)]
    [InlineData("append_mixed_formats_and_codecs", ".avro", 300)]
    [InlineData("append_file_index", ".index", 1200)]
    [InlineData("append_blob", ".blob", 1200)]
    public async Task Mutated_files_are_refused_in_words(string name, string suffix, int rounds)
    {
        await Fuzz.RunAsync(rounds, Entries(name, n => n.EndsWith(suffix, StringComparison.Ordinal)), (bytes, _) => ReadAsync(suffix, bytes));
    }

    [Theory]
    [InlineData("append_dv_delete_v1")]
    [InlineData("pk_dv_merge_on_write_64")]
    public void Mutated_deletion_vectors_are_refused_in_words(string name)
    {
        List<byte[]> corpus = [.. Entries(name, n => n.Contains("/index/", StringComparison.Ordinal)).Where(b => b.Length > 13)];
        var random = new Random(Fuzz.NewSeed());
        Fuzz.Run(6000, corpus, bytes =>
        {
            int offset = Math.Min(1, bytes.Length);
            int length = bytes.Length - offset;
            var vector = new PaimonDeletionVector("", 0, "data.parquet", "index/x", offset, random.Next(3) switch { 0 => length - 8, 1 => length, _ => 22 }, null);
            DeletionVectors.Decode(bytes.AsSpan(offset, length), vector, 1_000_000);
        });
    }

    private static async Task ReadAsync(string suffix, byte[] bytes)
    {
        switch (suffix)
        {
            case ".orc":
                OrcFile file = await OrcFile.OpenAsync((ranges, _) => ValueTask.FromResult(Slice(bytes, ranges)), bytes.Length, "fuzz.orc");
                await foreach (RecordBatch batch in file.ReadAsync(new OrcReadOptions()))
                {
                    batch.Dispose();
                }

                break;
            case ".avro":
                foreach (RecordBatch batch in AvroArrowReader.ReadContainer(AvroContainer.Open(bytes, "fuzz.avro")))
                {
                    batch.Dispose();
                }

                break;
            case ".blob":
                foreach (RecordBatch batch in BlobFileDecoder.Read(bytes, "fuzz.blob"))
                {
                    batch.Dispose();
                }

                break;
            default:
                Look(FileIndex.Open(bytes, "fuzz.index"));
                break;
        }
    }

    private static void Look(FileIndex index)
    {
        var types = new Dictionary<string, PaimonTypeKind>
        {
            ["id"] = PaimonTypeKind.Int,
            ["name"] = PaimonTypeKind.VarChar,
            ["g"] = PaimonTypeKind.Int,
            ["q"] = PaimonTypeKind.BigInt,
            ["w"] = PaimonTypeKind.Int,
            ["b"] = PaimonTypeKind.Boolean,
        };
        foreach ((string name, PaimonTypeKind kind) in types)
        {
            object value = kind switch { PaimonTypeKind.VarChar => "zz", PaimonTypeKind.Boolean => true, _ => 7L };
            ScanFilter filter = new ScanFilter.Or([new ScanFilter.Compare(name, ScanComparison.Less, new ScanLiteral(value)), new ScanFilter.Compare(name, ScanComparison.Equal, new ScanLiteral(value)), new ScanFilter.IsNull(name)]);
            index.MayMatch(filter, n => new PaimonField(0, n, new PaimonType { Kind = kind, Length = 20 }));
        }
    }

    private static IReadOnlyList<ReadOnlyMemory<byte>> Slice(byte[] bytes, IReadOnlyList<ByteRange> ranges) => [.. ranges.Select(r =>
        r.Offset >= 0 && r.Length >= 0 && r.Offset <= bytes.Length - r.Length
            ? new ReadOnlyMemory<byte>(bytes, (int)r.Offset, (int)r.Length)
            : throw LakeException.FormatInvalid("A range reaches past the end of the file"))];

    private static List<byte[]> Entries(string name, Func<string, bool> isWanted)
    {
        using ZipArchive zip = ZipFile.OpenRead(CaseOf(name));
        var entries = new List<byte[]>();
        foreach (ZipArchiveEntry entry in zip.Entries.Where(e => e.FullName.Contains("table/", StringComparison.Ordinal) && isWanted("/" + e.FullName)).OrderBy(e => e.FullName, StringComparer.Ordinal))
        {
            using Stream stream = entry.Open();
            using var buffer = new MemoryStream();
            stream.CopyTo(buffer);
            entries.Add(buffer.ToArray());
        }

        return entries;
    }

    private static string CaseOf(string name)
    {
        string? root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "LakeHolo.sln")))
        {
            root = Path.GetDirectoryName(root);
        }

        return Path.Combine(root ?? throw new DirectoryNotFoundException("LakeHolo.sln"), "tests", "Golden.Tests", "cases", "paimon", name + ".zip");
    }
}
