using LakeHolo.LakeCatalog;

namespace LakeHolo.HotTier.Tests;

/// <summary>Hot copies on a disk of 16 MiB that is really full: answers stay right, the error tells why, and all works again once there is room.</summary>
public sealed class FullDiskTests : IAsyncLifetime
{
    private const string Sums = "SELECT count(*), sum(x) FROM dwd.t";

    private readonly SmallLake _lake = new();
    private bool _isMounted;

    public ValueTask InitializeAsync()
    {
        _lake.Write("dwd/t/1.parquet", "SELECT i AS x FROM range(1000) t(i)");
        Directory.CreateDirectory(_lake.HotDirectory);
        _isMounted = OperatingSystem.IsLinux() && Mounts.Run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", _lake.HotDirectory);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _lake.StopAsync();
        if (_isMounted)
        {
            Assert.True(Mounts.Run("umount", _lake.HotDirectory));
        }

        await _lake.DisposeAsync();
    }

    [Fact]
    public async Task A_refresh_without_room_fails_changes_nothing_and_works_once_there_is_room()
    {
        NeedsMount();
        await _lake.StartAsync();
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        string[] old = (await _lake.AnswerAsync(Sums)).Rows;
        Fill();
        _lake.Write("dwd/t/2.parquet", "SELECT (hash(i) // 4096)::BIGINT AS x FROM range(100000) t(i)");
        string[] fresh = (await _lake.AnswerAsync(Sums)).Rows;
        for (int i = 0; i < 3; i++)
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync("REFRESH TABLE dwd.t"));
            Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
            Assert.Contains("cannot be refreshed", e.Message, StringComparison.Ordinal);
            await AnswersAsync(fresh, "lake");
            await _lake.RowsAsync("SET max_staleness = '1d'");
            await AnswersAsync(old, "hot");
            await _lake.RowsAsync("RESET max_staleness");
        }

        File.Delete(Ballast);
        await _lake.RowsAsync("REFRESH TABLE dwd.t");
        await AnswersAsync(fresh, "hot");
        Assert.Contains("|verified|", (await _lake.RowsAsync("VERIFY TABLE dwd.t"))[0], StringComparison.Ordinal);
        await _lake.StartAsync();
        await AnswersAsync(fresh, "hot");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ORDER BY x")]
    public async Task A_promotion_that_fills_the_disk_is_taken_back_and_works_once_there_is_room(string order)
    {
        NeedsMount();

        // Small in the lake, where what repeats is found from row to row, and large in the engine's storage.
        string text = string.Concat(Enumerable.Range(0, 3000).Select(i => (char)('!' + (i * 7919 % 8171 % 90)))).Replace('\'', '_');
        _lake.Write("dwd/big/1.parquet", $"SELECT i AS x, i || '{text}' || hash(i) AS s FROM range(20000) t(i)");
        await _lake.StartAsync();
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        string[] files = Directory.GetFiles(_lake.HotDirectory, "*.duckdb");
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.RowsAsync("PROMOTE TABLE dwd.big" + order));
        Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
        Assert.Contains("cannot be written", e.Message, StringComparison.Ordinal);
        Assert.Equal(files, Directory.GetFiles(_lake.HotDirectory, "*.duckdb"));
        Assert.Equal("hot", (await _lake.AnswerAsync(Sums)).Tiers);
        (string[] rows, string tiers) = await _lake.AnswerAsync("SELECT count(*), sum(length(s)) > 1 FROM dwd.big");
        Assert.Equal(["20000|true"], rows);
        Assert.Equal("lake", tiers);

        _lake.Write("dwd/big/1.parquet", $"SELECT i AS x, i || '{text}' || hash(i) AS s FROM range(500) t(i)");
        await _lake.RowsAsync("PROMOTE TABLE dwd.big" + order);
        (rows, tiers) = await _lake.AnswerAsync("SELECT count(*), sum(length(s)) > 1 FROM dwd.big");
        Assert.Equal(["500|true"], rows);
        Assert.Equal("hot", tiers);
        await _lake.StartAsync();
        Assert.Equal("hot", (await _lake.AnswerAsync(Sums)).Tiers);
    }

    private string Ballast => Path.Combine(_lake.HotDirectory, "ballast");

    private void NeedsMount() => Assert.SkipUnless(_isMounted, "A small file system of its own cannot be mounted here (needs Linux and the right to mount)");

    private void Fill()
    {
        using FileStream file = File.Create(Ballast);
        byte[] block = new byte[4096];
        while (true)
        {
            try
            {
                file.Write(block);
                file.Flush();
            }
            catch (IOException)
            {
                return;
            }
        }
    }

    private async Task AnswersAsync(string[] rows, string tiers)
    {
        (string[] actual, string actualTiers) = await _lake.AnswerAsync(Sums);
        Assert.Equal(rows, actual);
        Assert.Equal(tiers, actualTiers);
    }
}
