using System.Globalization;
using System.Text.Json;

namespace LakeHolo.HotTier.Tests;

/// <summary>A Hudi copy-on-write table <c>dwd.keyed</c> (key, value, filler) in file groups, each of which holds every <see cref="Groups"/>th key or leaves it out. A commit replaces the
/// file of one group: some of its keys are gone, some are there again, all others have another value.</summary>
/// <param name="lake">Where it lies.</param>
/// <param name="replaced">The group that each commit after the first replaces.</param>
/// <remarks>Layout: Hudi technical specification, table version 6: hoodie.properties, timeline, base files <c>fileId_token_instant.parquet</c>.</remarks>
internal sealed class KeyedTable(SmallLake lake, IReadOnlyList<int> replaced)
{
    public const int Groups = 3;
    public const int Keys = 3000;

    private const string Folder = "dwd/keyed";

    private int _next;

    /// <summary>Makes it, with commit 0.</summary>
    public void Create()
    {
        Put("hoodie.properties", """
            hoodie.table.name=keyed
            hoodie.table.type=COPY_ON_WRITE
            hoodie.table.version=6
            hoodie.timeline.layout.version=1
            hoodie.table.base.file.format=PARQUET
            hoodie.table.recordkey.fields=key
            hoodie.table.partition.fields=
            hoodie.populate.meta.fields=true
            hoodie.table.keygenerator.class=org.apache.hudi.keygen.NonpartitionedKeyGenerator
            hoodie.archivelog.folder=archived
            hoodie.table.timeline.timezone=UTC

            """);
        Commit();
    }

    /// <summary>Makes the next commit.</summary>
    public void Commit()
    {
        int number = _next++;
        string instant = Instant(number);
        var stats = new List<object>();
        foreach (int group in number == 0 ? Enumerable.Range(0, Groups) : [replaced[number - 1]])
        {
            string id = string.Create(CultureInfo.InvariantCulture, $"{group:D8}-0000-0000-0000-000000000000-0");
            string name = $"{id}_0-1-1_{instant}.parquet";
            int[] keys = [.. Enumerable.Range(0, Keys).Where(k => k % Groups == group && IsThere(k, number))];
            lake.Write($"{Folder}/{name}", string.Create(
                CultureInfo.InvariantCulture,
                $"""
                SELECT '{instant}' AS _hoodie_commit_time, '{instant}_0_' || key AS _hoodie_commit_seqno, 'key:' || key AS _hoodie_record_key, '' AS _hoodie_partition_path, '{name}' AS _hoodie_file_name,
                    key, {number}::BIGINT AS value, md5(key || '-{number}') AS filler FROM (SELECT unnest([{string.Join(", ", keys)}])::BIGINT AS key)
                """));
            string prevCommit = number == 0 ? "null" : Instant(LastOf(group, number - 1));
            stats.Add(new { fileId = id, path = name, prevCommit, numWrites = keys.Length, partitionPath = string.Empty, fileSizeInBytes = new FileInfo(Path.Combine(lake.Directory, Folder, name)).Length });
        }

        object[] fields =
        [
            new { name = "key", type = "long" },
            new { name = "value", type = new object[] { "null", "long" } },
            new { name = "filler", type = new object[] { "null", "string" } },
        ];
        string schema = JsonSerializer.Serialize(new { type = "record", name = "keyed", fields });
        Put(instant + ".commit.requested", string.Empty);
        Put(instant + ".inflight", string.Empty);
        Put(instant + ".commit", JsonSerializer.Serialize(new
        {
            partitionToWriteStats = new Dictionary<string, object> { [string.Empty] = stats },
            compacted = false,
            extraMetadata = new { schema },
            operationType = number == 0 ? "BULK_INSERT" : "UPSERT",
        }));
    }

    /// <summary>What a key's rows are after a commit: a value, or nothing.</summary>
    public string Expected(int key, int commit)
    {
        int last = LastOf(key % Groups, commit);
        return IsThere(key, last) ? last.ToString(CultureInfo.InvariantCulture) : string.Empty;
    }

    private int LastOf(int group, int commit)
    {
        while (commit > 0 && replaced[commit - 1] != group)
        {
            commit--;
        }

        return commit;
    }

    // A third of the keys is gone from each file, others each time.
    private static bool IsThere(int key, int commit) => (((key * 7) + (commit * 13)) % 31) % 3 != 0;

    private static string Instant(int commit) => string.Create(CultureInfo.InvariantCulture, $"2026010100{commit / 60:D2}{commit % 60:D2}000");

    // A file of the timeline appears whole.
    private void Put(string name, string text)
    {
        string folder = Path.Combine(lake.Directory, Folder, ".hoodie");
        Directory.CreateDirectory(folder);
        string scratch = Path.Combine(lake.Directory, "..", "timeline");
        File.WriteAllText(scratch, text);
        File.Move(scratch, Path.Combine(folder, name), overwrite: true);
    }
}
