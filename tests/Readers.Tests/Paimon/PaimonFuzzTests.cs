using System.IO.Compression;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.DataFiles.Blob;
using LakeHolo.Readers.DataFiles.Orc;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;
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

    /// <summary>What a footer says of variants, shredded and plain, and of lists, decides what the engine is asked to read; it may say anything.</summary>
    [Fact]
    public void Mutated_footers_of_variants_and_lists_are_refused_in_words()
    {
        var variant = new PaimonType { Kind = PaimonTypeKind.Variant, Text = "VARIANT" };
        PaimonField[] fields =
        [
            new(0, "v", variant),
            new(1, "l", new PaimonType { Kind = PaimonTypeKind.Array, Element = variant, Text = "ARRAY<VARIANT>" }),
            new(2, "m", new PaimonType { Kind = PaimonTypeKind.Map, Element = new PaimonType { Kind = PaimonTypeKind.Int, Text = "INT" }, Value = variant, Text = "MAP<INT, VARIANT>" }),
        ];
        var schema = new PaimonSchema { Id = 0, Version = 3, Fields = fields, PartitionKeys = [], PrimaryKeys = [], Options = new Dictionary<string, string>() };
        const string Plain = "{'metadata': ''::BLOB, 'value': ''::BLOB}";
        const string Shredded = "{'metadata': ''::BLOB, 'value': ''::BLOB, 'typed_value': {'a': {'value': ''::BLOB, 'typed_value': 1.5::DECIMAL(9,2)}, "
            + "'b': {'typed_value': [{'value': ''::BLOB, 'typed_value': now()}]}, 'c': {'value': ''::BLOB, 'typed_value': uuid()}}}";
        byte[][] footers = [FooterOf($"SELECT {Plain} AS v, [{Shredded}] AS l, MAP {{1: {Shredded}}} AS m"), FooterOf($"SELECT {Shredded} AS v, [{Plain}] AS l, MAP {{1: {Plain}}} AS m")];
        var columns = new EngineType("LIST", [("item", new EngineType("STRUCT", [("value", new EngineType("BLOB", []))]))]);
        int read = 0;
        Fuzz.Run(20_000, footers, bytes =>
        {
            ParquetNode file = ParquetFooter.Parse(bytes, "fuzz.parquet").Schema;
            OneFieldItems.Restore([("v", columns), ("l", columns), ("m", columns)], file);
            StoredVariants variants = StoredVariants.Of(file, schema, fields, "fuzz.parquet");
            foreach (PaimonField field in fields)
            {
                Assert.NotEmpty(variants.FileTypeOf(field));
            }

            Assert.NotEmpty(variants.ToText("x", "v", 0));
            read++;
        });
        Assert.InRange(read, 100, int.MaxValue);
    }

    private static byte[] FooterOf(string sql)
    {
        string path = Path.Combine(Path.GetTempPath(), $"lakeholo-fuzz-{Guid.NewGuid():N}.parquet");
        try
        {
            using var engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [Path.GetTempPath()] });
            using DuckDBConnection connection = engine.OpenConnection();
            EngineDatabase.Execute(connection, $"COPY ({sql}) TO '{path}' (FORMAT parquet)");
            return [.. LocalFooter.TryRead(path)!];
        }
        finally
        {
            File.Delete(path);
        }
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
