using System.Globalization;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Bench.Suites;

/// <summary>Queries of a table in a bucket: what is fetched the first time and how fast, and what a second time costs.</summary>
internal sealed class ObjectStoreSuite : ISuite
{
    private const int RequestBytes = 8 << 20;
    private const double FarBytesPerSecond = 100e6;
    private static readonly TimeSpan FarRoundTrip = TimeSpan.FromMilliseconds(10);
    private const int ConcurrentRequests = 16;

    private static readonly (string Name, string Sql, string[] Columns)[] Queries =
    [
        ("two columns", "SELECT sum(l_quantity), max(l_orderkey) FROM lineitem", ["l_quantity", "l_orderkey"]),
        ("q01's seven columns", """
            SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) FROM lineitem
            WHERE l_shipdate <= DATE '1998-09-02' GROUP BY ALL
            """, ["l_returnflag", "l_linestatus", "l_quantity", "l_extendedprice", "l_discount", "l_tax", "l_shipdate"]),
        ("the widest column", "SELECT max(length(l_comment)) FROM lineitem", ["l_comment"]),
    ];

    // Lines are ordered by their keys: one or two of the 49 row groups.
    private const string KeyRange = "a hundredth of the keys";
    private static readonly string[] KeyRangeColumns = ["l_orderkey", "l_extendedprice", "l_comment"];

    public string Name => "object-store";

    public string Measures => "a Delta table in a bucket of an object store on this machine: first query beside concurrent ranged GETs of the column chunks that it needs, also over a slow link, second query beside the same table in a folder";

    public async Task RunAsync(BenchContext bench)
    {
        await using ObjectStorePeer? store = await ObjectStorePeer.TryStartAsync(bench);
        if (store is null)
        {
            bench.Say("left out: there is no object store");
            return;
        }

        string folder = await TpchData.MakeAsync(bench, bench.Quick ? 0.1 : 1);
        string table = $"{folder}/delta_tpch/lineitem";
        bench.Say("uploading ...");
        await store.UploadAsync(table, "lake/delta_tpch/lineitem/");
        await using BenchLake local = await BenchLake.StartAsync(bench, folder);
        foreach ((string name, string sql, string[] columns) in Queries.Where(q => bench.Wants(q.Name)))
        {
            IReadOnlyList<(string Key, ByteRange Range)> chunks = Chunks(bench, table, columns);
            await MeasureAsync(bench, store, local, name, sql, chunks);
            await using var link = new SlowLink(new Uri(store.Options.Endpoint!), FarBytesPerSecond, FarRoundTrip);
            S3Options far = store.Options with { Endpoint = link.Address };
            await using IObjectStore farStore = ObjectStorePeer.Open(far);
            await MeasureFirstAsync(bench, far, farStore, name + " over 100 MB/s", sql, chunks);
        }

        if (bench.Wants(KeyRange))
        {
            long keys = bench.Quick ? 150_000 : 1_500_000;
            (long from, long to) = (keys * 2 / 5, (keys * 2 / 5) + (keys / 100));
            string sql = string.Create(CultureInfo.InvariantCulture, $"SELECT sum(l_extendedprice), max(l_comment) FROM lineitem WHERE l_orderkey BETWEEN {from} AND {to}");
            await MeasureAsync(bench, store, local, KeyRange, sql, Chunks(bench, table, KeyRangeColumns, (from, to)));
        }
    }

    private static async Task MeasureAsync(
        BenchContext bench, ObjectStorePeer store, BenchLake local, string name, string sql, IReadOnlyList<(string Key, ByteRange Range)> chunks)
    {
        QueryLogEntry first = await MeasureFirstAsync(bench, store.Options, store.Store, name, sql, chunks);
        bench.Add(new BenchRow($"{name}: bytes fetched") { Ours = first.FetchedBytes, Peer = chunks.Sum(c => c.Range.Length), PeerName = "chunks", Unit = "By", MaxRatio = 1.1 });

        await using BenchLake warm = await OpenAsync(bench, store.Options);
        await warm.RunAsync(sql, "delta_tpch");
        TimedRuns again = await BenchContext.TimeAsync(
            bench.Options.Runs * 3, warm: true, ("ours", () => warm.RunAsync(sql, "delta_tpch")), ("local", () => local.RunAsync(sql, "delta_tpch")));
        StatementTimes times = warm.Engine.Log.Entries[^1].Times;
        bench.Add(new BenchRow($"{name}: second query")
        {
            Ours = again["ours"].Median,
            Peer = again["local"].Median,
            PeerName = "local",
            MaxRatio = 1.05,
            More = new Dictionary<string, double> { ["ours_best"] = again["ours"].Best, ["local_best"] = again["local"].Best, ["metadata_ms"] = times.MetadataMs, ["engine_ms"] = times.EngineMs },
        });
    }

