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

/// <summary>Random runs and levels of upserts and deletes under random options, merged by the engine, against a model that walks the versions of each key.</summary>
public sealed class MergePropertyTests
{
    private const int Rounds = 24;
    private const int Buckets = 2;

    // The key, values, a user sequence of two columns, and two sequences for groups.
    private static readonly string[] Columns = ["k", "n", "m", "t", "f", "u1", "u2", "s1", "s2"];

    private static readonly PaimonType Int = new() { Kind = PaimonTypeKind.Int, Text = "INT" };

    private static readonly PaimonType Double = new() { Kind = PaimonTypeKind.Double, Text = "DOUBLE" };

    // Floating numbers have an order of their own where the engine sees two equal ones.
    private static readonly double?[] Doubles = [null, -1.5, -0.0, 0.0, 2, double.NaN];

    private static readonly PaimonType[] Types =
    [
        Int with { Nullable = false }, Int, Int, new() { Kind = PaimonTypeKind.VarChar, Length = PaimonType.MaxLength, Text = "STRING" },
        new() { Kind = PaimonTypeKind.Boolean, Text = "BOOLEAN" }, Double, Int, Double, Int,
    ];

    [Theory]
    [InlineData("deduplicate")]
    [InlineData("first-row")]
    [InlineData("partial-update")]
    [InlineData("partial-update with groups")]
    [InlineData("aggregation")]
    public async Task Merged_runs_equal_a_model_that_walks_every_version(string kind)
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
                reader.MaxFolded = seed % 2 == 0 ? 7 : long.MaxValue / 2;
                var random = new Random(seed);
                (Dictionary<string, string> options, int[] kinds) = Options(random, kind);
                List<List<ModelRow>> runs = Runs(random, kinds, kind == "first-row");
                HashSet<ModelRow> dead = options.ContainsKey("deletion-vectors.enabled") ? Dead(random, runs) : [];
                PaimonSnapshot snapshot = Write(engine, store, folder.FullName, random, seed, runs, dead, options);
                List<string> expected = Model(runs, dead, options);

                // A scan of some columns begins a copy of these.
                string[] some = seed % 4 == 0 ? [.. Columns.Where(_ => random.Next(4) == 0)] : [];
                for (int pass = 1; pass <= 2 && some.Length > 0; pass++)
                {
                    await using (TableScan scan = await reader.PlanAsync(snapshot, new ScanRequest { Columns = some }))
                    {
                        List<string> projected = [.. expected.Select(r => string.Join("|", r.Split('|').Where((_, i) => some.Contains(Columns[i])))).Order(StringComparer.Ordinal)];
                        Assert.Equal(projected, Read(engine, scan.Sql, some));
                        Assert.True(pass < 2 || dead.Count > 0 || !scan.Sql.Contains("ANTI JOIN", StringComparison.Ordinal), scan.Sql);
                    }

                    await reader.SettleAsync();
                }

                // The first scan begins a copy of the merged rows, which the next ones read.
                for (int pass = 1; pass <= 2; pass++)
                {
                    await using (TableScan scan = await reader.PlanAsync(snapshot, ScanRequest.All))
                    {
                        List<string> actual = Read(engine, scan.Sql);
                        Assert.True(
                            expected.SequenceEqual(actual),
                            $"seed {seed}, pass {pass}: {string.Join("; ", options.Select(o => $"{o.Key}={o.Value}"))}\nlost:\n{string.Join("\n", expected.Except(actual))}\nextra:\n{string.Join("\n", actual.Except(expected))}");
                        Assert.True(pass < 2 || dead.Count > 0 || !scan.Sql.Contains("ANTI JOIN", StringComparison.Ordinal), scan.Sql);
                    }

                    await reader.SettleAsync();
                }
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Options of a table, and the kinds of rows that they allow.</summary>
    private static (Dictionary<string, string> Options, int[] Kinds) Options(Random random, string kind)
    {
        var options = new Dictionary<string, string> { ["merge-engine"] = kind.Split(' ')[0] };
        int[] kinds = [0, 2, 0, 2, 1, 3, 3];
        if (kind != "first-row")
        {
            string? sequence = random.Next(4) switch { 0 => "u1", 1 => "u1,u2", _ => null };
            if (sequence is not null)
            {
                options["sequence.field"] = sequence;
                if (random.Next(2) == 0)
                {
                    options["sequence.field.sort-order"] = "descending";
                }
            }

            if (random.Next(3) == 0)
            {
                (string key, string value) = random.Next(2) == 0 ? ("changelog-producer", "lookup") : ("force-lookup", "true");
                options[key] = value;
            }

            if (random.Next(3) == 0)
            {
                options["deletion-vectors.enabled"] = "true";
                options["deletion-vectors.merge-on-read"] = random.Next(2) == 0 ? "true" : "false";
            }
            else if (random.Next(4) == 0)
            {
                options["sequence.snapshot-ordering"] = "true";
            }
        }

        switch (kind)
        {
            case "deduplicate":
                if (random.Next(3) == 0)
                {
                    options["ignore-delete"] = "true";
                }

                break;
            case "first-row":
                kinds = random.Next(2) == 0 ? [0] : kinds;
                if (kinds.Length > 1)
                {
                    options["ignore-delete"] = "true";
                }

                break;
            case "partial-update":
                string? policy = random.Next(3) switch { 0 => "ignore-delete", 1 => "partial-update.remove-record-on-delete", _ => null };
                if (policy is null)
                {
                    kinds = [0, 2];
                }
                else
                {
                    options[policy] = "true";
                }

                break;
            case "partial-update with groups":
                Groups(random, options);
                break;
            default:
                Aggregates(random, options);
                break;
        }

        return (options, kinds);
    }

