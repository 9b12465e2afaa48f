using System.Globalization;
using LakeHolo.LakeCatalog.Paimon;
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
    [InlineData("deduplicate over a large oldest run")]
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
            var tables = new TableOfRuns(engine, store, folder.FullName, Columns, Types);
            int byKeys = 0;
            for (int seed = 1; seed <= Rounds; seed++)
            {
                reader.MaxFolded = seed % 2 == 0 ? 7 : long.MaxValue / 2;
                var random = new Random(seed);
                (Dictionary<string, string> options, int[] kinds) = Options(random, kind);
                List<List<ModelRow>> runs = Runs(random, kinds, kind == "first-row", kind.EndsWith("large oldest run", StringComparison.Ordinal));
                HashSet<ModelRow> dead = options.ContainsKey("deletion-vectors.enabled") ? Dead(random, runs) : [];
                PaimonSnapshot snapshot = tables.Write(
                    $"t{seed}", Enumerable.Range(0, Buckets).SelectMany(b => runs.SelectMany(r => Files(random, r, b)).Select(f => (b, f))), dead, options);
                (List<string> expected, List<string> withKinds) = Model(runs, dead, options);

                // A scan of some columns begins a copy of these.
                string[] some = seed % 4 == 0 ? [.. Columns.Where(_ => random.Next(4) == 0)] : [];
                for (int pass = 1; pass <= 2 && some.Length > 0; pass++)
                {
                    await using (TableScan scan = await reader.PlanAsync(snapshot, new ScanRequest { Columns = some }))
                    {
                        List<string> projected = [.. expected.Select(r => string.Join("|", r.Split('|').Where((_, i) => some.Contains(Columns[i])))).Order(StringComparer.Ordinal)];
                        Assert.Equal(projected, TableOfRuns.Read(engine, scan.Sql, some));
                        Assert.True(pass < 2 || dead.Count > 0 || !scan.Sql.Contains("ANTI JOIN", StringComparison.Ordinal), scan.Sql);
                    }

                    await reader.SettleAsync();
                }

                await using (TableScan scan = await reader.PlanAsync(snapshot, ScanRequest.All with { View = "audit_log" }))
                {
                    List<string> actual = TableOfRuns.Read(engine, scan.Sql, ["rowkind", .. Columns]);
                    Assert.True(
                        withKinds.SequenceEqual(actual),
                        $"seed {seed}, audit log: {string.Join("; ", options.Select(o => $"{o.Key}={o.Value}"))}\nlost:\n{string.Join("\n", withKinds.Except(actual))}\nextra:\n{string.Join("\n", actual.Except(withKinds))}");
                }

                // The first scan begins a copy of the merged rows, which the next ones read.
                for (int pass = 1; pass <= 2; pass++)
                {
                    await using (TableScan scan = await reader.PlanAsync(snapshot, ScanRequest.All))
                    {
                        byKeys += scan.Sql.Contains("lakeholo_live_key", StringComparison.Ordinal) ? 1 : 0;
                        List<string> actual = TableOfRuns.Read(engine, scan.Sql, Columns);
                        Assert.True(
                            expected.SequenceEqual(actual),
                            $"seed {seed}, pass {pass}: {string.Join("; ", options.Select(o => $"{o.Key}={o.Value}"))}\nlost:\n{string.Join("\n", expected.Except(actual))}\nextra:\n{string.Join("\n", actual.Except(expected))}");
                        Assert.True(pass < 2 || dead.Count > 0 || !scan.Sql.Contains("ANTI JOIN", StringComparison.Ordinal), scan.Sql);
                    }

                    await reader.SettleAsync();
                }
            }

            Assert.True(byKeys > Rounds / 2 || !kind.EndsWith("large oldest run", StringComparison.Ordinal), $"few newer keys decided in {byKeys} of {Rounds} tables");
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
        if (kind != "first-row" && kind != "deduplicate over a large oldest run")
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
            case "deduplicate" or "deduplicate over a large oldest run":
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
    private static List<List<ModelRow>> Runs(Random random, int[] kinds, bool isFirstRow, bool isOldestLarge)
    {
        int count = random.Next(1, 7);
        int upper = Math.Max(random.Next(0, Math.Min(count, 4) + 1), isOldestLarge ? 1 : 0);
        int sequence = 0;
        object? Number(int limit) => random.Next(4) == 0 ? null : random.Next(limit) - 2;
        object? Floating() => Doubles[random.Next(Doubles.Length)];
        var runs = new List<List<ModelRow>>();
        for (int run = 0; run < count; run++)
        {
            int level = run < upper ? 5 - run : 0;
            List<ModelRow> rows = [.. Enumerable.Range(0, 24).Where(_ => random.Next(2) == 0 || (isOldestLarge && run == 0)).Select(k => new ModelRow(
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

    // The rows of the table, and with delete rows and kinds.
    private static (List<string> Rows, List<string> WithKinds) Model(List<List<ModelRow>> runs, HashSet<ModelRow> dead, IReadOnlyDictionary<string, string> options)
    {
        var model = new MergeModel(Columns, options);
        if (options.ContainsKey("sequence.snapshot-ordering"))
        {
            runs = [.. runs.Select(r => r[0].Level > 0 ? r : [.. r.Select(v => v with { Sequence = r.Min(o => o.Sequence) })])];
        }

        (int Kind, string Text)[] merged = [.. runs.SelectMany(r => r).Where(r => !dead.Contains(r)).GroupBy(r => (int)r.Values[0]!)
            .Select(model.Merge).Where(r => r is not null).Select(r => (r!.Value.Kind, TableOfRuns.Text(r.Value.Values)))];
        string[] names = ["+I", "-U", "+U", "-D"];
        return ([.. merged.Where(m => m.Kind is 0 or 2).Select(m => m.Text).Order(StringComparer.Ordinal)],
            [.. merged.Select(m => $"{names[m.Kind]}|{m.Text}").Order(StringComparer.Ordinal)]);
    }

    // The rows of a run in a bucket, in one file or two.
    private static IEnumerable<List<ModelRow>> Files(Random random, List<ModelRow> run, int bucket)
    {
        List<ModelRow> rows = [.. run.Where(r => (int)r.Values[0]! % Buckets == bucket)];
        int cut = random.Next(3) == 0 && rows.Count > 1 ? rows.Count / 2 : rows.Count;
        return ((List<ModelRow>[])[rows[..cut], rows[cut..]]).Where(f => f.Count > 0);
    }
}
