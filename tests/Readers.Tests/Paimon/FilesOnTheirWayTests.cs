using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Scans of Paimon tables in a bucket that are planned before their files are there.</summary>
public sealed class FilesOnTheirWayTests : OverAppendTables
{
    private static readonly PaimonType Int = new() { Kind = PaimonTypeKind.BigInt, Text = "BIGINT" };
    private static readonly PaimonType Row = new() { Kind = PaimonTypeKind.Row, Fields = [new(11, "a", Int)], Text = "ROW<a BIGINT>" };

    private readonly TaskCompletionSource _bucket = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RemoteFolder? _remote;

    protected override IObjectStore TableStore => _remote ??= new RemoteFolder(Folder);

    [Fact]
    public async Task The_engine_waits_for_the_files_that_it_opens()
    {
        PaimonSnapshot snapshot = Files();
        Hold(snapshot);
        await using TableScan scan = await Reader.PlanAsync(snapshot, new ScanRequest { Columns = ["k", "v"], FilesMayArrive = true });
        Assert.False(Assert.Single(scan.Arrivals).Completion.IsCompleted);
        Task<List<string>> asked = Task.Run(() => TableOfRuns.Read(Engine, $"SELECT count(*) AS n, sum(v) AS s, max(k) AS m FROM ({scan.Sql})", ["n", "s", "m"]));
        await Eventually.TrueAsync(() => scan.Arrivals[0].IsAwaited);

        _bucket.SetResult();
        await scan.Arrivals[0].Completion;
        Assert.Equal(["120000|7200060000|119999"], await asked);
    }

    [Theory]
    [InlineData(false, "k")]
    [InlineData(true, "r")] // whether its rows are whole, the footers tell
    public async Task Where_nobody_lets_files_arrive_or_footers_have_to_be_read_they_are_there(bool mayArrive, string column)
    {
        PaimonSnapshot snapshot = Files();
        await using TableScan scan = await Reader.PlanAsync(snapshot, new ScanRequest { Columns = [column], FilesMayArrive = mayArrive });
        Assert.Empty(scan.Arrivals);
        Assert.Equal(["120000"], TableOfRuns.Read(Engine, $"SELECT count({column}) AS n FROM ({scan.Sql})", ["n"]));
    }

    private PaimonSnapshot Files()
    {
        Assert.SkipUnless(FileHold.IsPossible, "There are no leases of files here");
        return Table(
            [new(0, "k", Int), new(1, "v", Int), new(2, "r", Row), new(3, "noise", Int)], null,
            [.. Enumerable.Range(0, 3).Select(i => File($"f{i}", $"SELECT i AS k, i + 1 AS v, {{'a': i}} AS r, (hash(i) >> 1)::BIGINT AS noise FROM range({i * 40_000}, {(i + 1) * 40_000}) t(i)"))]);
    }

    // The ends of files come, with the footers; chunks do not.
    private void Hold(PaimonSnapshot snapshot) => _remote!.BeforeRead =
        range => snapshot.Files.Any(f => range.Offset + range.Length == f.SizeBytes) ? Task.CompletedTask : _bucket.Task;
}
