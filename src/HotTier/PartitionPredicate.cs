using System.Collections.Concurrent;
using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.HotTier;

/// <summary>Which partitions a promotion holds. The condition is evaluated by an engine of its own that can reach no file, once for each partition.</summary>
/// <remarks>It decides what is copied, never what is answered: a copy says itself which units it holds.</remarks>
internal sealed class PartitionPredicate : IDisposable
{
    private readonly EngineDatabase _sandbox = new(new EngineOptions { Threads = 1, MemoryLimitBytes = 64L << 20 });
    private readonly ConcurrentDictionary<string, bool> _known = new(StringComparer.Ordinal);

    /// <summary>A test of files for a promotion; null if it holds all of them.</summary>
    /// <exception cref="LakeException">QueryInvalid: the condition is none over the partition columns.</exception>
    public Func<DataFileInfo, bool>? Of(PromotionSpec promotion, Snapshot snapshot, DateOnly today)
    {
        if (!promotion.IsPartOfRows)
        {
            return null;
        }

        if (snapshot.PartitionColumns.Count == 0)
        {
            throw LakeException.QueryInvalid($"{snapshot.Table.FullName} has no partitions: it can be promoted by columns, but not by a condition");
        }

        string condition = Condition(promotion, snapshot, today);
        string columns = string.Join(", ", snapshot.PartitionColumns.Select((c, i) => string.Create(
            CultureInfo.InvariantCulture, $"TRY_CAST(v{i} AS {SqlText.TypeOf(snapshot.Schema.GetFieldByName(c))}) AS {SqlText.Identifier(c)}")));

        // Fails here if the condition is wrong, before anything is built.
        Evaluate(condition, columns, [.. snapshot.PartitionColumns.Select(_ => (string?)null)]);
        bool Fits(DataFileInfo file)
        {
            string?[] values = [.. snapshot.PartitionColumns.Select(c => file.Partition.GetValueOrDefault(c))];
            string key = condition + "\0" + columns + "\0" + string.Join('\0', values.Select(v => v ?? "\u0001"));
            return _known.GetOrAdd(key, _ => Evaluate(condition, columns, values));
        }

        if (promotion.BudgetBytes is not { } budget)
        {
            return Fits;
        }

        HashSet<string> newest = Newest(snapshot, Fits, budget);
        return file => newest.Contains(NameOf(snapshot, file)) && Fits(file);
    }

    // The newest partitions that fit a condition and, together, a number of bytes: those whose values come last.
    private static HashSet<string> Newest(Snapshot snapshot, Func<DataFileInfo, bool> fits, long budget)
    {
        var partitions = snapshot.EnumerateFiles().Where(fits).GroupBy(f => NameOf(snapshot, f), StringComparer.Ordinal)
            .Select(g => (Name: g.Key, Values: snapshot.PartitionColumns.Select(c => g.First().Partition.GetValueOrDefault(c)).ToArray(), Bytes: g.Sum(f => f.SizeBytes)))
            .OrderByDescending(p => p.Values, Comparer<string?[]>.Create(Compare));
        var newest = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string name, string?[] _, long bytes) in partitions)
        {
            budget -= bytes;
            if (budget < 0)
            {
                break;
            }

            newest.Add(name);
        }

        return newest;
    }

    private static int Compare(string?[]? one, string?[]? other) => one!.Zip(other!).Select(p =>
        decimal.TryParse(p.First, CultureInfo.InvariantCulture, out decimal a) && decimal.TryParse(p.Second, CultureInfo.InvariantCulture, out decimal b)
            ? a.CompareTo(b)
            : string.CompareOrdinal(p.First, p.Second)).FirstOrDefault(c => c != 0);

    private static string NameOf(Snapshot snapshot, DataFileInfo file) => string.Join('\0', snapshot.PartitionColumns.Select(c => file.Partition.GetValueOrDefault(c) ?? "\u0001"));

    public void Dispose() => _sandbox.Dispose();

    private static string Condition(PromotionSpec promotion, Snapshot snapshot, DateOnly today)
    {
        string where = promotion.Where is { } text ? $"({text})" : "true";
        if (promotion.LastDays is not { } days)
        {
            return where;
        }

        string[] dated = ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR"];
        string column = dated.SelectMany(t => snapshot.PartitionColumns.Where(c => SqlText.TypeOf(snapshot.Schema.GetFieldByName(c)) == t)).FirstOrDefault()
            ?? throw LakeException.QueryInvalid($"LAST {days} DAYS: no partition column of {snapshot.Table.FullName} holds dates");
        string first = today.AddDays(-days).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        return $"{where} AND TRY_CAST({SqlText.Identifier(column)} AS DATE) > DATE '{first}'";
    }

    private bool Evaluate(string condition, string columns, string?[] values)
    {
        using DuckDBConnection connection = _sandbox.OpenConnection();
        string literals = string.Join(", ", values.Select((v, i) => string.Create(CultureInfo.InvariantCulture, $"{SqlText.LiteralOrNull(v)}::VARCHAR AS v{i}")));
        try
        {
            return HotDatabase.Scalar(connection, $"SELECT coalesce(CAST(({condition}) AS BOOLEAN), false) FROM (SELECT {columns} FROM (SELECT {literals}))") is true;
        }
        catch (DuckDBException e)
        {
            throw LakeException.QueryInvalid($"The condition of a promotion has to be one over partition columns: {e.Message}", e);
        }
    }
}
