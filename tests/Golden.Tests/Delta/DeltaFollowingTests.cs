using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Whether a newer version of a local table is noticed while its log is not listed at each look.</summary>
public sealed class DeltaFollowingTests : IDisposable
{
    private readonly HandMadeTable _hand = new();
    private readonly CountingStore _store;
    private readonly LakeTable _table;
    private readonly Clock _clock = new();
    private readonly DeltaTableFormat _format;

    public DeltaFollowingTests()
    {
        long size = _hand.WriteFile("1.parquet", "SELECT 1 AS id");
        _hand.Commit(0, [.. HandMadeTable.Create(["id integer"]), HandMadeTable.Add("1.parquet", size)]);
        _hand.Commit(1, HandMadeTable.Add("2.parquet", size));
        _store = new CountingStore(_hand.Table.Root.Store);
        _table = _hand.Table with { Root = _hand.Table.Root with { Store = _store } };
        _format = new DeltaTableFormat(time: _clock);
    }

    public void Dispose() => _hand.Dispose();

    [Fact]
    public async Task A_log_whose_folder_did_not_change_is_not_listed_again()
    {
        DeltaSnapshot first = await LoadAsync(null);
        Assert.Same(first, await LoadAsync(first));
        _store.TakeRequests();
        Assert.Same(first, await LoadAsync(first));
        Assert.Same(first, await LoadAsync(first));
        Assert.DoesNotContain(_table.Root.Key("_delta_log/"), _store.TakeRequests());
    }

    [Fact]
    public async Task A_log_that_changed_a_moment_ago_is_listed_again()
    {
        _clock.Late = TimeSpan.Zero;
        DeltaSnapshot first = await LoadAsync(null);
        Assert.Same(first, await LoadAsync(first));
        _store.TakeRequests();
        Assert.Same(first, await LoadAsync(first));
        Assert.Contains(_table.Root.Key("_delta_log/"), _store.TakeRequests());
    }

    [Theory]
    [InlineData("a commit", "2")]
    [InlineData("two commits", "3")]
    [InlineData("a commit after one that is missing", "error")]
    [InlineData("a checkpoint of a later version", "error")]
    [InlineData("the last commit written over", "1 anew")]
    [InlineData("the last commit removed", "0")]
    [InlineData("the table made anew", "1 anew")]
    public async Task Whatever_happens_to_a_log_that_is_not_listed_shows(string what, string expected)
    {
        DeltaSnapshot first = await LoadAsync(null);
        await LoadAsync(first);
        Assert.NotNull(first.Log);
        await Task.Delay(20); // the file system's clock goes in ticks of some milliseconds
        Change(what);
        string seen;
        try
        {
            DeltaSnapshot now = await LoadAsync(first);
            seen = now.Version == 1 ? ReferenceEquals(now, first) ? "the old one" : "1 anew" : $"{now.Version}";
        }
        catch (LakeException)
        {
            seen = "error";
        }

        Assert.Equal(expected, seen);
    }

    private void Change(string what)
    {
        string log = _hand.TableFile("_delta_log");
        switch (what)
        {
            case "a commit":
                _hand.Commit(2, HandMadeTable.Remove("1.parquet"));
                break;
            case "two commits":
                _hand.Commit(2, HandMadeTable.Remove("1.parquet"));
                _hand.Commit(3, HandMadeTable.Remove("2.parquet"));
                break;
            case "a commit after one that is missing":
                _hand.Commit(3, HandMadeTable.Remove("2.parquet"));
                break;
            case "a checkpoint of a later version":
                File.WriteAllText(Path.Combine(log, "00000000000000000003.checkpoint.parquet"), "no Parquet");
                break;
            case "the last commit written over":
                _hand.Commit(1, HandMadeTable.Remove("1.parquet"));
                break;
            case "the last commit removed":
                File.Delete(Path.Combine(log, "00000000000000000001.json"));
                break;
            default:
                Directory.Move(log, log + "_before");
                Directory.CreateDirectory(log);
                foreach (string file in Directory.GetFiles(log + "_before"))
                {
                    File.WriteAllText(Path.Combine(log, Path.GetFileName(file)), File.ReadAllText(file));
                }

                break;
        }
    }

    private async Task<DeltaSnapshot> LoadAsync(DeltaSnapshot? known) => (DeltaSnapshot)await _format.LoadSnapshotAsync(_table, SnapshotSelector.Latest, known);

    // What was written just now has settled for it.
    private sealed class Clock : TimeProvider
    {
        public TimeSpan Late { get; set; } = TimeSpan.FromMinutes(1);

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow + Late;
    }
}
