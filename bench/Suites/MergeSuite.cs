using Apache.Arrow;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Bench.Harness;
using LakeHolo.LakeCatalog.Storage;
using ParquetSharp;
using ParquetSharp.Arrow;

namespace LakeHolo.Bench.Suites;

/// <summary>A table whose rows are merged when they are read, and queries over it.</summary>
/// <param name="Name">Name in the report.</param>
/// <param name="Table">The table as <c>schema.table</c>.</param>
/// <param name="Make">Makes the lake it lies in; null if it cannot be had.</param>
/// <param name="Queries">Queries; <c>{t}</c> stands for the table.</param>
internal sealed record MergeTable(string Name, string Table, Func<BenchContext, Task<string?>> Make, IReadOnlyList<(string Name, string Sql)> Queries)
{
    /// <summary>How the table's writer encodes base files of Parquet: compressed by zstd, with its own row groups and decimals.</summary>
    public WriterEncoding? Encoding { get; init; }

    /// <summary>Whether the first query has a target: files of another format than Parquet are decoded by it.</summary>
    public bool HasFirstTarget { get; init; } = true;

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

/// <summary>What a second peer's file has in common with the base files, so that merging is told apart from how a writer encoded its files.</summary>
/// <param name="RowGroupRows">Rows of a row group.</param>
/// <param name="DecimalsAsBytes">Whether decimals are FIXED_LEN_BYTE_ARRAY, else INT64.</param>
internal sealed record WriterEncoding(int RowGroupRows, bool DecimalsAsBytes);

/// <summary>Merge-on-read: the first query of a snapshot, which merges, and the following ones, beside DuckDB over plain Parquet files of the merged rows.</summary>
internal sealed class MergeSuite(IReadOnlyList<MergeTable> tables) : ISuite
{
    private const double FirstRatio = 2.5;
    private const double RepeatedRatio = 1.5;

    public string Name => "merge";

    public string Measures => "aggregates over tables merged on read, first (an instance that has answered nothing of the table, or nothing at all) and repeated, beside DuckDB over the merged rows in plain Parquet";

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
        (string plain, string? encoded) = await PlainAsync(bench, table, lake, duck);
        foreach ((string name, string text) in table.Queries)
        {
            string ours = text.Replace("{t}", table.Table, StringComparison.Ordinal);
            await Answers.CompareAsync($"{table.Name} {name}", lake.AnswerAsync(ours), duck.AnswerAsync(Of(text, plain)));
            TimedRuns repeated = await BenchContext.CollectAsync(bench.Options.Runs, warm: true, [("ours", BenchContext.Clock(() => lake.RunAsync(ours))), .. Peers(text)]);
            AddRows($"{table.Name} {name}, repeated", repeated, RepeatedRatio);
        }

        // Cold in what is kept of a snapshot; the process, the engine and the files in memory are warm, as they are for the peer. A new engine asks the system for its memory page by page.
        string warm = Path.Combine(Path.GetDirectoryName(plain)!, "lake");
        await MakeAsync(Path.Combine(warm, "warm", "rows", "rows.parquet"), target =>
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(plain, target);
            return Task.CompletedTask;
        });
        (string firstName, string firstText) = table.Queries[0];
        string first = firstText.Replace("{t}", table.Table, StringComparison.Ordinal);
        string before = firstText.Replace("{t}", "plain.warm.rows", StringComparison.Ordinal);
        TimedRuns runs = await BenchContext.CollectAsync(bench.Options.Runs, warm: true, [("ours", () => FirstAsync(bench, folder, warm, before, first)), .. Peers(firstText).Select(p => (p.Item1, Second(p.Item2)))]);
        AddRows($"{table.Name} {firstName}, first", runs, table.HasFirstTarget ? FirstRatio : null);
        TimedRuns ofAll = await BenchContext.CollectAsync(bench.Options.Runs, warm: true, [("ours", () => FirstAsync(bench, folder, warm, null, first)), .. Peers(firstText).Select(p => (p.Item1, Second(p.Item2)))]);
        AddRows($"{table.Name} {firstName}, first of a new engine", ofAll, table.HasFirstTarget ? FirstRatio : null);

