using System.Globalization;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Hudi.Merging;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Merging in the engine against a model that folds records one by one, as the specification tells it.</summary>
public sealed class LogMergingProperties : IDisposable
{
    private const int Rounds = 20;
    private const string Schema = """
        {"type":"record","name":"r","fields":[{"name":"id","type":"string"},{"name":"n","type":"long"},{"name":"half","type":"int"},
        {"name":"ord","type":["null","int"]},{"name":"ord2","type":["null","int"]},{"name":"v","type":["null","string"]},{"name":"w","type":["null","string"]},{"name":"op","type":["null","string"]}]}
        """;

    private readonly HandMadeTable _table = new();
    private long _maxFolded = long.MaxValue / 2;
    private long _parts;

    [Theory]
    [InlineData("COMMIT_TIME_ORDERING", "NONE", "id", "ord", false)]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "id", "ord", false)]
    [InlineData("COMMIT_TIME_ORDERING", "IGNORE_DEFAULTS", "id", "ord", false)]
    [InlineData("EVENT_TIME_ORDERING", "IGNORE_DEFAULTS", "id", "ord", false)]
    [InlineData("COMMIT_TIME_ORDERING", "NONE", "n,half", "ord", false)]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "n", "ord", false)]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "n,half", "ord", false)]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "id", "ord,ord2", false)]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "n,half", "ord,ord2", true)]
    [InlineData("EVENT_TIME_ORDERING", "IGNORE_DEFAULTS", "id", "ord,ord2", true)]
    [InlineData("COMMIT_TIME_ORDERING", "NONE", "n", "ord", true)]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "id", "ord", true)]
    [InlineData("COMMIT_TIME_ORDERING", "KEEP_VALUES", "id", "ord", false)]
    [InlineData("EVENT_TIME_ORDERING", "KEEP_VALUES", "id", "ord", true)]
    [InlineData("EVENT_TIME_ORDERING", "KEEP_VALUES", "n,half", "ord,ord2", true)]
    [InlineData("CUSTOM", "NONE", "id", "ord", false)]
    [InlineData("CUSTOM", "NONE", "n", "ord,ord2", true)]
    public void Random_logs_merge_as_a_record_by_record_fold_does(string mode, string fill, string key, string ordering, bool withMarker)
    {
        var rules = new Rules(mode, fill, ordering.Contains(',', StringComparison.Ordinal), withMarker);
        HudiSnapshot snapshot = SnapshotOf(rules, key, ordering);
        for (int seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            var bases = new Dictionary<int, List<Record>>();
            var blocks = new Dictionary<int, List<List<Record>>>();
            for (int slice = 0; slice < 2; slice++)
            {
                bases[slice] = [.. Enumerable.Range(0, random.Next(6)).Select(_ => Data(random))];
                blocks[slice] = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => Block(random, rules))];
            }

            string[] expected = [.. bases.Keys.SelectMany(s => Model(bases[s], blocks[s], rules)).Order(StringComparer.Ordinal)];
            _maxFolded = seed % 2 == 0 ? 3 : long.MaxValue / 2;
            Assert.Equal(expected, Merged(snapshot, bases, blocks, withPositions: false));
            long records = blocks.Values.SelectMany(b => b).Sum(b => b.Count);
            Assert.Equal(fill == "NONE" && mode != "CUSTOM" ? 0 : seed % 2 == 0 ? (records + 2) / 3 : 1, _parts);
        }
    }

    [Theory]
    [InlineData("COMMIT_TIME_ORDERING", "ord", false)]
    [InlineData("EVENT_TIME_ORDERING", "ord", true)]
    [InlineData("EVENT_TIME_ORDERING", "ord,ord2", true)]
    public void Records_that_tell_their_positions_merge_as_by_key(string mode, string ordering, bool withMarker)
    {
        var rules = new Rules(mode, "NONE", ordering.Contains(',', StringComparison.Ordinal), withMarker);
        HudiSnapshot snapshot = SnapshotOf(rules, "id", ordering);
        for (int seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            var bases = new Dictionary<int, List<Record>>();
            var blocks = new Dictionary<int, List<List<Record>>>();
            for (int slice = 0; slice < 2; slice++)
            {
                // Writers give positions where every record changes a row of the base file, in the order of the rows.
                List<Record> rows = bases[slice] = [.. Enumerable.Range(0, 6).OrderBy(_ => random.Next()).Take(1 + random.Next(6)).Select(k => Data(random) with { Key = "k" + k })];
                blocks[slice] = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ =>
                {
                    List<Record> block = Block(random, rules);
                    return rows.Where((_, i) => i == 0 || random.Next(2) == 0).Select(r => block[random.Next(block.Count)] with { Key = r.Key }).ToList();
                })];
            }

            string[] expected = [.. bases.Keys.SelectMany(s => Model(bases[s], blocks[s], rules)).Order(StringComparer.Ordinal)];
            Assert.Equal(expected, Merged(snapshot, bases, blocks, withPositions: true));
            Assert.Equal(expected, Merged(snapshot, bases, blocks, withPositions: false));
            if (mode == "COMMIT_TIME_ORDERING")
            {
                Assert.Equal(expected, Merged(snapshot, bases, blocks, withPositions: true, byPositionsAlone: true));
            }
        }
    }

    [Fact]
    public void Positions_reach_every_row_of_a_key_that_a_base_file_holds_twice_and_positions_that_do_not_fit_are_not_used()
    {
        HudiSnapshot snapshot = SnapshotOf(new Rules("COMMIT_TIME_ORDERING", "NONE", false, false), "id", "ord");
        var bases = new Dictionary<int, List<Record>> { [0] = [Named("k1", "a"), Named("k1", "b"), Named("k2", "c")] };
        ReadableFile file = Write(bases[0]);
        var block = new DecodedBlock(Write([Named("k1", "x"), Named("k1", "y")]), 0, 0, null);

        Assert.Equal(["k1|x", "k1|y", "k2|c"], Read(block with { Positions = [0, 1] }));
        // By key: the newest record takes the place of the first row only.
        Assert.Equal(["k1|b", "k1|y", "k2|c"], Read(block));
        Assert.Equal(["k1|b", "k1|y", "k2|c"], Read(block with { Positions = [0] }));
        Assert.Equal(["k1|b", "k1|y", "k2|c"], Read(block with { Positions = [0, 1, 2] }));

        string[] Read(DecodedBlock some) => _table.Texts($"SELECT id || '|' || v FROM ({Relation(snapshot, [some], [], new Dictionary<int, ReadableFile> { [0] = file })})");
    }

    public void Dispose() => _table.Dispose();

    private static Record Named(string key, string value) => new(key) { Value = value };

    private static Record Data(Random random) => new("k" + random.Next(5))
    {
        Ord = random.Next(4) == 0 ? null : random.Next(4),
        Ord2 = random.Next(4) == 0 ? null : random.Next(3),
        Value = random.Next(3) == 0 ? null : "v" + random.Next(1000),
        Other = random.Next(3) == 0 ? null : "w" + random.Next(1000),
        Op = random.Next(4) switch { 0 => "d", 1 => null, _ => "u" },
    };

    // A block is all data, all key-only deletions, or (where values are kept) all records of changed columns.
    private static List<Record> Block(Random random, Rules rules)
    {
        int kind = random.Next(3);
        string? present = rules.Fill == "KEEP_VALUES" && kind == 1 ? (random.Next(2) == 0 ? "v" : "w") : null;
        return
        [
            .. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => Data(random)).Select(r => kind == 0 ? r with { IsKeyOnly = true, Value = null, Other = null, Op = null }
                : present is null ? r
                : r with { Present = [present], Op = null, Value = present == "v" ? r.Value : null, Other = present == "w" ? r.Other : null }),
        ];
    }

    private static IEnumerable<string> Model(List<Record> rows, List<List<Record>> blocks, Rules rules)
    {
        var log = new Dictionary<string, Record>();
        foreach (Record record in blocks.SelectMany(b => b).Select(r => r with { Order = rules.OrderOf(r) }))
        {
            bool isKnown = log.TryGetValue(record.Key, out Record? older);
            // A key that was deleted without an ordering value cannot be deleted once more.
            if (!isKnown || !record.IsKeyOnly || rules.Mode == "COMMIT_TIME_ORDERING" || !rules.BeatsAll(older!))
            {
                log[record.Key] = isKnown ? Merge(older!, record, rules) : record;
            }
        }

        foreach (Record row in rows.Select(r => r with { Order = rules.OrderOf(r) }))
        {
            // A row that no log record meets is there, whatever it says of itself.
            bool isMet = log.Remove(row.Key, out Record? newer);
            Record result = isMet ? Merge(row, newer!, rules) : row;
            if (!isMet || !rules.IsDelete(result))
            {
                yield return result.Text;
            }
        }

        foreach (Record record in log.Values.Where(r => !rules.IsDelete(r)))
        {
            yield return record.Text;
        }
    }

    private static Record Merge(Record older, Record newer, Rules rules)
    {
        // A deletion without an ordering value (or with the 32-bit zero) beats what came before, and anything beats it.
        // The payload of first values keeps the earlier one of two records of one ordering value.
        bool isLate = newer.Order.CompareTo(older.Order) < 0 || (rules.Mode == "CUSTOM" && newer.Order == older.Order && !rules.IsDelete(newer) && !rules.IsDelete(older));
        bool newerWins = rules.Mode == "COMMIT_TIME_ORDERING" || rules.BeatsAll(newer) || rules.BeatsAll(older) || !isLate;
        (Record winner, Record loser) = newerWins ? (newer, older) : (older, newer);
        return rules.Fill switch
        {
            _ when rules.IsDelete(older) || rules.IsDelete(newer) => winner,
            "IGNORE_DEFAULTS" => winner with
            {
                Value = winner.Value ?? loser.Value,
                Other = winner.Other ?? loser.Other,
                Ord = winner.Ord ?? loser.Ord,
                Ord2 = winner.Ord2 ?? loser.Ord2,
                Op = winner.Op ?? loser.Op,
            },
            "KEEP_VALUES" when winner.Present is { } present => winner with
            {
                Value = present.Contains("v") ? winner.Value : loser.Value,
                Other = present.Contains("w") ? winner.Other : loser.Other,
                Op = loser.Op,
                Present = loser.Present is { } others ? [.. present.Union(others)] : null,
            },
            _ => winner,
        };
    }

    private string[] Merged(HudiSnapshot snapshot, Dictionary<int, List<Record>> bases, Dictionary<int, List<List<Record>>> blocks, bool withPositions, bool byPositionsAlone = false)
    {
        var decoded = new List<DecodedBlock>();
        var deletes = new List<DecodedDeletes>();
        foreach ((int slice, List<List<Record>> some) in blocks)
        {
            for (int order = 0; order < some.Count; order++)
            {
                List<Record> block = some[order];
                long[]? positions = withPositions ? [.. block.Select(r => (long)bases[slice].FindIndex(b => b.Key == r.Key))] : null;
                if (block[0].IsKeyOnly)
                {
                    deletes.Add(new DecodedDeletes(slice, order, [.. block.Select(r => new DeletedKey(KeyText(snapshot, r), OrderingOf(snapshot, r)))]) { Positions = positions });
                }
                else
                {
                    decoded.Add(new DecodedBlock(Write(block), slice, order, block[0].Present is { } present ? ["id", "n", "half", "ord", "ord2", .. present] : null) { Positions = positions });
                }
            }
        }

        Dictionary<int, ReadableFile> files = bases.Where(b => b.Value.Count > 0).ToDictionary(b => b.Key, b => Write(b.Value));
        return _table.Texts("SELECT concat_ws('|', id, coalesce(ord::VARCHAR, '-'), coalesce(ord2::VARCHAR, '-'), coalesce(v, '-'), coalesce(w, '-'), coalesce(op, '-')) FROM ("
            + Relation(snapshot, decoded, deletes, files, byPositionsAlone) + ")");
    }

    private string Relation(
        HudiSnapshot snapshot, IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes, Dictionary<int, ReadableFile> files, bool byPositionsAlone = false)
    {
        MergeRules rules = MergeRules.Of(snapshot);
        var members = new Dictionary<string, int> { ["0"] = 0, ["1"] = 1 };
        var merger = new SliceMerger(_table.Engine, snapshot, rules) { MaxFolded = _maxFolded };
        MergedSlices merged = byPositionsAlone ? PositionMerge.TryMerge(_table.Engine, snapshot, rules, members, blocks, deletes)! : merger.Merge(members, blocks, deletes, files);
        _parts = merger.Parts;
        Dictionary<int, FileSlice> slices = members.ToDictionary(m => m.Value, m => new FileSlice { Partition = "", FileId = m.Key, BaseInstant = "1" });
        List<string> parts =
        [
            .. files.Select(f => $"SELECT id, ord, ord2, v, w, op FROM read_parquet({SqlText.Literal(f.Value.LocalPath)}) {merged.LiveBases([f.Key], [])}"),
        ];
        parts.AddRange(merged.AreFolded
            ? [$"SELECT id, ord, ord2, v, w, op FROM {merged.RowsTable}"]
            : new MergedScan(snapshot, null!, [.. ((string[])["id", "ord", "ord2", "v", "w", "op"]).Select(snapshot.Schema.GetFieldByName)], null).Blocks(merged, blocks, slices, []));
        return parts.Count == 0 ? "SELECT '' AS id, 0 AS ord, 0 AS ord2, '' AS v, '' AS w, '' AS op WHERE false" : string.Join(" UNION ALL ", parts);
    }

    // The writer's key text: of one column its value, of several name and value of each.
    private static string KeyText(HudiSnapshot snapshot, Record record) => snapshot.Properties.RecordKeyFields switch
    {
        ["id"] => record.Key,
        ["n"] => $"{record.Digit}",
        _ => $"n:{record.Digit},half:{record.Digit / 2}",
    };

    // As delete blocks are decoded: null for none, and for the 32-bit zero of a single field.
    private static string[]? OrderingOf(HudiSnapshot snapshot, Record record) => snapshot.Properties.OrderingFields.Count switch
    {
        1 => record.Ord is null or 0 ? null : [Text(record.Ord)],
        _ => record.Ord is null || record.Ord2 is null ? null : [Text(record.Ord), Text(record.Ord2)],
    };

    private static string Text(int? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "NULL";

    private ReadableFile Write(List<Record> records)
    {
        IReadOnlyList<string>? present = records[0].Present;
        string rows = string.Join(", ", records.Select((r, i) =>
            $"({i}, {SqlText.Literal(r.Key)}, {r.Digit}, {Text(r.Ord)}, {Text(r.Ord2)}, {SqlText.LiteralOrNull(r.Value)}, {SqlText.LiteralOrNull(r.Other)}, {SqlText.LiteralOrNull(r.Op)})"));
        string columns = string.Join(", ", ((string[])["v", "w", "op"]).Where(c => present is null || present.Contains(c)).Select(c => $"{c}::VARCHAR AS {c}"));
        return _table.Write(
            $"SELECT id, k::BIGINT AS n, (k // 2)::INTEGER AS half, ord::INTEGER AS ord, ord2::INTEGER AS ord2, {columns} FROM (VALUES {rows}) t(place, id, k, ord, ord2, v, w, op) ORDER BY place");
    }

    private HudiSnapshot SnapshotOf(Rules rules, string key, string ordering) => _table.Snapshot(
        $"hoodie.table.version=9\nhoodie.record.merge.mode={rules.Mode}\nhoodie.table.partial.update.mode={rules.Fill}\nhoodie.table.ordering.fields={ordering}\n"
        + $"hoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields={key}\nhoodie.table.keygenerator.type=NON_PARTITION\n"
        + (rules.Mode == "CUSTOM" ? "hoodie.compaction.payload.class=org.apache.hudi.common.model.FirstValueAvroPayload\n" : "")
        + (rules.HasMarker ? "hoodie.record.merge.property.hoodie.payload.delete.field=op\nhoodie.record.merge.property.hoodie.payload.delete.marker=d\n" : ""),
        Schema);

    private sealed record Rules(string Mode, string Fill, bool HasTwoFields, bool HasMarker)
    {
        public bool IsDelete(Record record) => record.IsKeyOnly || (HasMarker && record.Op == "d");

        public bool BeatsAll(Record record) => IsDelete(record) && (HasTwoFields ? record.IsKeyOnly && (record.Ord is null || record.Ord2 is null) : record.Ord is null or 0);

        public (int, int) OrderOf(Record record) => (record.Ord ?? 0, HasTwoFields ? record.Ord2 ?? 0 : 0);
    }

    private sealed record Record(string Key)
    {
        public int? Ord { get; init; }

        public int? Ord2 { get; init; }

        public string? Value { get; init; }

        public string? Other { get; init; }

        public string? Op { get; init; }

        /// <summary>A key of a delete block.</summary>
        public bool IsKeyOnly { get; init; }

        /// <summary>The value columns of a record that holds changed ones only; null for all.</summary>
        public IReadOnlyList<string>? Present { get; init; }

        /// <summary>What is compared: not changed by values taken from another version.</summary>
        public (int, int) Order { get; init; }

        public int Digit => Key[1] - '0';

        public string Text => $"{Key}|{Spell(Ord)}|{Spell(Ord2)}|{Value ?? "-"}|{Other ?? "-"}|{Op ?? "-"}";

        private static string Spell(int? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "-";
    }
}
