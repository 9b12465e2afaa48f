using System.Globalization;
using System.Text;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>What a table's number of files costs before the first byte of data is read.</summary>
internal sealed class PlanningSuite : ISuite
{
    public string Name => "planning";

    public string Measures => "opening a Delta table of 100 to 100,000 files, and a query that statistics prune to no file at all";

    public async Task RunAsync(BenchContext bench)
    {
        foreach (int files in bench.Quick ? new[] { 100, 10_000 } : [100, 1_000, 10_000, 100_000])
        {
            string folder = await bench.Data.MakeAsync(string.Create(CultureInfo.InvariantCulture, $"planning-{files}"), 1, (_, directory) => WriteLog(directory, files));
            string name = string.Create(CultureInfo.InvariantCulture, $"{files} files");
            TimedRuns open = await BenchContext.TimeAsync(bench.Options.Runs, warm: true, ("open", () => OpenAsync(bench, folder)));
            bench.Add(new BenchRow($"open, {name}") { Ours = open["open"].Median, More = new Dictionary<string, double> { ["best"] = open["open"].Best } });

            await using BenchLake lake = await BenchLake.StartAsync(bench, folder);
            int number = 0;
            TimedRuns plan = await BenchContext.TimeAsync(
                bench.Options.Runs * 4,
                warm: true,
                ("same text", () => lake.RunAsync("SELECT count(*) AS n FROM big.files WHERE id = -1")),
                ("new text", () => lake.RunAsync(string.Create(CultureInfo.InvariantCulture, $"SELECT count(*) AS n FROM big.files WHERE id = -{++number}"))));
            bench.Add(new BenchRow($"prune, {name}")
            {
                Ours = plan["same text"].Median,
                More = new Dictionary<string, double> { ["new_text"] = plan["new text"].Median, ["best"] = plan["same text"].Best },
            });
        }
    }

    // The first sync reads the whole log.
    private static async Task OpenAsync(BenchContext bench, string folder)
    {
        BenchLake lake = await BenchLake.StartAsync(bench, folder);
        await lake.DisposeAsync();
    }

    // The files themselves are not there: nothing opens them.
    private static void WriteLog(string directory, int files)
    {
        string log = $"{directory}/big/files/_delta_log";
        Directory.CreateDirectory(log);
        var text = new StringBuilder("""
            {"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
            {"metaData":{"id":"files","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}},{\"name\":\"name\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{}}}

            """);
        for (int i = 0; i < files; i++)
        {
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $$$"""{"add":{"path":"part-{{{i:D6}}}.parquet","partitionValues":{},"size":1000000,"modificationTime":0,"dataChange":true,"stats":"{\"numRecords\":1000,\"minValues\":{\"id\":{{{i * 1000L}}},\"name\":\"a{{{i}}}\"},\"maxValues\":{\"id\":{{{(i * 1000L) + 999}}},\"name\":\"b{{{i}}}\"},\"nullCount\":{\"id\":0,\"name\":0}}"}}""");
        }

        File.WriteAllText(Path.Combine(log, "00000000000000000000.json"), text.ToString());
    }
}