        // The engines that were opened and closed meanwhile took the peer's memory and caches: its first query after that does not count.
        static Func<Task<double>> Second(Func<Task<double>> run) => async () =>
        {
            await run();
            return await run();
        };

        string Of(string text, string file) => text.Replace("{t}", $"read_parquet('{file}')", StringComparison.Ordinal);

        IEnumerable<(string, Func<Task<double>>)> Peers(string text)
        {
            yield return ("duckdb", BenchContext.Clock(() => duck.RunAsync(Of(text, plain))));
            if (encoded is not null)
            {
                yield return ("duckdb, as encoded", BenchContext.Clock(() => duck.RunAsync(Of(text, encoded))));
            }
        }

        void AddRows(string name, TimedRuns times, double? ratio)
        {
            foreach (string peer in times.Contenders.Where(c => c != "ours"))
            {
                bench.Add(new BenchRow(peer == "duckdb" ? name : name + ", as encoded") { Ours = times["ours"].Median, Peer = times[peer].Median, PeerName = "duckdb", MaxRatio = ratio });
            }
        }
    }

    private static async Task<double> FirstAsync(BenchContext bench, string folder, string warm, string? before, string sql)
    {
        await using BenchLake lake = await BenchLake.StartAsync(
            bench, folder, configure: o => o with { Sources = [.. o.Sources, new LakeSource { Name = "plain", Root = ObjectStores.Open(warm, new StorageOptions()) }] });
        if (before is not null)
        {
            await lake.RunAsync(before);
        }

        return await BenchContext.Clock(() => lake.RunAsync(sql))();
    }

    /// <summary>The table's rows as a plain Parquet file by DuckDB, and as one encoded as the base files are.</summary>
    private static async Task<(string Plain, string? Encoded)> PlainAsync(BenchContext bench, MergeTable table, BenchLake lake, DuckPeer duck)
    {
        string folder = await bench.Data.MakeAsync("merged-" + table.Name.Replace(' ', '-'), 1, (_, _) => { });
        string plain = Path.Combine(folder, "rows.parquet");
        await MakeAsync(plain, async target =>
        {
            await WriteAsync(lake.BatchesAsync($"SELECT * FROM {table.Table}"), target + ".raw", null);
            duck.Execute($"COPY (SELECT * FROM read_parquet('{target}.raw')) TO '{target}' (FORMAT parquet)");
            File.Delete(target + ".raw");
        });
        if (table.Encoding is not { } encoding)
        {
            return (plain, null);
        }

        string encoded = Path.Combine(folder, "encoded.parquet");
        await MakeAsync(encoded, async target =>
        {
            if (encoding.DecimalsAsBytes)
            {
                await WriteAsync(lake.BatchesAsync($"SELECT * FROM {table.Table}"), target, encoding);
            }
            else
            {
                duck.Execute($"COPY (SELECT * FROM read_parquet('{plain}')) TO '{target}' (FORMAT parquet, CODEC zstd, ROW_GROUP_SIZE {encoding.RowGroupRows})");
            }
        });
        return (plain, encoded);
    }

    private static async Task MakeAsync(string file, Func<string, Task> write)
    {
        if (!File.Exists(file))
        {
            await write(file + ".partial");
            File.Move(file + ".partial", file);
        }
    }

    private static async Task WriteAsync(IAsyncEnumerable<RecordBatch> batches, string path, WriterEncoding? encoding)
    {
        using var builder = new WriterPropertiesBuilder();
        using WriterProperties properties = (encoding is null ? builder : builder.Compression(Compression.Zstd).MaxRowGroupLength(encoding.RowGroupRows)).Build();
        FileWriter? writer = null;
        await foreach (RecordBatch batch in batches)
        {
            using (batch)
            {
                writer ??= new FileWriter(path, batch.Schema, properties);
                writer.WriteBufferedRecordBatch(batch);
            }
        }

        writer?.Close();
        writer?.Dispose();
    }
}
