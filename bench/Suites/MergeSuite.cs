using Apache.Arrow;
using LakeHolo.Bench.Harness;
using ParquetSharp.Arrow;

namespace LakeHolo.Bench.Suites;

/// <summary>A table whose rows are merged when they are read, and queries over it.</summary>
/// <param name="Name">Name in the report.</param>
/// <param name="Table">The table as <c>schema.table</c>.</param>
/// <param name="Make">Makes the lake it lies in; null if it cannot be had.</param>
/// <param name="Queries">Queries; <c>{t}</c> stands for the table.</param>
internal sealed record MergeTable(string Name, string Table, Func<BenchContext, Task<string?>> Make, IReadOnlyList<(string Name, string Sql)> Queries)
{
    /// <summary>Aggregates over a lineitem table.</summary>
    public static IReadOnlyList<(string Name, string Sql)> LineItem { get; } =
    [
        ("q1", "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), sum(l_extendedprice * (1 - l_discount)), count(*) FROM {t} "
            + "WHERE l_shipdate <= DATE '1998-09-02' GROUP BY 1, 2"),
        ("q6", "SELECT sum(l_extendedprice * l_discount), count(*) FROM {t} WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01' "
            + "AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24"),
        ("modes", "SELECT l_shipmode, l_comment, count(*), sum(l_tax), sum(l_suppkey) FROM {t} GROUP BY 1, 2"),
    ];
}

/// <summary>Merge-on-read: the first query of a snapshot, which merges, and the following ones, beside DuckDB over plain Parquet files of the merged rows.</summary>
internal sealed class MergeSuite(IReadOnlyList<MergeTable> tables) : ISuite
{
    private const double FirstRatio = 2.5;
    private const double RepeatedRatio = 1.5;

    public string Name => "merge";

    public string Measures => "aggregates over tables merged on read, first (an instance that has just started) and repeated, beside DuckDB over the merged rows in plain Parquet";

    public async Task RunAsync(BenchContext bench)
    {
        foreach (MergeTable table in tables.Where(t => bench.Wants(t.Name)))
        {
            if (await table.Make(bench) is string folder)
            {
                await MeasureAsync(bench, table, folder);
            }
            else
            {
                bench.Say($"{table.Name} is not there, it is left out");
            }
        }
    }

    private static async Task MeasureAsync(BenchContext bench, MergeTable table, string folder)
    {
        using var duck = new DuckPeer(bench);
        await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
        string plain = await PlainAsync(bench, table, lake, duck);
        foreach ((string name, string text) in table.Queries)
        {
            string ours = text.Replace("{t}", table.Table, StringComparison.Ordinal);
            string theirs = text.Replace("{t}", $"read_parquet('{plain}')", StringComparison.Ordinal);
            await Answers.CompareAsync($"{table.Name} {name}", lake.AnswerAsync(ours), duck.AnswerAsync(theirs));
            TimedRuns repeated = await bench.TimeAsync(("ours", () => lake.RunAsync(ours)), ("duckdb", () => duck.RunAsync(theirs)));
            bench.Add(Row($"{table.Name} {name}, repeated", repeated, RepeatedRatio));
        }

        // Cold in what is kept of a snapshot; the process and the files in memory are warm, as they are for the peer.
        (string firstName, string firstText) = table.Queries[0];
        string first = firstText.Replace("{t}", table.Table, StringComparison.Ordinal);
        string peer = firstText.Replace("{t}", $"read_parquet('{plain}')", StringComparison.Ordinal);
        TimedRuns runs = await BenchContext.CollectAsync(
            bench.Options.Runs, warm: true, ("ours", () => FirstAsync(bench, folder, first)), ("duckdb", BenchContext.Clock(() => duck.RunAsync(peer))));
        bench.Add(Row($"{table.Name} {firstName}, first", runs, FirstRatio));
    }

    private static BenchRow Row(string name, TimedRuns runs, double ratio) => new(name)
    {
        Ours = runs["ours"].Median,
        Peer = runs["duckdb"].Median,
        PeerName = "duckdb",
        MaxRatio = ratio,
    };

    private static async Task<double> FirstAsync(BenchContext bench, string folder, string sql)
    {
        await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
        return await BenchContext.Clock(() => lake.RunAsync(sql))();
    }

    /// <summary>The table's rows as a plain Parquet file by DuckDB.</summary>
    private static async Task<string> PlainAsync(BenchContext bench, MergeTable table, BenchLake lake, DuckPeer duck)
    {
        string file = Path.Combine(await bench.Data.MakeAsync("merged-" + table.Name.Replace(' ', '-'), 1, (_, _) => { }), "rows.parquet");
        if (!File.Exists(file))
        {
            string raw = file + ".raw";
            await WriteAsync(lake.BatchesAsync($"SELECT * FROM {table.Table}"), raw);
            duck.Execute($"COPY (SELECT * FROM read_parquet('{raw}')) TO '{file}.partial' (FORMAT parquet)");
            File.Move(file + ".partial", file);
            File.Delete(raw);
        }

        return file;
    }

    private static async Task WriteAsync(IAsyncEnumerable<RecordBatch> batches, string path)
    {
        FileWriter? writer = null;
        await foreach (RecordBatch batch in batches)
        {
            using (batch)
            {
                writer ??= new FileWriter(path, batch.Schema);
                writer.WriteBufferedRecordBatch(batch);
            }
        }

        writer?.Close();
        writer?.Dispose();
    }
}
