using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Files that a crash or a lost write left behind: what nobody committed is passed over, what was committed and is not whole is an error.</summary>
public sealed class BrokenFileTests
{
    private const string Backup = "table/.hoodie/hoodie.properties.backup";
    private const string Main = "table/.hoodie/hoodie.properties";

    // What the writer leaves of the properties when it crashes between backup, delete, write and delete.
    [Theory]
    [InlineData("cut off", "whole", null)]
    [InlineData("of another table", "whole", null)]
    [InlineData("missing", "whole", null)]
    [InlineData("empty", "whole", null)]
    [InlineData("whole", "cut off", null)]
    [InlineData("without a checksum", "missing", null)]
    [InlineData("of another table", "missing", "not whole")]
    [InlineData("of another table", "of another table", "not whole")]
    [InlineData("missing", "missing", "not a Hudi table")]
    public async Task Properties_that_are_not_whole_give_way_to_their_backup(string main, string backup, string? refusal)
    {
        await using HudiCase golden = HudiCase.Open("cow_nonpart_upsert_v6");
        string[] lines = [.. (await File.ReadAllLinesAsync(golden.Path(Main))).Where(l => !l.StartsWith("hoodie.table.checksum", StringComparison.Ordinal))];
        string checksum = (await File.ReadAllLinesAsync(golden.Path(Main))).First(l => l.StartsWith("hoodie.table.checksum", StringComparison.Ordinal));
        File.Delete(golden.Path(Main));
        Put(Main, main);
        Put(Backup, backup);
        if (refusal is null)
        {
            Assert.Equal(["id"], (await golden.LoadAsync(SnapshotSelector.Latest)).PrimaryKey);
            return;
        }

        Assert.Contains(refusal, (await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Latest))).Message, StringComparison.Ordinal);

        void Put(string file, string state)
        {
            string? text = state switch
            {
                "whole" => string.Join('\n', [.. lines, checksum]),
                "cut off" => string.Join('\n', lines.Where(l => !l.StartsWith("hoodie.table.recordkey", StringComparison.Ordinal))),
                "of another table" => string.Join('\n', [.. lines, checksum + "1"]),
                "without a checksum" => string.Join('\n', lines),
                "empty" => "",
                _ => null,
            };
            if (text is not null)
            {
                File.WriteAllText(golden.Path(file), text);
            }
        }
    }

    [Theory]
    [InlineData("mor_log_updates_deletes_v9", 0)]
    [InlineData("mor_log_updates_deletes_v6", 0)]
    [InlineData("mor_event_time_late_v8", 0)]
    [InlineData("mor_delete_marker_v9", 0)]
    [InlineData("mor_log_updates_deletes_v9", 1)]
    public async Task A_log_file_that_is_shorter_than_its_commit_says_is_an_error(string name, int missingBytes)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiFile log = (await golden.LoadAsync(SnapshotSelector.Latest)).Slices.SelectMany(s => s.Logs).First();
        using (FileStream file = File.OpenWrite(golden.Path("table/" + log.Path)))
        {
            file.SetLength(missingBytes == 0 ? 0 : file.Length - missingBytes);
        }

        ListFolders(golden);
        LakeException error = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Latest));
        Assert.Equal(LakeErrorKind.FormatInvalid, error.Kind);
        Assert.Contains("to a log file that has", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("#")]
    [InlineData("#HUDI")]
    [InlineData("#HUDI#")]
    [InlineData("#HUDI#\0\0")]
    public async Task An_append_that_was_torn_within_its_first_bytes_holds_nothing(string torn)
    {
        await using HudiCase golden = HudiCase.Open("mor_log_updates_deletes_v6");
        HudiSnapshot before = await golden.LoadAsync(SnapshotSelector.Latest);
        HudiFile log = before.Slices.SelectMany(s => s.Logs).First();
        string name = log.Path[..log.Path.IndexOf(".log.", StringComparison.Ordinal)] + ".log.99_0-99-99";
        await File.WriteAllTextAsync(golden.Path("table/" + name), torn, Encoding.ASCII);
        ListFolders(golden);
        HudiSnapshot after = await golden.LoadAsync(SnapshotSelector.Latest);
        Assert.Contains(name, after.EnumerateFiles().Select(f => f.Path));
        await using TableScan scan = await golden.PlanAsync(after);
        Assert.Null(golden.Difference(scan.Sql, "expected/latest.parquet", after));
    }

    // The metadata table would tell the size that a file had.
    private static void ListFolders(HudiCase golden)
    {
        string metadata = golden.Path("table/.hoodie/metadata");
        if (Directory.Exists(metadata))
        {
            Directory.Delete(metadata, recursive: true);
        }
    }
}
