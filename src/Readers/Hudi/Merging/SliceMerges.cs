using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Pruning;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>Merges slices, each in the cheapest way that is exact for it.</summary>
/// <param name="engine">Holds the results.</param>
/// <param name="files">Makes files readable.</param>
internal sealed class SliceMerges(EngineDatabase engine, SliceFiles files)
{
    /// <summary>Slices that positions alone have merged.</summary>
    public int ByPositions { get; private set; }

    /// <summary>Decodes the live blocks of slices and merges them with the base files. Slices go together whose versions are combined alike, whose log files tell positions or do not,
    /// and whose newest records win or may not.</summary>
    /// <param name="snapshot">Whose rules apply.</param>
    /// <param name="slices">The slices.</param>
    /// <param name="columns">Names of the columns that the query needs of log blocks; null for all.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<IReadOnlyList<MergedSlices>> MergeAsync(
        HudiSnapshot snapshot, IReadOnlyList<SliceLogs> slices, IReadOnlyCollection<string>? columns, CancellationToken cancellationToken)
    {
        MergeRules rules = MergeRules.Of(snapshot);
        var leases = new List<IAsyncDisposable>();
        var results = new List<MergedSlices>();
        try
        {
            var loaded = new Loaded[slices.Count];
            await Parallel.ForAsync(0, slices.Count, cancellationToken, async (i, token) =>
            {
                bool arePositioned = slices[i].TellsPositions && !slices[i].HasPartial && !rules.AreFolded;
                loaded[i] = new Loaded(
                    slices[i], arePositioned,
                    await files.OpenBlocksAsync(snapshot, slices[i], i, arePositioned, columns, leases, token),
                    await SliceFiles.ReadDeletesAsync(snapshot, slices[i], i, arePositioned, token));
            });
            bool[] newestWins = await NewestWinsAsync(snapshot, rules, loaded, leases, cancellationToken);
            foreach (var some in loaded.Zip(newestWins).GroupBy(s => (s.First.Slice.HasPartial || rules.AreFolded, s.First.ArePositioned, s.Second)))
            {
                MergeRules applied = some.Any(s => s.First.Slice.HasPartial) ? ForPartial(snapshot, rules) : some.Key.Item3 ? rules with { Ordering = [] } : rules;
                results.Add(await MergeAlikeAsync(snapshot, [.. some.Select((s, i) => s.First.At(i))], applied, leases, cancellationToken));
            }

            return results;
        }
        catch
        {
            results.ForEach(r => r.Dispose());
            throw;
        }
        finally
        {
            foreach (IAsyncDisposable lease in leases)
            {
                await lease.DisposeAsync();
            }
        }
    }

    private async ValueTask<bool[]> NewestWinsAsync(HudiSnapshot snapshot, MergeRules rules, Loaded[] slices, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        if (OrderBounds.ColumnOf(snapshot, rules) is not { } column)
        {
            return new bool[slices.Length];
        }

        // Of remote files only the footers are fetched.
        IReadOnlyDictionary<int, ReadableFile> bases = await OpenBasesAsync(snapshot, [.. slices.Select(s => s.Slice.Slice)], [], leases, cancellationToken);
        return [.. slices.Select((s, i) => OrderBounds.NewestWins(snapshot, rules, bases.GetValueOrDefault(i), s.Blocks, s.Deletes, f => FooterPruning.RangeOf(f, column)))];
    }

    private async ValueTask<MergedSlices> MergeAlikeAsync(HudiSnapshot snapshot, Loaded[] slices, MergeRules rules, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        DecodedBlock[] blocks = [.. slices.SelectMany(s => s.Blocks)];
        DecodedDeletes[] deletes = [.. slices.SelectMany(s => s.Deletes)];
        Dictionary<string, int> members = slices.Select((s, i) => (s.Slice.Identity, i)).ToDictionary(m => m.Identity, m => m.i, StringComparer.Ordinal);
        if (slices.All(s => s.ArePositioned) && PositionMerge.TryMerge(engine, snapshot, rules, members, blocks, deletes) is { } merged)
        {
            ByPositions += slices.Length;
            return merged;
        }

        // Whole rows of the base are needed only where versions are combined.
        IReadOnlyCollection<string>? columns = rules.AreFolded ? null : SliceFiles.NamesOf(snapshot, rules.ColumnsOf(snapshot));
        IReadOnlyDictionary<int, ReadableFile> bases = await OpenBasesAsync(snapshot, [.. slices.Select(s => s.Slice.Slice)], columns, leases, cancellationToken);
        return new SliceMerger(engine, snapshot, rules).Merge(members, blocks, deletes, bases);
    }

    // By the slices' ordinals; those without a base file are missing.
    private async ValueTask<IReadOnlyDictionary<int, ReadableFile>> OpenBasesAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, IReadOnlyCollection<string>? columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        int[] ordinals = [.. Enumerable.Range(0, slices.Count).Where(i => slices[i].Base is not null)];
        IReadOnlyList<ReadableFile> opened = await files.OpenBasesAsync(snapshot, slices, columns, leases, cancellationToken);
        return ordinals.Zip(opened).ToDictionary(p => p.First, p => p.Second);
    }

    // Which of two ways to fill a record goes first is not told anywhere.
    private static MergeRules ForPartial(HudiSnapshot snapshot, MergeRules rules) => rules.Fill is FillMode.None or FillMode.Absent && !rules.FirstWins
        ? rules with { Fill = FillMode.Absent }
        : throw LakeException.FeatureUnsupported("Hudi: log blocks of changed columns only in a table whose payload or partial update mode fills values are not supported", snapshot.Table.FullName);

    /// <summary>A slice with its decoded blocks.</summary>
    private sealed record Loaded(SliceLogs Slice, bool ArePositioned, IReadOnlyList<DecodedBlock> Blocks, IReadOnlyList<DecodedDeletes> Deletes)
    {
        public Loaded At(int ordinal) => this with { Blocks = [.. Blocks.Select(b => b with { Slice = ordinal })], Deletes = [.. Deletes.Select(d => d with { Slice = ordinal })] };
    }
}
