using System.Globalization;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Paimon.Evolution;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>Where the rows of a scan come from: data files, buckets where rows are merged by key, or partitions where several files hold columns of the same rows.</summary>
internal sealed class PaimonOrigins(PaimonSnapshot snapshot)
{
    private readonly UnitNumbers _numbers = new();

    /// <summary>The origin of no row.</summary>
    public static string Nothing => $"CAST(NULL AS INTEGER) AS {RowOrigin.Unit}, CAST(NULL AS BIGINT) AS {RowOrigin.Position}, ";

    public static UnitKind KindOf(PaimonSnapshot snapshot)
        => snapshot.MergesByKey ? UnitKind.Buckets : EvolutionPlan.IsNeeded(snapshot) ? UnitKind.Partitions : UnitKind.Files;

    /// <summary>The kind; null where rows come from another branch, or where no part is smaller than the table.</summary>
    public static UnitKind? KindOrNone(PaimonSnapshot snapshot)
        => snapshot.Fallback is not null || !snapshot.HasParts ? null : KindOf(snapshot);

    /// <summary>The unit of a file of a snapshot.</summary>
    public static string UnitOf(PaimonSnapshot snapshot, PaimonDataFile file) => KindOf(snapshot) == UnitKind.Files
        ? file.Path
        : Part(
            snapshot, file.Partition.Select((v, i) => PaimonValue.ToText(v, snapshot.TableSchema.Field(snapshot.TableSchema.PartitionKeys[i]).Type)), file.Bucket.ToString(CultureInfo.InvariantCulture));

    /// <summary>The unit of the files of a place, where units are no files.</summary>
    public static string UnitOf(PaimonSnapshot snapshot, PaimonFileRun run) => Part(
        snapshot,
        run.Partition.Values.Select((v, i) => PaimonValue.ToText(v, snapshot.TableSchema.Field(snapshot.TableSchema.PartitionKeys[i]).Type)),
        run.Bucket.ToString(CultureInfo.InvariantCulture));

    /// <summary>The unit of a file as a difference lists it.</summary>
    public static string UnitOf(PaimonSnapshot snapshot, DataFileInfo file) => KindOf(snapshot) == UnitKind.Files
        ? file.Path
        : Part(snapshot, snapshot.TableSchema.PartitionKeys.Select(k => file.Partition[k]), file.Group ?? "");

    /// <summary>The number of a file's unit.</summary>
    public int NumberOf(PaimonDataFile file) => _numbers.Of(UnitOf(snapshot, file));

    /// <summary>Names by number; units of files of which no row was read come last.</summary>
    public IReadOnlyList<string> Names(IEnumerable<PaimonDataFile> files)
    {
        foreach (PaimonDataFile file in files)
        {
            NumberOf(file);
        }

        return _numbers.Names;
    }

    /// <summary>The select list's beginning for a scan of files.</summary>
    public string SqlOf(IReadOnlyList<PaimonDataFile> files)
    {
        string position = KindOf(snapshot) == UnitKind.Files ? "r.file_row_number::BIGINT" : "CAST(NULL AS BIGINT)";
        return $"{UnitNumbers.Sql([.. files.Select(NumberOf)], "r.file_index")} AS {RowOrigin.Unit}, {position} AS {RowOrigin.Position}, ";
    }

    /// <summary>The select list's beginning for groups of files that hold the same rows.</summary>
    /// <param name="groups">The groups, as the files of a side of their join are listed.</param>
    /// <param name="alias">That side's alias.</param>
    public string SqlOf(IReadOnlyList<EvolutionGroup> groups, string alias)
        => $"{UnitNumbers.Sql([.. groups.Select(g => NumberOf(g.Anchor))], alias + ".file_index")} AS {RowOrigin.Unit}, CAST(NULL AS BIGINT) AS {RowOrigin.Position}, ";

    /// <summary>The select list's beginning for merged rows, which tell the number of their bucket in the merge as <c>g</c>.</summary>
    public string SqlOfMerged(MergeCache.Use use)
    {
        IEnumerable<string> cases = use.Buckets.Zip(use.Samples).Select(b => string.Create(CultureInfo.InvariantCulture, $"WHEN {b.First} THEN {NumberOf(b.Second)}"));
        return $"(CASE g {string.Join(" ", cases)} END)::INTEGER AS {RowOrigin.Unit}, CAST(NULL AS BIGINT) AS {RowOrigin.Position}, ";
    }

    private static string Part(PaimonSnapshot snapshot, IEnumerable<string?> partition, string bucket)
        => string.Concat(partition.Select(v => v is null ? "\u0001/" : v + "\u0002/")) + (KindOf(snapshot) == UnitKind.Buckets ? bucket : "");
}
