using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>The table of the log records of slices: key, place, ordering value and whether they are deletions; whole records where versions are combined.</summary>
/// <param name="snapshot">Whose columns count.</param>
/// <param name="rules">How versions become one.</param>
/// <param name="records">What merging needs of a record.</param>
/// <param name="name">The table's name; its helpers' names begin with it.</param>
internal sealed class LogTable(HudiSnapshot snapshot, MergeRules rules, RecordSql records, string name)
{
    private readonly SliceScan _scan = new(snapshot);

    /// <summary>The table's name.</summary>
    public string Name { get; } = name;

    /// <summary>How records find each other.</summary>
    public RecordKey Key { get; private set; } = RecordKey.Position;

    /// <summary>The tables that it made.</summary>
    public IEnumerable<string> Tables => [Name, Name + "_del", Name + "_pos"];

    /// <summary>Makes the table: keyed by position, else by numbers, else by the writer's text.</summary>
    public void Load(DuckDBConnection connection, IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes, IReadOnlyDictionary<int, ReadableFile> bases)
    {
        bool arePositioned = !rules.AreFolded && blocks.All(b => b.Positions is not null) && deletes.All(d => d.Positions?.Count == d.Keys.Count);
        RecordKey? numbers = rules.AreFolded ? null : RecordKey.TryNumbers(snapshot, [.. blocks.Select(b => b.File), .. bases.Values], deletes);
        foreach (RecordKey? key in (RecordKey?[])[arePositioned ? RecordKey.Position : null, numbers])
        {
            if (key is null)
            {
                continue;
            }

            Key = key;
            LoadLog(connection, blocks, deletes);
            long expected = key == RecordKey.Position ? blocks.Sum(b => (long)b.Positions!.Count) + deletes.Sum(d => (long)d.Keys.Count) : -1;
            string missing = string.Join(" OR ", Key.Names.Select(n => n + " IS NULL"));
            if (SliceMerger.Count(connection, $"SELECT count(*) FILTER ({missing}) FROM {Name}") == 0 && (expected < 0 || SliceMerger.Count(connection, $"SELECT count(*) FROM {Name}") == expected))
            {
                DropRepeated(connection, deletes);
                return;
            }

            EngineDatabase.Execute(connection, $"DROP TABLE {Name}; DROP TABLE {Name}_del; DROP TABLE {Name}_pos");
        }

        Key = RecordKey.Text(snapshot);
        LoadLog(connection, blocks, deletes);
        DropRepeated(connection, deletes);
    }

    // A key that was deleted without an ordering value cannot be deleted once more: a later deletion with one would lose to rows that the first one beat (Hudi's event-time merging passes over it).
    private void DropRepeated(DuckDBConnection connection, IReadOnlyList<DecodedDeletes> deletes)
    {
        if (records.IsCommitTime || !deletes.Any(d => d.Keys.Any(k => k.Ordering is not null)))
        {
            return;
        }

        const string Seq = RecordSql.Sequence, IsReset = RecordSql.IsReset, G = RecordSql.Slice;
        string ordered = $"SELECT l.{G}, {Key.List("l.")} FROM {Name} l SEMI JOIN {Name}_del d ON d.g = l.{G} AND d.seq = l.{Seq} WHERE NOT l.{IsReset}";
        EngineDatabase.Execute(
            connection,
            $"DELETE FROM {Name} WHERE ({G}, {Seq}) IN (SELECT ({G}, {Seq}) FROM (SELECT {G}, {Seq}, {IsReset}, is_key, max({Seq}) FILTER ({IsReset}) OVER earlier AS reset_at, "
            + $"arg_max({RecordSql.IsDelete}, {Seq}) FILTER ({IsReset}) OVER earlier AS was_deleted, max({Seq}) FILTER (NOT is_key) OVER earlier AS row_at "
            + $"FROM (SELECT l.*, d.seq IS NOT NULL AS is_key FROM {Name} l SEMI JOIN ({ordered}) o ON o.{G} = l.{G} AND {Key.Equal("o", "l")} LEFT JOIN {Name}_del d ON d.g = l.{G} AND d.seq = l.{Seq}) "
            + $"WINDOW earlier AS (PARTITION BY {G}, {Key.List()} ORDER BY {Seq} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) "
            + $"WHERE is_key AND NOT {IsReset} AND was_deleted AND coalesce(row_at <= reset_at, true))");
    }

    private void LoadLog(DuckDBConnection connection, IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes)
    {
        LoadDeletes(connection, deletes);
        LoadPositions(connection, blocks);
        EngineDatabase.Execute(connection, $"CREATE TABLE {Name} AS {LogSql(blocks)}");
    }

