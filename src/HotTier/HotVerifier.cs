using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>Compares a copy with the lake at the copy's own snapshot: per unit the number of rows and a checksum that does not depend on their order, both
/// computed by the engine.</summary>
internal sealed class HotVerifier(EngineDatabase engine, LakeTableSource lake)
{
    /// <summary>The units that differ; empty if the copy holds what the lake does.</summary>
    /// <param name="copy">The copy; nobody refreshes it meanwhile.</param>
    /// <param name="snapshot">The snapshot that it holds.</param>
    /// <param name="cancellationToken">Interrupts.</param>
    public async ValueTask<IReadOnlyList<string>> DifferencesAsync(HotCopy copy, Snapshot snapshot, CancellationToken cancellationToken)
    {
        HotState state = copy.State;
        if (snapshot is QuerySnapshot query)
        {
            return await QueryDifferencesAsync(copy, query.ReadFrom("lake"), cancellationToken);
        }

        bool byUnit = state.Stamp.Units is not null;
        var request = new ScanRequest
        {
            Columns = [.. state.Stamp.Columns.Select(c => c.Name)],
            WithOrigin = byUnit,
            Units = copy.Record.Promotion.IsPartOfRows ? new UnitSelection(state.Units.Names.ToHashSet(StringComparer.Ordinal)) : null,
        };
        await using TableScan scan = await lake.PlanAsync(snapshot, request, cancellationToken);
        string columns = string.Join(", ", state.Stamp.Columns.Select(Hashed));
        string names = string.Join(", ", state.Stamp.Columns.Select(c => c.Stored));
        string unit = byUnit ? RowOrigin.Unit : "0";
        Dictionary<int, UnitSum> theirs = await SumsAsync($"SELECT {unit}::INTEGER AS u, {columns} FROM ({scan.Sql})", names, cancellationToken);
        string stored = string.Join(", ", state.Stamp.Columns.Select(c => $"{HotDatabase.Read(c)} AS {SqlText.Identifier(c.Name)}"));
        Dictionary<int, UnitSum> ours = await SumsAsync(
            $"SELECT u, {columns} FROM (SELECT {(byUnit ? "u" : "0 AS u")}, {stored} FROM {copy.Database.Rows})", names, cancellationToken);
        return byUnit
            ? [.. Compare(state.Units, scan.Units, theirs, ours)]
            : theirs.GetValueOrDefault(0) == ours.GetValueOrDefault(0) ? [] : ["the table as a whole"];
    }

    // What sums of floating numbers come to depends on the order in which they are added: they are compared by what they come to in all.
    private async ValueTask<IReadOnlyList<string>> QueryDifferencesAsync(HotCopy copy, QuerySnapshot snapshot, CancellationToken cancellationToken)
    {
        const double Tolerance = 1e-9;
        IReadOnlyList<StoredColumn> columns = copy.State.Stamp.Columns;
        StoredColumn[] floating = [.. columns.Where(c => c.Type is "DOUBLE" or "FLOAT")];
        string exact = string.Join(", ", columns.Except(floating).Select(Hashed).DefaultIfEmpty("0 AS c"));
        string names = string.Join(", ", columns.Except(floating).Select(c => c.Stored).DefaultIfEmpty("c"));
        string sums = string.Join(", ", floating.SelectMany(c => (string[])[$"sum({SqlText.Identifier(c.Name)})", $"sum(abs({SqlText.Identifier(c.Name)}))"]).Select(s => $"coalesce({s}, 0)::DOUBLE").DefaultIfEmpty("0::DOUBLE"));
        await using TableScan scan = await lake.PlanAsync(snapshot, ScanRequest.All, cancellationToken);
        string hot = copy.Database.Select(copy.State.Stamp);
        UnitSum theirs = (await SumsAsync($"SELECT 0 AS u, {exact} FROM ({scan.Sql})", names, cancellationToken)).GetValueOrDefault(0);
        UnitSum ours = (await SumsAsync($"SELECT 0 AS u, {exact} FROM ({hot})", names, cancellationToken)).GetValueOrDefault(0);
        using DuckDBConnection connection = engine.OpenConnection();
        bool isClose = await Task.Run(() => HotDatabase.Scalar(
            connection,
            string.Create(CultureInfo.InvariantCulture, $"WITH a AS (SELECT [{sums}] AS l FROM ({scan.Sql})), b AS (SELECT [{sums}] AS l FROM ({hot})) ")
            + string.Create(CultureInfo.InvariantCulture, $"SELECT list_bool_and([x[1] = x[2] OR isnan(x[1]) AND isnan(x[2]) OR abs(x[1] - x[2]) <= {Tolerance} * greatest(abs(x[1]), abs(x[2]), 1) FOR x IN list_zip(a.l, b.l)]) FROM a, b")), CancellationToken.None) is true;
        return theirs == ours && isClose ? [] : ["the query as a whole"];
    }

    private static IEnumerable<string> Compare(UnitMap held, IReadOnlyList<string> units, Dictionary<int, UnitSum> theirs, Dictionary<int, UnitSum> ours)
    {
        var byName = units.Select((name, number) => (name, Sum: theirs.GetValueOrDefault(number))).ToDictionary(p => p.name, p => p.Sum, StringComparer.Ordinal);
        var numbers = new HashSet<int>();
        foreach (UnitGroup group in held.Groups)
        {
            numbers.UnionWith(group.Numbers);
            UnitSum lake = group.Names.Aggregate(default(UnitSum), (sum, name) => sum.Plus(byName.GetValueOrDefault(name)));
            UnitSum hot = group.Numbers.Aggregate(default(UnitSum), (sum, number) => sum.Plus(ours.GetValueOrDefault(number)));
            if (lake != hot)
            {
                yield return string.Join(", ", group.Names);
            }
        }

        foreach (string name in units.Where(n => !held.Has(n) && byName[n].Rows > 0))
        {
            yield return name;
        }

        foreach (int number in ours.Keys.Where(n => !numbers.Contains(n)))
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"rows of the unknown unit {number}");
        }
    }

    // What the engine cannot hash is hashed as text.
    private static string Hashed(StoredColumn column)
    {
        string name = SqlText.Identifier(column.Name);
        return (column.Type.Contains("VARIANT", StringComparison.Ordinal) ? $"CAST({name} AS VARCHAR)" : name) + " AS " + column.Stored;
    }

    private async ValueTask<Dictionary<int, UnitSum>> SumsAsync(string rows, string names, CancellationToken cancellationToken)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT u, count(*), CAST(sum(hash({names})) AS VARCHAR) FROM ({rows}) GROUP BY u";
        using CancellationTokenRegistration stop = cancellationToken.UnsafeRegister(static c => ((DuckDBCommand)c!).Cancel(), command);
        return await Task.Run(
            () =>
            {
                using DuckDBDataReader reader = command.ExecuteReader();
                var sums = new Dictionary<int, UnitSum>();
                while (reader.Read())
                {
                    sums[reader.GetInt32(0)] = new UnitSum(reader.GetInt64(1), Int128.Parse(reader.GetString(2), CultureInfo.InvariantCulture));
                }

                return sums;
            },
            CancellationToken.None);
    }

    private readonly record struct UnitSum(long Rows, Int128 Checksum)
    {
        public UnitSum Plus(UnitSum other) => new(Rows + other.Rows, Checksum + other.Checksum);
    }
}
