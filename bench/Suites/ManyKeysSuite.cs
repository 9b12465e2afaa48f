using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Bench.Harness;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Bench.Suites;

/// <summary>The memory that a merge of very many keys takes: one Paimon bucket with a large run, and a newer one of two per cent of its keys, where the newest row
/// wins and where rows are added up.</summary>
internal sealed class ManyKeysSuite : ISuite
{
    private const long EngineBytes = 768L << 20;
    private const int DeleteEvery = 10;
    private const int UpdateEvery = 50;

    private static readonly PaimonType BigInt = new() { Kind = PaimonTypeKind.BigInt, Text = "BIGINT" };

    public string Name => "many-keys";

    public string Measures => "memory that merging a bucket of 50 million keys (quick: 5 million) takes, where the newest row wins and where rows are added up";

    public async Task RunAsync(BenchContext bench)
    {
        await MeasureAsync(bench, "deduplicate", new Dictionary<string, string>());
        await MeasureAsync(bench, "aggregation", new Dictionary<string, string> { ["merge-engine"] = "aggregation", ["fields.v.aggregate-function"] = "sum" });
    }

    private static async Task MeasureAsync(BenchContext bench, string engineName, IReadOnlyDictionary<string, string> options)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{(bench.Quick ? 5 : 50)} million keys, {engineName}");
        if (!bench.Wants(name))
        {
            return;
        }

        long keys = bench.Quick ? 5_000_000 : 50_000_000;
        string folder = await bench.Data.MakeAsync(string.Create(CultureInfo.InvariantCulture, $"many-keys-{keys}"), 1, (sql, directory) => Write(sql, directory, keys));
        string scratch = bench.Data.NewTemporary("many-keys");
        using var engine = new EngineDatabase(new EngineOptions
        {
            Threads = bench.Options.Threads,
            MemoryLimitBytes = EngineBytes,
            SpillDirectory = Path.Combine(scratch, "spill"),
            AllowedDirectories = [folder, scratch],
        });
        using var cache = new DiskCache(new DiskCacheOptions { Directory = Path.Combine(scratch, "cache") });
        await using var store = new LocalFolderStore(folder);
        using var reader = new PaimonReader(engine, cache);
        using var process = Process.GetCurrentProcess();
        long before = process.WorkingSet64;
        long most = before;
        using (var sampler = new Timer(_ => most = Math.Max(most, Sample()), null, 0, 50))
        {
            await using TableScan scan = await reader.PlanAsync(Snapshot(store, keys, options), ScanRequest.All);
            using DuckDBConnection connection = engine.OpenConnection();
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"SELECT count(*), sum(v) FROM ({scan.Sql})";
            using DuckDBDataReader result = command.ExecuteReader();
            result.Read();
            (long rows, BigInteger sum) = (result.GetInt64(0), result.GetFieldValue<BigInteger>(1));
            (long expectedRows, BigInteger expectedSum) = Expected(keys, options.Count > 0);
            if (rows != expectedRows || sum != expectedSum)
            {
                throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{rows} rows of {sum}, {expectedRows} of {expectedSum} expected"));
            }
        }

        bench.Add(new BenchRow(name) { Ours = (most - before) / (double)(1 << 20), Unit = "MiBy", Max = 1024 });
        Directory.Delete(scratch, recursive: true);
    }

    // Of every fiftieth key there is a newer row: a 7, but each tenth of these takes the key, or its 7, away.
    private static (long Rows, BigInteger Sum) Expected(long keys, bool isAdded)
    {
        long newer = keys / UpdateEvery;
        long deletes = newer / DeleteEvery;
        BigInteger sum = new BigInteger(keys / 1000) * (999 * 1000 / 2);
        BigInteger replaced = 0;
        for (long i = 0; i < newer; i++)
        {
            replaced += i * UpdateEvery % 1000;
        }

        return isAdded ? (keys, sum + (7 * (newer - deletes)) - (7 * deletes)) : (keys - deletes, sum - replaced + (7 * (newer - deletes)));
    }

    private static long Sample()
    {
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }

    private static void Write(DataSql sql, string directory, long keys)
    {
        Directory.CreateDirectory(Path.Combine(directory, "bucket-0"));
        sql.Run(string.Create(
            CultureInfo.InvariantCulture,
            $"COPY (SELECT i AS k, i % 1000 AS v, i AS \"_SEQUENCE_NUMBER\", 0::TINYINT AS \"_VALUE_KIND\" FROM range({keys}) t(i)) TO '{directory}/bucket-0/base.parquet'"));
        sql.Run(string.Create(
            CultureInfo.InvariantCulture,
            $"COPY (SELECT i * {UpdateEvery} AS k, 7::BIGINT AS v, {keys} + i AS \"_SEQUENCE_NUMBER\", (CASE WHEN i % {DeleteEvery} = 0 THEN 3 ELSE 0 END)::TINYINT AS \"_VALUE_KIND\" "
            + $"FROM range({keys / UpdateEvery}) t(i)) TO '{directory}/bucket-0/newer.parquet'"));
    }

    private static PaimonSnapshot Snapshot(LocalFolderStore store, long keys, IReadOnlyDictionary<string, string> options)
    {
        long newer = keys / UpdateEvery;
        var schema = new PaimonSchema
        {
            Id = 0,
            Version = 3,
            Fields = [new PaimonField(0, "k", BigInt with { Nullable = false }), new PaimonField(1, "v", BigInt)],
            PartitionKeys = [],
            PrimaryKeys = ["k"],
            Options = options,
        };
        return new PaimonSnapshot
        {
            Table = new LakeTable("bench", "bench", "many_keys", "paimon", new TableRoot(store, "")),
            Id = new SnapshotId("1"),
            CommittedAt = null,
            Schema = new Schema([.. schema.Fields.Select(PaimonArrowTypes.ToField)], null),
            PartitionColumns = [],
            PrimaryKey = schema.PrimaryKeys,
            Commit = null,
            Branch = "main",
            TableSchema = schema,
            Schemas = new Dictionary<long, PaimonSchema> { [0] = schema },
            Files = [FileOf("base.parquet", keys, 0, keys - 1, 0, 5, 0), FileOf("newer.parquet", newer, 0, (newer - 1) * UpdateEvery, keys, 0, newer / DeleteEvery)],
            DeletionVectors = new Dictionary<(string, int, string), PaimonDeletionVector>(),
        };
    }

    private static PaimonDataFile FileOf(string name, long rows, long firstKey, long lastKey, long firstSequence, int level, long deletes) => new()
    {
        PartitionBytes = new byte[12],
        Partition = [],
        Bucket = 0,
        TotalBuckets = 1,
        Name = name,
        SizeBytes = -1,
        RowCount = rows,
        MinKey = Key(firstKey),
        MaxKey = Key(lastKey),
        ValueStatistics = PaimonStatistics.None,
        MinSequenceNumber = firstSequence,
        MaxSequenceNumber = firstSequence + rows - 1,
        SchemaId = 0,
        Level = level,
        DeleteRowCount = deletes,
        Path = "bucket-0/" + name,
    };

    // Arity, header, one slot.
    private static byte[] Key(long value)
    {
        byte[] bytes = new byte[20];
        BinaryPrimitives.WriteInt32BigEndian(bytes, 1);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(12), value);
        return bytes;
    }
}
