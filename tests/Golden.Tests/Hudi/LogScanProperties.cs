using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Hudi.LogFiles;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Which blocks of a slice count: those of completed commits up to the snapshot's instant, without what a later rollback block undoes.</summary>
public sealed class LogScanProperties : IDisposable
{
    private const int Rounds = 300;
    private static readonly string[] Completed = ["100", "102", "104", "106", "108"];
    private static readonly string[] Pending = ["103", "107"];
    private static readonly FileSlice Slice = new() { Partition = "", FileId = "f", BaseInstant = "100" };
    private readonly HandMadeTable _table = new();

    public void Dispose() => _table.Dispose();

    [Fact]
    public void Rollback_blocks_undo_what_comes_before_them_and_pending_rolled_back_and_later_instants_do_not_count()
    {
        for (int seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            string until = Completed[1 + random.Next(Completed.Length - 1)];
            HudiSnapshot snapshot = SnapshotAt(until);
            // An instant that is on the timeline no more (101: it was rolled back) is never committed while an older one is; a retry may use the same instant again.
            string[] writers = [.. Completed, .. Pending, "101"];
            var blocks = new List<LogBlock>();
            var model = new List<LogBlock>();
            for (int i = 0; i < 12; i++)
            {
                string instant = writers[random.Next(writers.Length)];
                bool isRollback = random.Next(4) == 0;
                LogBlock block = isRollback ? Rollback("105", instant, i) : Data(instant, random.Next(3) == 0, i);
                blocks.Add(block);
                if (isRollback)
                {
                    model.RemoveAll(b => b.Instant == instant);
                }
                else if (Completed.Contains(instant) && string.CompareOrdinal(instant, until) <= 0)
                {
                    model.Add(block);
                }
            }

            // The blocks may lie in one file or in several.
            int cut = random.Next(blocks.Count);
            LogFile[] logs = [FileOf(1, blocks[..cut]), FileOf(2, blocks[cut..])];
            Assert.Equal(model, LogScan.LiveBlocks(snapshot, Slice, logs).Select(b => b.Block));
        }
    }

    [Fact]
    public void Log_compactions_take_the_place_of_what_they_cover_also_when_covered_themselves()
    {
        for (int seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            var written = new List<LogBlock>();
            var logical = new List<string>();
            var covered = new Dictionary<string, List<string>>();
            for (int i = 0; i < 10; i++)
            {
                string instant = (100 + i).ToString(System.Globalization.CultureInfo.InvariantCulture);
                string? list = null;
                if (logical.Count > 1 && random.Next(3) == 0)
                {
                    // The list is newest first; what one covers may be another log compaction.
                    int first = random.Next(logical.Count);
                    int count = 1 + random.Next(logical.Count - first);
                    List<string> some = logical.GetRange(first, count);
                    list = string.Join(',', Enumerable.Reverse(some));
                    covered[instant] = [.. some, .. some.SelectMany(c => covered.GetValueOrDefault(c) ?? [])];
                    logical.RemoveRange(first, count);
                    logical.Insert(first, instant);
                    if (first == 0 && random.Next(2) == 0)
                    {
                        // A cleaner took the oldest blocks, which are covered.
                        written.RemoveAll(b => covered[instant].Contains(b.Instant));
                    }
                }
                else
                {
                    logical.Add(instant);
                }

                written.Add(Compacted(instant, isDelete: false, list, written.Count));
                if (random.Next(2) == 0)
                {
                    written.Add(Compacted(instant, isDelete: true, list, written.Count));
                }
            }

            HudiSnapshot snapshot = SnapshotAt("109", Enumerable.Range(100, 10).Select(i => i.ToString(System.Globalization.CultureInfo.InvariantCulture)), []);
            Assert.Equal(
                logical.SelectMany(i => written.Where(b => b.Instant == i)),
                LogScan.LiveBlocks(snapshot, Slice, [FileOf(1, written)]).Select(b => b.Block));
        }
    }

    [Fact]
    public void Another_command_is_refused_by_name()
    {
        var block = new LogBlock { Type = LogBlockType.Command, Offset = 0, Headers = new Dictionary<LogHeader, string> { [LogHeader.CommandBlockType] = "1", [LogHeader.TargetInstantTime] = "100" } };
        LakeException error = Assert.Throws<LakeException>(() => LogScan.LiveBlocks(SnapshotAt("108"), Slice, [FileOf(1, [block])]));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("log command '1'", error.Message, StringComparison.Ordinal);
    }

    private static LogFile FileOf(int version, List<LogBlock> blocks) => new(new HudiFile($".f_100.log.{version}_1-0-1", 1, "100", version, "1-0-1", ""), blocks, null);

    private static LogBlock Data(string instant, bool isDelete, int offset) => new()
    {
        Type = isDelete ? LogBlockType.Delete : LogBlockType.AvroData,
        Offset = offset,
        Headers = new Dictionary<LogHeader, string> { [LogHeader.InstantTime] = instant },
    };

    private static LogBlock Rollback(string instant, string target, int offset) => new()
    {
        Type = LogBlockType.Command,
        Offset = offset,
        Headers = new Dictionary<LogHeader, string> { [LogHeader.InstantTime] = instant, [LogHeader.TargetInstantTime] = target, [LogHeader.CommandBlockType] = "0" },
    };

    private static LogBlock Compacted(string instant, bool isDelete, string? list, int offset)
    {
        LogBlock block = Data(instant, isDelete, offset);
        return list is null ? block : block with { Headers = new Dictionary<LogHeader, string>(block.Headers) { [LogHeader.CompactedBlockTimes] = list } };
    }

    private HudiSnapshot SnapshotAt(string until) => SnapshotAt(until, Completed, Pending);

    private HudiSnapshot SnapshotAt(string until, IEnumerable<string> completed, IEnumerable<string> pending)
    {
        IEnumerable<string> names = completed.SelectMany(t => (string[])[$"{t}.deltacommit.requested", $"{t}.deltacommit.inflight", $"{t}.deltacommit"])
            .Concat(pending.SelectMany(t => (string[])[$"{t}.deltacommit.requested", $"{t}.deltacommit.inflight"]));
        return _table.Snapshot(
            "hoodie.table.version=6\nhoodie.table.type=MERGE_ON_READ\n",
            """{"type":"record","name":"r","fields":[{"name":"id","type":"string"}]}""",
            HudiTimeline.Parse(names.Select(n => new ObjectEntry(".hoodie/" + n, 1, default, "")), 1),
            until);
    }
}
