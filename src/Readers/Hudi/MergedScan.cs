using Apache.Arrow;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Merging;
using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Hudi;

/// <summary>The parts of a scan: base files, without what is superseded, and what takes its place.</summary>
/// <param name="snapshot">The snapshot.</param>
/// <param name="files">Opens log blocks.</param>
/// <param name="fields">The columns.</param>
/// <param name="decoded">Names of the columns that log blocks have to have; null for all.</param>
/// <param name="origins">Set where rows tell their origin.</param>
internal sealed class MergedScan(HudiSnapshot snapshot, SliceFiles files, IReadOnlyList<Field> fields, IReadOnlyCollection<string>? decoded, HudiOrigins? origins = null)
{
    private readonly SliceScan _scan = new(snapshot);

    private string Names => fields.Count == 0 ? "1 AS \"1\"" : string.Join(", ", fields.Select(f => SqlText.Identifier(f.Name)));

    /// <summary>Base files with the merge results of their slices.</summary>
    public IEnumerable<string> Bases(IReadOnlyList<ReadableFile> bases, IReadOnlyList<MergeUse<MergedSlices, SliceLogs>> uses, List<IAsyncDisposable> leases)
    {
        var dead = new Dictionary<string, (MergedSlices Result, int Ordinal)>(StringComparer.Ordinal);
        foreach (MergeUse<MergedSlices, SliceLogs> use in uses)
        {
            foreach (SliceLogs member in use.Members.Where(m => m.Slice.Base is not null && use.Result.HasDeadRows(use.Result.Members[m.Identity])))
            {
                dead[member.Slice.Base!.Path] = (use.Result, use.Result.Members[member.Identity]);
            }
        }

        foreach (IReadOnlyList<ReadableFile> group in _scan.Group(bases.Where(f => !dead.ContainsKey(f.Path))))
        {
            yield return $"SELECT {origins?.SqlOf(group)}{_scan.Columns(group, fields)} FROM {SliceScan.From(group)}";
        }

        foreach (IGrouping<MergedSlices, ReadableFile> some in bases.Where(f => dead.ContainsKey(f.Path)).GroupBy(f => dead[f.Path].Result))
        {
            foreach (IReadOnlyList<ReadableFile> group in _scan.Group(some.OrderBy(f => dead[f.Path].Ordinal)))
            {
                string live = some.Key.LiveBases([.. group.Select(f => dead[f.Path].Ordinal)], leases);
                yield return $"SELECT {origins?.SqlOf(group)}{_scan.Columns(group, fields)} FROM {SliceScan.From(group)} {live}";
            }
        }
    }

    /// <summary>The rows that take the place of superseded ones, and new ones.</summary>
    public async ValueTask<IReadOnlyList<string>> RowsAsync(MergeUse<MergedSlices, SliceLogs> use, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        Dictionary<int, FileSlice> slices = use.Members.ToDictionary(m => use.Result.Members[m.Identity], m => m.Slice);
        if (use.Result.AreFolded)
        {
            return [$"SELECT {origins?.SqlOfMerged(slices)}{Names} FROM {use.Result.RowsTable} WHERE {RecordSql.Slice} IN ({string.Join(", ", slices.Keys.Select(o => SliceScan.Text(o)))})"];
        }

        var blocks = new DecodedBlock[use.Members.Count][];
        await Parallel.ForAsync(0, blocks.Length, cancellationToken, async (i, token) =>
            blocks[i] = [.. await files.OpenBlocksAsync(snapshot, use.Members[i], use.Result.Members[use.Members[i].Identity], withPositions: false, decoded, leases, token)]);
        return [.. Blocks(use.Result, [.. blocks.SelectMany(b => b)], slices, leases)];
    }

    /// <summary>Copies of merged slices.</summary>
    public IEnumerable<string> Copies(IEnumerable<MergedCopy> copies)
        => copies.GroupBy(c => c.Columns).Select(g => $"SELECT {Names} FROM read_parquet({SqlText.LiteralList(g.Select(c => c.Path))}, {SqlText.PlainFiles})");

    /// <summary>The live records of blocks.</summary>
    /// <param name="result">Tells which are live.</param>
    /// <param name="blocks">The blocks.</param>
    /// <param name="slices">The slices by ordinal.</param>
    /// <param name="leases">Takes what has to stay until the scan is over.</param>
    public IEnumerable<string> Blocks(MergedSlices result, IReadOnlyList<DecodedBlock> blocks, IReadOnlyDictionary<int, FileSlice> slices, List<IAsyncDisposable> leases)
    {
        Dictionary<ReadableFile, DecodedBlock> byFile = blocks.ToDictionary(b => b.File);
        foreach (IReadOnlyList<ReadableFile> group in _scan.Group(blocks.Select(b => b.File)))
        {
            DecodedBlock[] members = [.. group.Select(f => byFile[f])];
            yield return $"SELECT {origins?.SqlOfSlices(members.Select(m => slices[m.Slice]))}{_scan.Columns(group, fields)} FROM {SliceScan.From(group)} {result.LiveRecords(members, leases)}";
        }
    }
}
