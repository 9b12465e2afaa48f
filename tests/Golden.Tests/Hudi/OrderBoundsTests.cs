using LakeHolo.Golden.Tests.Harness;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Merging;
using LakeHolo.Readers.Hudi.Pruning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Where the footers' bounds of the ordering column say that every log record wins, slices are merged by commit time, and by positions alone where these are told.</summary>
public sealed class OrderBoundsTests : IDisposable
{
    private readonly HandMadeTable _table = new();

    public void Dispose() => _table.Dispose();

    // Sources in their order, oldest first: ordering values of a file's records, or of the keys of a delete block ("d"; "-": none).
    [Theory]
    [InlineData("int", "1,5|5,7", true)]
    [InlineData("int", "1,5|4,7", false)]
    [InlineData("int", "1,5|6,7|6", false)]
    [InlineData("int", "1,5|6,7|7,9", true)]
    [InlineData("int", "|3|2", false)]
    [InlineData("int", "|2|3", true)]
    [InlineData("long", "1,5|d-,-|6", true)]
    [InlineData("long", "1,5|d6,-|7", true)]
    [InlineData("long", "1,5|d4,-|7", false)]
    [InlineData("long", "1,5|d8|7", false)]
    [InlineData("int", "-5,NULL|-2,-1", false)] // a NULL counts as 0
    [InlineData("int", "-5,NULL|0,1", true)]
    [InlineData("int", "-5,-4|NULL,3", true)]
    [InlineData("int", "1,5|NULL,7", false)]
    [InlineData("int", "NULL|NULL", false)] // no bounds
    [InlineData("int", "NULL|-1", false)]
    [InlineData("date", "1,5|5,7", true)]
    [InlineData("date", "1,5|4,7", false)]
    [InlineData("date", "1,5|d6", false)] // told as text: not looked at
    [InlineData("double", "1,5|6,7", false)] // bounds say nothing of NaN
    [InlineData("string", "1,5|6,7", false)]
    public void The_newest_record_wins_where_the_values_rise_from_file_to_file(string type, string sources, bool expected)
    {
        string avro = type == "date" ? """{"type":"int","logicalType":"date"}""" : $"\"{type}\"";
        HudiSnapshot snapshot = Snapshot(avro, "ord");
        string sql = type switch { "int" => "INTEGER", "long" => "BIGINT", "date" => "DATE", "double" => "DOUBLE", _ => "VARCHAR" };
        string[] parts = sources.Split('|');
        ReadableFile? file = parts[0].Length == 0 ? null : Write(parts[0], sql);
        DecodedBlock[] blocks = [.. parts.Index().Skip(1).Where(p => p.Item[0] != 'd').Select(p => new DecodedBlock(Write(p.Item, sql), 0, p.Index, null))];
        DecodedDeletes[] deletes = [.. parts.Index().Skip(1).Where(p => p.Item[0] == 'd')
            .Select(p => new DecodedDeletes(0, p.Index, [.. p.Item[1..].Split(',').Select(o => new DeletedKey("k", o == "-" ? null : [o]))]))];
        Assert.Equal(expected, NewestWins(snapshot, file, blocks, deletes));
    }

    [Fact]
    public void Several_ordering_columns_and_a_column_of_another_type_in_the_file_are_not_looked_at()
    {
        Assert.True(NewestWins(Snapshot("\"long\"", "ord"), Write("1", "BIGINT"), [new DecodedBlock(Write("2", "BIGINT"), 0, 0, null)], []));
        Assert.False(NewestWins(Snapshot("\"long\"", "ord,id"), Write("1", "BIGINT"), [new DecodedBlock(Write("2", "BIGINT"), 0, 0, null)], []));
        Assert.True(NewestWins(Snapshot("\"long\"", "ord"), Write("1", "INTEGER"), [new DecodedBlock(Write("2", "BIGINT"), 0, 0, null)], []));
        Assert.False(NewestWins(Snapshot("\"int\"", "ord"), Write("1", "BIGINT"), [new DecodedBlock(Write("2", "INTEGER"), 0, 0, null)], []));
    }

    // Counted: how many slices went which way. In the second table a log record is late, in the third no positions are told.
    [Theory]
    [InlineData("mor_commit_time_v8", true)]
    [InlineData("bench_lineitem_mor", true)]
    [InlineData("mor_event_time_late_v8", false)]
    [InlineData("mor_log_updates_deletes_v6", false)]
    public async Task Slices_are_merged_by_positions_alone_where_that_is_exact(string name, bool byPositions)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        SliceFiles files = golden.NewSliceFiles();
        IReadOnlyList<SliceLogs> slices = await files.FindLogsAsync(snapshot, [.. snapshot.Slices.Where(s => s.Logs.Count > 0)], TestContext.Current.CancellationToken);
        var merges = new SliceMerges(golden.Engine, files);
        IReadOnlyList<MergedSlices> merged = await merges.MergeAsync(snapshot, slices, null, TestContext.Current.CancellationToken);
        Assert.Equal(slices.Count, merged.Sum(m => m.Members.Count));
        Assert.Equal(byPositions, merges.ByPositions == slices.Count);
        Assert.Equal(byPositions, merges.ByPositions > 0);
        foreach (MergedSlices some in merged)
        {
            some.Dispose();
        }
    }

    private static HudiSnapshot Snapshot(HandMadeTable table, string type, string ordering) => table.Snapshot(
        $"hoodie.table.version=9\nhoodie.record.merge.mode=EVENT_TIME_ORDERING\nhoodie.table.ordering.fields={ordering}\nhoodie.table.recordkey.fields=id\n",
        $$"""{"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"ord","type":["null",{{type}}]}]}""");

    private HudiSnapshot Snapshot(string type, string ordering) => Snapshot(_table, type, ordering);

    private ReadableFile Write(string values, string type)
        => _table.Write($"SELECT 'k' AS id, CAST({(type == "DATE" ? "DATE '1970-01-01' + " : "")}o AS {type}) AS ord FROM (VALUES ({values.Replace(",", "), (", StringComparison.Ordinal)})) t(o)");

    private static bool NewestWins(HudiSnapshot snapshot, ReadableFile? file, DecodedBlock[] blocks, DecodedDeletes[] deletes)
    {
        MergeRules rules = MergeRules.Of(snapshot);
        return OrderBounds.ColumnOf(snapshot, rules) is { } column && OrderBounds.NewestWins(snapshot, rules, file, blocks, deletes, f => FooterPruning.RangeOf(f, column));
    }
}
