using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;

namespace LakeHolo.LakeCatalog.Tests.Storage;

public sealed class LocalTreeTests : IDisposable
{
    private static readonly TimeSpan Settled = TimeSpan.FromMinutes(1);

    private readonly TemporaryFolder _folder = new();

    public LocalTreeTests()
    {
        Write("p=1/a.parquet", "one");
        Write("p=1/b.parquet", "two");
        Write("p=2/c.parquet", "");
        Write("p=2/_temporary/x", "");
    }

    public static TheoryData<string, Action<TemporaryFolderView>> Changes => new()
    {
        { "a new file", f => File.WriteAllText(f.File("p=1/new.parquet"), "x") },
        { "a new file at the root", f => File.WriteAllText(f.File("new.parquet"), "x") },
        { "a new folder", f => Directory.CreateDirectory(f.File("p=3")) },
        { "a file that went", f => File.Delete(f.File("p=1/a.parquet")) },
        { "a folder that went", f => Directory.Delete(f.File("p=2"), true) },
        { "another name", f => File.Move(f.File("p=1/a.parquet"), f.File("p=1/z.parquet")) },
        { "two names that change places", f => Swap(f.File("p=1/a.parquet"), f.File("p=1/b.parquet"), f.File("other")) },
        { "a file replaced by a renamed one of its size", f => Replace(f.File("p=1/a.parquet"), f.File("other")) },
        { "a file that grew in place", f => File.AppendAllText(f.File("p=1/a.parquet"), "more") },
        { "an empty file that grew in place", f => File.AppendAllText(f.File("p=2/c.parquet"), "more") },
        { "a file written over in place", f => File.WriteAllText(f.File("p=1/a.parquet"), "eno") },
        { "a file written over in place whose time was set back", f => Backdate(f.File("p=1/a.parquet")) },
        { "a folder whose time was set back after a new file", f => BackdateFolder(f.File("p=1")) },
        { "a file replaced by a link to it", f => Link(f.File("p=1/a.parquet"), f.File("other")) },
        { "a folder replaced by another of the same names", f => ReplaceFolder(f.File("p=1"), f.File("other")) },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void Every_change_of_a_tree_shows(string what, Action<TemporaryFolderView> change)
    {
        LocalTree tree = Capture()!;
        Assert.True(tree.IsUnchanged());
        NextTick();
        change(new TemporaryFolderView(_folder.Path));
        Assert.False(tree.IsUnchanged(), what);
    }

    [Fact]
    public void Reading_and_hidden_names_change_nothing()
    {
        LocalTree tree = Capture()!;
        NextTick();
        File.ReadAllText(_folder.File("p=1/a.parquet"));
        File.WriteAllText(_folder.File("p=2/_temporary/y"), "x");
        Assert.True(tree.IsUnchanged());
    }

    [Fact]
    public void What_changed_a_moment_ago_and_links_prove_nothing()
    {
        Assert.Null(LocalTree.TryCapture(_folder.Path, DateTimeOffset.UtcNow));
        Assert.Null(LocalTree.TryCapture(_folder.Path, DateTimeOffset.UtcNow - Settled)); // a clock that was set back
        File.CreateSymbolicLink(_folder.File("link.parquet"), _folder.File("p=1/a.parquet"));
        Assert.Null(Capture());
    }

    [Fact]
    public void Other_kinds_of_file_systems_prove_nothing() => Assert.Null(LocalTree.TryCapture("/proc/self/task", DateTimeOffset.UtcNow + Settled));

    [Fact]
    public async Task A_folder_is_listed_again_only_when_its_tree_changed()
    {
        var clock = new LateClock();
        var format = new FolderTableFormat("parquet", new OneColumn(), clock);
        await using var store = new LocalFolderStore(_folder.Path);
        var table = new LakeTable("s", "a", "t", "parquet", new TableRoot(store, ""));
        clock.Late = TimeSpan.Zero;
        var first = (FolderSnapshot)await format.LoadSnapshotAsync(table, SnapshotSelector.Latest, null, TestContext.Current.CancellationToken);
        Assert.Null(first.Tree);
        clock.Late = Settled;
        Assert.Same(first, await format.LoadSnapshotAsync(table, SnapshotSelector.Latest, first, TestContext.Current.CancellationToken));
        LocalTree looked = first.Tree!;
        Assert.Same(first, await format.LoadSnapshotAsync(table, SnapshotSelector.Latest, first, TestContext.Current.CancellationToken));
        Assert.Same(looked, first.Tree);
        Assert.False(await format.HasChangedAsync(first, TestContext.Current.CancellationToken));

        NextTick();
        Write("p=1/a.parquet", "eno");
        Assert.True(await format.HasChangedAsync(first, TestContext.Current.CancellationToken));
        Snapshot second = await format.LoadSnapshotAsync(table, SnapshotSelector.Latest, first, TestContext.Current.CancellationToken);
        Assert.NotEqual(first.Id, second.Id);
    }

    public void Dispose() => _folder.Dispose();

    private LocalTree? Capture() => LocalTree.TryCapture(_folder.Path, DateTimeOffset.UtcNow + Settled);

    private void Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.File(name))!);
        File.WriteAllText(_folder.File(name), text);
    }

    // The file system's clock goes in ticks of some milliseconds; what happens after this has another time than all before.
    private static void NextTick()
    {
        using var probe = new TemporaryFolder();
        FileInstant? Touch()
        {
            File.WriteAllText(probe.File("probe"), "x");
            return FileStatus.Of(FileStatus.Terminated(probe.File("probe")))?.Changed;
        }

        FileInstant? before = Touch();
        SpinWait.SpinUntil(() => Touch() != before);
    }

    private static void Swap(string a, string b, string other)
    {
        File.Move(a, other);
        File.Move(b, a);
        File.Move(other, b);
    }

    private static void Replace(string path, string other)
    {
        DateTime written = File.GetLastWriteTimeUtc(path);
        File.WriteAllText(other, "eno");
        File.SetLastWriteTimeUtc(other, written);
        File.Move(other, path, overwrite: true);
    }

    private static void Backdate(string path)
    {
        DateTime written = File.GetLastWriteTimeUtc(path);
        File.WriteAllText(path, "eno");
        File.SetLastWriteTimeUtc(path, written);
    }

    private static void BackdateFolder(string path)
    {
        DateTime written = Directory.GetLastWriteTimeUtc(path);
        File.WriteAllText(Path.Combine(path, "new.parquet"), "x");
        Directory.SetLastWriteTimeUtc(path, written);
    }

    private static void Link(string path, string other)
    {
        File.Move(path, other);
        File.CreateSymbolicLink(path, other);
    }

    private static void ReplaceFolder(string path, string other)
    {
        Directory.CreateDirectory(other);
        foreach (string file in Directory.GetFiles(path))
        {
            File.Move(file, Path.Combine(other, Path.GetFileName(file)));
        }

        Directory.Delete(path);
        Directory.Move(other, path);
    }

    /// <summary>Where a change is made.</summary>
    /// <param name="Path">The root.</param>
    public sealed record TemporaryFolderView(string Path)
    {
        /// <summary>A path below it.</summary>
        public string File(string name) => System.IO.Path.Combine(Path, name);
    }

    private sealed class LateClock : TimeProvider
    {
        public TimeSpan Late { get; set; }

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow + Late;
    }

    private sealed class OneColumn : IFolderSchemaSource
    {
        public ValueTask<FolderSchema> ReadSchemaAsync(LakeTable table, IReadOnlyList<FolderFile> folderFiles, CancellationToken cancellationToken = default)
            => ValueTask.FromResult(new FolderSchema(new Schema([new Field("a", StringType.Default, true)], null), null));
    }
}
