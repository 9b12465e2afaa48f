using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using LakeHolo.Cli.Output;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests.Harness;

/// <summary>A Flight SQL client of another maker (tests/clients), written in Rust and driven by Node.js.</summary>
internal static class RustClient
{
    /// <summary>Runs statements; each answer becomes <c>NAME.parquet</c> in the folder.</summary>
    /// <returns>The error of each statement that failed.</returns>
    public static async Task<IReadOnlyDictionary<string, string>> RunAsync(int port, string folder, IEnumerable<(string Name, string Sql)> statements)
    {
        var start = new ProcessStartInfo("node") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in (string[])[Path.Combine(ClientsFolder(), "query.js"), port.ToString(CultureInfo.InvariantCulture), folder])
        {
            start.ArgumentList.Add(argument);
        }

        string requests = string.Concat(statements.Select(s => JsonSerializer.Serialize(new { name = s.Name, sql = s.Sql }) + "\n"));
        Outcome outcome = await CommandLine.RunAsync(start, requests);
        Assert.True(outcome.ExitCode == 0, outcome.Errors);
        foreach (string path in Directory.GetFiles(folder, "*.arrow"))
        {
            await ToParquetAsync(path);
        }

        return outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)
            .ToDictionary(e => e.GetProperty("name").GetString()!, e => e.GetProperty("error").GetString()!);
    }

    private static async Task ToParquetAsync(string path)
    {
        await using FileStream input = File.OpenRead(path);
        using var reader = new ArrowFileReader(input);
        await using FileStream output = File.Create(Path.ChangeExtension(path, ".parquet"));
        await using var rows = new ParquetRows(output);
        await rows.BeginAsync(await reader.GetSchema());
        while (await reader.ReadNextRecordBatchAsync() is { } batch)
        {
            using (batch)
            {
                await rows.WriteAsync(batch, default);
            }
        }

        await rows.EndAsync();
    }

    internal static string ClientsFolder() => Path.Combine(Path.GetDirectoryName(SampleLake.Home)!, "tests", "clients");
}
