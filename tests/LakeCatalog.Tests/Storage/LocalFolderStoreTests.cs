using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;

namespace LakeHolo.LakeCatalog.Tests.Storage;

public sealed class LocalFolderStoreTests : ObjectStoreContract, IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TemporaryFolder _outside = new();

    public void Dispose()
    {
        _folder.Dispose();
        _outside.Dispose();
    }

    protected override Task<(IObjectStore Store, Func<string, byte[], Task> Write)> OpenAsync()
    {
        Task WriteAsync(string key, byte[] content)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder.File(key))!);
            return File.WriteAllBytesAsync(_folder.File(key), content);
        }

        return Task.FromResult<(IObjectStore, Func<string, byte[], Task>)>((new LocalFolderStore(_folder.Path), WriteAsync));
    }

    [Fact]
    public async Task Links_inside_the_folder_are_followed_and_links_out_of_it_refused()
    {
        Directory.CreateDirectory(_folder.File("real"));
        File.WriteAllText(_folder.File("real/file"), "inside");
        File.WriteAllText(_outside.File("secret"), "outside");
        Directory.CreateSymbolicLink(_folder.File("alias"), "real");
        File.CreateSymbolicLink(_folder.File("leak"), _outside.File("secret"));
        Directory.CreateSymbolicLink(_folder.File("out"), _outside.Path);
        File.CreateSymbolicLink(_folder.File("dangling"), _folder.File("nothing"));
        var store = new LocalFolderStore(_folder.Path);

        Assert.Equal("inside"u8.ToArray(), await store.ReadAsync("alias/file"));
        Assert.Equal(["alias/", "leak", "out/", "real/"], await KeysAsync(store, "", recursive: false));
        foreach (Func<Task> call in (Func<Task>[])[
            () => store.ReadAsync("leak").AsTask(),
            () => store.ReadAsync("out/secret").AsTask(),
            () => KeysAsync(store, "out/", recursive: false),
            () => KeysAsync(store, "", recursive: true),
            () => store.PutAsync("out/new", new byte[] { 1 }, PutCondition.None).AsTask()])
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(call);
            Assert.Equal((LakeErrorKind.StorageUnavailable, false), (e.Kind, e.IsTransient));
        }

        Assert.Throws<LakeException>(() => store.TryGetLocalPath("leak"));
        Assert.Equal([_outside.File("secret")], Directory.GetFiles(_outside.Path));
    }

    [Fact]
    public async Task A_link_that_leads_back_up_ends_a_listing_with_an_error()
    {
        Directory.CreateDirectory(_folder.File("a/b"));
        Directory.CreateSymbolicLink(_folder.File("a/b/up"), "../../a");
        var store = new LocalFolderStore(_folder.Path);

        LakeException e = await Assert.ThrowsAsync<LakeException>(() => KeysAsync(store, "", recursive: true));

        Assert.Equal(LakeErrorKind.StorageUnavailable, e.Kind);
    }

    [Fact]
    public async Task A_root_that_is_itself_a_link_is_opened_where_it_leads()
    {
        Directory.CreateSymbolicLink(_outside.File("link"), _folder.Path);
        File.WriteAllText(_folder.File("o"), "x");

        TableRoot root = ObjectStores.Open("file://" + _outside.File("link"), new StorageOptions());

        Assert.Equal("x"u8.ToArray(), await root.Store.ReadAsync("o"));
        Assert.Equal(_folder.File("o"), root.Store.TryGetLocalPath("o"));
        Assert.Equal("file://" + _folder.Path, root.Location);
    }

    [Fact]
    public async Task Half_written_objects_are_not_listed()
    {
        File.WriteAllText(_folder.File(".lakeholo-put-0123"), "half");

        Assert.Empty(await KeysAsync(new LocalFolderStore(_folder.Path), "", recursive: true));
    }

    [Fact]
    public void A_missing_folder_and_an_unknown_scheme_are_named()
    {
        Assert.Equal(LakeErrorKind.NotFound, Assert.Throws<LakeException>(() => ObjectStores.Open(_folder.File("no"), new StorageOptions())).Kind);
        Assert.Equal(LakeErrorKind.FeatureUnsupported, Assert.Throws<LakeException>(() => ObjectStores.Open("gs://b/x", new StorageOptions())).Kind);
    }
}