    private static void Groups(Random random, Dictionary<string, string> options)
    {
        if (random.Next(3) == 0)
        {
            options["fields.s1,s2.sequence-group"] = "n,m,t";
        }
        else
        {
            options["fields.s1.sequence-group"] = "n,m";
            options["fields.s2.sequence-group"] = "t,f";
        }

        foreach ((string column, string[] functions) in (IEnumerable<(string, string[])>)[("n", ["sum", "last_value", "last_non_null_value"]), ("m", ["max", "min", "product"])])
        {
            string function = functions[random.Next(functions.Length)];
            if (random.Next(2) == 0)
            {
                options[$"fields.{column}.aggregate-function"] = function;
                if (function is "max" or "min" or "product")
                {
                    options[$"fields.{column}.ignore-retract"] = "true";
                }
            }
        }

        switch (random.Next(3))
        {
            case 0:
                options["ignore-delete"] = "true";
                break;
            case 1:
                options["partial-update.remove-record-on-sequence-group"] = random.Next(2) == 0 ? "s1" : "s2";
                break;
            default:
                break;
        }
    }

    private static void Aggregates(Random random, Dictionary<string, string> options)
    {
        bool removes = random.Next(3) == 0;
        if (removes)
        {
            options["aggregation.remove-record-on-delete"] = "true";
        }

        string[] retractable = ["sum", "last_value", "last_non_null_value", "product"];
        if (random.Next(3) == 0)
        {
            options["fields.default-aggregate-function"] = random.Next(2) == 0 ? "last_value" : "last_non_null_value";
        }

        foreach ((string column, string[] others) in (IEnumerable<(string, string[])>)
            [("n", ["max", "min", "first_value", "product"]), ("m", ["first_non_null_value", "first_value", "max"]), ("t", ["listagg", "first_value", "min", "max"]), ("f", ["bool_and", "bool_or"])])
        {
            bool canRetract = removes || random.Next(2) == 0;
            if (canRetract && options.Count % 3 == 0)
            {
                continue;
            }

            string function = canRetract ? retractable[random.Next(column is "n" or "m" ? 0 : 1, column == "m" ? 4 : 3)] : others[random.Next(others.Length)];
            options[$"fields.{column}.aggregate-function"] = function;
            if (!canRetract)
            {
                options[$"fields.{column}.ignore-retract"] = "true";
            }
        }
    }

