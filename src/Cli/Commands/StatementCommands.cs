using System.CommandLine;
using System.Globalization;
using LakeHolo.Cli.Connections;
using LakeHolo.Cli.Output;

namespace LakeHolo.Cli.Commands;

/// <summary>The commands that run SQL and print its rows.</summary>
internal static class StatementCommands
{
    private static readonly string[] TierVerbs = ["PROMOTE", "DEMOTE", "REFRESH", "VERIFY"];

    public static IEnumerable<Command> Create(Globals globals) =>
    [
        Query(globals), Tables(globals), Inspect(globals), Tier(globals, "promote", "Make hot copies of tables, schemas or layers"),
        Tier(globals, "demote", "Drop hot copies"), Tier(globals, "refresh", "Bring hot copies to the newest snapshot"),
        Tier(globals, "verify", "Compare hot copies with the lake; one that differs is built anew, and the exit code is 1"),
        Advise(globals), Status(globals), Sync(globals),
    ];

    private static Command Query(Globals globals)
    {
        var sql = new Argument<string?>("sql") { Description = "A statement, or several apart by ';'. '-' or nothing: from standard input", Arity = ArgumentArity.ZeroOrOne };
        var file = new Option<string?>("--file", "-f") { Description = "Statements from a file, apart by ';'", HelpName = "FILE" };
        var format = new Option<RowFormat?>("--format") { Description = "table, csv, json (a line each), arrow (IPC stream) or parquet; default: table, csv when piped" };
        var output = new Option<string?>("--output", "-o") { Description = "Write the rows to a file; the format comes from its name", HelpName = "FILE" };
        var maxRows = new Option<int>("--max-rows") { Description = "Rows that a table shows", DefaultValueFactory = _ => 1000 };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "Say on standard error which tier and snapshot each table was read from, and the time" };
        var command = new Command("query", """
            Run SQL and print the rows

            Examples:
              lakeholo query "SELECT * FROM lakeholo.tables"
              lakeholo query --lake ./sample-lake/lake "SELECT count(*) FROM dwd.orders"
              lakeholo query "SELECT * FROM dwd.products p AT (VERSION => 3)" --format csv
              lakeholo query -f report.sql -o report.parquet
            """);
        command.Arguments.Add(sql);
        foreach (Option option in (Option[])[file, format, output, maxRows, verbose])
        {
            command.Options.Add(option);
        }

