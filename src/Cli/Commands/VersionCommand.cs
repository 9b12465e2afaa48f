using System.CommandLine;
using System.Reflection;
using DuckDbVersion = LakeHolo.Readers.Engine.EngineVersion;

namespace LakeHolo.Cli.Commands;

/// <summary><c>lakeholo version</c>.</summary>
internal static class VersionCommand
{
    public static Command Create()
    {
        var command = new Command("version", "Print the versions of LakeHolo, its engine and the runtime");
        command.SetAction(_ =>
        {
            string version = typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
            Console.WriteLine($"lakeholo {version} (DuckDB {DuckDbVersion.Text}, .NET {Environment.Version})");
            return ExitCodes.Ok;
        });
        return command;
    }
}
