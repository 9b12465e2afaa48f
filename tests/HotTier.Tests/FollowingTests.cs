using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;

namespace LakeHolo.HotTier.Tests;

/// <summary>Copies that follow for long, and over sources that may not be written to.</summary>
public sealed class FollowingTests : IAsyncLifetime
{
    private static readonly int Refreshes = Fuzz.IsNightly ? 1_000 : 24;

    private readonly SmallLake _lake = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    /// <summary>A table whose file takes some blocks, and one that fits into the least of them.</summary>
    [Theory]
    [InlineData(20_000)]
    [InlineData(100)]
    public async Task After_many_refreshes_a_file_is_at_most_half_as_large_again_as_a_fresh_one(int rows)
    {
        const int Files = 8;
        for (int i = 0; i < Files; i++)
        {
            Write(i, i);
        }

        await _lake.StartAsync();
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        long largest = 0;
        for (int i = 0; i < Refreshes; i++)
        {
            Write(i % Files, Files + i);
            await _lake.RowsAsync("REFRESH TABLE dwd.t");
            Assert.Equal("files", await _lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables"));
            largest = Math.Max(largest, await BytesAsync());
        }

        string[] sums = await _lake.RowsAsync("SELECT count(*), sum(x) FROM dwd.t");
        long grown = await BytesAsync();
        await _lake.RowsAsync("DEMOTE TABLE dwd.t");
        Assert.Equal(sums, await _lake.RowsAsync("SELECT count(*), sum(x) FROM dwd.t"));
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        long fresh = await BytesAsync();
        TestContext.Current.TestOutputHelper!.WriteLine($"fresh {fresh}, after {Refreshes} refreshes {grown}, the largest between {largest}");
        Assert.InRange(grown, 1, fresh * 3 / 2);

        Assert.InRange(largest, 1, fresh * 3 / 2);

        void Write(int file, int seed) => _lake.Write($"dwd/t/{file}.parquet", $"SELECT (hash(i + {seed * 1_000_003L}) // 4096)::BIGINT AS x FROM range({rows}) t(i)");
    }

    [Fact]
    public async Task A_folder_that_may_not_be_written_to_is_promoted_followed_as_files_come_and_verified()
    {
        _lake.Write("dwd/t/1.parquet", "SELECT i AS x FROM range(1000) t(i)");
        string readOnly = _lake.Directory + ".read-only";
        Directory.CreateDirectory(readOnly);
        bool isMounted = Mounts.Run("mount", "--bind", _lake.Directory, readOnly) && Mounts.Run("mount", "-o", "remount,ro,bind", readOnly);
        Assert.SkipUnless(isMounted, "A folder cannot be mounted read-only here (needs Linux and the right to mount)");
        try
        {
            Assert.Throws<IOException>(() => File.WriteAllText(Path.Combine(readOnly, "dwd/t/written"), string.Empty));
            await FollowsAsync(new LocalFolderStore(readOnly), watches: true);
        }
        finally
        {
            await _lake.StopAsync();
            Assert.True(Mounts.Run("umount", readOnly));
        }
    }

    [Fact]
    public async Task A_bucket_that_may_not_be_written_to_is_promoted_followed_and_verified()
    {
        _lake.Write("dwd/t/1.parquet", "SELECT i AS x FROM range(1000) t(i)");
        await FollowsAsync(new ReadOnlyBucket(new LocalFolderStore(_lake.Directory)), watches: false);
    }

    /// <summary>Same size, same second: the engine must not answer with bytes that it keeps.</summary>
    [Fact]
    public async Task A_file_that_is_replaced_within_the_second_it_was_read_in_is_read_anew()
    {
        _lake.Write("dwd/t/1.parquet", "SELECT (hash(i) // 2)::BIGINT AS x FROM range(20000) t(i)");
        await _lake.StartAsync();
        string path = Path.Combine(_lake.Directory, "dwd/t/1.parquet");
        byte[][] contents = new byte[2][];
        for (int i = 0; i < 2; i++)
        {
            _lake.Write("dwd/t/1.parquet", $"SELECT {i * 1_000_000} + i AS x FROM range(20000) t(i)", "FORMAT parquet, COMPRESSION uncompressed");
            contents[i] = await File.ReadAllBytesAsync(path);
        }

        Assert.Equal(contents[0].Length, contents[1].Length);
        for (int i = 0; i < 20; i++)
        {
            await File.WriteAllBytesAsync(path, contents[i % 2]);
            Assert.Equal([$"20000|{(i % 2 * 1_000_000) + 19_999}"], (await _lake.AnswerAsync("SELECT count(*), max(x) FROM dwd.t")).Rows);
            Assert.Equal(["1"], (await _lake.AnswerAsync($"SELECT count(*) FROM dwd.t WHERE x = {(i % 2 * 1_000_000) + 5}")).Rows);
        }
    }

    private async Task FollowsAsync(IObjectStore source, bool watches)
    {
        await _lake.StartAsync(store: source, configure: o => o with { Sources = [o.Sources[0] with { SyncInterval = TimeSpan.FromDays(1) }] });
        await _lake.RowsAsync("PROMOTE TABLE dwd.t");
        if (watches)
        {
            _lake.Instance.StartSync();
        }

        _lake.Write("dwd/t/2.parquet", "SELECT i AS x FROM range(500) t(i)");
        if (watches)
        {
            await Eventually.TrueAsync(async () => await _lake.ValueAsync("SELECT last_refresh FROM lakeholo.hot_tables") == "files");
        }
        else
        {
            await _lake.RowsAsync("REFRESH TABLE dwd.t");
        }

        (string[] rows, string tiers) = await _lake.AnswerAsync("SELECT count(*), sum(x) FROM dwd.t");
        Assert.Equal(["1500|624250"], rows);
        Assert.Equal("hot", tiers);
        Assert.Contains("|verified|", (await _lake.RowsAsync("VERIFY TABLE dwd.t"))[0], StringComparison.Ordinal);
        await _lake.RowsAsync("DEMOTE TABLE dwd.t");
        (rows, tiers) = await _lake.AnswerAsync("SELECT count(*) FROM dwd.t");
        Assert.Equal(["1500"], rows);
        Assert.Equal("lake", tiers);
    }

    private async Task<long> BytesAsync() => long.Parse(await _lake.ValueAsync("SELECT size_bytes FROM lakeholo.hot_tables"), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>A store on another machine whose keys allow to read.</summary>
    private sealed class ReadOnlyBucket(IObjectStore inner) : IObjectStore
    {
        public Uri Root => inner.Root;

        public IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, bool recursive, string? startAfter = null, CancellationToken cancellationToken = default)
            => inner.ListAsync(prefix, recursive, startAfter, cancellationToken);

        public ValueTask<ObjectEntry?> HeadAsync(string key, CancellationToken cancellationToken = default) => inner.HeadAsync(key, cancellationToken);

        public ValueTask<byte[]> ReadAsync(string key, long maxSizeBytes = 1L << 30, CancellationToken cancellationToken = default) => inner.ReadAsync(key, maxSizeBytes, cancellationToken);

        public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadRangesAsync(
            string key, IReadOnlyList<ByteRange> ranges, string? ifMatch = null, CancellationToken cancellationToken = default) => inner.ReadRangesAsync(key, ranges, ifMatch, cancellationToken);

        public ValueTask<bool> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken = default)
            => throw new InvalidOperationException("403");

        public string? TryGetLocalPath(string key) => null;

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
