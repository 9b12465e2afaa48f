using System.Diagnostics;
using System.IO.Compression;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.Readers.Hudi.LogFiles;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Broken bytes are refused with a <see cref="LakeException"/>, never with another exception.</summary>
public sealed class HudiFuzzTests
{
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(2);

    [Fact]
    public void Mutated_log_files_parse_or_are_refused()
        => Mutate(Entries("mor_log_updates_deletes_v6", ".log."), bytes =>
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
        Mutate(Entries("cow_nonpart_upsert_v6", ".commit"), bytes => Schemas(CommitMetadata.ParseJson(bytes, "f")));
        Mutate(Entries("cow_nonpart_upsert_v9", ".commit"), bytes => Schemas(CommitAvro.ReadCommit(bytes, "f")));
    }

    [Fact]
    public void Mutated_properties_schema_histories_and_names_are_read_or_passed_over()
    {
        Mutate(Entries("cow_nonpart_upsert_v6", "hoodie.properties"), bytes => HudiProperties.Parse(bytes).TimelineFolder.ToString());
        Mutate(Entries("cow_schema_on_read_rename_drop_v8", ".schemacommit"), bytes => SchemaHistory.Parse(bytes, "29991231235959999", "f"));
        Mutate(Entries("mor_log_updates_deletes_v6", ""), bytes =>
        {
            string name = System.Text.Encoding.Latin1.GetString(bytes.AsSpan(0, Math.Min(80, bytes.Length)));
            HudiFileName.TryParse(name);
            HudiFileName.TryParse("." + name + "_1.log.2_1-2-3");
            _ = HudiTimeline.TryParseName(name, out _, out _, out _, out _);
        });
    }

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

    private static void Mutate(List<byte[]> originals, Action<byte[]> parse)
    {
        var random = new Random(20261125);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < 20_000 && Stopwatch.GetElapsedTime(start) < Budget; i++)
        {
            byte[] bytes = [.. originals[random.Next(originals.Count)]];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
            {
                bytes[random.Next(bytes.Length)] = random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => (byte)random.Next(256) };
            }

            if (random.Next(4) == 0)
            {
                bytes = bytes[..random.Next(bytes.Length)];
            }

            try
            {
                parse(bytes);
            }
            catch (LakeException)
            {
                // Refused: what is asked for.
            }
        }
    }
}
