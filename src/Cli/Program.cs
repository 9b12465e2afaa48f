using System.CommandLine;
using LakeHolo.Cli;
using LakeHolo.Cli.Commands;
using LakeHolo.Cli.Demo;

var globals = new Globals();
var root = new RootCommand($"""
    LakeHolo: a lakehouse query accelerator. Point it at a folder or bucket; it finds the Delta, Hudi and Paimon tables there (and plain Parquet, CSV,
    ORC, SequenceFile folders) and answers SQL over them, from the lake or from hot copies.

    Examples:
      lakeholo demo
      lakeholo serve --lake /data/lake
      lakeholo query "SELECT * FROM lakeholo.tables"
      lakeholo query --lake s3://bucket/warehouse "SELECT count(*) FROM dwd.orders"
      lakeholo promote --layer ads

    {ExitCodes.Help}
    """);
foreach (Command command in StatementCommands.Create(globals))
{
    root.Subcommands.Add(command);
}

foreach (Command command in ServeCommand.Create(globals))
{
    root.Subcommands.Add(command);
}

root.Subcommands.Add(DemoCommand.Create());
root.Subcommands.Add(VersionCommand.Create());
ParseResult parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (System.CommandLine.Parsing.ParseError error in parsed.Errors)
    {
        await Console.Error.WriteLineAsync("lakeholo: " + error.Message);
    }

    await Console.Error.WriteLineAsync($"Try 'lakeholo {(parsed.CommandResult.Command is RootCommand ? string.Empty : parsed.CommandResult.Command.Name + " ")}--help'");
    return ExitCodes.Usage;
}

return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = true });
