using System.Globalization;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using LakeHolo.Bench.Harness;
using LakeHolo.Golden.Tests.Hudi;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.Bench.Data;

/// <summary>A copy-on-write Hudi table (version 8) of 1,000 partitions and many file groups: ten commits that wrote a tenth of the groups each, and a newest one that can be hidden.</summary>
/// <remarks>Commits and the metadata table have the schemas of a table that Hudi wrote (a golden case). Only the probed partition has rows; the other files are links to one of 16 bytes.</remarks>
internal sealed class HudiScaleTable
{
    public const int Partitions = 1_000;
    public const int RowsPerFile = 100;

    private const int Commits = 10;
    private const int LinksPerFile = 60_000; // ext4 allows 65,000
    private const int TinyBytes = 16;
    private const string Compacted = "20260101000800000";

    private readonly string _folder;

    private HudiScaleTable(string folder) => _folder = folder;

    /// <summary>The table's root.</summary>
    public string Root => Path.Combine(_folder, "table");

    private string Hidden => Path.Combine(_folder, "newest");

    /// <summary>Makes the table, or takes the one that is there, with its newest commit hidden.</summary>
    public static async Task<HudiScaleTable> MakeAsync(BenchContext bench, int files, long probed, bool withMetadata)
    {
        string kind = withMetadata ? "metadata" : "listed";
        string made = await bench.Data.MakeAsync($"hudi-scale-{kind}-{files}", 1, (sql, folder) => new Maker(sql, folder, files, probed, withMetadata).Make());
        var table = new HudiScaleTable(made);
        table.HideNewest();
        return table;
    }

    /// <summary>Takes the newest commit's files away.</summary>
    public void HideNewest() => MoveNewest(Root, Hidden, File.ReadLines(Path.Combine(_folder, "newest.txt")).Reverse());

    /// <summary>Brings them back, the commit last.</summary>
    public void ShowNewest() => MoveNewest(Hidden, Root, File.ReadLines(Path.Combine(_folder, "newest.txt")));

    private static void MoveNewest(string from, string to, IEnumerable<string> files)
    {
        foreach (string file in files.Where(f => File.Exists(Path.Combine(from, f))))
        {
            string target = Path.Combine(to, file);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Move(Path.Combine(from, file), target);
        }
    }

    private sealed class Maker(DataSql sql, string folder, int files, long probed, bool withMetadata)
    {
        private readonly string _root = Path.Combine(folder, "table");
        private readonly List<string> _newest = [];
        private readonly Written[][] _commits = new Written[Commits + 1][];
        private string _commitSchema = "";
        private string _recordSchema = "";
        private int _links;
        private string _tiny = "";

        public void Make()
        {
            string sample = Path.Combine(folder, "sample");
            ZipFile.ExtractToDirectory(GoldenTable.ZipOf("hudi", "cow_mdt_all_indexes_v8"), sample);
            string hoodie = Path.Combine(sample, "table", ".hoodie");
            _commitSchema = SchemaOfContainer(File.ReadAllBytes(Directory.GetFiles(hoodie + "/timeline", "*.commit")[0]));
            string log = Encoding.Latin1.GetString(File.ReadAllBytes(Directory.GetFiles(hoodie + "/metadata/files", ".files-*.log.1_4*")[0]));
            _recordSchema = Balanced(log, log.IndexOf("{\"type\":\"record\"", StringComparison.Ordinal));
            Directory.CreateDirectory(_root + "/.hoodie/timeline/history");
            string properties = File.ReadAllText(hoodie + "/hoodie.properties")
                .Replace("hoodie.table.partition.fields=region", "hoodie.table.partition.fields=p", StringComparison.Ordinal)
                .Replace("hive_style_partitioning=false", "hive_style_partitioning=true", StringComparison.Ordinal)
                .Replace("partitions=bloom_filters,column_stats,files,partition_stats,record_index", withMetadata ? "partitions=column_stats,files,partition_stats" : "partitions=", StringComparison.Ordinal);
            File.WriteAllText(_root + "/.hoodie/hoodie.properties", properties);
            WriteFiles();
            if (withMetadata)
            {
                WriteMetadata(hoodie + "/metadata/.hoodie/hoodie.properties");
            }

            for (int commit = 0; commit <= Commits; commit++)
            {
                WriteCommit(commit);
            }

            File.WriteAllLines(Path.Combine(folder, "newest.txt"), _newest);
            Directory.Delete(sample, recursive: true);
        }

