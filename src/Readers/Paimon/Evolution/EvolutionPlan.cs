using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon.Evolution;

/// <summary>Files that hold the same rows, each some of their columns (option <c>data-evolution.enabled</c>).</summary>
/// <param name="Normal">Files with all the rows, the newest first.</param>
/// <param name="Blobs">Files of one BLOB column and some of the rows each.</param>
/// <param name="Vectors">Files of VECTOR columns and some of the rows each, which are not read.</param>
internal sealed record EvolutionGroup(IReadOnlyList<PaimonDataFile> Normal, IReadOnlyList<PaimonDataFile> Blobs, IReadOnlyList<PaimonDataFile> Vectors)
{
    /// <summary>The file under whose name the group's deletion vector is kept: the oldest.</summary>
    public PaimonDataFile Anchor { get; } = Normal.OrderBy(f => f.MaxSequenceNumber).ThenBy(f => f.Name, StringComparer.Ordinal).First();

    /// <summary>Id of the first row.</summary>
    public long FirstRowId => Normal[0].FirstRowId!.Value;

    /// <summary>All files.</summary>
    public IEnumerable<PaimonDataFile> Files => Normal.Concat(Blobs).Concat(Vectors);
}

/// <summary>Puts the files of an append table with data evolution together by the rows they hold.</summary>
internal static class EvolutionPlan
{
    /// <summary>Whether the table's files may share rows.</summary>
    public static bool IsNeeded(PaimonSnapshot snapshot) => snapshot.PrimaryKey.Count == 0 && snapshot.TableSchema.Flag("data-evolution.enabled");

    /// <summary>The files that have their rows for themselves, and the groups of the others.</summary>
    public static (IReadOnlyList<PaimonDataFile> Plain, IReadOnlyList<EvolutionGroup> Groups) Of(IEnumerable<PaimonDataFile> files)
    {
        var plain = new List<PaimonDataFile>();
        var groups = new List<EvolutionGroup>();
        foreach (var bucket in files.GroupBy(f => (Convert.ToBase64String(f.PartitionBytes), f.Bucket)))
        {
            var current = new List<PaimonDataFile>();
            long end = long.MinValue;
            foreach (PaimonDataFile file in bucket.OrderBy(f => f.FirstRowId ?? -1))
            {
                if (file.FirstRowId is not long first)
                {
                    plain.Add(IsBlob(file) || IsVector(file) ? throw LakeException.FormatInvalid("A file of a BLOB or VECTOR column has no first row id", file.Path) : file);
                    continue;
                }

                if (current.Count > 0 && first >= end)
                {
                    Close(current, plain, groups);
                    current = [];
                    end = long.MinValue;
                }

                current.Add(file);
                end = Math.Max(end, checked(first + file.RowCount));
            }

            Close(current, plain, groups);
        }

        return (plain, groups);
    }

    private static bool IsBlob(PaimonDataFile file) => file.Format is "blob" or "video";

    private static bool IsVector(PaimonDataFile file) => file.Name.Contains(".vector.", StringComparison.Ordinal);

    private static void Close(List<PaimonDataFile> files, List<PaimonDataFile> plain, List<EvolutionGroup> groups)
    {
        if (files.Count == 0)
        {
            return;
        }

        PaimonDataFile[] normal = [.. files.Where(f => !IsBlob(f) && !IsVector(f)).OrderByDescending(f => f.MaxSequenceNumber).ThenByDescending(f => f.Name, StringComparer.Ordinal)];
        if (normal.Length == 0)
        {
            throw LakeException.FormatInvalid("A file of a BLOB or VECTOR column holds values of rows that no data file has", files[0].Path);
        }

        if (normal.FirstOrDefault(f => f.FirstRowId != normal[0].FirstRowId || f.RowCount != normal[0].RowCount) is PaimonDataFile odd)
        {
            throw LakeException.FormatInvalid(
                string.Create(CultureInfo.InvariantCulture, $"The file holds rows {odd.FirstRowId} and {odd.RowCount - 1} after it, but shares only some of them with {normal[0].Name}"), odd.Path);
        }

        if (files.Count == 1)
        {
            plain.Add(files[0]);
        }
        else
        {
            groups.Add(new EvolutionGroup(normal, [.. files.Where(IsBlob)], [.. files.Where(IsVector)]));
        }
    }
}
