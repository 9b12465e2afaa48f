using LakeHolo.Bench.Flight;
using LakeHolo.Bench.Harness;
using LakeHolo.Bench.Suites;

if (args is [ServerProcess.Word, .. var arguments])
{
    await ServerProcess.ServeAsync(arguments);
    return 0;
}

if (args is [FloorProcess.Word])
{
    await FloorProcess.ServeAsync();
    return 0;
}

BenchOptions options;
try
{
    options = BenchOptions.Parse(args);
}
catch (ArgumentException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 64;
}

string[] unknown = [.. options.Suites.Except(SuiteList.All.Select(s => s.Name))];
if (options.List || unknown.Length > 0)
{
    foreach (ISuite suite in SuiteList.All)
    {
        Console.WriteLine($"{suite.Name,-16} {suite.Measures}");
    }

    return unknown.Length > 0 ? 64 : 0;
}

var done = new List<(ISuite, IReadOnlyList<BenchRow>, string?)>();
foreach (ISuite suite in SuiteList.All.Where(s => options.Suites.Count == 0 || options.Suites.Contains(s.Name)))
{
    Report.PrintHeader(suite);
    var bench = new BenchContext(options, suite.Name);
    string? error = null;
    try
    {
        await suite.RunAsync(bench);
    }
    catch (Exception e) when (e is not OutOfMemoryException)
    {
        // One suite that cannot run does not cost the others their results; the run fails at its end.
        error = e.Message;
        bench.Say($"FAILED: {e}");
    }

    done.Add((suite, bench.Rows, error));
}

if (options.ResultsDirectory is not null)
{
    Console.WriteLine();
    Console.WriteLine($"written to {Report.Write(options, done)}");
}

return done.Any(d => d.Item3 is not null) ? 1 : 0;
