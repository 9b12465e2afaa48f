using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests;

/// <summary>The questions of sample-lake/ asked of a server through two clients, from the lake and from the hot tier: each answer is exactly the expected one.</summary>
public abstract class SampleLakeAnswers : IDisposable
{
    private readonly TemporaryFolder _answers = new();

    internal abstract LakeServer Server { get; }

    [Fact]
    public async Task The_command_line_gives_the_expected_answers_from_the_lake() => await CheckCommandLineAsync("lake");

    [Fact]
    public async Task The_command_line_gives_the_expected_answers_from_hot_copies()
    {
        await PromoteAsync();
        await CheckCommandLineAsync("hot");
    }

    [Fact]
    public async Task A_client_of_another_maker_gets_the_expected_answers_from_the_lake_and_from_hot_copies()
    {
        await CheckRustClientAsync("before any promotion");
        await PromoteAsync();
        await CheckRustClientAsync("after promoting");
    }

    public void Dispose()
    {
        _answers.Dispose();
        GC.SuppressFinalize(this);
    }

    private async Task PromoteAsync()
    {
        Outcome promoted = await Server.RunAsync("promote", "*.*");
        Assert.True(promoted.ExitCode == 0, promoted.Errors);
        Assert.DoesNotContain("failed", promoted.Output, StringComparison.Ordinal);
    }

    private async Task CheckCommandLineAsync(string tier)
    {
        var wrong = new List<string>();
        foreach (string name in SampleLake.QueryNames)
        {
            string answer = _answers.File($"{name}.parquet");
            string file = _answers.File("statements.sql");
            await File.WriteAllTextAsync(file, $"SET tier = '{tier}';\n{SampleLake.Query(name)}");
            Outcome outcome = await Server.RunAsync("query", "--file", file, "--output", answer);
            string? difference = outcome.ExitCode == 0 ? ParquetRowsOf.Difference(SampleLake.Answer(name), answer) : $"exit code {outcome.ExitCode}: {outcome.Errors}";
            if (difference is not null)
            {
                wrong.Add($"{name}: {difference}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    private async Task CheckRustClientAsync(string moment)
    {
        IReadOnlyDictionary<string, string> errors = await RustClient.RunAsync(Server.Port, _answers.Path, SampleLake.QueryNames.Select(n => (n, SampleLake.Query(n))));
        var wrong = new List<string>();
        foreach (string name in SampleLake.QueryNames)
        {
            string? difference = errors.GetValueOrDefault(name) ?? ParquetRowsOf.Difference(SampleLake.Answer(name), _answers.File($"{name}.parquet"));
            if (difference is not null)
            {
                wrong.Add($"{name} {moment}: {difference}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }
}

/// <summary>On a local folder.</summary>
public sealed class AnswersFromALocalFolder(LocalLake lake) : SampleLakeAnswers, IClassFixture<LocalLake>
{
    internal override LakeServer Server => lake.Server;
}

/// <summary>On an object store.</summary>
public sealed class AnswersFromABucket(BucketLake lake) : SampleLakeAnswers, IClassFixture<BucketLake>
{
    internal override LakeServer Server => lake.Server;
}
