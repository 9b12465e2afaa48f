using System.Globalization;
using LakeHolo.Bench.Harness;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Bench.Suites;

/// <summary>What a Delta table of many files costs before its first row: opening it, planning a query of one partition, following a commit, memory.</summary>
internal sealed class DeltaScaleSuite : ISuite
{
    public string Name => "delta-scale";

    public string Measures => "a Delta log of 10,000 and 100,000 files with a checkpoint: cold open, plan of one partition, one more commit, memory per file";

    public async Task RunAsync(BenchContext bench)
    {
        foreach (int files in bench.Quick ? new[] { 10_000 } : [10_000, 100_000])
        {
            string made = await bench.Data.MakeAsync($"delta-scale-{files}", 2, (sql, directory) => Make(sql, directory, files));
            var table = new LakeTable("lake", "bench", "scale", "delta", new TableRoot(new LocalFolderStore(made), string.Empty));
            using var engine = new EngineDatabase(new EngineOptions { Threads = bench.Options.Threads, AllowedDirectories = [made] });
            using var cache = new DiskCache(new DiskCacheOptions { Directory = bench.Data.NewTemporary("delta-scale") });
            var reader = new DeltaReader(engine, cache);
            await new TableScale($"{TableScale.Text(files)} files", files)
            {
                OpenAsync = async () => await new DeltaTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Version("11"), null),
                FollowAsync = async older => await new DeltaTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Latest, older),
                PlanAsync = (snapshot, request) => reader.PlanAsync(snapshot, request),
                HeldBytes = snapshot => ((DeltaSnapshot)snapshot).Files.HeldBytes,
            }.RunAsync(bench);
        }
    }

    // A checkpoint at 10, and two commits.
    private static void Make(DataSql sql, string directory, int files)
    {
        const string Schema = """{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"price","type":"double","nullable":true,"metadata":{}},{"name":"name","type":"string","nullable":true,"metadata":{}},{"name":"at","type":"timestamp","nullable":true,"metadata":{}},{"name":"p","type":"integer","nullable":true,"metadata":{}}]}""";
        Directory.CreateDirectory($"{directory}/_delta_log");
        sql.Run(string.Create(CultureInfo.InvariantCulture, $$"""
            COPY (
              SELECT
                CASE WHEN i < {{files}} THEN {
                  'path': 'p=' || (i % 1000) || '/part-' || lpad(i::VARCHAR, 5, '0') || '-' || substr(md5(i::VARCHAR), 1, 8) || '-' || substr(md5(i::VARCHAR), 9, 4) || '-4'
                    || substr(md5(i::VARCHAR), 13, 3) || '-a' || substr(md5(i::VARCHAR), 16, 3) || '-' || substr(md5(i::VARCHAR), 19, 12) || '.c000.snappy.parquet',
                  'partitionValues': MAP {'p': (i % 1000)::VARCHAR},
                  'size': 1000000 + hash(i) % 1000000, 'modificationTime': 1700000000000 + i, 'dataChange': false,
                  'stats': '{"numRecords":' || (1000 + hash(i) % 100) || ',"minValues":{"id":' || (i * 1000) || ',"price":' || (hash(i + 1) % 1000) / 100 || ',"name":"' || substr(md5((i + 1)::VARCHAR), 1, 12)
                    || '","at":"2024-01-01T00:00:00.000Z"},"maxValues":{"id":' || (i * 1000 + 999) || ',"price":' || 100 + (hash(i + 2) % 1000) / 100 || ',"name":"' || substr(md5((i + 2)::VARCHAR), 1, 12)
                    || '","at":"2024-12-31T23:59:59.999Z"},"nullCount":{"id":0,"price":0,"name":0,"at":0} }'
                } END AS add,
                CASE WHEN i = {{files}} THEN {
                  'id': '00000000-0000-0000-0000-000000000001', 'format': {'provider': 'parquet'}, 'schemaString': '{{Schema}}', 'partitionColumns': ['p'],
                  'configuration': MAP {'delta.appendOnly': 'false'}
                } END AS metaData,
                CASE WHEN i = {{files}} + 1 THEN {'minReaderVersion': 1, 'minWriterVersion': 2} END AS protocol
              FROM range({{files}} + 2) t(i)
            ) TO '{{directory}}/_delta_log/00000000000000000010.checkpoint.parquet' (FORMAT parquet, COMPRESSION snappy)
            """));
        File.WriteAllText($"{directory}/_delta_log/_last_checkpoint", string.Create(CultureInfo.InvariantCulture, $"{{\"version\":10,\"size\":{files + 2}}}"));
        for (int version = 10; version <= 12; version++)
        {
            File.WriteAllText(
                $"{directory}/_delta_log/{version:D20}.json",
                string.Create(CultureInfo.InvariantCulture, $$$$"""{"add":{"path":"p=999/new-{{{{version}}}}.parquet","partitionValues":{"p":"999"},"size":10,"modificationTime":0,"dataChange":true,"stats":"{\"numRecords\":1,\"minValues\":{\"id\":1},\"maxValues\":{\"id\":1}}"}}"""));
        }

        string partition = $"{directory}/p={TableScale.ProbedPartition}";
        Directory.CreateDirectory(partition);
        foreach (object?[] file in sql.Rows($"SELECT add.path FROM '{directory}/_delta_log/00000000000000000010.checkpoint.parquet' WHERE add.partitionValues['p'] = '{TableScale.ProbedPartition}'"))
        {
            sql.Run($"COPY (SELECT 1::BIGINT AS id, 1.0::DOUBLE AS price, 'x' AS name, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS at) TO '{directory}/{file[0]}'");
        }
    }
}
