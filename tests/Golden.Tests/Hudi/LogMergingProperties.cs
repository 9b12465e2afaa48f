using System.Globalization;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Merging;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Merging in the engine against a model that folds records one by one, as the specification tells it.</summary>
public sealed class LogMergingProperties : IDisposable
{
    private const int Rounds = 60;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-merge-");
    private readonly EngineDatabase _engine;
    private readonly ParquetShapes _shapes = new();
    private int _files;

    public LogMergingProperties() => _engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.FullName] });

    [Theory]
    [InlineData("COMMIT_TIME_ORDERING", "NONE", "id")]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "id")]
    [InlineData("COMMIT_TIME_ORDERING", "IGNORE_DEFAULTS", "id")]
    [InlineData("EVENT_TIME_ORDERING", "IGNORE_DEFAULTS", "id")]
    [InlineData("COMMIT_TIME_ORDERING", "NONE", "n,half")]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "n")]
    [InlineData("EVENT_TIME_ORDERING", "NONE", "n,half")]
    public void Random_logs_merge_as_a_record_by_record_fold_does(string mode, string fill, string key)
    {
        HudiSnapshot snapshot = SnapshotOf(mode, fill, key);
        for (int seed = 0; seed < Rounds; seed++)
        {
            var random = new Random(seed);
            var bases = new Dictionary<int, List<Record>>();
            var blocks = new Dictionary<int, List<List<Record>>>();
            for (int slice = 0; slice < 2; slice++)
            {
                bases[slice] = [.. Enumerable.Range(0, random.Next(6)).Select(_ => Data(random))];
                blocks[slice] = [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => Block(random))];
            }

            string[] expected = [.. bases.Keys.SelectMany(s => Model(bases[s], blocks[s], mode, fill)).Order(StringComparer.Ordinal)];
            Assert.Equal(expected, Merged(snapshot, bases, blocks));
        }
    }

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Delete(recursive: true);
    }

    private static Record Data(Random random)
        => new("k" + random.Next(5), random.Next(4) == 0 ? null : random.Next(4), random.Next(3) == 0 ? null : "v" + random.Next(1000), false);

    // A block is all data or all key-only deletions.
    private static List<Record> Block(Random random)
    {
        bool deletes = random.Next(3) == 0;
        return [.. Enumerable.Range(0, 1 + random.Next(4)).Select(_ => deletes ? Data(random) with { IsDelete = true, Value = null } : Data(random))];
    }

    private static IEnumerable<string> Model(List<Record> rows, List<List<Record>> blocks, string mode, string fill)
    {
        var log = new Dictionary<string, Record>();
        foreach (Record record in blocks.SelectMany(b => b))
        {
            log[record.Key] = log.TryGetValue(record.Key, out Record? older) ? Merge(older, record, mode, fill) : record;
        }

        foreach (Record row in rows)
        {
            Record result = log.Remove(row.Key, out Record? newer) ? Merge(row, newer, mode, fill) : row;
            if (!result.IsDelete)
            {
                yield return result.Text;
            }
        }

        foreach (Record record in log.Values.Where(r => !r.IsDelete))
        {
            yield return record.Text;
        }
    }

    private static Record Merge(Record older, Record newer, string mode, string fill)
    {
        // A deletion without an ordering value (or with the 32-bit zero) beats what came before, and anything beats it.
        bool newerWins = mode == "COMMIT_TIME_ORDERING" || (newer.IsDelete && newer.Compared == 0) || (older.IsDelete && older.Compared == 0)
            || newer.Compared >= older.Compared;
        (Record winner, Record loser) = newerWins ? (newer, older) : (older, newer);
        return fill == "NONE" || older.IsDelete || newer.IsDelete
            ? winner
            : winner with { Value = winner.Value ?? loser.Value, Ord = winner.Ord ?? loser.Ord, Compared = winner.Compared };
    }

    private string[] Merged(HudiSnapshot snapshot, Dictionary<int, List<Record>> bases, Dictionary<int, List<List<Record>>> blocks)
    {
        var decoded = new List<DecodedBlock>();
        var deletes = new List<DecodedDeletes>();
        foreach ((int slice, List<List<Record>> some) in blocks)
        {
            for (int order = 0; order < some.Count; order++)
            {
                if (some[order][0].IsDelete)
                {
                    deletes.Add(new DecodedDeletes(slice, order, [.. some[order].Select(r => new DeletedKey(
                        KeyText(snapshot, r), r.Compared == 0 ? null : [r.Compared.ToString(CultureInfo.InvariantCulture)]))]));
                }
                else
                {
                    decoded.Add(new DecodedBlock(Write(some[order]), slice, order, null));
                }
            }
        }

        Dictionary<int, ReadableFile> files = bases.Where(b => b.Value.Count > 0).ToDictionary(b => b.Key, b => Write(b.Value));
        MergedSlices merged = new SliceMerger(_engine, snapshot, MergeRules.Of(snapshot)).Merge(decoded, deletes, files);
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        var parts = new List<string> { $"SELECT id, ord, v FROM {merged.RowsTable}" };
        parts.AddRange(files.Select(f => $"SELECT id, ord, v FROM read_parquet({SqlText.Literal(f.Value.LocalPath)}) r WHERE NOT EXISTS "
            + $"(SELECT 1 FROM {merged.DeadTable} d WHERE d.f = {f.Key} AND d.pos = r.file_row_number)"));
        command.CommandText = $"SELECT concat_ws('|', id, coalesce(ord::VARCHAR, '-'), coalesce(v, '-')) FROM ({string.Join(" UNION ALL ", parts)})";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0));
        }

        return [.. rows.Order(StringComparer.Ordinal)];
    }

    // The writer's key text: of one column its value, of several name and value of each.
    private static string KeyText(HudiSnapshot snapshot, Record record) => snapshot.Properties.RecordKeyFields switch
    {
        ["id"] => record.Key,
        ["n"] => $"{record.Number}",
        _ => $"n:{record.Number},half:{record.Number / 2}",
    };

    private ReadableFile Write(List<Record> records)
    {
        string path = Path.Combine(_folder.FullName, $"{_files++}.parquet");
        using DuckDBConnection connection = _engine.OpenConnection();
        string rows = string.Join(", ", records.Select((r, i) => $"({i}, {SqlText.Literal(r.Key)}, {r.Number}, {r.Ord?.ToString(CultureInfo.InvariantCulture) ?? "NULL"}, {SqlText.LiteralOrNull(r.Value)})"));
        EngineDatabase.Execute(connection, $"COPY (SELECT id, k::BIGINT AS n, (k // 2)::INTEGER AS half, ord::INTEGER AS ord, v::VARCHAR AS v FROM (VALUES {rows}) t(place, id, k, ord, v) ORDER BY place) TO {SqlText.Literal(path)} (FORMAT parquet)");
        return new ReadableFile(path, path, "", _shapes.Of(connection, path, path), null) { Path = path };
    }

    private HudiSnapshot SnapshotOf(string mode, string fill, string key)
    {
        var properties = HudiProperties.Parse(Encoding.UTF8.GetBytes(
            $"hoodie.table.version=9\nhoodie.record.merge.mode={mode}\nhoodie.table.partial.update.mode={fill}\nhoodie.table.ordering.fields=ord\n"
            + $"hoodie.populate.meta.fields=false\nhoodie.table.recordkey.fields={key}\nhoodie.table.keygenerator.type=NON_PARTITION\n"));
        HudiColumn[] columns =
        [
            new(new Field("id", StringType.Default, true), null, null),
            new(new Field("n", Int64Type.Default, true), null, null),
            new(new Field("half", Int32Type.Default, true), null, null),
            new(new Field("ord", Int32Type.Default, true), null, null),
            new(new Field("v", StringType.Default, true), null, null),
        ];
        return new HudiSnapshot
        {
            Table = new LakeTable("s", "d", "t", "hudi", new TableRoot(new LocalFolderStore(_folder.FullName), "")),
            Id = new SnapshotId("1"),
            CommittedAt = null,
            Schema = HudiSchema.ToArrow(columns, withMetaColumns: false),
            PartitionColumns = [],
            Properties = properties,
            Timeline = HudiTimeline.Parse([], 2),
            Instant = "1",
            ExcludedInstants = new HashSet<string>(),
            Columns = columns,
            Slices = [],
            ReadOptimizedSlices = [],
            Commits = new Dictionary<string, CommitMetadata>(),
        };
    }

    private sealed record Record(string Key, int? Ord, string? Value, bool IsDelete)
    {
        public int Compared { get; init; } = Ord ?? 0;

        public int Number => Key[1] - '0';

        public string Text => $"{Key}|{Ord?.ToString(CultureInfo.InvariantCulture) ?? "-"}|{Value ?? "-"}";
    }
}
