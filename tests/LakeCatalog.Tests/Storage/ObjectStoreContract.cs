using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Tests.Storage;

/// <summary>What every store does, whatever it keeps its objects in. Objects are written by other means than the store itself.</summary>
public abstract class ObjectStoreContract
{
    /// <summary>An empty store, and a way around it to write objects.</summary>
    protected abstract Task<(IObjectStore Store, Func<string, byte[], Task> Write)> OpenAsync();

    [Fact]
    public async Task Listings_are_in_the_order_of_keys_with_or_without_what_lies_deeper()
    {
        (IObjectStore store, Func<string, byte[], Task> write) = await OpenAsync();
        // '-' sorts before '/', '0' after it; U+10000 after U+E000 although its UTF-16 units are smaller.
        string[] keys = ["a-b", "a/b", "a/c/d", "a/c/e f", "a/z", "a0", "b", "c/é", "c/\uE000", "c/\U00010000"];
        foreach (string key in keys.Reverse())
        {
            await write(key, [1, 2, 3]);
        }

        Assert.Equal(keys, await KeysAsync(store, "", recursive: true));
        Assert.Equal(["a-b", "a/", "a0", "b", "c/"], await KeysAsync(store, "", recursive: false));
        Assert.Equal(["a/b", "a/c/", "a/z"], await KeysAsync(store, "a/", recursive: false));
        Assert.Equal(["a/c/d", "a/c/e f"], await KeysAsync(store, "a/c", recursive: true));
        Assert.Equal(["a/c/"], await KeysAsync(store, "a/c", recursive: false));
        Assert.Equal(["a/c/e f", "a/z", "a0", "b"], (await KeysAsync(store, "", recursive: true, startAfter: "a/c/d")).Take(4));
        Assert.Equal(["a0", "b", "c/"], await KeysAsync(store, "", recursive: false, startAfter: "a/b"));
        Assert.Equal(["a/z"], await KeysAsync(store, "a/", recursive: false, startAfter: "a/c/d"));
        Assert.Empty(await KeysAsync(store, "nothing/", recursive: true));
        await foreach (ObjectEntry entry in store.ListAsync("a/b", recursive: true))
        {
            Assert.Equal(await store.HeadAsync("a/b") is { } head ? (head.SizeBytes, head.ETag) : default, (entry.SizeBytes, entry.ETag));
            Assert.Equal((3, "b", false), (entry.SizeBytes, entry.Name, entry.IsFolder));
        }
    }

    [Fact]
    public async Task What_is_not_there_is_null_for_head_and_an_error_for_reads()
    {
        (IObjectStore store, Func<string, byte[], Task> write) = await OpenAsync();
        await write("folder/object", [1]);

        Assert.Null(await store.HeadAsync("missing"));
        Assert.Null(await store.HeadAsync("folder/"));
        Assert.Equal(LakeErrorKind.NotFound, (await Assert.ThrowsAsync<LakeException>(() => store.ReadAsync("missing").AsTask())).Kind);
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => store.ReadRangesAsync("no/such", [new ByteRange(0, 1)]).AsTask());
        Assert.Equal(LakeErrorKind.NotFound, e.Kind);
        Assert.EndsWith("no/such", e.Path, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_object_is_read_whole_within_the_bound_and_refused_beyond()
    {
        (IObjectStore store, Func<string, byte[], Task> write) = await OpenAsync();
        byte[] content = Bytes(300_000);
        await write("big", content);
        await write("empty", []);

        Assert.Equal(content, await store.ReadAsync("big"));
        Assert.Empty(await store.ReadAsync("empty"));
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => store.ReadAsync("big", maxSizeBytes: 299_999).AsTask());
        Assert.Equal(LakeErrorKind.ResourcesExhausted, e.Kind);
    }

