using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LakeHolo.Bench.Harness;

/// <summary>ClickHouse in one long-lived process of its own, which times itself: neither its start nor the way to it counts.</summary>
internal sealed partial class ClickHousePeer : IDisposable
{
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(5);

    private readonly Process _process;

    private ClickHousePeer(Process process) => _process = process;

    /// <summary>Null where node or the package is not installed: the other contenders run without it.</summary>
    public static async Task<ClickHousePeer?> TryStartAsync(BenchContext bench)
    {
        if (bench.Options.ClientsDirectory is not { } clients || !Directory.Exists(Path.Combine(clients, "node_modules", "chdb")))
        {
            bench.Say("ClickHouse is not installed (bench/clients/install.sh): left out");
            return null;
        }

        var start = new ProcessStartInfo("node", [Path.Combine(clients, "clickhouse.mjs")]) { RedirectStandardInput = true, RedirectStandardOutput = true, WorkingDirectory = Path.GetTempPath() };
        start.Environment["TZ"] = "UTC";
        var peer = new ClickHousePeer(Process.Start(start)!);
        await peer.RunAsync(string.Create(CultureInfo.InvariantCulture, $"SET max_threads = {bench.Options.Threads}, max_memory_usage = {bench.Options.MemoryBytes}, join_use_nulls = 1"));
        return peer;
    }

    /// <summary>Makes a database of views of the Parquet files of each folder below a folder.</summary>
    public async Task ViewFoldersAsync(string location, string schema)
    {
        await RunAsync($"CREATE DATABASE IF NOT EXISTS {schema}");
        await RunAsync($"USE {schema}");
        foreach (string table in Directory.GetDirectories(Path.Combine(location, schema)))
        {
            await RunAsync($"CREATE VIEW {Path.GetFileName(table)} AS SELECT * FROM file('{table}/*.parquet', Parquet)");
        }
    }

    /// <summary>Runs a statement.</summary>
    /// <returns>The milliseconds that the engine took.</returns>
    public async Task<double> RunAsync(string sql) => (await AskAsync(sql, keep: false)).RootElement.GetProperty("ms").GetDouble();

    /// <summary>Runs a statement and keeps its rows.</summary>
    public async Task<Answer> AnswerAsync(string sql)
    {
        using JsonDocument answer = await AskAsync(sql, keep: true);
        return new Answer([.. answer.RootElement.GetProperty("rows").EnumerateArray().Select(r => r.EnumerateArray().Select(c => Cell(c.GetString()!)).ToArray())]);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(10_000))
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    // NULL is printed so; times are printed with all their digits.
    private static string? Cell(string text) => text == "\u1d3a\u1d41\u1d38\u1d38" ? null : Time().IsMatch(text) ? text.TrimEnd('0').TrimEnd('.') : text;

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+$")]
    private static partial Regex Time();

    private async Task<JsonDocument> AskAsync(string sql, bool keep)
    {
        await _process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(new { sql, keep }));
        await _process.StandardInput.FlushAsync();
        string line = await _process.StandardOutput.ReadLineAsync().WaitAsync(MaxWait) ?? throw new InvalidOperationException("ClickHouse ended");
        JsonDocument answer = JsonDocument.Parse(line);
        return answer.RootElement.TryGetProperty("error", out JsonElement error)
            ? throw new NotSupportedException($"ClickHouse: {error.GetString()?.Split('\n')[0]}")
            : answer;
    }
}
