using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>Skips files that cannot hold a row of the filter.</summary>
internal static class PaimonPruning
{
    internal sealed record Result(IReadOnlyList<PaimonDataFile> Files, long ByPartition, long ByStatistics);

    public static Result Prune(PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files, ScanFilter? filter) => new(files, 0, 0);
}
