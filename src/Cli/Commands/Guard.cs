using LakeHolo.Cli.Configuration;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Cli.Commands;

/// <summary>Turns what a command throws into a line on standard error and an exit code.</summary>
internal static class Guard
{
    public static async Task<int> RunAsync(Func<Task> command)
    {
        try
        {
            await command();
            return ExitCodes.Ok;
        }
        catch (ConfigurationException e)
        {
            await Console.Error.WriteLineAsync("lakeholo: " + e.Message);
            return ExitCodes.Usage;
        }
        catch (LakeException e)
        {
            await Console.Error.WriteLineAsync("lakeholo: " + e.Message);
            return ExitCodes.Of(e.Kind);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("lakeholo: interrupted");
            return ExitCodes.Interrupted;
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync("lakeholo: " + e.Message);
            return ExitCodes.Storage;
        }
        catch (UnauthorizedAccessException e)
        {
            await Console.Error.WriteLineAsync("lakeholo: " + e.Message);
            return ExitCodes.Storage;
        }
    }
}
