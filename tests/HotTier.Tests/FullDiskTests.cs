using LakeHolo.LakeCatalog;

namespace LakeHolo.HotTier.Tests;

/// <summary>Hot copies on a disk of 16 MiB that is really full: answers stay right, the error tells why, and all works again once there is room.</summary>
public sealed class FullDiskTests : OverOneTable
{
    private bool _isMounted;

    public override ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Lake.HotDirectory);
        _isMounted = OperatingSystem.IsLinux() && Mounts.Run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", Lake.HotDirectory);
        return base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await Lake.StopAsync();
        if (_isMounted)
        {
            Assert.True(Mounts.Run("umount", Lake.HotDirectory));
        }

        await base.DisposeAsync();
    }

    [Fact]
    public async Task A_refresh_without_room_fails_changes_nothing_and_works_once_there_is_room()
    {
        NeedsMount();
        await Lake.StartAsync();
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        string[] old = (await Lake.AnswerAsync(Sums)).Rows;
        Fill();
        Lake.Write("dwd/t/2.parquet", "SELECT (hash(i) // 4096)::BIGINT AS x FROM range(100000) t(i)");
        string[] fresh = (await Lake.AnswerAsync(Sums)).Rows;
        for (int i = 0; i < 3; i++)
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(() => Lake.RowsAsync("REFRESH TABLE dwd.t"));
            Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
            Assert.Contains("cannot be refreshed", e.Message, StringComparison.Ordinal);
            await AnswersAsync(Sums, fresh, "lake");
            await Lake.RowsAsync("SET max_staleness = '1d'");
            await AnswersAsync(Sums, old, "hot");
            await Lake.RowsAsync("RESET max_staleness");
        }

        File.Delete(Ballast);
        await Lake.RowsAsync("REFRESH TABLE dwd.t");
        await AnswersAsync(Sums, fresh, "hot");
        Assert.Contains("|verified|", (await Lake.RowsAsync("VERIFY TABLE dwd.t"))[0], StringComparison.Ordinal);
        await Lake.StartAsync();
        await AnswersAsync(Sums, fresh, "hot");
    }

    [Fact]
    public async Task A_copy_whose_checkpoint_finds_no_room_goes_out_of_service_and_is_built_anew_once_there_is_room()
    {
        NeedsMount();
        await Lake.StartAsync();
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        Fill(leave: 1 << 20);
        Lake.Write("dwd/t/2.parquet", "SELECT (hash(i) // 4096)::BIGINT AS x FROM range(50000) t(i)");
        string[] fresh = (await Lake.AnswerAsync(Sums)).Rows;

        await Lake.RowsAsync("REFRESH TABLE dwd.t"); // its log of changes finds room

        await AnswersAsync(Sums, fresh, "lake");
        Assert.Equal(["quarantined"], await Lake.RowsAsync("SELECT state FROM lakeholo.hot_tables"));
        File.Delete(Ballast);
        await Lake.RowsAsync("REFRESH TABLE dwd.t");
        await AnswersAsync(Sums, fresh, "hot");
        Assert.Contains("|verified|", (await Lake.RowsAsync("VERIFY TABLE dwd.t"))[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ORDER BY x")]
    public async Task A_promotion_that_fills_the_disk_is_taken_back_and_works_once_there_is_room(string order)
    {
        NeedsMount();

        // Small in the lake, where what repeats is found from row to row, and large in the engine's storage.
        string text = string.Concat(Enumerable.Range(0, 3000).Select(i => (char)('!' + (i * 7919 % 8171 % 90)))).Replace('\'', '_');
        Lake.Write("dwd/big/1.parquet", $"SELECT i AS x, i || '{text}' || hash(i) AS s FROM range(20000) t(i)");
        await Lake.StartAsync();
        await Lake.RowsAsync("PROMOTE TABLE dwd.t");
        string[] files = Directory.GetFiles(Lake.HotDirectory, "*.duckdb");
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => Lake.RowsAsync("PROMOTE TABLE dwd.big" + order));
        Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
        Assert.Contains("cannot be written", e.Message, StringComparison.Ordinal);
        Assert.Equal(files, Directory.GetFiles(Lake.HotDirectory, "*.duckdb"));
        Assert.Equal("hot", (await Lake.AnswerAsync(Sums)).Tiers);
        (string[] rows, string tiers) = await Lake.AnswerAsync("SELECT count(*), sum(length(s)) > 1 FROM dwd.big");
        Assert.Equal(["20000|true"], rows);
        Assert.Equal("lake", tiers);

        Lake.Write("dwd/big/1.parquet", $"SELECT i AS x, i || '{text}' || hash(i) AS s FROM range(500) t(i)");
        await Lake.RowsAsync("PROMOTE TABLE dwd.big" + order);
        (rows, tiers) = await Lake.AnswerAsync("SELECT count(*), sum(length(s)) > 1 FROM dwd.big");
        Assert.Equal(["500|true"], rows);
        Assert.Equal("hot", tiers);
        await Lake.StartAsync();
        Assert.Equal("hot", (await Lake.AnswerAsync(Sums)).Tiers);
    }

    private string Ballast => Path.Combine(Lake.HotDirectory, "ballast");

    private void NeedsMount() => Assert.SkipUnless(_isMounted, "A small file system of its own cannot be mounted here (needs Linux and the right to mount)");

    private void Fill(int leave = 0)
    {
        WriteWhatFits();
        using FileStream file = File.OpenWrite(Ballast);
        file.SetLength(file.Length - leave);
    }

    private void WriteWhatFits()
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
}
