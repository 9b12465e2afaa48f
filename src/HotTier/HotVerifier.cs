using System.Globalization;
using DuckDB.NET.Data;
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
