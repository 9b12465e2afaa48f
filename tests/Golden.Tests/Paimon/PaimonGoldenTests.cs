using System.Text.Json;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>Tables by Paimon 0.5 to 1.4 on Java, Spark, Flink and Python: every read gives the rows their own engine gives, or is refused by name.</summary>
public sealed class PaimonGoldenTests
{
    /// <summary>Cases, or single reads of them (<c>case:read</c>), that are refused, and what the refusal names.</summary>
    private static readonly Dictionary<string, string> Refused = new()
    {
        ["append_manifest_format_orc"] = "manifest.format",
        ["append_manifest_format_parquet"] = "manifest.format",
    };

    /// <summary>Columns whose elements have no order (the case's own remark).</summary>
    private static readonly Dictionary<string, string[]> SetColumns = new()
    {
        ["pk_aggregation_all_functions"] = ["cd", "nu"],
        ["pk_aggregation_retract"] = ["nk", "nu", "co"],
        ["pk_aggregation_nested_options"] = ["nk", "np", "nu", "nl"],
    };

    /// <summary>Columns in which the expected rows are not what the file holds, and why.</summary>
    private static readonly Dictionary<string, string[]> IgnoredColumns = new()
    {
        // The 0.5 reader undoes the writer's shift of days before 1582-10-15; since 1.0 they are read as they are stored.
        ["old_v0_5_append_types"] = ["t0", "z3"],
        // The 0.9 reader gives a row of NULLs inside an array as NULL.
        ["old_v0_9_append_types"] = ["ar"],
        // -D has the values of the row that is gone; Paimon gives those of the delete row, which it may have compacted away.
        ["incremental_pk_tags_diff:{\"from\":\"a\",\"to\":\"b\"} audit_log"] = ["v", "n"],
    };

    /// <summary>What the refusal of a case must name.</summary>
    private static readonly Dictionary<string, string> Refusals = new()
    {
        ["refuse_bad_deletion_vector"] = "checksum",
        ["refuse_chain_table"] = "chain-table.enabled",
        ["refuse_corrupt_manifest_avro"] = "manifest/manifest-",
        ["refuse_missing_data_file"] = ".parquet",
        ["refuse_missing_dv_file"] = "index/index-",
        ["refuse_missing_manifest"] = "manifest/manifest-",
        ["refuse_partial_update_delete_without_policy"] = "ignore-delete",
        ["refuse_schema_version_99"] = "schema version 99",
        ["refuse_snapshot_version_99"] = "snapshot version 99",
        ["refuse_truncated_manifest_list"] = "manifest/manifest-list-",
        ["refuse_truncated_snapshot"] = "snapshot-2",
        ["refuse_unknown_aggregate_function"] = "median",
        ["refuse_unknown_file_format"] = "lance",
        ["refuse_unknown_merge_engine"] = "quantum",
        ["refuse_unknown_type"] = "HYPERCUBE(3)",
    };

    public static TheoryData<string> Cases() => [.. Directory.GetFiles(PaimonCase.Folder, "*.zip").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_case_reads_as_its_engine_does_or_is_refused_by_name(string name)
    {
        await using PaimonCase golden = PaimonCase.Open(name);
        var faults = new List<string>();
        foreach (JsonElement read in golden.Definition.TryGetProperty("reads", out JsonElement reads) ? reads.EnumerateArray() : [])
        {
            string label = Label(read);
            try
            {
                if (await ReadAsync(name, golden, read) is string difference)
                {
                    faults.Add($"{label}: {difference}");
                }
                else if (Refused.ContainsKey(name) || Refused.ContainsKey($"{name}:{label}"))
                {
                    faults.Add($"{label}: is listed as refused, but reads");
                }
            }
            catch (LakeException e)
            {
                string? wanted = Refused.GetValueOrDefault($"{name}:{label}") ?? Refused.GetValueOrDefault(name);
                if (wanted is null || !e.Message.Contains(wanted, StringComparison.Ordinal))
                {
                    faults.Add($"{label}: {e.Kind} {e.Message}");
                }
            }
        }

        if (golden.Definition.GetProperty("outcome").GetString() == "refuse")
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(async () =>
            {
                await using TableScan scan = await golden.Reader.PlanAsync(await golden.LoadAsync(SnapshotSelector.Latest), ScanRequest.All);
            });
            Assert.Contains(Refusals[name], e.Message, StringComparison.Ordinal);
        }

        Assert.True(faults.Count == 0, $"{name}\n{string.Join("\n", faults)}");
    }

    public static TheoryData<string> Replays() => [.. Cases().Select(c => (string)c.Data).Where(c => c.Contains("replay_", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Replays))]
    public async Task A_replay_reads_alike_opened_anew_and_followed(string name)
    {
        await using PaimonCase golden = PaimonCase.Open(name);
        PaimonSnapshot? followed = null;
        JsonElement steps = golden.Definition.GetProperty("steps");
        int count = steps.ValueKind == JsonValueKind.Number ? steps.GetInt32() : steps.GetArrayLength();
        for (int number = 1; number <= count; number++)
        {
            golden.Apply(number);
            bool changed = followed is null || await golden.TableFormat.HasChangedAsync(followed);
            PaimonSnapshot anew = await golden.LoadAsync(SnapshotSelector.Latest);
            Assert.True(changed || followed!.Identity == anew.Identity, $"step {number} went unnoticed");
            PaimonSnapshot? before = followed;
            followed = await golden.LoadAsync(SnapshotSelector.Latest, followed);
            string expected = $"steps/{number:000}/expected.parquet";
            foreach (PaimonSnapshot snapshot in (PaimonSnapshot[])[anew, followed])
            {
                await using TableScan scan = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
                Assert.True(golden.Difference(scan.Sql, expected) is not string difference, $"step {number}: {golden.Difference(scan.Sql, expected)}");
            }

            if (before is not null)
            {
                SnapshotDiff diff = await golden.TableFormat.DiffAsync(before, followed);
                Assert.Equal(followed.Files.Count(followed.IsVisible), before.Files.Count(before.IsVisible) + diff.Added.Count - diff.Removed.Count);
            }
        }
    }