        private static string Time(int commit) => string.Create(CultureInfo.InvariantCulture, $"202601010{(commit < Commits ? 0 : 1)}0{commit % Commits}00000");

        private static string Completion(int commit) => Time(commit)[..^5] + "30123";

        private void WriteFiles()
        {
            int perPartition = files / Partitions;
            for (int partition = 0; partition < Partitions; partition++)
            {
                Directory.CreateDirectory($"{_root}/p={partition}");
                File.WriteAllText($"{_root}/p={partition}/.hoodie_partition_metadata", $"#partition metadata\n#Thu Jan 01 00:00:00 UTC 2026\ncommitTime={Time(0)}\npartitionDepth=1\n");
            }

            for (int commit = 0; commit < Commits; commit++)
            {
                int step = commit;
                _commits[commit] =
                [
                    .. Enumerable.Range(0, Partitions).SelectMany(partition => Enumerable.Range(0, perPartition).Where(group => group % Commits == step)
                        .Select(group => Add(partition, group, step, group))),
                ];
            }

            _commits[Commits] = [Add(Partitions - 1, 0, Commits, perPartition), Add(Partitions - 2, perPartition, Commits, perPartition)];
            _newest.AddRange(_commits[Commits].Select(w => w.Path));
        }

        private Written Add(int partition, int group, int commit, int task)
        {
            byte[] hash = XxHash128.Hash(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{partition}/{group}")));
            string fileId = new Guid(hash) + "-0";
            string path = string.Create(CultureInfo.InvariantCulture, $"p={partition}/{fileId}_{task}-{(commit * 31) + 20}-{(commit * 1000) + partition}_{Time(commit)}.parquet");
            string file = Path.Combine(_root, path);
            if (partition == probed)
            {
                sql.Run(string.Create(CultureInfo.InvariantCulture, $"""
                    COPY (SELECT '{Time(commit)}' AS _hoodie_commit_time, '{Time(commit)}_0_' || i AS _hoodie_commit_seqno, ({group} * 1000 + i)::VARCHAR AS _hoodie_record_key,
                      'p={partition}' AS _hoodie_partition_path, '{Path.GetFileName(path)}' AS _hoodie_file_name, ({group} * 1000 + i)::BIGINT AS id, i::BIGINT AS ord,
                      'name ' || i AS name, i / 4.0::DOUBLE AS price, {partition}::BIGINT AS p FROM range({RowsPerFile}) t(i)) TO '{file}'
                    """));
            }
            else
            {
                if (_links++ % LinksPerFile == 0)
                {
                    _tiny = Path.Combine(folder, $"tiny-{_links / LinksPerFile}");
                    File.WriteAllBytes(_tiny, new byte[TinyBytes]);
                }

                if (NativeFiles.Link(_tiny, file) != 0)
                {
                    throw new IOException($"{file} cannot be linked");
                }
            }

            return new Written($"p={partition}", fileId, path, group * 1000L, new FileInfo(file).Length);
        }

        private void WriteCommit(int commit)
        {
            var stats = _commits[commit].GroupBy(w => w.Partition).ToDictionary(g => g.Key, g => (object?)g.Select(w => (object?)Values(
                ("fileId", w.FileId), ("path", w.Path), ("prevCommit", "null"), ("numWrites", (long)RowsPerFile), ("numDeletes", 0L), ("numUpdateWrites", 0L), ("totalWriteBytes", w.SizeBytes),
                ("totalWriteErrors", 0L), ("partitionPath", w.Partition), ("totalLogRecords", 0L), ("totalUpdatedRecordsCompacted", 0L), ("numInserts", (long)RowsPerFile), ("totalLogBlocks", 0L),
                ("totalCorruptLogBlock", 0L), ("totalRollbackBlocks", 0L), ("fileSizeInBytes", w.SizeBytes), ("runtimeStats", Values(("totalScanTime", 0L), ("totalCreateTime", 166L), ("totalUpsertTime", 0L))),
                ("totalLogFilesCompacted", 0L), ("totalLogReadTimeMs", 0L), ("totalLogSizeCompacted", 0L))).ToList());
            const string Schema = """{"type":"record","name":"scale_record","namespace":"hoodie.scale","fields":[{"name":"id","type":["null","long"],"default":null},{"name":"ord","type":["null","long"],"default":null},{"name":"name","type":["null","string"],"default":null},{"name":"price","type":["null","double"],"default":null},{"name":"p","type":["null","long"],"default":null}]}""";
            AvroBytes content = AvroEncoder.Encode(AvroSchema.Parse(_commitSchema, "schema"), Values(
                ("partitionToWriteStats", stats), ("compacted", false), ("extraMetadata", Values(("schema", Schema))), ("version", 1), ("operationType", "UPSERT")));
            string timeline = ".hoodie/timeline/";
            File.WriteAllBytes($"{_root}/{timeline}{Time(commit)}.commit.requested", []);
            File.WriteAllBytes($"{_root}/{timeline}{Time(commit)}.inflight", []);
            string completed = $"{timeline}{Time(commit)}_{Completion(commit)}.commit";
            AvroFile.Write($"{_root}/{completed}", _commitSchema, [content]);
            if (commit == Commits)
            {
                _newest.Add(completed);
            }
        }

        // A base file of what the first eight commits wrote, a log for each of the others.
        private void WriteMetadata(string propertiesFile)
        {
            string metadata = ".hoodie/metadata/";
            Directory.CreateDirectory($"{_root}/{metadata}.hoodie/timeline/history");
            File.Copy(propertiesFile, $"{_root}/{metadata}.hoodie/hoodie.properties");
            Directory.CreateDirectory($"{_root}/.hoodie/.index_defs");
            File.WriteAllText($"{_root}/.hoodie/.index_defs/index.json", """{"indexDefinitions":{"column_stats":{"indexName":"column_stats","indexType":"column_stats","indexFunction":"column_stats","sourceFields":["id"],"indexOptions":{}}}}""");
            AvroSchema schema = AvroSchema.Parse(_recordSchema, "schema");
            const int InBase = 8;
            (string Folder, string Group, Func<IEnumerable<Written>, IEnumerable<(string Key, object Value)>> Records)[] indexes =
                [("files", "files-0000-0", FilesOf), ("column_stats", "col-stats-0000-0", ColumnsOf), ("partition_stats", "partition-stats-0000-0", PartitionsOf)];
            foreach ((string index, string group, Func<IEnumerable<Written>, IEnumerable<(string Key, object Value)>> records) in indexes)
            {
                Directory.CreateDirectory($"{_root}/{metadata}{index}");
                (string, byte[])[] Cells(IEnumerable<Written> written) => [.. records(written).Select(r => (r.Key, AvroEncoder.Encode(schema, r.Value).Span.ToArray())).OrderBy(r => r.Key, StringComparer.Ordinal)];
                (string, byte[])[] cells = Cells(_commits.Take(InBase).SelectMany(c => c));
                int perBlock = Math.Max(1, (1 << 18) / Math.Max(1, cells.Sum(c => c.Item2.Length) / cells.Length)); // blocks of some 256 KiB
                File.WriteAllBytes($"{_root}/{metadata}{index}/{group}_0-12-34_{Compacted}.hfile", new HFileWriter(isCompressed: true, perBlock, 128, 1).Write(cells, _recordSchema));
                for (int commit = InBase; commit <= Commits; commit++)
                {
                    string log = $"{metadata}{index}/.{group}_{Time(commit)}.log.1_0-{commit}-7";
                    File.WriteAllBytes($"{_root}/{log}", LogOf(commit, new HFileWriter(isCompressed: true, perBlock, 128, 1).Write(Cells(_commits[commit]), _recordSchema)));
                    if (commit == Commits)
                    {
                        _newest.Add(log);
                    }
                }
            }

            string timeline = metadata + ".hoodie/timeline/";
            File.WriteAllBytes($"{_root}/{timeline}00000000000000000_20260101000000001.deltacommit", []);
            File.WriteAllBytes($"{_root}/{timeline}{Compacted}_20260101000820000.commit", []);
            for (int commit = 0; commit <= Commits; commit++)
            {
                string completed = $"{timeline}{Time(commit)}_{Time(commit)[..^5]}20000.deltacommit";
                File.WriteAllBytes($"{_root}/{completed}", []);
                if (commit == Commits)
                {
                    _newest.Add(completed);
                }
            }
        }

        private byte[] LogOf(int commit, byte[] content)
        {
            byte[] header = [.. HFileWriter.Big(2), .. Entry(2, _recordSchema), .. Entry(0, Time(commit))];
            byte[] rest = [.. HFileWriter.Big(1), .. HFileWriter.Big(4), .. header, .. HFileWriter.Big((long)content.Length), .. content, .. HFileWriter.Big(0)];
            return [.. "#HUDI#"u8, .. HFileWriter.Big(rest.Length + 8L), .. rest, .. HFileWriter.Big(rest.Length + 14L)];
        }

        private static byte[] Entry(int key, string text) => [.. HFileWriter.Big(key), .. HFileWriter.Big(text.Length), .. Encoding.ASCII.GetBytes(text)];

        private static IEnumerable<(string Key, object Value)> FilesOf(IEnumerable<Written> written)
        {
            ILookup<string, Written> all = written.ToLookup(w => w.Partition);
            yield return ("__all_partitions__", Values(("key", ""), ("type", 1), ("filesystemMetadata", all.ToDictionary(p => p.Key, _ => (object?)Values(("size", 0L), ("isDeleted", false))))));
            foreach (IGrouping<string, Written> partition in all)
            {
                yield return (partition.Key, Values(("key", ""), ("type", 2), ("filesystemMetadata", partition.ToDictionary(w => Path.GetFileName(w.Path), w => (object?)Values(("size", w.SizeBytes), ("isDeleted", false))))));
            }
        }

        // The last part of a key is a hash of the file name (MD5 where Hudi writes it), which no reader looks for.
        private static IEnumerable<(string Key, object Value)> ColumnsOf(IEnumerable<Written> written) => written.Select(w => (
            Hash("id") + Hash(w.Partition) + Convert.ToBase64String(XxHash128.Hash(Encoding.UTF8.GetBytes(Path.GetFileName(w.Path)))),
            (object)Statistics(3, Path.GetFileName(w.Path), w.FirstId, w.FirstId + RowsPerFile - 1, isTight: false)));

        private static IEnumerable<(string Key, object Value)> PartitionsOf(IEnumerable<Written> written) => written.GroupBy(w => w.Partition).Select(p => (
            Hash("id") + Hash(p.Key), (object)Statistics(6, p.Key, p.Min(w => w.FirstId), p.Max(w => w.FirstId) + RowsPerFile - 1, isTight: false)));

        private static Dictionary<string, object?> Statistics(int type, string file, long min, long max, bool isTight) => Values(
            ("key", ""), ("type", type), ("ColumnStatsMetadata", Values(
                ("fileName", file), ("columnName", "id"), ("minValue", new AvroEncoder.Wrapped("LongWrapper", min)), ("maxValue", new AvroEncoder.Wrapped("LongWrapper", max)),
                ("valueCount", (long)RowsPerFile), ("nullCount", 0L), ("totalSize", 900L), ("totalUncompressedSize", 900L), ("isDeleted", false), ("isTightBound", isTight))));

        // Hudi: XxHash64 with this seed, base 64.
        private static string Hash(string text) => Convert.ToBase64String(XxHash64.Hash(Encoding.UTF8.GetBytes(text), -625288518));

        private static Dictionary<string, object?> Values(params (string Name, object? Value)[] values) => values.ToDictionary(v => v.Name, v => v.Value);

        private static string SchemaOfContainer(byte[] file) => Balanced(Encoding.UTF8.GetString(file), Encoding.UTF8.GetString(file).IndexOf("{\"type\":\"record\"", StringComparison.Ordinal));

        // The JSON object that begins at a place; its texts have no braces of their own but balanced ones.
        private static string Balanced(string text, int start)
        {
            int depth = 0;
            for (int i = start; ; i++)
            {
                depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
                if (depth == 0)
                {
                    return text[start..(i + 1)];
                }
            }
        }

        private sealed record Written(string Partition, string FileId, string Path, long FirstId, long SizeBytes);
    }
}
