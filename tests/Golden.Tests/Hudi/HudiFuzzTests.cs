using System.IO.Compression;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.HFiles;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Pruning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Broken bytes are refused with a <see cref="LakeException"/>, never with another exception.</summary>
public sealed class HudiFuzzTests
{
    private const int Rounds = 20_000;

    [Fact]
    public void Mutated_log_files_parse_or_are_refused()
        => Fuzz.Run(Rounds, Entries("mor_log_updates_deletes_v6", ".log."), bytes =>
        {
            foreach (LogBlock block in LogFileParser.Parse(bytes, "f"))
            {
                if (block.Type == LogBlockType.Delete)
                {
                    DeleteBlock.Decode(bytes.AsSpan(block.ContentOffset, block.ContentLength), "f");
                }
            }
        });

    [Fact]
    public void Mutated_commits_parse_or_are_refused()
    {
        Fuzz.Run(Rounds, Entries("cow_nonpart_upsert_v6", ".commit"), bytes => Schemas(CommitMetadata.ParseJson(bytes, "f")));
        Fuzz.Run(Rounds, Entries("cow_nonpart_upsert_v9", ".commit"), bytes => Schemas(CommitAvro.ReadCommit(bytes, "f")));
    }

    [Fact]
    public void Mutated_properties_schema_histories_and_names_are_read_or_passed_over()
    {
        Fuzz.Run(Rounds, Entries("cow_nonpart_upsert_v6", "hoodie.properties"), bytes => HudiProperties.Parse(bytes).TimelineFolder.ToString());
        Fuzz.Run(Rounds, Entries("cow_schema_on_read_rename_drop_v8", ".schemacommit"), bytes => SchemaHistory.Parse(bytes, "29991231235959999", "f"));
        Fuzz.Run(Rounds, Entries("mor_log_updates_deletes_v6", ""), bytes =>
        {
            string name = System.Text.Encoding.Latin1.GetString(bytes.AsSpan(0, Math.Min(80, bytes.Length)));
            HudiFileName.TryParse(name);
            HudiFileName.TryParse("." + name + "_1.log.2_1-2-3");
            _ = HudiTimeline.TryParseName(name, out _, out _, out _, out _);
        });
    }

    [Fact]
    public void Mutated_HFiles_and_metadata_records_are_read_or_refused()
    {
        Fuzz.Run(Rounds, Entries("cow_mdt_all_indexes_v9", ".hfile"), bytes => ReadHFile(bytes));
        var random = new Random(7);
        byte[][] made = [.. Enumerable.Range(1, 3).Select(levels => new HFileWriter(levels == 2, 3, 3, levels).Write(
            Enumerable.Range(0, 40).Select(i => ($"key{i:00}", BitConverter.GetBytes(random.Next())))))];
        Fuzz.Run(Rounds, [.. made], bytes => ReadHFile(bytes));
        Fuzz.Run(Rounds, [.. Entries("cow_mdt_all_indexes_v9", "metadata/column_stats/.col"), .. Entries("cow_mdt_all_indexes_v6", "metadata/files/.files")], bytes =>
        {
            object? merged = null;
            foreach ((MetadataBlock? block, _) in Completed(MetadataLog.ReadAsync(bytes, "f", CancellationToken.None)))
            {
                foreach (ReadOnlyMemory<byte>? cell in block?.Cells.Values ?? [])
                {
                    merged = MetadataMerge.Merge(merged, cell is { } value ? AvroDatum.DecodeRecord(block!.Schema!, value.Span, "f") : null);
                }
            }
        });
    }

    [Fact]
    public void Mutated_bloom_filters_are_used_or_passed_over()
    {
        byte[] filter = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 5, 1, 0, 0, 0, 64, 1, 2, 3, 4, 5, 6, 7, 8];
        byte[] dynamic = [.. filter[..13], 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 1, .. filter];
        Fuzz.Run(Rounds, [filter, dynamic], bytes =>
        {
            string text = Convert.ToBase64String(bytes);
            KeyBloomFilter.TryParse(text, null)?.MayContain("key");
            KeyBloomFilter.TryParse(text, "DYNAMIC_V0")?.MayContain("key");
        });
    }

    [Fact]
    public void Mutated_record_positions_are_read_or_refused()
    {
        const int Limit = 1000;
        Fuzz.Run(Rounds, [Convert.FromBase64String("AQAAAAAAAAAAAAAAOjAAAAEAAAAAAAIAEAAAAAEAAgADAA=="), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3B, 0x30, 0, 0, 1, 0, 0, 9, 0, 1, 0, 5, 0, 9, 0]], bytes =>
        {
            // A container more than the limit at most.
            Assert.True(RecordPositions.Decode(bytes, Limit, "f").Count <= Limit + 65536);
        });
    }

    private static void ReadHFile(byte[] bytes)
    {
        HFileReader file = Completed(HFileReader.OpenAsync(bytes, "f"));
        Completed(file.ReadAllAsync());
        Completed(file.FindAsync(["key07"u8.ToArray(), "k"u8.ToArray()], true));
    }

    // What is in memory is read without waiting.
    private static T Completed<T>(ValueTask<T> task) => task.IsCompleted ? task.GetAwaiter().GetResult() : throw new InvalidOperationException("a read of memory waits");

    private static void Schemas(CommitMetadata commit)
    {
        if (!string.IsNullOrEmpty(commit.Schema))
        {
            HudiSchema.Parse(commit.Schema, "f");
        }
    }

    private static List<byte[]> Entries(string zip, string part)
    {
        using ZipArchive archive = ZipFile.OpenRead(Path.Combine(HudiCase.Folder, zip + ".zip"));
        var entries = new List<byte[]>();
        foreach (ZipArchiveEntry entry in archive.Entries.Where(e => e.FullName.StartsWith("table/", StringComparison.Ordinal) && e.FullName.Contains(part, StringComparison.Ordinal) && e.Length > 0))
        {
            using Stream stream = entry.Open();
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            entries.Add(bytes.ToArray());
        }

        Assert.NotEmpty(entries);
        return entries;
    }
}
