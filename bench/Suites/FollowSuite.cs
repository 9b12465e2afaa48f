using System.Globalization;
using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>What following costs a hot copy: that of the change, whatever the table's size.</summary>
internal sealed class FollowSuite : ISuite
{
    private const int Files = 10;
    private const int Changed = 1000;
    private const int Commits = 11;
    private const int Few = 800;
    private const string State = "SELECT last_refresh, last_refresh_rows, size_bytes FROM lakeholo.hot_tables";

    public string Name => "hot-follow";

    public string Measures => "a hot copy of a Delta table follows commits of 1,000 changed rows and compactions; 1,000 refreshes and the file's growth";

    public async Task RunAsync(BenchContext bench)
    {
        foreach (int millions in bench.Quick ? new[] { 1 } : [1, 10, 50])
        {
            if (bench.Wants(string.Create(CultureInfo.InvariantCulture, $"{millions}m")))
            {
                await FollowAsync(bench, millions);
            }
        }
    }

    private static async Task FollowAsync(BenchContext bench, int millions)
    {
        long fileRows = millions * 1_000_000L / Files;
        string made = await MakeAsync(bench, millions, fileRows);
        string folder = bench.Data.NewTemporary("follow");
        string size = string.Create(CultureInfo.InvariantCulture, $"{millions}m");
        try
        {
            var table = new GrowingDelta(Path.Combine(made, "t"), Path.Combine(folder, "dwd", "t"));
            await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
            double promotion = await BenchContext.Clock(() => lake.RunAsync("PROMOTE TABLE dwd.t"))();
            bench.Add(new BenchRow($"promote {size}") { Ours = millions * 1e6 / promotion * 1000 / bench.Options.Threads, Unit = "{row}/s/core", Min = 1e6 });
            await CommitsAsync(bench, lake, table, made, size, fileRows);
            await CompactionAsync(bench, lake, table, made, size, fileRows);
            if (millions == 1)
            {
                await GrowthAsync(bench, lake, table, made, fileRows);
            }

            await SameAsync(lake, size);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task CommitsAsync(BenchContext bench, BenchLake lake, GrowingDelta table, string made, string size, long fileRows)
    {
        var times = new List<double>();
        for (int i = 0; i < Commits; i++)
        {
            int file = i % (Files - 2);
            int round = (i / (Files - 2)) + 1;
            table.Delete(Part(file), fileRows, [.. Enumerable.Range(0, round * Changed / 2).Select(p => (uint)(p * 37))]);
            table.Add(Path.Combine(made, "changes.parquet"), Changed / 2);
            table.Commit();
            times.Add(await BenchContext.Clock(() => lake.RunAsync("REFRESH TABLE dwd.t"))());
        }

        bench.Add(new BenchRow($"1,000 changed rows {size}")
        {
            Ours = times.Skip(1).Order().ElementAt((Commits - 1) / 2),
            Max = 100,
            More = new Dictionary<string, double> { ["worst"] = times.Max(), ["first"] = times[0] },
            Note = Text(await lake.AnswerAsync(State)),
        });
    }

    private static async Task CompactionAsync(BenchContext bench, BenchLake lake, GrowingDelta table, string made, string size, long fileRows)
    {
        table.Remove(Part(Files - 2), dataChange: false);
        table.Remove(Part(Files - 1), dataChange: false);
        table.Add(Path.Combine(made, "compacted.parquet"), 2 * fileRows, dataChange: false);
        table.Commit();
        double time = await BenchContext.Clock(() => lake.RunAsync("REFRESH TABLE dwd.t"))();
        bench.Add(new BenchRow($"compaction {size}") { Ours = time, Max = 20, Note = Text(await lake.AnswerAsync(State)) });
    }

    private static async Task GrowthAsync(BenchContext bench, BenchLake lake, GrowingDelta table, string made, long fileRows)
    {
        const int Refreshes = 1000;
        double all = await BenchContext.Clock(async () =>
        {
            var added = new Queue<string>();
            for (int i = 0; i < Refreshes; i++)
            {
                // Positions beyond those of the commits before; every tenth of the rows that came goes again.
                table.Delete(Part(i % (Files - 2)), fileRows, [.. Enumerable.Range(0, Changed + (((i / (Files - 2)) + 1) * 10)).Select(p => (uint)(p * 37))]);
                added.Enqueue(table.Add(Path.Combine(made, "few.parquet"), Few));
                if (added.Count > 10)
                {
                    table.Remove(added.Dequeue());
                }

                table.Commit();
                await lake.RunAsync("REFRESH TABLE dwd.t");
            }
        })();
        double grown = await BytesAsync(lake);
        await lake.RunAsync("DEMOTE TABLE dwd.t");
        await lake.RunAsync("PROMOTE TABLE dwd.t");
        double fresh = await BytesAsync(lake);
        bench.Add(new BenchRow("file after 1,000 refreshes")
        {
            Ours = grown,
            Peer = fresh,
            PeerName = "a fresh one",
            Unit = "By",
            MaxRatio = 1.5,
            More = new Dictionary<string, double> { ["ms a refresh"] = all / Refreshes },
        });
    }

    private static async Task SameAsync(BenchLake lake, string size)
    {
        const string Sums = "SELECT count(*), sum(id), sum(price), min(name), max(name), count(DISTINCT day) FROM dwd.t";
        Task<Answer> hot = lake.AnswerAsync(Sums);
        await hot;
        await lake.RunAsync("DEMOTE TABLE dwd.t");
        await Answers.CompareAsync($"hot and lake after following, {size}", hot, lake.AnswerAsync(Sums));
    }

    private static async Task<double> BytesAsync(BenchLake lake)
    {
        Answer answer = await lake.AnswerAsync("SELECT sum(size_bytes)::DOUBLE FROM lakeholo.hot_tables");
        return Convert.ToDouble(answer.Rows[0][0], CultureInfo.InvariantCulture);
    }

    private static Task<string> MakeAsync(BenchContext bench, int millions, long fileRows) => bench.Data.MakeAsync(
        string.Create(CultureInfo.InvariantCulture, $"follow-{millions}m"), 1, (sql, directory) =>
        {
            string Rows(string range) => "SELECT i AS id, (hash(i) % 100000)::INTEGER AS customer, (hash(i + 1) % 1000000) / 100.0::DOUBLE AS price, "
                + $"'name ' || (hash(i + 2) % 5000) AS name, (DATE '2026-01-01' + (i % 365)::INTEGER) AS day, (hash(i + 3) % 7)::INTEGER AS kind FROM range({range}) t(i)";
            void Write(string file, long from, long to) => sql.Run(string.Create(
                CultureInfo.InvariantCulture, $"COPY ({Rows($"{from}, {to}")}) TO '{directory}/{file}' (FORMAT parquet, COMPRESSION snappy)"));
            Directory.CreateDirectory(Path.Combine(directory, "plain"));
            for (int i = 0; i < Files; i++)
            {
                Write($"plain/{Part(i)}", i * fileRows, (i + 1) * fileRows);
            }

            Write("changes.parquet", 1_000_000_000, 1_000_000_000 + (Changed / 2));
            Write("few.parquet", 2_000_000_000, 2_000_000_000 + Few);
            Write("compacted.parquet", (Files - 2) * fileRows, Files * fileRows);
            Layouts.WriteDelta(sql, Path.Combine(directory, "plain"), Path.Combine(directory, "t"));
        });

    private static string Part(int file) => string.Create(CultureInfo.InvariantCulture, $"part-{file:D4}.parquet");

    private static string Text(Answer answer) => string.Join(' ', answer.Rows[0]);
}
