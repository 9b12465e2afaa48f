using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Whether a newer instant of a local table is noticed while its timeline is not listed at each look.</summary>
public sealed class HudiFollowingTests : IDisposable
{
    private const string Properties = "hoodie.table.name=t\nhoodie.table.type=COPY_ON_WRITE\nhoodie.table.version=6\nhoodie.timeline.layout.version=1\n";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-hudi-");
    private readonly CountingStore _store;
    private readonly LakeTable _table;
    private readonly Clock _clock = new();
    private readonly HudiTableFormat _format;

    public HudiFollowingTests()
    {
        Directory.CreateDirectory(Timeline("archived"));
        File.WriteAllText(Timeline("hoodie.properties"), Properties);
        Commit("20260101000000000");
        Commit("20260102000000000");
        _store = new CountingStore(new LocalFolderStore(_folder.FullName));
        _table = new LakeTable("lake", "s", "t", "hudi", new TableRoot(_store, string.Empty));
        _format = new HudiTableFormat(_clock);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_timeline_whose_files_did_not_change_is_not_listed_again()
    {
        HudiSnapshot first = await LoadAsync(null);
        Assert.Same(first, await LoadAsync(first));
        _store.TakeRequests();
        Assert.Same(first, await LoadAsync(first));
        Assert.Empty(_store.TakeRequests());
    }

    [Fact]
    public async Task A_timeline_that_changed_a_moment_ago_is_listed_again()
    {
        _clock.Late = TimeSpan.Zero;
        HudiSnapshot first = await LoadAsync(null);
        Assert.Same(first, await LoadAsync(first));
        _store.TakeRequests();
        Assert.Same(first, await LoadAsync(first));
        Assert.NotEmpty(_store.TakeRequests());
    }

    [Theory]
    [InlineData("a commit", "20260103000000000")]
    [InlineData("the last commit grows", "anew")]
    [InlineData("the last commit removed", "20260101000000000")]
    [InlineData("a restore under way", "error")]
    [InlineData("the properties written over in place", "error")]
    [InlineData("the table removed", "error")]
    public async Task Whatever_happens_to_a_timeline_that_is_not_listed_shows(string what, string expected)
    {
        HudiSnapshot first = await LoadAsync(null);
        await LoadAsync(first);
        Assert.NotNull(first.Looked);
        await Task.Delay(20); // the file system's clock goes in ticks of some milliseconds
        Change(what);
        string seen;
        try
        {
            HudiSnapshot now = await LoadAsync(first);
            seen = now.Id != first.Id ? now.Id.Text : ReferenceEquals(now, first) ? "the old one" : "anew";
        }
        catch (LakeException)
        {
            seen = "error";
        }

        Assert.Equal(expected, seen);
    }

    private void Change(string what)
    {
        switch (what)
        {
            case "a commit":
                Commit("20260103000000000");
                break;
            case "the last commit grows":
                File.AppendAllText(Timeline("20260102000000000.commit"), " ");
                break;
            case "the last commit removed":
                File.Delete(Timeline("20260102000000000.commit"));
                break;
            case "a restore under way":
                File.WriteAllText(Timeline("20260103000000000.restore.inflight"), string.Empty);
                break;
            case "the properties written over in place":
                using (FileStream file = File.OpenWrite(Timeline("hoodie.properties")))
                {
                    file.Write(System.Text.Encoding.UTF8.GetBytes(Properties.Replace("version=6", "version=3", StringComparison.Ordinal)));
                }

                break;
            default:
                Directory.Delete(Timeline(string.Empty), recursive: true);
                break;
        }
    }

    private string Timeline(string name) => Path.Combine(_folder.FullName, ".hoodie", name);

    private void Commit(string instant) => File.WriteAllText(Timeline(instant + ".commit"), """
        {"partitionToWriteStats":{},"compacted":false,"operationType":"INSERT","extraMetadata":{"schema":"{\"type\":\"record\",\"name\":\"t\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"}]}"}}
        """);

    private async Task<HudiSnapshot> LoadAsync(HudiSnapshot? known) => (HudiSnapshot)await _format.LoadSnapshotAsync(_table, SnapshotSelector.Latest, known);

    // What was written just now has settled for it.
    private sealed class Clock : TimeProvider
    {
        public TimeSpan Late { get; set; } = TimeSpan.FromMinutes(1);

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow + Late;
    }
}