    // Oldest run first, on ever lower levels, the newest ones on level 0; a key occurs once in a run.
    private static List<List<ModelRow>> Runs(Random random, int[] kinds, bool isFirstRow)
    {
        int count = random.Next(1, 7);
        int upper = random.Next(0, Math.Min(count, 4) + 1);
        int sequence = 0;
        object? Number(int limit) => random.Next(4) == 0 ? null : random.Next(limit) - 2;
        object? Floating() => Doubles[random.Next(Doubles.Length)];
        var runs = new List<List<ModelRow>>();
        for (int run = 0; run < count; run++)
        {
            int level = run < upper ? 5 - run : 0;
            List<ModelRow> rows = [.. Enumerable.Range(0, 24).Where(_ => random.Next(2) == 0).Select(k => new ModelRow(
                level, kinds[random.Next(kinds.Length)], sequence++,
                [k, Number(90), random.Next(4) == 0 ? null : random.Next(5) + 1, random.Next(4) == 0 ? null : random.Next(6) == 0 ? "" : "t" + random.Next(9).ToString(CultureInfo.InvariantCulture),
                    random.Next(3) == 0 ? null : random.Next(2) == 0, Floating(), Number(4), Floating(), Number(5)]))];
            if (isFirstRow && level > 0)
            {
                // The writer lets no key into two levels; where it keeps delete rows, whole files are merged, and then it does not matter.
                HashSet<object?> known = [.. runs.SelectMany(r => r).Select(r => r.Values[0])];
                rows = kinds.Length == 1 ? [.. rows.Where(r => !known.Contains(r.Values[0]))] : [.. rows.Select((r, i) => i == 0 ? r with { Kind = 3 } : r)];
            }

            if (rows.Count > 0)
            {
                runs.Add(rows);
            }
        }

        return runs;
    }

    // Of the rows above level 0 a key has one at most that no vector kills, as lookups leave it; some have none.
    private static HashSet<ModelRow> Dead(Random random, List<List<ModelRow>> runs)
    {
        HashSet<ModelRow> dead = new(ReferenceEqualityComparer.Instance);
        foreach (IGrouping<int, ModelRow> versions in runs.SelectMany(r => r).Where(r => r.Level > 0).GroupBy(r => (int)r.Values[0]!))
        {
            dead.UnionWith(versions.OrderBy(v => v.Level).Skip(random.Next(5) == 0 ? 0 : 1));
        }

        return dead;
    }

    private static List<string> Model(List<List<ModelRow>> runs, HashSet<ModelRow> dead, IReadOnlyDictionary<string, string> options)
    {
        var model = new MergeModel(Columns, options);
        if (options.ContainsKey("sequence.snapshot-ordering"))
        {
            runs = [.. runs.Select(r => r[0].Level > 0 ? r : [.. r.Select(v => v with { Sequence = r.Min(o => o.Sequence) })])];
        }

        List<string> rows = [.. runs.SelectMany(r => r).Where(r => !dead.Contains(r)).GroupBy(r => (int)r.Values[0]!).Select(model.Merge).Where(r => r is not null).Select(r => Text(r!))];
        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    private static string Text(object?[] row) => string.Join("|", row.Select(v => v switch
    {
        null => "-",
        bool b => b ? "true" : "false",
        double d => double.IsNaN(d) ? "nan" : d.ToString("0.0", CultureInfo.InvariantCulture),
        _ => Convert.ToString(v, CultureInfo.InvariantCulture),
    }));

    private static List<string> Read(EngineDatabase engine, string sql, string[]? columns = null)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT {string.Join(" || '|' || ", (columns ?? Columns).Select(c => $"coalesce(CAST({c} AS VARCHAR), '-')"))} FROM ({sql})";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0));
        }

        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    private static PaimonSnapshot Write(
        EngineDatabase engine, LocalFolderStore store, string folder, Random random, int seed, List<List<ModelRow>> runs, HashSet<ModelRow> dead,
        IReadOnlyDictionary<string, string> options)
    {
        string table = $"t{seed}/";
        var files = new List<PaimonDataFile>();
        var vectors = new Dictionary<(string, int, string), PaimonDeletionVector>();
        foreach ((int bucket, List<ModelRow> rows) in Enumerable.Range(0, Buckets).SelectMany(b => runs.SelectMany(r => Files(random, r, b)).Select(f => (b, f))))
        {
            string name = $"data-{files.Count}.parquet";
            string path = $"bucket-{bucket}/{name}";
            Directory.CreateDirectory(Path.Combine(folder, table, $"bucket-{bucket}"));
            WriteFile(engine, Path.Combine(folder, table, path), rows);
            var file = new PaimonDataFile
            {
                PartitionBytes = new byte[12],
                Partition = [],
                Bucket = bucket,
                TotalBuckets = Buckets,
                Name = name,
                SizeBytes = new FileInfo(Path.Combine(folder, table, path)).Length,
                RowCount = rows.Count,
                MinKey = Key((int)rows[0].Values[0]!),
                MaxKey = Key((int)rows[^1].Values[0]!),
                ValueStatistics = PaimonStatistics.None,
                MinSequenceNumber = rows.Min(r => r.Sequence),
                MaxSequenceNumber = rows.Max(r => r.Sequence),
                SchemaId = 0,
                Level = rows[0].Level,
                DeleteRowCount = rows.Count(r => r.IsRetract),
                FileSource = rows[0].Level == 0 ? 0 : 1,
                Path = path,
            };
            files.Add(file);
            ushort[] positions = [.. rows.Select((r, i) => (r, i)).Where(r => dead.Contains(r.r)).Select(r => (ushort)r.i)];
            if (positions.Length > 0)
            {
                string index = $"index-{files.Count}";
                byte[] bytes = Vector(positions);
                File.WriteAllBytes(Path.Combine(folder, table, index), bytes);
                vectors[(Convert.ToBase64String(file.PartitionBytes), bucket, name)] =
                    new PaimonDeletionVector(Convert.ToBase64String(file.PartitionBytes), bucket, name, index, 1, bytes.Length - 9, positions.Length);
            }
        }

        var schema = new PaimonSchema
        {
            Id = 0,
            Version = 3,
            Fields = [.. Columns.Select((c, i) => new PaimonField(i, c, Types[i]))],
            PartitionKeys = [],
            PrimaryKeys = ["k"],
            Options = options,
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
            DeletionVectors = vectors,
        };
    }