    [Fact]
    public async Task Ranges_come_back_in_the_order_asked_for_whether_near_far_or_overlapping()
    {
        (IObjectStore store, Func<string, byte[], Task> write) = await OpenAsync();
        byte[] content = Bytes(1_000_000);
        await write("o", content);
        ByteRange[] ranges = [new(999_999, 1), new(10, 5), new(0, 20), new(400_000, 300_000), new(12, 0), new(16, 100), new(390_000, 20_000)];

        IReadOnlyList<ReadOnlyMemory<byte>> parts = await store.ReadRangesAsync("o", ranges);

        Assert.Equal(ranges.Select(r => content[(int)r.Offset..(int)(r.Offset + r.Length)]), parts.Select(p => p.ToArray()));
        foreach (ByteRange wrong in (ByteRange[])[new(999_999, 2), new(1_000_000, 1), new(2_000_000, 1), new(-1, 1), new(0, -1), new(long.MaxValue, 1)])
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(() => store.ReadRangesAsync("o", [wrong]).AsTask());
            Assert.Equal((LakeErrorKind.StorageUnavailable, false), (e.Kind, e.IsTransient));
        }
    }

    [Theory]
    [InlineData(1000, 100)]
    [InlineData(1000, 1000)]
    [InlineData(1000, 70_000)]
    [InlineData(300_000, 65_536)]
    [InlineData(1, 1)]
    [InlineData(0, 100)]
    public async Task The_end_of_an_object_comes_with_what_its_head_tells(int size, int mostBytes)
    {
        (IObjectStore store, Func<string, byte[], Task> write) = await OpenAsync();
        byte[] content = Bytes(size);
        await write("d/o", content);

        ObjectEnd? end = await store.ReadEndAsync("d/o", mostBytes);

        Assert.Equal(await store.HeadAsync("d/o"), end?.Entry);
        Assert.Equal(content[Math.Max(0, size - mostBytes)..], end?.Bytes.ToArray());
        Assert.Null(await store.ReadEndAsync("d/other", mostBytes));
    }

    [Fact]
    public async Task A_rewritten_object_is_noticed_by_its_tag()
    {
        (IObjectStore store, Func<string, byte[], Task> write) = await OpenAsync();
        await write("o", [1, 2, 3]);
        string tag = (await store.HeadAsync("o"))!.Value.ETag;
        Assert.Equal([2], (await store.ReadRangesAsync("o", [new ByteRange(1, 1)], tag))[0].ToArray());

        await write("o", [4, 5, 6, 7]);

        LakeException e = await Assert.ThrowsAsync<LakeException>(() => store.ReadRangesAsync("o", [new ByteRange(1, 1)], tag).AsTask());
        Assert.Equal((LakeErrorKind.NotFound, true), (e.Kind, e.IsTransient));
    }

    [Fact]
    public async Task A_put_replaces_unless_it_is_told_to_create()
    {
        (IObjectStore store, _) = await OpenAsync();

        Assert.True(await store.PutAsync("d/o", new byte[] { 1 }, PutCondition.IfAbsent));
        Assert.False(await store.PutAsync("d/o", new byte[] { 2 }, PutCondition.IfAbsent));
        Assert.Equal([1], await store.ReadAsync("d/o"));
        Assert.True(await store.PutAsync("d/o", new byte[] { 3, 3 }, PutCondition.None));
        Assert.Equal([3, 3], await store.ReadAsync("d/o"));
        Assert.Equal(["d/o"], await KeysAsync(store, "", recursive: true));
    }

    [Fact]
    public async Task Of_many_who_create_one_object_at_once_exactly_one_wins()
    {
        (IObjectStore store, _) = await OpenAsync();
        for (int round = 0; round < 5; round++)
        {
            string key = $"commit{round}";
            bool[] won = await Task.WhenAll(Enumerable.Range(0, 16)
                .Select(i => Task.Run(() => store.PutAsync(key, new byte[] { (byte)i }, PutCondition.IfAbsent).AsTask())));

            byte[] content = await store.ReadAsync(key);
            Assert.Equal(Enumerable.Range(0, 16).Select(i => i == content[0]), won);
        }
    }

    [Fact]
    public async Task Keys_are_taken_literally()
    {
        (IObjectStore store, Func<string, byte[], Task> write) = await OpenAsync();
        string[] keys = ["a b", "a+b", "dt=2024-01-01 00%3A00/x", "a%2Fb", "a&b?c#d", "a;b:c@d", "it's \"q\"", "<x>~(y)*!", "back\\slash", "日本語", "😀"];
        foreach (string key in keys)
        {
            await write(key, System.Text.Encoding.UTF8.GetBytes(key));
        }

        Assert.Equal(keys.Order(StringComparer.Ordinal), (await KeysAsync(store, "", recursive: true)).Order(StringComparer.Ordinal));
        foreach (string key in keys)
        {
            Assert.Equal(key, System.Text.Encoding.UTF8.GetString(await store.ReadAsync(key)));
            Assert.NotNull(await store.HeadAsync(key));
            Assert.True(await store.PutAsync("copy/" + key, new byte[] { 1 }, PutCondition.IfAbsent));
        }
    }

    [Theory]
    [InlineData("../secret")]
    [InlineData("a/../../secret")]
    [InlineData("/etc/passwd")]
    [InlineData("./a")]
    public async Task Keys_that_leave_the_root_are_refused(string key)
    {
        (IObjectStore store, _) = await OpenAsync();

        foreach (Func<Task> call in (Func<Task>[])[
            () => store.HeadAsync(key).AsTask(),
            () => store.ReadAsync(key).AsTask(),
            () => store.ReadRangesAsync(key, [new ByteRange(0, 1)]).AsTask(),
            () => store.PutAsync(key, new byte[] { 1 }, PutCondition.None).AsTask()])
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(call);
            Assert.Equal((LakeErrorKind.StorageUnavailable, false), (e.Kind, e.IsTransient));
        }
    }

    protected static async Task<List<string>> KeysAsync(IObjectStore store, string prefix, bool recursive, string? startAfter = null)
    {
        var keys = new List<string>();
        await foreach (ObjectEntry entry in store.ListAsync(prefix, recursive, startAfter))
        {
            keys.Add(entry.Key);
        }

        return keys;
    }

    protected static byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        return bytes;
    }
}
