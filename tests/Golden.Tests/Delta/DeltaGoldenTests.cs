using System.Globalization;
using System.Text.Json;
using LakeHolo.Golden.Tests.Harness;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Delta;

public class DeltaGoldenTests
{
    public static TheoryData<string> Tables => [.. DeltaCaseList.Tables];

    [Fact]
    public void Every_case_is_listed_and_every_listed_case_is_there()
    {
        Assert.Equal(DeltaCaseList.Tables.Concat(DeltaCaseList.Replays).Order(StringComparer.Ordinal), DeltaCase.Names);
    }

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task Every_read_of_a_case_gives_the_writers_rows_or_the_expected_refusal(string name)
    {
        using DeltaCase golden = DeltaCase.Open(name);
        var faults = new List<string>();
        foreach (JsonElement read in golden.Definition.GetProperty("reads").EnumerateArray())
        {
            if (await FaultAsync(golden, read) is { } fault)
            {
                faults.Add($"{read.GetRawText()}\n{fault}");
            }
        }

        Assert.True(faults.Count == 0, string.Join("\n\n", faults));
    }

    private static async Task<string?> FaultAsync(DeltaCase golden, JsonElement read)
    {
        try
        {
            string? difference = await DifferenceAsync(golden, read);
            return IsRefused(read) ? $"must be refused: {read.GetProperty("refuse").GetString()}" : difference;
        }
        catch (LakeException e) when (IsRefused(read))
        {
            string expected = read.GetProperty("refuse").GetString()!;
            return Refusals.Names(e.Message, expected) ? null : $"the refusal '{e.Message}' does not name '{expected}'";
        }
        catch (Exception e) when (e is LakeException or DuckDB.NET.Data.DuckDBException)
        {
            return e.ToString();
        }
    }

    private static async Task<string?> DifferenceAsync(DeltaCase golden, JsonElement read)
    {
        if (read.TryGetProperty("changes", out JsonElement changes))
        {
            return await ChangesDifferenceAsync(golden, read, changes);
        }

        DeltaSnapshot snapshot = await golden.LoadAsync(Selector(read.GetProperty("at")));
        string? where = read.TryGetProperty("where", out JsonElement w) ? w.GetString() : null;
        string? view = read.TryGetProperty("view", out JsonElement v) && v.GetString() == "row_ids" ? "row_ids" : null;
        var request = new ScanRequest { View = view, Filter = where is null ? null : SparkPredicate.ToFilter(where, snapshot) };
        await using TableScan scan = await golden.Reader.PlanAsync(snapshot, request);
        string sql = scan.Sql;
        if (where is not null)
        {
            sql = $"SELECT * FROM ({sql}) WHERE {SparkPredicate.ToEngine(where)}";
        }

        string? query = read.TryGetProperty("aggregate_sql", out JsonElement aggregate) ? aggregate.GetString() : null;
        if (query is not null)
        {
            sql = $"WITH t AS ({sql}) {query}";
        }

        string expected = IsRefused(read) ? string.Empty : golden.Expected(read);
        if (read.TryGetProperty("view", out v) && v.GetString() == "extract")
        {
            // Functions of the writer's engine on variants, as the engine has them on JSON; its names of variant schemas have no counterpart.
            sql = $"SELECT id, v->>'$.a' AS a, TRY_CAST(v->>'$.b[1]' AS DOUBLE) AS b1 FROM ({sql})";
            expected = $"SELECT id, a, b1 FROM ({expected})";
        }

        if (IsRefused(read))
        {
            // A file may be refused only when it is opened.
            using DuckDB.NET.Data.DuckDBConnection connection = golden.Engine.OpenConnection();
            GoldenCases.Columns(connection, sql);
            return null;
        }

        return RowComparer.Difference(golden.Engine, sql, expected, snapshot.Schema);
    }

    private static async Task<string?> ChangesDifferenceAsync(DeltaCase golden, JsonElement read, JsonElement changes)
    {
        string from = changes.GetProperty("from").GetRawText();
        string to = changes.GetProperty("to").GetRawText();
        DeltaSnapshot end = await golden.LoadAsync(SnapshotSelector.Version(to));
        await using TableScan scan = await golden.Reader.PlanChangesAsync(end, from, to);
        return RowComparer.Difference(golden.Engine, scan.Sql, golden.Expected(read), end.Schema);
    }

    private static bool IsRefused(JsonElement read) => read.TryGetProperty("outcome", out JsonElement outcome) && outcome.GetString() == "refuse";

    private static SnapshotSelector Selector(JsonElement at) => at switch
    {
        { ValueKind: JsonValueKind.String } => SnapshotSelector.Latest,
        _ when at.TryGetProperty("version", out JsonElement version) =>
            SnapshotSelector.Version(version.GetInt64().ToString(CultureInfo.InvariantCulture)),
        _ => SnapshotSelector.AsOf(DateTimeOffset.Parse(at.GetProperty("timestamp").GetString()!, CultureInfo.InvariantCulture)),
    };
}
