using System.Text.Json.Nodes;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>A state that a cleaner has taken files from is refused, also where no commit of the active timeline tells of these files; the others are read.</summary>
public sealed class CleanedStateTests
{
    private const string Third = "20261123094646093";
    private const string Fourth = "20261123094702383";
    private const string Fifth = "20261123094714964";
    private static readonly string[] Archived = ["20261123094618280", "20261123094631389", Third];

    [Fact]
    public async Task A_file_group_whose_files_of_that_time_are_gone_is_not_read_as_empty()
    {
        await using HudiCase golden = HudiCase.Open("cow_cleaned_v6");
        Archive(golden, Archived);
        await using (TableScan whole = await golden.PlanAsync(await golden.LoadAsync(SnapshotSelector.Version(Fourth))))
        {
            Assert.Equal(["apac", "eu", "us"], golden.Texts($"SELECT DISTINCT region FROM ({whole.Sql}) ORDER BY 1"));
        }

        // As if the fourth commit had not written to one partition: what lay there until the fifth did is gone.
        string commit = golden.Path($"table/.hoodie/{Fourth}.commit");
        JsonNode json = JsonNode.Parse(await File.ReadAllTextAsync(commit, TestContext.Current.CancellationToken))!;
        json["partitionToWriteStats"]!.AsObject().Remove("eu");
        await File.WriteAllTextAsync(commit, json.ToJsonString(), TestContext.Current.CancellationToken);
        File.Delete(Assert.Single(Directory.GetFiles(golden.Path("table/eu"), $"*_{Fourth}.parquet")));

        LakeException error = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Version(Fourth)));
        Assert.Equal(LakeErrorKind.NotFound, error.Kind);
        Assert.Contains($"the table's cleaner has removed eu/", error.Message, StringComparison.Ordinal);
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan scan = await golden.PlanAsync(latest);
        Assert.Null(golden.Difference(scan.Sql, "expected/latest.parquet", latest));
    }

    [Fact]
    public async Task Where_older_cleans_may_be_archived_the_cleaners_own_bound_holds()
    {
        await using HudiCase golden = HudiCase.Open("cow_cleaned_v6");
        Assert.Equal(Fourth, (await golden.LoadAsync(SnapshotSelector.Version(Fourth))).Instant);
        // What is left are cleans after the fourth commit; the newest kept what the fifth one needs.
        Archive(golden, ["20261123094657748"]);
        LakeException error = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Version(Fourth)));
        Assert.Equal(LakeErrorKind.NotFound, error.Kind);
        Assert.Contains($"the table's cleaner has removed what was replaced before {Fifth}", error.Message, StringComparison.Ordinal);
        Assert.Equal(Fifth, (await golden.LoadAsync(SnapshotSelector.Version(Fifth))).Instant);
    }

    [Fact]
    public async Task Changes_since_a_state_that_was_cleaned_are_refused_and_those_since_a_whole_one_told()
    {
        await using HudiCase golden = HudiCase.Open("cow_cleaned_v8");
        string path = golden.Path("table/.hoodie/hoodie.properties");
        File.AppendAllText(path, "\nhoodie.table.cdc.enabled=true\n");
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        string[] commits = [.. latest.Timeline.Commits.Select(c => c.Time)];
        await using TableScan told = await golden.PlanChangesAsync(latest, commits[^2], commits[^1]);
        Assert.NotEqual(0, golden.Count(told.Sql));
        LakeException error = await Assert.ThrowsAsync<LakeException>(async () => await golden.PlanChangesAsync(latest, commits[^3], commits[^1]));
        Assert.Equal(LakeErrorKind.NotFound, error.Kind);
    }

    // As a cleaner by file versions leaves it, whose archived cleans alone tell what it took.
    [Theory]
    [InlineData("cow_cleaned_v6")]
    [InlineData("cow_cleaned_v8")]
    public async Task What_archived_cleans_removed_is_missed_too(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        string[] commits = [.. latest.Timeline.Commits.Select(c => c.Time)];
        Instant[] cleans = [.. latest.Timeline.Instants.Where(i => i.Action == "clean")];

        // The commit tells no more which files it wrote, as one that is archived.
        string written = Assert.Single(Directory.GetFiles(golden.Path("table/" + latest.Properties.TimelineFolder), $"{commits[0]}*.commit"));
        File.WriteAllBytes(written, []);
        ArchivedTimeline.Write(golden, latest.Properties, [.. cleans.Select(c => (c.Time, File.ReadAllBytes(golden.Path("table/" + c.Key))))]);
        foreach (Instant clean in cleans)
        {
            File.Delete(golden.Path("table/" + clean.Key));
        }

        LakeException error = await Assert.ThrowsAsync<LakeException>(() => golden.LoadAsync(SnapshotSelector.Version(commits[0])));
        Assert.Equal(LakeErrorKind.NotFound, error.Kind);
        Assert.Contains("the table's cleaner has removed", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("replaced before", error.Message, StringComparison.Ordinal);
        Assert.Equal(commits[^1], (await golden.LoadAsync(SnapshotSelector.Version(commits[^1]))).Instant);
    }

    [Theory]
    [InlineData("cow_archived_timeline_v6", "", 4)]
    [InlineData("cow_archived_timeline_v6", "20261123094800722", 3)]
    [InlineData("cow_archived_timeline_v6", "20261123094822774", 1)]
    [InlineData("cow_archived_timeline_v8", "", -1)]
    public async Task Cleans_of_a_real_archive_tell_the_files_that_are_gone(string name, string since, int expected)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot latest = await golden.LoadAsync(SnapshotSelector.Latest);
        IReadOnlyDictionary<string, CleanMetadata> cleans = await ArchivedCleans.ReadAsync(golden.Table.Root, latest.Properties, since, TestContext.Current.CancellationToken);
        Assert.True(expected < 0 ? cleans.Count > 0 : cleans.Count == expected, string.Join(' ', cleans.Keys));
        Assert.All(cleans.Values, c => Assert.NotEmpty(c.Deleted));
        Assert.All(cleans.Values.SelectMany(c => c.Deleted), d => Assert.False(File.Exists(golden.Path($"table/{d.Partition}/{d.Name}"))));
    }

    private static void Archive(HudiCase golden, IEnumerable<string> instants)
    {
        foreach (string file in instants.SelectMany(i => Directory.GetFiles(golden.Path("table/.hoodie"), i + ".*")))
        {
            File.Delete(file);
        }
    }
}