        globals.AddTo(command, settingsInHelp: false);
        command.SetAction((parsed, token) => Guard.RunAsync(async () =>
        {
            string text = await TextAsync(parsed.GetValue(sql), parsed.GetValue(file), token);
            string? path = parsed.GetValue(output);
            RowFormat chosen = parsed.GetValue(format) ?? FormatOf(path);
            IReadOnlyList<string> statements = StatementSplitter.Split(text);
            if (statements.Count == 0)
            {
                throw LakeCatalog.LakeException.QueryInvalid("There is no statement");
            }

            bool onlyReads = !statements.Any(s => TierVerbs.Any(v => s.TrimStart().StartsWith(v, StringComparison.OrdinalIgnoreCase)));
            await using IConnection connection = await globals.ConnectAsync(parsed, onlyReads, token);
            for (int i = 0; i < statements.Count; i++)
            {
                // Rows of several statements go to one place only as text; a file holds those of the last.
                bool isLast = i == statements.Count - 1;
                var target = new RowTarget(chosen, isLast ? path : null, parsed.GetValue(maxRows));
                await StatementRunner.RunAsync(connection, statements[i], path is not null && !isLast ? null : target, parsed.GetValue(verbose), token);
            }
        }));
        return command;
    }

    private static Command Tables(Globals globals)
    {
        var pattern = new Argument<string?>("pattern") { Description = "Glob over schema.table", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("tables", """
            List the tables that were discovered

            Examples:
              lakeholo tables
              lakeholo tables 'dws.*'
              lakeholo tables --lake s3://bucket/warehouse
            """);
        command.Arguments.Add(pattern);
        return Simple(globals, command, parsed => ["""
            SELECT t.schema || '.' || t.name AS "table", t.layer, t.format, t.row_count AS "rows", t.file_count AS files, t.size_bytes AS bytes, t.snapshot, h.state AS hot, coalesce(t.last_error, t.note) AS remark
            FROM lakeholo.tables t LEFT JOIN lakeholo.hot_tables h ON h."table" = t.source || '.' || t.schema || '.' || t.name
            """ + Where(parsed.GetValue(pattern), "t.schema || '.' || t.name") + " ORDER BY 1"]);
    }

    private static Command Inspect(Globals globals)
    {
        var table = new Argument<string>("table") { Description = "schema.table or source.schema.table" };
        var command = new Command("inspect", """
            Show a table's columns, features, history, partitions and options

            Examples:
              lakeholo inspect dwd.orders
            """);
        command.Arguments.Add(table);
        return Simple(globals, command, parsed =>
        {
            string name = parsed.GetValue(table)!;
            string match = $"WHERE {Literal(name)} IN (source || '.' || schema || '.' || {{0}}, schema || '.' || {{0}}, {{0}})";
            string quoted = string.Join('.', name.Split('.')[..^1].Select(Quote).Append("\"" + name.Split('.')[^1] + "{0}\""));
            return
            [
                "SELECT source, schema, name, layer, format, location, snapshot, committed_at, row_count, file_count, size_bytes, partition_columns, primary_key, last_error FROM lakeholo.tables "
                    + string.Format(CultureInfo.InvariantCulture, match, "name"),
                "SELECT position, name, data_type, is_nullable, is_partition_column, is_primary_key, comment FROM lakeholo.columns "
                    + string.Format(CultureInfo.InvariantCulture, match, "\"table\"") + " ORDER BY position",
                "SELECT feature, handling FROM lakeholo.features " + string.Format(CultureInfo.InvariantCulture, match, "\"table\""),
                $"SELECT * FROM {string.Format(CultureInfo.InvariantCulture, quoted, "$snapshots")} LIMIT 10",
                $"SELECT * FROM {string.Format(CultureInfo.InvariantCulture, quoted, "$partitions")} LIMIT 20",
                $"SELECT * FROM {string.Format(CultureInfo.InvariantCulture, quoted, "$options")}",
            ];
        });
    }

    private static Command Tier(Globals globals, string verb, string description)
    {
        var names = new Argument<string[]>("name") { Description = "schema.table, a glob such as 'dws.*', or a layer (ods, dwd, dws, ads)", Arity = ArgumentArity.OneOrMore };
        var schema = new Option<bool>("--schema") { Description = "The names are schemas" };
        var layer = new Option<bool>("--layer") { Description = "The names are layers" };
        var query = new Option<bool>("--query") { Description = "The names are promoted queries" };
        var text = new Option<string?>("--as") { Description = "What the query of this name is to be", HelpName = "SQL" };
        var command = new Command(verb, $"""
            {description}

            Examples:
              lakeholo {verb} dwd.orders dwd.products
              lakeholo {verb} --layer ads
              lakeholo {verb} 'dws.*'
              lakeholo {verb} --query sales_daily{(verb == "promote" ? " --as \"SELECT order_date, sum(amount_eur) AS eur FROM dwd.orders GROUP BY order_date\"" : "")}
            """);
        command.Arguments.Add(names);
        command.Options.Add(schema);
        command.Options.Add(layer);
        command.Options.Add(query);
        if (verb == "promote")
        {
            command.Options.Add(text);
        }

        globals.AddTo(command, settingsInHelp: false);
        command.SetAction((parsed, token) => Guard.RunAsync(async () =>
        {
            string scope = parsed.GetValue(schema) ? "SCHEMA" : parsed.GetValue(layer) ? "LAYER" : parsed.GetValue(query) ? "QUERY" : "TABLE";
            string rest = verb == "promote" && parsed.GetValue(text) is { } sql ? $" AS {sql}" : string.Empty;
            if (rest.Length > 0 && (scope != "QUERY" || parsed.GetValue(names)!.Length > 1))
            {
                throw LakeCatalog.LakeException.QueryInvalid("--as goes with --query and one name");
            }

            await using IConnection connection = await globals.ConnectAsync(parsed, onlyReads: false, token);
            int done = 0;
            int failed = 0;
            foreach (string name in parsed.GetValue(names)!)
            {
                await using var progress = StatusLine.OfPromotions(connection);
                await StatementRunner.RunAsync(
                    connection, $"{verb.ToUpperInvariant()} {scope} {name}{rest}", new RowTarget(FormatOf(null), null, 1000), verbose: false, token, batch =>
                    {
                        done += batch.Length;
                        failed += Enumerable.Range(0, batch.Length).Count(i => CellText.Of(batch.Column("state"), i) is "failed" or "differed");
                    });
            }

            if (failed > 0)
            {
                throw LakeCatalog.LakeException.QueryInvalid($"{failed} of {done} tables failed to {verb}; the column error says why");
            }
        }));
        return command;
    }

    private static Command Advise(Globals globals) => Simple(
        globals,
        new Command("advise", """
            Say what to promote and what to demote, by the server's query log

            Examples:
              lakeholo advise --server grpc://127.0.0.1:31337
            """),
        _ => ["SELECT * FROM lakeholo.advice"]);

    private static Command Status(Globals globals) => Simple(
        globals,
        new Command("status", """
            Show hot copies, the last syncs and running statements

            Examples:
              lakeholo status
            """),
        _ =>
        [
            "SELECT \"table\", state, snapshot, row_count AS \"rows\", size_bytes AS bytes, progress_percent AS \"progress %\", built_at, known_newest_at, hits, last_used_at, last_refresh, last_refresh_rows, last_refresh_ms, part, last_error FROM lakeholo.hot_tables ORDER BY 1",
            "SELECT source, max(started_at) AS last_sync, arg_max(duration_ms, started_at) AS duration_ms, arg_max(tables, started_at) AS tables, arg_max(faults, started_at) AS faults FROM lakeholo.sync_runs GROUP BY source ORDER BY 1",
            "SELECT id, state, \"user\", client, started_at, sql FROM lakeholo.query_log WHERE state IN ('running', 'queued') ORDER BY id",
        ]);

    private static Command Sync(Globals globals)
    {
        var source = new Argument<string?>("source") { Description = "One source; default: all", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("sync", """
            Look for new, changed and vanished tables now

            Examples:
              lakeholo sync
            """);
        command.Arguments.Add(source);
        return Simple(globals, command, parsed => [parsed.GetValue(source) is { } name ? $"SYNC {name}" : "SYNC"], StatusLine.OfSyncs);
    }

    private static Command Simple(Globals globals, Command command, Func<ParseResult, IReadOnlyList<string>> statements, Func<IConnection, StatusLine>? watch = null)
    {
        globals.AddTo(command, settingsInHelp: false);
        command.SetAction((parsed, token) => Guard.RunAsync(async () =>
        {
            await using IConnection connection = await globals.ConnectAsync(parsed, onlyReads: true, token);
            IReadOnlyList<string> list = statements(parsed);
            await using StatusLine? progress = watch?.Invoke(connection);
            for (int i = 0; i < list.Count; i++)
            {
                if (i > 0)
                {
                    Console.WriteLine();
                }

                await StatementRunner.RunAsync(connection, list[i], new RowTarget(FormatOf(null), null, 10_000), verbose: false, token);
            }
        }));
        return command;
    }

    private static async Task<string> TextAsync(string? sql, string? file, CancellationToken cancellationToken)
    {
        if (file is not null)
        {
            return await File.ReadAllTextAsync(file, cancellationToken);
        }

        return sql is null or "-" ? await Console.In.ReadToEndAsync(cancellationToken) : sql;
    }

    private static RowFormat FormatOf(string? path) => Path.GetExtension(path ?? string.Empty).ToLowerInvariant() switch
    {
        ".csv" => RowFormat.Csv,
        ".json" or ".jsonl" or ".ndjson" => RowFormat.Json,
        ".arrow" or ".arrows" or ".ipc" => RowFormat.Arrow,
        ".parquet" => RowFormat.Parquet,
        _ => path is null && Console.IsOutputRedirected ? RowFormat.Csv : RowFormat.Table,
    };

    private static string Where(string? pattern, string expression) => pattern is null
        ? string.Empty
        : $" WHERE lower({expression}) LIKE {Literal(pattern.ToLowerInvariant().Replace("_", "\\_", StringComparison.Ordinal).Replace('*', '%').Replace('?', '_'))} ESCAPE '\\'";

    private static string Literal(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";

    private static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