    private string LogSql(IReadOnlyList<DecodedBlock> blocks)
    {
        var parts = new List<string>();
        foreach ((IReadOnlyList<ReadableFile> group, DecodedBlock[] members) in BlockGroups(blocks))
        {
            string record = $"SELECT {DecodedBlock.SliceSql(members)} AS {RecordSql.Slice}, {DecodedBlock.SequenceSql(members)} AS {RecordSql.Sequence}, {RecordColumns(group[0], isLog: true)}";
            string present = rules.Fill != FillMode.Absent ? "NULL::VARCHAR[]"
                : DecodedBlock.At(members.Select(m => m.PresentColumns is null ? "NULL" : SqlText.LiteralList(m.PresentColumns)), "VARCHAR[][]");
            string positions = Key != RecordKey.Position ? "" : $" LEFT JOIN {Name}_pos p ON p.g = {DecodedBlock.SliceSql(members)} AND p.seq = {DecodedBlock.SequenceSql(members)}";
            parts.Add(record + (rules.AreFolded ? $", {present} AS {RecordSql.Present}, {_scan.Columns(group, snapshot.Schema.FieldsList)}" : "") + $" FROM {SliceScan.From(group)} r{positions}");
        }

        string order = $"CAST({records.OrderingOfDelete()} AS {records.OrderType})";
        string nulls = string.Join(", ", snapshot.Schema.FieldsList.Select(f => $"CAST(NULL AS {SqlText.TypeOf(f)}) AS {SqlText.Identifier(f.Name)}"));
        parts.Add($"SELECT g, seq, {string.Join(", ", Key.Types.Select((t, i) => $"CAST(k{SliceScan.Text(i)} AS {t})"))}, {order} AS {RecordSql.Order}, true, ({order}) IS NULL{(rules.AreFolded ? ", NULL::VARCHAR[], " + nulls : "")} FROM {Name}_del");
        string names = string.Join(", ", [RecordSql.Slice, RecordSql.Sequence, Key.List(), RecordSql.Order, RecordSql.IsDelete, RecordSql.IsReset]) + (rules.AreFolded ? $", {RecordSql.Present}, {string.Join(", ", snapshot.Schema.FieldsList.Select(f => SqlText.Identifier(f.Name)))}" : "");
        return $"SELECT * FROM ({string.Join(" UNION ALL ", parts)}) AS x({names})";
    }

    private IEnumerable<(IReadOnlyList<ReadableFile> Files, DecodedBlock[] Blocks)> BlockGroups(IReadOnlyList<DecodedBlock> blocks)
    {
        var byFile = blocks.ToDictionary(b => b.File);
        return _scan.Group(blocks.Select(b => b.File)).Select(g => (g, g.Select(f => byFile[f]).ToArray()));
    }

    /// <summary>What <see cref="RecordSql.OfRecord"/> tells of the records of a file.</summary>
    public string RecordColumns(ReadableFile file, bool isLog) => records.OfRecord(
        isLog && Key == RecordKey.Position ? ["p.pos"] : Key.Of(f => _scan.Column(file, f)), f => _scan.Column(file, f), name => _scan.NameIn(file, name) is not null)
        .Replace($" AS {RecordSql.Order},", $"::{records.OrderType} AS {RecordSql.Order},", StringComparison.Ordinal);

    private void LoadPositions(DuckDBConnection connection, IReadOnlyList<DecodedBlock> blocks)
    {
        EngineDatabase.Execute(connection, $"CREATE TABLE {Name}_pos (g INTEGER, seq BIGINT, pos BIGINT)");
        if (Key != RecordKey.Position)
        {
            return;
        }

        using DuckDBAppender appender = SliceMerger.Appender(connection, Name + "_pos");
        foreach (DecodedBlock block in blocks)
        {
            long sequence = DecodedBlock.FirstSequence(block.Order);
            foreach (long position in block.Positions!)
            {
                appender.CreateRow().AppendValue(block.Slice).AppendValue(sequence++).AppendValue(position).EndRow();
            }
        }
    }

    private void LoadDeletes(DuckDBConnection connection, IReadOnlyList<DecodedDeletes> deletes)
    {
        string keys = string.Concat(Key.Types.Select((_, i) => $", k{SliceScan.Text(i)} VARCHAR"));
        string parts = string.Concat(Enumerable.Range(0, records.OrderingParts).Select(i => $", o{SliceScan.Text(i)} VARCHAR"));
        EngineDatabase.Execute(connection, $"CREATE TABLE {Name}_del (g INTEGER, seq BIGINT{keys}{parts})");
        using DuckDBAppender appender = SliceMerger.Appender(connection, Name + "_del");
        foreach (DecodedDeletes block in deletes)
        {
            for (int at = 0; at < block.Keys.Count; at++)
            {
                DeletedKey key = block.Keys[at];
                IDuckDBAppenderRow row = appender.CreateRow().AppendValue(block.Slice).AppendValue(DecodedBlock.FirstSequence(block.Order) + at);
                foreach (string? part in Key == RecordKey.Position ? [SliceScan.Text(block.Positions![at])] : Key.OfDeleted(key.Key))
                {
                    row.AppendValue(part);
                }

                for (int i = 0; i < records.OrderingParts; i++)
                {
                    // A single value where several are expected (or the other way round) is of another class: the deletion then wins.
                    row.AppendValue(key.Ordering?.Length == records.OrderingParts ? key.Ordering[i] : null);
                }

                row.EndRow();
            }
        }
    }
}
