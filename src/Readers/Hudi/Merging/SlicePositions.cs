using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>The outcome of merging by positions, in memory of ours: what is superseded in base files and in log blocks.</summary>
internal sealed class SlicePositions : IDisposable
{
    private readonly Dictionary<int, PositionSet> _bases = [];
    private readonly Dictionary<(int Slice, int Order), PositionSet> _blocks = [];
    private long _reserved;

    private SlicePositions(long reserved) => _reserved = reserved;

    /// <summary>Ordinals of the slices whose base files hold superseded rows.</summary>
    public IReadOnlySet<int> Slices => _bases.Keys.ToHashSet();

    /// <summary>Merges: of records of one position the one in the newest block counts.</summary>
    /// <param name="blocks">Data blocks, all with positions.</param>
    /// <param name="deletes">Delete blocks, all with positions.</param>
    /// <returns>Null where positions are too far apart, or too many, to be kept here.</returns>
    public static SlicePositions? TryMerge(IReadOnlyList<DecodedBlock> blocks, IReadOnlyList<DecodedDeletes> deletes)
    {
        (int Slice, int Order, IReadOnlyList<long> Positions, bool AreDeletions)[] all =
            [.. blocks.Select(b => (b.Slice, b.Order, b.Positions!, false)), .. deletes.Select(d => (d.Slice, d.Order, d.Positions!, true))];
        var bounds = all.Where(b => b.Positions.Count > 0).Select(b => (b.Slice, Least: b.Positions.Min(), Greatest: b.Positions.Max())).ToArray();
        long bytes = 2 * (bounds.GroupBy(b => b.Slice).Sum(s => PositionSet.BytesOf(Math.Min(s.Max(b => b.Greatest), int.MaxValue))) + blocks.Sum(b => PositionSet.BytesOf(b.Positions!.Count)));
        if (bounds.Any(b => b.Least < 0 || b.Greatest > int.MaxValue) || !LiveRows.TryReserve(bytes))
        {
            return null;
        }

        var result = new SlicePositions(bytes);
        foreach ((int slice, int order, IReadOnlyList<long> positions, bool areDeletions) in all.OrderByDescending(b => b.Order))
        {
            result.Add(slice, order, positions, areDeletions);
        }

        return result;
    }

    /// <summary>Positions of a base file whose rows are superseded; null for none.</summary>
    public PositionSet? OfBase(int slice) => _bases.GetValueOrDefault(slice);

    /// <summary>Positions of a block whose records are superseded; null for none.</summary>
    public PositionSet? OfBlock(int slice, int order) => _blocks.GetValueOrDefault((slice, order));

    /// <inheritdoc/>
    public void Dispose() => LiveRows.TryReserve(-Interlocked.Exchange(ref _reserved, 0));

    private void Add(int slice, int order, IReadOnlyList<long> positions, bool areDeletions)
    {
        if (positions.Count == 0)
        {
            return;
        }

        if (!_bases.TryGetValue(slice, out PositionSet? seen))
        {
            _bases[slice] = seen = new PositionSet();
        }

        PositionSet? superseded = null;
        for (int i = 0; i < positions.Count; i++)
        {
            if (!seen.Add(positions[i]) && !areDeletions)
            {
                (superseded ??= new PositionSet()).Add(i);
            }
        }

        if (superseded is not null)
        {
            _blocks[(slice, order)] = superseded;
        }
    }
}