    private static string Label(JsonElement read) =>
        JsonSerializer.Serialize(read.TryGetProperty("at", out JsonElement at) ? at : read.GetProperty("changes"))
        + (read.TryGetProperty("view", out JsonElement view) ? " " + view.GetString() : "")
        + (read.TryGetProperty("columns", out JsonElement columns) ? " " + JsonSerializer.Serialize(columns) : "")
        + (read.TryGetProperty("table", out JsonElement table) ? " " + table.GetString() : "");

    private static async Task<string?> ReadAsync(string name, PaimonCase golden, JsonElement read)
    {
        if (read.TryGetProperty("changes", out _))
        {
            return await ChangesAsync(name, golden, read);
        }

        PaimonSnapshot snapshot = await LoadAsync(golden, read);
        string? view = read.TryGetProperty("view", out JsonElement v) ? v.GetString() : null;
        string[]? columns = read.TryGetProperty("columns", out JsonElement c) ? [.. c.EnumerateArray().Select(e => e.GetString()!)] : null;
        await using TableScan scan = await golden.Reader.PlanAsync(snapshot, new ScanRequest { View = view == "read_optimized" ? "ro" : view, Columns = columns });
        string expected = read.GetProperty("expected").GetString()!;
        if (read.TryGetProperty("aggregate_sql", out JsonElement aggregate))
        {
            return golden.Difference($"WITH t AS ({scan.Sql}) {aggregate.GetString()}", expected);
        }

        if (view == "audit_log")
        {
            await using TableScan binlog = await golden.Reader.PlanAsync(snapshot, new ScanRequest { View = "binlog", Columns = columns });
            string values = string.Join(", ", snapshot.Schema.FieldsList.Select(f => SqlText.Identifier(f.Name)).Select(n => $"{n}[1] AS {n}"));
            if (golden.Difference($"SELECT rowkind, {values} FROM ({binlog.Sql})", expected) is { } difference)
            {
                return "binlog: " + difference;
            }
        }

        return golden.Difference(scan.Sql, expected, SetColumns.GetValueOrDefault(name), name == "pk_odd_key_types_orc", IgnoredColumns.GetValueOrDefault(name)) ?? (view is null ? golden.TypeDifference(scan.Sql, snapshot) : null);
    }

    private static async Task<string?> ChangesAsync(string name, PaimonCase golden, JsonElement read)
    {
        string Text(string name) => read.GetProperty("changes").GetProperty(name) is { ValueKind: JsonValueKind.String } text
            ? text.GetString()!
            : read.GetProperty("changes").GetProperty(name).GetRawText();
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan scan = await golden.Reader.PlanChangesAsync(snapshot, Text("from"), Text("to"));
        string expected = read.GetProperty("expected").GetString()!;
        if (read.TryGetProperty("view", out JsonElement view) && view.GetString() == "binlog")
        {
            // A streaming read: an update is one row of arrays [before, after].
            string values = string.Join(", ", snapshot.Schema.FieldsList.Select(f => SqlText.Identifier(f.Name)).Select(n => $"{n}[i] AS {n}"));
            string one = SqlText.Identifier(snapshot.Schema.FieldsList[0].Name);
            return golden.Difference(
                scan.Sql, expected, shape: e => $"SELECT CASE WHEN len({one}) = 2 AND i = 1 THEN '-U' ELSE rowkind END AS rowkind, {values} FROM ({e}), range(1, 3) r(i) WHERE i <= len({one})");
        }

        return golden.HasColumn(expected, "rowkind")
            ? golden.Difference(scan.Sql, expected, ignored: IgnoredColumns.GetValueOrDefault($"{name}:{Label(read)}"))
            : golden.Difference($"SELECT * EXCLUDE (rowkind) FROM ({scan.Sql}) WHERE rowkind IN ('+I', '+U')", expected);
    }

    private static Task<PaimonSnapshot> LoadAsync(PaimonCase golden, JsonElement read)
    {
        JsonElement at = read.GetProperty("at");
        LakeTable table = golden.Table;
        if (read.TryGetProperty("table", out JsonElement name))
        {
            int dot = name.GetString()!.LastIndexOf('.');
            table = golden.TableAt($"{name.GetString()![..dot]}.db/{name.GetString()![(dot + 1)..]}/");
        }

        if (at.ValueKind == JsonValueKind.Object && at.TryGetProperty("branch", out JsonElement branch))
        {
            table = golden.TableAt("", "t$branch_" + branch.GetString());
        }

        SnapshotSelector selector = at.ValueKind == JsonValueKind.String ? SnapshotSelector.Latest
            : at.TryGetProperty("snapshot", out JsonElement id) ? SnapshotSelector.Version(id.GetRawText())
            : at.TryGetProperty("tag", out JsonElement tag) ? SnapshotSelector.Version(tag.GetString()!)
            : at.TryGetProperty("timestamp", out JsonElement moment) ? SnapshotSelector.AsOf(moment.GetDateTimeOffset())
            : SnapshotSelector.Latest;
        return golden.LoadAsync(selector, table: table);
    }
}
