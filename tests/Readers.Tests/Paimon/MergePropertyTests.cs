using System.Buffers.Binary;
using System.Globalization;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Random runs of upserts and deletes, merged by the engine, against a model that walks the versions of each key.</summary>
public sealed class MergePropertyTests
{
    private const int Rounds = 25;

    [Theory]
    [InlineData("deduplicate")]
    [InlineData("partial-update")]
    [InlineData("aggregation")]
    public async Task Merged_runs_equal_a_model_that_walks_every_version(string engineName)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("lakeholo-merge-");
        try
        {
            using var engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [folder.FullName] });
            using var cache = new DiskCache(new DiskCacheOptions { Directory = Path.Combine(folder.FullName, "cache") });
            using var reader = new PaimonReader(engine, cache);
            await using var store = new LocalFolderStore(folder.FullName);
            for (int seed = 1; seed <= Rounds; seed++)
            {
                var random = new Random(seed);
                List<Row[]> runs = Runs(random, engineName);
                PaimonSnapshot snapshot = Write(engine, store, folder.FullName, seed, runs, engineName);
                await using TableScan scan = await reader.PlanAsync(snapshot, ScanRequest.All);
                Assert.Equal(Model(runs, engineName), Read(engine, scan.Sql));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // Oldest run first; a key occurs once in a run.
    private static List<Row[]> Runs(Random random, string engineName)
    {
        int[] kinds = engineName == "deduplicate" ? [0, 0, 2, 3, 1] : engineName == "aggregation" ? [0, 0, 2, 1, 3] : [0, 2];
        int sequence = 0;
        return [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => Enumerable.Range(0, 20).Where(_ => random.Next(2) == 0).Select(k => new Row(
            k, random.Next(4) == 0 ? null : random.Next(100), random.Next(4) == 0 ? null : "t" + random.Next(9), kinds[random.Next(kinds.Length)], sequence++)).ToArray())
            .Where(r => r.Length > 0)];
    }

    private static List<string> Model(List<Row[]> runs, string engineName)
    {
        var rows = new List<string>();
        foreach (IGrouping<int, Row> versions in runs.SelectMany(r => r).GroupBy(r => r.Key))
        {
            Row[] ordered = [.. versions.OrderBy(v => v.Sequence)];
            if (ordered.Length == 1 || engineName == "deduplicate")
            {
                if (ordered[^1].Kind is 0 or 2)
                {
                    rows.Add(Text(ordered[^1]));
                }

                continue;
            }

            int? number = null;
            string? text = null;
            foreach (Row row in ordered)
            {
                bool isRetract = row.Kind is 1 or 3;
                number = engineName != "aggregation" ? row.Number ?? number
                    : row.Number is null ? number : (number ?? 0) + (isRetract ? -row.Number : row.Number);
                text = isRetract ? (row.Text is null ? text : null) : row.Text ?? text;
            }

            rows.Add(Text(new Row(versions.Key, number, text, 0, 0)));
        }

        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    private static string Text(Row row) => $"{row.Key}|{row.Number?.ToString(CultureInfo.InvariantCulture) ?? "-"}|{row.Text ?? "-"}";

    private static List<string> Read(EngineDatabase engine, string sql)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT k || '|' || coalesce(CAST(n AS VARCHAR), '-') || '|' || coalesce(t, '-') FROM ({sql})";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0));
        }

        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    private static PaimonSnapshot Write(EngineDatabase engine, LocalFolderStore store, string folder, int seed, List<Row[]> runs, string engineName)
    {
        string table = $"t{seed}/";
        Directory.CreateDirectory(Path.Combine(folder, table, "bucket-0"));
        var files = new List<PaimonDataFile>();
        for (int i = 0; i < runs.Count; i++)
        {
            string name = $"data-{i}.parquet";
            IEnumerable<string> values = runs[i].Select(r =>
                $"({r.Key}, {r.Number?.ToString(CultureInfo.InvariantCulture) ?? "NULL"}, {SqlText.LiteralOrNull(r.Text)}, {r.Sequence}::BIGINT, {r.Kind}::TINYINT)");
            using DuckDBConnection connection = engine.OpenConnection();
            EngineDatabase.Execute(
                connection,
                $"COPY (SELECT k::INTEGER k, n::INTEGER n, t::VARCHAR t, \"_SEQUENCE_NUMBER\", \"_VALUE_KIND\" FROM (VALUES {string.Join(", ", values)}) "
                + $"v(k, n, t, \"_SEQUENCE_NUMBER\", \"_VALUE_KIND\") ORDER BY k) TO {SqlText.Literal(Path.Combine(folder, table, "bucket-0", name))}");
            files.Add(new PaimonDataFile
            {
                PartitionBytes = new byte[12],
                Partition = [],
                Bucket = 0,
                TotalBuckets = 1,
                Name = name,
                SizeBytes = 1,
                RowCount = runs[i].Length,
                MinKey = Key(runs[i].Min(r => r.Key)),
                MaxKey = Key(runs[i].Max(r => r.Key)),
                ValueStatistics = PaimonStatistics.None,
                MinSequenceNumber = runs[i].Min(r => r.Sequence),
                MaxSequenceNumber = runs[i].Max(r => r.Sequence),
                SchemaId = 0,
                Level = i == 0 ? 5 : 0,
                DeleteRowCount = runs[i].Count(r => r.Kind is 1 or 3),
                Path = "bucket-0/" + name,
            });
        }

        var schema = new PaimonSchema
        {
            Id = 0,
            Version = 3,
            Fields =
            [
                new PaimonField(0, "k", new PaimonType { Kind = PaimonTypeKind.Int, Nullable = false }),
                new PaimonField(1, "n", new PaimonType { Kind = PaimonTypeKind.Int }),
                new PaimonField(2, "t", new PaimonType { Kind = PaimonTypeKind.VarChar, Length = PaimonType.MaxLength }),
            ],
            PartitionKeys = [],
            PrimaryKeys = ["k"],
            Options = new Dictionary<string, string> { ["merge-engine"] = engineName, ["fields.n.aggregate-function"] = engineName == "aggregation" ? "sum" : "last_non_null_value" },
        };
        return new PaimonSnapshot
        {
            Table = new LakeTable("s", "d", $"t{seed}", "paimon", new TableRoot(store, table)),
            Id = new SnapshotId("1"),
            CommittedAt = null,
            Schema = new Schema([.. schema.Fields.Select(PaimonArrowTypes.ToField)], null),
            PartitionColumns = [],
            PrimaryKey = ["k"],
            Commit = null,
            Branch = "main",
            TableSchema = schema,
            Schemas = new Dictionary<long, PaimonSchema> { [0] = schema },
            Files = files,
            DeletionVectors = new Dictionary<(string, int, string), PaimonDeletionVector>(),
        };
    }

    // Arity, header, one slot.
    private static byte[] Key(int value)
    {
        byte[] bytes = new byte[20];
        BinaryPrimitives.WriteInt32BigEndian(bytes, 1);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), value);
        return bytes;
    }

    private sealed record Row(int Key, int? Number, string? Text, int Kind, int Sequence);
}