    private static void WriteFile(EngineDatabase engine, string path, List<ModelRow> rows)
    {
        static string Literal(object? value) => value switch
        {
            null => "NULL",
            string text => SqlText.Literal(text),
            bool b => b ? "true" : "false",
            double d => double.IsNaN(d) ? "'NaN'::DOUBLE" : d.ToString("0.0e0", CultureInfo.InvariantCulture),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
        string[] sqlTypes = [.. Types.Select(t => t.Kind switch { PaimonTypeKind.VarChar => "VARCHAR", PaimonTypeKind.Boolean => "BOOLEAN", PaimonTypeKind.Double => "DOUBLE", _ => "INTEGER" })];
        IEnumerable<string> values = rows.Select(r => $"({string.Join(", ", r.Values.Select(Literal))}, {r.Sequence}::BIGINT, {r.Kind}::TINYINT)");
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(
            connection,
            $"COPY (SELECT {string.Join(", ", Columns.Select((c, i) => $"{c}::{sqlTypes[i]} AS {c}"))}, \"_SEQUENCE_NUMBER\", \"_VALUE_KIND\" FROM (VALUES {string.Join(", ", values)}) "
            + $"v({string.Join(", ", Columns)}, \"_SEQUENCE_NUMBER\", \"_VALUE_KIND\") ORDER BY k) TO {SqlText.Literal(path)} (FORMAT parquet, DICTIONARY_SIZE_LIMIT 0)");
    }

    // The rows of a run in a bucket, in one file or two.
    private static IEnumerable<List<ModelRow>> Files(Random random, List<ModelRow> run, int bucket)
    {
        List<ModelRow> rows = [.. run.Where(r => (int)r.Values[0]! % Buckets == bucket)];
        int cut = random.Next(3) == 0 && rows.Count > 1 ? rows.Count / 2 : rows.Count;
        return ((List<ModelRow>[])[rows[..cut], rows[cut..]]).Where(f => f.Count > 0);
    }

    // Version, then length, magic, bitmap with one container, checksum.
    private static byte[] Vector(ushort[] positions)
    {
        const int Head = 9;
        byte[] bytes = new byte[Head + 16 + (2 * positions.Length) + 4];
        bytes[0] = 1;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), bytes.Length - Head);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(5), 1_581_511_376);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Head), 12346);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Head + 4), 1);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(Head + 10), (ushort)(positions.Length - 1));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Head + 12), 16);
        for (int i = 0; i < positions.Length; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(Head + 16 + (2 * i)), positions[i]);
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(bytes.Length - 4), System.IO.Hashing.Crc32.HashToUInt32(bytes.AsSpan(5, bytes.Length - Head)));
        return bytes;
    }

    // Arity, header, one slot.
    private static byte[] Key(int value)
    {
        byte[] bytes = new byte[20];
        BinaryPrimitives.WriteInt32BigEndian(bytes, 1);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), value);
        return bytes;
    }
}
