using System.Globalization;
using System.Text.Json;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Data;

/// <summary>A Hudi table with a key, <c>shop.accounts</c>: one commit of copy-on-write files.</summary>
internal static class LookupTable
{
    private const string Instant = "20260101000000000";
    private const int Files = 4;

    /// <summary>Makes it: keys from 0, in no order.</summary>
    /// <returns>The lake's folder.</returns>
    public static Task<string> MakeAsync(BenchContext bench, long rows) => bench.Data.MakeAsync(string.Create(CultureInfo.InvariantCulture, $"lookup-{rows}"), 1, (sql, directory) =>
    {
        string folder = Path.Combine(directory, "shop", "accounts");
        Directory.CreateDirectory(Path.Combine(folder, ".hoodie"));
        var written = new List<object>();
        for (int f = 0; f < Files; f++)
        {
            string id = string.Create(CultureInfo.InvariantCulture, $"{f:D8}-0000-0000-0000-000000000000-0");
            string name = $"{id}_0-1-1_{Instant}.parquet";
            sql.Run(string.Create(
                CultureInfo.InvariantCulture,
                $"""
                COPY (
                    SELECT '{Instant}' AS _hoodie_commit_time, '{Instant}_0_' || i AS _hoodie_commit_seqno, 'key:' || key AS _hoodie_record_key, '' AS _hoodie_partition_path, '{name}' AS _hoodie_file_name,
                        key, 'account ' || key AS name, ((key * 7919) % 1000000 / 100.0)::DECIMAL(12,2) AS balance, DATE '2026-01-01' + (key % 365)::INTEGER AS opened
                    FROM (SELECT i, (i * 7368787) % {rows} AS key FROM range({f * rows / Files}, {(f + 1) * rows / Files}) t(i))
                ) TO '{folder}/{name}' (FORMAT parquet, COMPRESSION snappy)
                """));
            written.Add(new { fileId = id, path = name, prevCommit = "null", numWrites = rows / Files, partitionPath = string.Empty, fileSizeInBytes = new FileInfo(Path.Combine(folder, name)).Length });
        }

        object[] fields =
        [
            new { name = "key", type = "long" },
            new { name = "name", type = new object[] { "null", "string" } },
            new { name = "balance", type = new object[] { "null", new { type = "fixed", name = "balance_fixed", size = 6, logicalType = "decimal", precision = 12, scale = 2 } } },
            new { name = "opened", type = new object[] { "null", new { type = "int", logicalType = "date" } } },
        ];
        string schema = JsonSerializer.Serialize(new { type = "record", name = "accounts", fields });
        string commit = JsonSerializer.Serialize(new
        {
            partitionToWriteStats = new Dictionary<string, object> { [string.Empty] = written },
            compacted = false,
            extraMetadata = new { schema },
            operationType = "BULK_INSERT",
        });
        File.WriteAllText(Path.Combine(folder, ".hoodie", "hoodie.properties"), """
            hoodie.table.name=accounts
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
        File.WriteAllText(Path.Combine(folder, ".hoodie", Instant + ".commit.requested"), string.Empty);
        File.WriteAllText(Path.Combine(folder, ".hoodie", Instant + ".inflight"), string.Empty);
        File.WriteAllText(Path.Combine(folder, ".hoodie", Instant + ".commit"), commit);
    });
}
