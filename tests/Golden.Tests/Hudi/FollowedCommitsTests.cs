using System.Globalization;
using LakeHolo.Golden.Tests.SampleLake;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>A table that is followed commit by commit has the slices that it has when it is opened anew, and a commit costs what it wrote.</summary>
public sealed class FollowedCommitsTests : IDisposable
{
    private const int Rounds = 60;
    private const int Steps = 25;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-hudi-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(2, true)]
    [InlineData(1, true)]
    public async Task Following_any_timeline_gives_what_opening_anew_gives(int layout, bool withLogs)
    {
        int followed = 0;
        for (int seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            var writer = new Writer(Path.Combine(_folder.FullName, $"t{layout}{withLogs}{seed}"), layout, withLogs, random);
            writer.Commit();
            HudiSnapshot? known = null;
            for (int step = 0; step < Steps; step++)
            {
                string what = writer.Act();
                if (random.Next(3) == 0)
                {
                    continue;
                }

                string anew = await TextAsync(writer.Table, null);
                HudiSnapshot? older = known;
                try
                {
                    known = (HudiSnapshot)await new HudiTableFormat().LoadSnapshotAsync(writer.Table, SnapshotSelector.Latest, known);
                    Assert.True(anew == Text(known), $"seed {seed}, step {step}, {what}:\n{anew}\nfollowed:\n{Text(known)}");
                    followed += older?.Slices is SliceList before && ((SliceList)known.Slices).Blocks.Any(b => before.Blocks.Contains(b)) ? 1 : 0;
                }
                catch (LakeException error)
                {
                    Assert.True(anew == error.Kind.ToString(), $"seed {seed}, step {step}, {what}: {error.Message}, anew {anew}");
                }
            }
        }

        Assert.True(followed > Rounds, $"{followed} snapshots share something with the one before");
    }

    [Fact]
    public async Task One_commit_to_a_table_of_many_partitions_asks_for_what_it_wrote()
    {
        var writer = new Writer(Path.Combine(_folder.FullName, "many"), 2, false, new Random(1));
        writer.Commit([.. Enumerable.Range(0, 300).Select(p => $"p={p}")]);
        writer.Commit();
        var store = new CountingStore(new LocalFolderStore(writer.Root));
        LakeTable table = writer.Table with { Root = new TableRoot(store, string.Empty) };
        var format = new HudiTableFormat();
        var older = (HudiSnapshot)await format.LoadSnapshotAsync(table, SnapshotSelector.Latest, null);
        Assert.True(store.TakeRequests().Count > 300);
        writer.Commit(["p=7", "p=8"]);
        var newer = (HudiSnapshot)await format.LoadSnapshotAsync(table, SnapshotSelector.Latest, older);
        IReadOnlyList<string> requests = store.TakeRequests();
        Assert.Equal(["p=7/", "p=8/"], requests.Where(r => r.StartsWith('p')).Order(StringComparer.Ordinal));
        Assert.True(requests.Count < 12, string.Join(' ', requests));
        SliceBlock[] shared = [.. ((SliceList)newer.Slices).Blocks.Intersect(((SliceList)older.Slices).Blocks)];
        Assert.Equal(((SliceList)newer.Slices).Blocks.Count - 2, shared.Length);
        Assert.Equal(Text(await AnewAsync(table)), Text(newer));

        SnapshotDiff diff = await format.DiffAsync(older, newer);
        Assert.Equal(["p=7", "p=8"], diff.Added.Select(f => f.Path.Split('/')[0]).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_file_that_is_gone_is_missed_while_its_partition_is_followed()
    {
        var writer = new Writer(Path.Combine(_folder.FullName, "gone"), 2, false, new Random(1));
        writer.Commit(["p=1", "p=2"]);
        var older = (HudiSnapshot)await new HudiTableFormat().LoadSnapshotAsync(writer.Table, SnapshotSelector.Latest, null);
        File.Delete(Path.Combine(writer.Root, older.Slices[0].Base!.Path));
        writer.Commit(["p=1"], isNewGroup: true);
        LakeException error = await Assert.ThrowsAsync<LakeException>(async () => await new HudiTableFormat().LoadSnapshotAsync(writer.Table, SnapshotSelector.Latest, older));
        Assert.Equal(LakeErrorKind.NotFound, error.Kind);
    }

    private static async Task<HudiSnapshot> AnewAsync(LakeTable table) => (HudiSnapshot)await new HudiTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Latest, null);

    private static async Task<string> TextAsync(LakeTable table, HudiSnapshot? known)
    {
        try
        {
            return Text((HudiSnapshot)await new HudiTableFormat().LoadSnapshotAsync(table, SnapshotSelector.Latest, known));
        }
        catch (LakeException error)
        {
            return error.Kind.ToString();
        }
    }

    private static string Text(HudiSnapshot snapshot) => string.Join('\n', [
        snapshot.Id.Text,
        .. snapshot.Slices.Select(s => $"{s.Partition}|{s.FileId}|{s.BaseInstant}|{string.Join(' ', s.Files.Select(f => $"{f.Path}:{f.SizeBytes}:{f.Instant}:{f.LogVersion}"))}"),
        .. snapshot.ReadOptimizedSlices.Select(s => $"ro {s.Partition}|{s.FileId}|{s.Base!.Path}"),
        .. snapshot.Commits.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key} {c.Value.Writes.Count}"),
    ]);

    /// <summary>Writes a table as Hudi's writers do: commits, failed and pending writes, rollbacks, replacements, cleans, archival.</summary>
    private sealed class Writer
    {
        private readonly int _layout;
        private readonly bool _withLogs;
        private readonly Random _random;
        private readonly List<(string Partition, string FileId)> _groups = [];
        private readonly List<(string Time, string Action)> _pending = [];
        private readonly List<(string Time, string[] Files)> _completed = [];
        private int _clock;

        public Writer(string root, int layout, bool withLogs, Random random)
        {
            (Root, _layout, _withLogs, _random) = (root, layout, withLogs, random);
            Directory.CreateDirectory(Timeline(""));
            File.WriteAllText(Path.Combine(root, ".hoodie", "hoodie.properties"), $"hoodie.table.name=t\nhoodie.table.type={(withLogs ? "MERGE_ON_READ" : "COPY_ON_WRITE")}\nhoodie.table.version={(layout == 1 ? 6 : 8)}\nhoodie.timeline.layout.version={layout}\nhoodie.table.partition.fields=p\n");
            Table = new LakeTable("lake", "s", "t", "hudi", new TableRoot(new LocalFolderStore(root), string.Empty));
        }

        public string Root { get; }

        public LakeTable Table { get; }

        public string Act()
        {
            switch (_random.Next(12))
            {
                case 0:
                    Begin();
                    return "a write begins";
                case 1 when _pending.Count > 0:
                    Complete(_random.Next(_pending.Count), "");
                    return "an older write completes";
                case 2 when _pending.Count > 0:
                    RollBack(_random.Next(_pending.Count));
                    return "a rollback";
                case 3 when _groups.Count > 1:
                    Replace();
                    return "a replacement";
                case 4 when _completed.Count > 3:
                    Archive();
                    return "commits are archived";
                case 5 when _completed.Count > 0:
                    Restore();
                    return "the last commit is undone";
                case 6 when _withLogs && _groups.Count > 0:
                    Schedule();
                    return "a compaction is scheduled";
                case 7:
                    File.WriteAllText(Timeline(Next() + ".commit.requested"), "");
                    return "a commit is requested";
                default:
                    Commit();
                    return "a commit";
            }
        }

        public void Commit() => Commit([.. Enumerable.Range(0, 1 + _random.Next(2)).Select(_ => $"p={_random.Next(6)}").Distinct()]);

        public void Commit(string[] partitions, bool isNewGroup = false)
        {
            (string time, (string, string, string)[] writes) = Write(partitions, isNewGroup);
            Finish(time, "commit", writes, "");
        }

        private (string Time, (string Partition, string FileId, string Path)[] Writes) Write(string[] partitions, bool isNewGroup = false)
        {
            string time = Next();
            return (time, [.. partitions.Select(partition => WriteFile(time, partition, isNewGroup))]);
        }

        private (string Partition, string FileId, string Path) WriteFile(string time, string partition, bool isNewGroup)
        {
            (string Partition, string FileId)[] known = [.. _groups.Where(g => g.Partition == partition)];
            bool isNew = isNewGroup || known.Length == 0 || _random.Next(3) == 0;
            string fileId = isNew ? Guid.NewGuid() + "-0" : known[_random.Next(known.Length)].FileId;
            if (isNew)
            {
                _groups.Add((partition, fileId));
            }

            string name = _withLogs && _layout == 2 && !isNew && _random.Next(2) == 0 ? $".{fileId}_{time}.log.1_0-1-{_clock}" : $"{fileId}_0-1-{_clock}_{time}.parquet";
            Directory.CreateDirectory(Path.Combine(Root, partition));
            File.WriteAllText(Path.Combine(Root, partition, ".hoodie_partition_metadata"), "");
            File.WriteAllText(Path.Combine(Root, partition, name), time);
            return (partition, fileId, partition + "/" + name);
        }

        private void Begin()
        {
            (string time, _) = Write([$"p={_random.Next(6)}"]);
            File.WriteAllText(Timeline(time + (_withLogs ? ".deltacommit" : ".commit") + ".requested"), "");
            _pending.Add((time, _withLogs ? "deltacommit" : "commit"));
        }

        private string[] FilesOf(string time) => [.. Directory.GetFiles(Root, $"*{time}*", SearchOption.AllDirectories).Where(f => !f.Contains("/.hoodie/", StringComparison.Ordinal)).Select(f => Path.GetRelativePath(Root, f))];

        private void Complete(int index, string replaced)
        {
            (string time, string action) = _pending[index];
            _pending.RemoveAt(index);
            Finish(time, action, [.. FilesOf(time).Select(f => (f.Split('/')[0], Path.GetFileName(f).TrimStart('.').Split('_')[0], f))], replaced);
        }

        private void RollBack(int index)
        {
            string time = _pending[index].Time;
            _pending.RemoveAt(index);
            // Files may be left behind.
            foreach (string file in FilesOf(time).Where(_ => _random.Next(2) == 0))
            {
                File.Delete(Path.Combine(Root, file));
            }

            Array.ForEach(Directory.GetFiles(Timeline(""), time + "*"), File.Delete);
            Finish(Next(), "rollback", [], "");
        }

        private void Replace()
        {
            (string Partition, string FileId) old = _groups[_random.Next(_groups.Count)];
            _groups.Remove(old);
            (string time, (string, string, string)[] writes) = Write([old.Partition], isNewGroup: true);
            Finish(time, "replacecommit", writes, $"\"{old.Partition}\":[\"{old.FileId}\"]");
        }

        private void Archive()
        {
            foreach ((string time, _) in _completed.Take(2))
            {
                Array.ForEach(Directory.GetFiles(Timeline(""), time + "*"), File.Delete);
            }

            _completed.RemoveRange(0, 2);
        }

        private void Restore()
        {
            (string time, string[] files) = _completed[^1];
            _completed.RemoveAt(_completed.Count - 1);
            Array.ForEach(files, f => File.Delete(Path.Combine(Root, f)));
            Array.ForEach(Directory.GetFiles(Timeline(""), time + "*"), File.Delete);
        }

        // A plan without groups, which the timeline tells of.
        private void Schedule() => File.WriteAllText(Timeline(Next() + ".compaction.requested"), "");

        private void Finish(string time, string action, (string Partition, string FileId, string Path)[] writes, string replaced)
        {
            string stats = string.Join(',', writes.GroupBy(w => w.Partition).Select(p => $"\"{p.Key}\":[" + string.Join(',', p.Select(w => $$"""{"fileId":"{{w.FileId}}","path":"{{w.Path}}","numWrites":1,"fileSizeInBytes":17}""")) + "]"));
            string content = $$"""{"partitionToWriteStats":{ {{stats}} },"partitionToReplaceFileIds":{ {{replaced}} },"operationType":"UPSERT","extraMetadata":{"schema":"{\"type\":\"record\",\"name\":\"t\",\"fields\":[{\"name\":\"p\",\"type\":\"string\"}]}"} }""";
            File.WriteAllText(Timeline(_layout == 1 ? $"{time}.{action}" : $"{time}_{Next()}.{action}"), content);
            if (action != "rollback")
            {
                _completed.Add((time, [.. writes.Select(w => w.Path)]));
            }
        }

        private string Next() => (20260101000000000 + ++_clock).ToString(CultureInfo.InvariantCulture);

        private string Timeline(string name) => Path.Combine(Root, _layout == 1 ? ".hoodie" : ".hoodie/timeline", name);
    }
}
