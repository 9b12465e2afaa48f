using System.Diagnostics;

namespace LakeHolo.Integration.Tests.Harness;

/// <summary>What a process ended with.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Errors)
{
    /// <summary>What it printed, if it ended well.</summary>
    public string Answer()
    {
        Assert.True(ExitCode == 0, Output + Errors);
        return Output;
    }
}

/// <summary>Runs processes: the command line of the build under test, and other clients.</summary>
internal static class CommandLine
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>The built program, as <c>./lakeholo</c> would run it.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "lakeholo.dll");

    public static Task<Outcome> LakeholoAsync(params string[] arguments) => RunAsync(Lakeholo(arguments), null);

    public static ProcessStartInfo Lakeholo(IEnumerable<string> arguments)
    {
        ProcessStartInfo start = Of("dotnet", [Program, .. arguments]);
        foreach (string variable in start.Environment.Keys.Where(k => k.StartsWith("LAKEHOLO_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(variable);
        }

        return start;
    }

    /// <summary>Another program.</summary>
    public static ProcessStartInfo Of(string program, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    public static async Task<Outcome> RunAsync(ProcessStartInfo start, string? input)
    {
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (input is not null)
        {
            await process.StandardInput.WriteAsync(input);
        }

        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{string.Join(' ', start.ArgumentList)} did not end within {Limit}: {await output} {await errors}");
        }

        return new Outcome(process.ExitCode, await output, await errors);
    }
}
