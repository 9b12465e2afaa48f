namespace LakeHolo.Readers.Scanning;

/// <summary>How the engine gets a table's rows: a SQL relation over local Parquet files and engine tables, with every live row that can match, once.</summary>
/// <remarks>The relation yields columns under their logical names and with the snapshot's types, at least those of the request, in the schema's order.
/// What it names (files, tables of positions) stays in place until the scan is disposed; dispose it after the last row was read.</remarks>
public sealed class TableScan : IAsyncDisposable
{
    private readonly IReadOnlyList<IAsyncDisposable> _leases;

    /// <summary>Creates a scan.</summary>
    /// <param name="sql">A SELECT statement; trusted text, all literals escaped.</param>
    /// <param name="statistics">What was pruned.</param>
    /// <param name="leases">Disposed with the scan.</param>
    public TableScan(string sql, ScanStatistics statistics, IReadOnlyList<IAsyncDisposable>? leases = null)
    {
        Sql = sql;
        Statistics = statistics;
        _leases = leases ?? [];
        Arrivals = ArrivalsOf(_leases);
    }

    /// <summary>A SELECT statement for the embedded engine.</summary>
    public string Sql { get; }

    /// <summary>What was pruned and what is read.</summary>
    public ScanStatistics Statistics { get; }

    /// <summary>Names of the units by their number in <see cref="RowOrigin.Unit"/>; empty unless the origin was asked for.</summary>
    public IReadOnlyList<string> Units { get; init; } = [];

    /// <summary>To be called once the engine has begun to run the statement: from then on it sees what it named as it was; null where that does not matter.</summary>
    public Action? Started { get; init; }

    /// <summary>Changes with every change of the rows that its text gives; null where that is not known.</summary>
    public long? Version { get; init; }

    /// <summary>The local files that it reads.</summary>
    public IEnumerable<string> LocalPaths => _leases.OfType<Cache.FileLease>().SelectMany(l => l.LocalPaths);

    /// <summary>Files that it reads and that are still under way; none unless the request allows it.</summary>
    public IReadOnlyList<Cache.FileArrival> Arrivals { get; }

    /// <summary>Row groups of its files that the local ones do not name, as statistics tell that no needed row is there.</summary>
    public long RowGroupsLeftOut => _leases.Sum(l => l is Cache.FileLease files ? files.RowGroupsLeftOut : 0);

    private static IReadOnlyList<Cache.FileArrival> ArrivalsOf(IReadOnlyList<IAsyncDisposable> leases)
    {
        List<Cache.FileArrival>? arrivals = null;
        foreach (IAsyncDisposable lease in leases)
        {
            if (lease is Cache.FileLease { Arrival: { } arrival })
            {
                (arrivals ??= []).Add(arrival);
            }
            else if (lease is TableScan { Arrivals.Count: > 0 } part)
            {
                (arrivals ??= []).AddRange(part.Arrivals);
            }
        }

        return arrivals ?? (IReadOnlyList<Cache.FileArrival>)[];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable lease in _leases)
        {
            await lease.DisposeAsync();
        }
    }
}

/// <summary>Counts of one scan; tests assert on them, the query log shows them.</summary>
public sealed record ScanStatistics
{
    /// <summary>Live files of the snapshot.</summary>
    public required long FilesTotal { get; init; }

    /// <summary>Files that the engine will open.</summary>
    public required long FilesRead { get; init; }

    /// <summary>Their bytes.</summary>
    public required long BytesRead { get; init; }

    /// <summary>Files skipped by partition values.</summary>
    public long FilesPrunedByPartition { get; init; }

    /// <summary>Files skipped by statistics, key ranges, buckets or file indexes.</summary>
    public long FilesPrunedByStatistics { get; init; }

    /// <summary>Files of which metadata tells all that is asked for: their rows are in the relation, no file is opened.</summary>
    public long FilesCounted { get; init; }

    /// <summary>The counts of two scans that are read together.</summary>
    public ScanStatistics Plus(ScanStatistics other) => new()
    {
        FilesTotal = FilesTotal + other.FilesTotal,
        FilesRead = FilesRead + other.FilesRead,
        BytesRead = BytesRead + other.BytesRead,
        FilesPrunedByPartition = FilesPrunedByPartition + other.FilesPrunedByPartition,
        FilesPrunedByStatistics = FilesPrunedByStatistics + other.FilesPrunedByStatistics,
        FilesCounted = FilesCounted + other.FilesCounted,
    };
}
