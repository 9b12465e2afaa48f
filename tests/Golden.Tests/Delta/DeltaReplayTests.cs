using System.Globalization;
using LakeHolo.Golden.Tests.Harness;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

public class DeltaReplayTests
{
    public static TheoryData<string> Replays => [.. DeltaCaseList.Replays];

    [Theory]
    [MemberData(nameof(Replays))]
    public async Task After_every_commit_following_and_opening_anew_give_the_writers_rows(string name)
    {
        using DeltaCase golden = DeltaCase.Open(name);
        string table = golden.File("case/table");
        DeltaSnapshot? known = null;
        foreach (string step in Directory.EnumerateDirectories(golden.File("case/steps")).Order(StringComparer.Ordinal))
        {
            Apply(step, table);
            DeltaSnapshot anew = await golden.LoadAsync(SnapshotSelector.Latest);
            bool changed = known is null || await golden.TableFormat.HasChangedAsync(known);
            DeltaSnapshot followed = await golden.LoadAsync(SnapshotSelector.Latest, known);
            Assert.True(changed || followed.Version == known!.Version, $"{step}: a new version was not noticed");
            Assert.Equal(anew.Version, followed.Version);
            Assert.Equal(Files(anew), Files(followed));
            if (known is not null)
            {
                await CheckDiffAsync(golden, known, followed);
            }

            string expected = $"SELECT * FROM read_parquet({SqlText.Literal(Path.Combine(step, "expected.parquet"))})";
            await CheckRowsAsync(golden, anew, expected, step + " anew");
            await CheckRowsAsync(golden, followed, expected, step + " followed");
            known = followed;
        }
    }

    internal static void Apply(string step, string table)
    {
        string add = Path.Combine(step, "add");
        if (Directory.Exists(add))
        {
            foreach (string file in Directory.EnumerateFiles(add, "*", SearchOption.AllDirectories))
            {
                string target = Path.Combine(table, Path.GetRelativePath(add, file));
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                File.Copy(file, target, overwrite: true);
            }
        }

        foreach (string gone in File.ReadAllLines(Path.Combine(step, "remove.txt")).Where(l => l.Length > 0))
        {
            File.Delete(Path.Combine(table, gone));
        }
    }

    private static async Task CheckRowsAsync(DeltaCase golden, DeltaSnapshot snapshot, string expected, string what)
    {
        await using TableScan scan = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
        string? difference = RowComparer.Difference(golden.Engine, scan.Sql, expected, snapshot.Schema);
        Assert.True(difference is null, $"{what} (version {snapshot.Version}): {difference}");
    }

    // The lists of a difference, applied to the older version's files, give the newer version's.
    private static async Task CheckDiffAsync(DeltaCase golden, DeltaSnapshot from, DeltaSnapshot to)
    {
        SnapshotDiff diff = await golden.TableFormat.DiffAsync(from, to);
        var files = from.EnumerateFiles().ToDictionary(f => f.Path, f => f.DeletedRowCount);
        foreach (DataFileInfo file in diff.Removed)
        {
            Assert.True(files.Remove(file.Path));
        }

        foreach (DataFileInfo file in diff.PositionsRemoved)
        {
            Assert.True(files[file.Path] < file.DeletedRowCount);
            files[file.Path] = file.DeletedRowCount;
        }

        foreach (DataFileInfo file in diff.Added)
        {
            files.Add(file.Path, file.DeletedRowCount);
        }

        Assert.Equal(
            to.EnumerateFiles().Select(f => (f.Path, f.DeletedRowCount)).Order(), files.Select(f => (f.Key, f.Value)).Order());
    }

    private static List<string> Files(DeltaSnapshot snapshot) =>
        [.. snapshot.EnumerateFiles().Select(f => string.Create(CultureInfo.InvariantCulture, $"{f.Path} {f.SizeBytes} {f.RowCount} {f.DeletedRowCount}")).Order(StringComparer.Ordinal)];
}
