using LakeHolo.Golden.Tests.Delta;
using LakeHolo.Golden.Tests.Harness;
using LakeHolo.Golden.Tests.Hudi;
using LakeHolo.Golden.Tests.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>A hot copy follows each replay: after every step it holds the lake's rows, and how the step was applied is as expected, so that a fall back to
/// building anew is seen.</summary>
public sealed class FollowingReplays(ITestOutputHelper output)
{
    public static TheoryData<string> Replays => [.. HowApplied.Keys];

    private static Dictionary<string, string[]> HowApplied { get; } = ReadHowApplied();

    [Theory]
    [MemberData(nameof(Replays))]
    public async Task After_every_step_the_copy_holds_the_lakes_rows_and_the_step_was_applied_as_expected(string replay)
    {
        string[] parts = replay.Split('/');
        List<string> how;
        if (parts[0] == "delta")
        {
            using DeltaCase golden = DeltaCase.Open(parts[1]);
            await using var copy = new FollowingCopy(golden.Engine, golden.TableFormat, golden.Reader, golden.Table, golden.File("case/hot"));
            how = await FollowAsync(copy, Steps(golden.File("case/steps")), step => DeltaReplayTests.Apply(step, golden.File("case/table")));
        }
        else
        {
            UnpackedCase golden = parts[0] == "hudi" ? HudiCase.Open(parts[1]) : PaimonCase.Open(parts[1]);
            await using (golden)
            {
                (ITableFormat format, ITableReader reader) = golden is HudiCase hudi
                    ? (hudi.TableFormat, hudi.Reader)
                    : ((ITableFormat)((PaimonCase)golden).TableFormat, (ITableReader)((PaimonCase)golden).Reader);
                await using var copy = new FollowingCopy(golden.Engine, format, reader, golden.Table, golden.Path("hot"));
                how = await FollowAsync(copy, Steps(golden.Path("steps")), step => golden.Apply(int.Parse(Path.GetFileName(step), System.Globalization.CultureInfo.InvariantCulture)));
            }
        }

        output.WriteLine($"# {replay}\n{string.Join("\n", how)}");
        Assert.Equal(HowApplied[replay], how);
    }

    private static async Task<List<string>> FollowAsync(FollowingCopy copy, IEnumerable<string> steps, Action<string> apply)
    {
        var how = new List<string>();
        foreach (string step in steps)
        {
            apply(step);
            how.Add(await copy.RefreshAsync());
            string? difference = await copy.DifferenceToLakeAsync();
            Assert.True(difference is null, $"step {Path.GetFileName(step)} ({how[^1]}): {difference}");
        }

        return how;
    }

    private static IEnumerable<string> Steps(string folder) => Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal);

    private static Dictionary<string, string[]> ReadHowApplied()
    {
        var all = new Dictionary<string, List<string>>();
        foreach (string line in File.ReadLines(Path.Combine(GoldenCases.Root, "tests", "Golden.Tests", "HotCopies", "how-applied.txt")).Where(l => l.Length > 0))
        {
            if (line.StartsWith("# ", StringComparison.Ordinal))
            {
                all.Add(line[2..], []);
            }
            else
            {
                all.Last().Value.Add(line);
            }
        }

        return all.ToDictionary(p => p.Key, p => p.Value.ToArray());
    }
}