    private static async Task<QueryLogEntry> MeasureFirstAsync(
        BenchContext bench, S3Options options, IObjectStore store, string name, string sql, IReadOnlyList<(string Key, ByteRange Range)> chunks)
    {
        QueryLogEntry? first = null;
        TimedRuns cold = await BenchContext.CollectAsync(
            bench.Options.Runs,
            warm: false,
            ("ours", async () =>
            {
                await using BenchLake lake = await OpenAsync(bench, options);
                double milliseconds = await BenchContext.Clock(() => lake.RunAsync(sql, "delta_tpch"))();
                first = lake.Engine.Log.Entries[^1];
                return milliseconds;
            }
        ),
            ("gets", () => BenchContext.Clock(() => GetAsync(store, chunks))()));
        bench.Add(new BenchRow($"{name}: first query")
        {
            Ours = cold["ours"].Median,
            Peer = cold["gets"].Median,
            PeerName = "GETs",
            MaxRatio = 1 / 0.8,
            More = new Dictionary<string, double>
            {
                ["ours_best"] = cold["ours"].Best,
                ["gets_best"] = cold["gets"].Best,
                ["fetching_ms"] = first!.Times.FetchingMs,
                ["engine_ms"] = first.Times.EngineMs,
                ["requests"] = first.Requests,
            },
        });
        return first;
    }

    private static Task<BenchLake> OpenAsync(BenchContext bench, S3Options options)
        => BenchLake.StartAsync(bench, ObjectStorePeer.Location("lake"), new StorageOptions { S3 = options });

    /// <summary>Where the chunks of some columns stand, by the footers; of the row groups that have keys in a range.</summary>
    private static List<(string Key, ByteRange Range)> Chunks(BenchContext bench, string table, string[] columns, (long From, long To)? keys = null)
    {
        using var sql = new DataSql(bench.Options);
        string names = string.Join(", ", columns.Select(c => $"'{c}'"));
        string groups = keys is not var (from, to) ? "" : string.Create(CultureInfo.InvariantCulture, $"""
             AND (file_name, row_group_id) IN (SELECT (file_name, row_group_id) FROM parquet_metadata('{table}/*.parquet')
               WHERE path_in_schema = 'l_orderkey' AND stats_max_value::BIGINT >= {from} AND stats_min_value::BIGINT <= {to})
            """);
        return [.. sql.Rows($"""
            SELECT file_name, coalesce(nullif(dictionary_page_offset, 0), data_page_offset), total_compressed_size
            FROM parquet_metadata('{table}/*.parquet') WHERE path_in_schema IN ({names}){groups} ORDER BY ALL
            """).Select(r => ("lake/delta_tpch/lineitem/" + Path.GetFileName((string)r[0]!), new ByteRange((long)r[1]!, (long)r[2]!)))];
    }

    /// <summary>Fetches ranges as fast as the store gives them; the bytes are dropped.</summary>
    private static async Task GetAsync(IObjectStore store, IReadOnlyList<(string Key, ByteRange Range)> chunks)
    {
        IEnumerable<(string Key, ByteRange Range)> requests = chunks.SelectMany(c => Enumerable.Range(0, (int)((c.Range.Length + RequestBytes - 1) / RequestBytes))
            .Select(i => (c.Key, new ByteRange(c.Range.Offset + ((long)i * RequestBytes), Math.Min(RequestBytes, c.Range.Length - ((long)i * RequestBytes))))));
        await Parallel.ForEachAsync(
            requests, new ParallelOptions { MaxDegreeOfParallelism = ConcurrentRequests }, async (request, token) => await store.ReadRangesAsync(request.Key, [request.Range], null, token));
    }
}
