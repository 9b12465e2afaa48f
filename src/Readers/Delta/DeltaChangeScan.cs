using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Delta;

/// <summary>Turns the changed files of commits into files to scan: change files as they are, added files as inserts, removed ones as deletes, and
/// for a file whose deletion vector changed the positions by which the vectors differ. Where added files may hold copies of removed rows, what both have is
/// no change.</summary>
internal sealed class DeltaChangeScan
{
    private const string ChangeType = "_change_type";

    private readonly DeltaSnapshot _end;

    public DeltaChangeScan(DeltaSnapshot end, IReadOnlyList<DeltaCommitChanges> commits)
    {
        _end = end;
        IReadOnlyList<DeltaField> columns = end.Columns.Fields;
        ChangeFiles = new FileScan(end, columns) { ChangeTypeColumn = ChangeType, ExtraColumns = ["_commit_version", "_commit_timestamp"] };
        DataFiles = new FileScan(end, columns) { ExtraColumns = [ChangeType, "_commit_version", "_commit_timestamp"] };
        RewrittenFiles = new FileScan(end, columns) { ExtraColumns = DataFiles.ExtraColumns };
        foreach (DeltaCommitChanges commit in commits)
        {
            Add(commit);
        }
    }

    /// <summary>Files that hold their rows' kind of change.</summary>
    public FileScan ChangeFiles { get; }

    /// <summary>Files whose rows are all of one kind of change.</summary>
    public FileScan DataFiles { get; }

    /// <summary>Like <see cref="DataFiles"/>, of commits whose inserts may hold rows that they also delete.</summary>
    public FileScan RewrittenFiles { get; }

    /// <summary>Number of files.</summary>
    public long Count => ChangeFiles.Count + DataFiles.Count + RewrittenFiles.Count;

    /// <summary>Their bytes, as far as the log tells.</summary>
    public long SizeBytes => ChangeFiles.SizeBytes + DataFiles.SizeBytes + RewrittenFiles.SizeBytes;

    /// <summary>The changes of <see cref="RewrittenFiles"/> from its relation: inserts without deletes of the same commit, and the reverse, as multisets.</summary>
    public string Difference(string rewritten)
    {
        string columns = string.Join(", ", _end.Columns.Fields.Select(f => SqlText.Identifier(f.Name)));
        string Rows(string kind) => $"SELECT {columns}, _commit_version, _commit_timestamp FROM changed WHERE {ChangeType} = '{kind}'";
        string Without(string kind, string other) =>
            $"SELECT {columns}, '{kind}' AS {ChangeType}, _commit_version, _commit_timestamp FROM ({Rows(kind)} EXCEPT ALL {Rows(other)})";
        return $"WITH changed AS MATERIALIZED ({rewritten}) {Without("insert", "delete")} UNION ALL {Without("delete", "insert")}";
    }

    private void Add(DeltaCommitChanges commit)
    {
        string[] stamp =
        [
            string.Create(CultureInfo.InvariantCulture, $"CAST({commit.Version} AS BIGINT)"),
            string.Create(CultureInfo.InvariantCulture, $"make_timestamptz({commit.CommittedAtMillis * 1000})"),
        ];
        foreach (ChangeFileAction file in commit.ChangeFiles)
        {
            ChangeFiles.Add(File(file.Path, file.SizeBytes, file.PartitionValues) with { Extra = stamp });
        }

        var inserts = new List<ScanFile>();
        var deletes = new List<ScanFile>();
        Dictionary<string, FileAction> removed = commit.Removed.ToDictionary(f => DeltaChangeFeed.CanonicalPath(_end, f.Path), StringComparer.Ordinal);
        foreach (FileAction file in commit.Added)
        {
            ScanFile scan = File(file.Path, file.SizeBytes, file.PartitionValues);
            if (!removed.Remove(scan.Path, out FileAction? before))
            {
                inserts.Add(scan with { Vector = file.DeletionVector, Extra = Kind("insert", stamp) });
                continue;
            }

            AddDifference(deletes, scan, file.DeletionVector, before.DeletionVector, Kind("delete", stamp));
            AddDifference(inserts, scan, before.DeletionVector, file.DeletionVector, Kind("insert", stamp));
        }

        foreach (FileAction file in removed.Values)
        {
            deletes.Add(File(file.Path, file.SizeBytes, file.PartitionValues) with { Vector = file.DeletionVector, Extra = Kind("delete", stamp) });
        }

        FileScan scanned = commit.HoldsCopies && inserts.Count > 0 && deletes.Count > 0 ? RewrittenFiles : DataFiles;
        inserts.ForEach(scanned.Add);
        deletes.ForEach(scanned.Add);
    }

    private static void AddDifference(
        List<ScanFile> files, ScanFile file, DeletionVectorDescriptor? only, DeletionVectorDescriptor? without, string[] extra)
    {
        if (only is not null && only != without)
        {
            files.Add(file with { Only = only, Vector = without, Extra = extra });
        }
    }

    private static string[] Kind(string kind, string[] stamp) => [SqlText.Literal(kind), .. stamp];

    private ScanFile File(string encodedPath, long sizeBytes, IReadOnlyDictionary<string, string?>? partition)
    {
        string path = DeltaChangeFeed.CanonicalPath(_end, encodedPath);
        if (partition is null && _end.PartitionFields.Count > 0)
        {
            throw LakeException.FeatureUnsupported("A removed file of a partitioned table has no partition values, so its changes are not known", path);
        }

        return new ScanFile
        {
            Path = path,
            SizeBytes = sizeBytes,
            Partition = [.. _end.PartitionFields.Select(f => PartitionValues.TryFind(partition, f.PhysicalName, out string? value) ? value : null)],
        };
    }
}
