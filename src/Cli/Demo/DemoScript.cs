using System.Diagnostics;
using System.Globalization;
using Apache.Arrow;
using LakeHolo.Cli.Connections;
using LakeHolo.Cli.Output;
using LakeHolo.LakeCatalog;
using Spectre.Console;

namespace LakeHolo.Cli.Demo;

/// <summary>What the demo does and says.</summary>
internal sealed class DemoScript(SampleLake sample, IConnection connection, string lake, Uri server)
{
    private const int WarmRuns = 3;

    private readonly IAnsiConsole _console = AnsiConsole.Console;

    public async Task PlayAsync(CancellationToken cancellationToken)
    {
        Title($"1  What was found in {lake}, served at {server}");
        await ShowAsync(
            "SELECT schema || '.' || name AS \"table\", layer, format, snapshot, file_count AS files, size_bytes // 1024 AS KiB, coalesce(last_error, '') AS remark FROM lakeholo.tables ORDER BY 1", cancellationToken);

        Title("2  Questions, answered from the lake as it lies there");
        await RunAsync("SET tier = 'lake'", cancellationToken);
        Dictionary<string, Outcome> fromLake = await AskAllAsync("lake", cancellationToken);

        Title("3  Promote every table that can be read");
        long started = Stopwatch.GetTimestamp();
        await ShowAsync("PROMOTE TABLE *.*", cancellationToken);
        _console.MarkupLineInterpolated($"[grey]{Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s[/]");

        Title("4  The same questions, answered from the hot tier where it is at the newest snapshot");
        await RunAsync("SET tier = 'auto'", cancellationToken);
        Dictionary<string, Outcome> fromHot = await AskAllAsync("hot", cancellationToken);
        Compare(fromLake, fromHot);

        Title("5  The first of November: updates arrive, answers follow");
        await FollowAsync(cancellationToken);

        Title("6  How to go on");
        _console.WriteLine("""
              ./lakeholo serve --lake /path/to/your/lake            serve your own lake (s3://bucket/prefix works too)
              ./lakeholo query "SELECT * FROM lakeholo.tables"      ask the server from another terminal
              ./lakeholo promote --layer ads                        make hot copies
              Any Flight SQL client (ADBC, JDBC, Go, Rust, …) connects to grpc://127.0.0.1:31337
            """);
    }

    private async Task<Dictionary<string, Outcome>> AskAllAsync(string tier, CancellationToken cancellationToken)
    {
        var outcomes = new Dictionary<string, Outcome>();
        foreach ((string name, string question, string sql) in sample.Queries())
        {
            Outcome outcome = await AskAsync(name, sql, cancellationToken);
            outcomes[name] = outcome;
            string verdict = outcome.Refusal is { } refusal
                ? $"[yellow]refused:[/] {Markup.Escape(refusal)}"
                : outcome.Exact ? $"[green]exact[/] {outcome.Rows.ToString(CultureInfo.InvariantCulture),5} rows {outcome.Milliseconds,7:0.0} ms" : "[red]DIFFERENT from the expected answer[/]";
            _console.MarkupLine($"  {Markup.Escape(name),-30} {verdict}  [grey]{Markup.Escape(tier == "lake" ? question : string.Empty)}[/]");
        }

        return outcomes;
    }

    private async Task<Outcome> AskAsync(string name, string sql, CancellationToken cancellationToken)
    {
        try
        {
            double best = double.MaxValue;
            List<string> lines = [];
            for (int run = 0; run < WarmRuns; run++)
            {
                long started = Stopwatch.GetTimestamp();
                await using IAnswer answer = await connection.ExecuteAsync(sql, cancellationToken);
                lines = await AnswerText.OfAsync(answer, cancellationToken);
                best = Math.Min(best, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }

            List<string> expected = await sample.ExpectedAsync(name, cancellationToken);
            return new Outcome(best, lines.Count, expected.SequenceEqual(lines), null);
        }
        catch (LakeException e)
        {
            return new Outcome(0, 0, false, e.Message);
        }
    }

    private void Compare(Dictionary<string, Outcome> fromLake, Dictionary<string, Outcome> fromHot)
    {
        var table = new Spectre.Console.Table().Border(TableBorder.Simple).AddColumn("question").AddColumn(new TableColumn("lake").RightAligned())
            .AddColumn(new TableColumn("hot").RightAligned()).AddColumn(new TableColumn("faster").RightAligned());
        double ratios = 0;
        int count = 0;
        foreach ((string name, Outcome cold) in fromLake)
        {
            Outcome hot = fromHot[name];
            if (cold.Refusal is null && hot.Refusal is null)
            {
                double ratio = cold.Milliseconds / hot.Milliseconds;
                ratios += Math.Log(ratio);
                count++;
                table.AddRow(Markup.Escape(name), Number(cold.Milliseconds, "ms"), Number(hot.Milliseconds, "ms"), Number(ratio, "x"));
            }
        }

        _console.Write(table);
        if (count > 0)
        {
            _console.MarkupLineInterpolated($"  geometric mean of {count}: [bold]{Math.Exp(ratios / count):0.0}x[/] faster from the hot tier [grey](best of {WarmRuns} runs each, over Flight SQL)[/]");
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        foreach (string step in sample.Steps)
        {
            (string what, IReadOnlyList<(string Table, long Rows)> touched) = SampleLake.Describe(step);
            SampleLake.Play(step, lake);
            var parts = new List<string>();
            foreach ((string table, long rows) in touched)
            {
                parts.Add(await CountAsync(table, rows, cancellationToken));
            }

            _console.MarkupLine($"  {Path.GetFileName(step)}  {Markup.Escape(what)}\n       {string.Join("   ", parts)}");
        }
    }

    private async Task<string> CountAsync(string table, long expected, CancellationToken cancellationToken)
    {
        try
        {
            long started = Stopwatch.GetTimestamp();
            await using IAnswer answer = await connection.ExecuteAsync($"SELECT CAST(count(*) AS VARCHAR) FROM {table}", cancellationToken);
            List<string> lines = await AnswerText.OfAsync(answer, cancellationToken);
            string color = lines[0] == expected.ToString(CultureInfo.InvariantCulture) ? "green" : "red";
            return $"{Markup.Escape(table)} [{color}]{lines[0]} rows[/] [grey]{Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms[/]";
        }
        catch (LakeException e)
        {
            return $"{Markup.Escape(table)} [yellow]refused: {Markup.Escape(e.Message)}[/]";
        }
    }

    private async Task ShowAsync(string sql, CancellationToken cancellationToken)
    {
        await using IAnswer answer = await connection.ExecuteAsync(sql, cancellationToken);
        await using var rows = new TableRows(_console.Profile.Out.Writer, _console.Profile.Width, 100);
        await rows.BeginAsync(answer.Schema);
        await foreach (RecordBatch batch in answer.ReadAsync(cancellationToken))
        {
            await rows.WriteAsync(batch, cancellationToken);
            batch.Dispose();
        }

        await rows.EndAsync();
    }

    private async Task RunAsync(string sql, CancellationToken cancellationToken)
    {
        await using IAnswer answer = await connection.ExecuteAsync(sql, cancellationToken);
        await AnswerText.OfAsync(answer, cancellationToken);
    }

    private void Title(string text) => _console.Write(new Rule($"[bold]{Markup.Escape(text)}[/]").LeftJustified());

    private static string Number(double value, string unit) => string.Create(CultureInfo.InvariantCulture, $"{value:0.0} {unit}");

    private sealed record Outcome(double Milliseconds, int Rows, bool Exact, string? Refusal);
}
