using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.Readers.Hudi.Merging;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi.Pruning;

/// <summary>The slices of a snapshot, and which of them a condition needs by partition and by the metadata table's statistics.</summary>
internal sealed class PrunedSlices
{
    private long _filesTotal;
    private long _filesPrunedByPartition;
    private long _bytes;

    private PrunedSlices()
    {
    }

    /// <summary>Slices with log files that may hold a row which is needed.</summary>
    public IReadOnlyList<FileSlice> NeededLogs { get; private init; } = [];

    /// <summary>Slices whose base file may hold a row which is needed.</summary>
    public IReadOnlyList<FileSlice> Bases { get; private init; } = [];

    /// <summary>Applies a condition.</summary>
    public static async ValueTask<PrunedSlices> OfAsync(HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, ScanFilter? filter, CancellationToken cancellationToken)
    {
        var partitions = new PartitionPruning(snapshot);
        var list = slices as SliceList;
        FileSlice[] inPartitions = list is not null
            ? [.. list.Blocks.Where(b => partitions.MayMatch(b.Partition, filter)).SelectMany(b => b.Read())]
            : [.. slices.Where(s => partitions.MayMatch(s.Partition, filter))];
        long total = list?.FileCount ?? slices.Sum(s => (long)s.Files.Count());
        KnownStatistics statistics = await KnownStatistics.ReadAsync(snapshot, inPartitions, filter, cancellationToken);
        // Where versions of a row are combined, a row may fulfil a condition of several columns that none of its versions does.
        bool combines = filter is not null && (list?.HasLogs ?? slices.Any(s => s.Logs.Count > 0)) && MergeRules.Of(snapshot).Fill != FillMode.None;
        // A row that is not superseded lies in its base file as it is; one that is lies in the log files.
        return new PrunedSlices
        {
            NeededLogs = [.. inPartitions.Where(s => s.Logs.Count > 0 && (combines || s.Files.Any(f => statistics.MayMatch(s, f, filter))))],
            Bases = [.. inPartitions.Where(s => s.Base is { } file && statistics.MayMatch(s, file, filter))],
            _filesTotal = total,
            _filesPrunedByPartition = total - inPartitions.Sum(s => (long)s.Files.Count()),
            _bytes = inPartitions.Sum(s => s.Files.Sum(f => f.SizeBytes)),
        };
    }

    /// <summary>The counts of a scan.</summary>
    /// <param name="basesRead">Base files that are left after their footers were looked at.</param>
    public ScanStatistics Statistics(int basesRead)
    {
        long read = basesRead + NeededLogs.Sum(s => (long)s.Logs.Count);
        return new ScanStatistics
        {
            FilesTotal = _filesTotal,
            FilesPrunedByPartition = _filesPrunedByPartition,
            FilesPrunedByStatistics = _filesTotal - _filesPrunedByPartition - read,
            FilesRead = read,
            BytesRead = _bytes,
        };
    }
}
