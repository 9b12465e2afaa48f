using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using LakeHolo.LakeCatalog.Paimon.Manifests;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>The live files of a snapshot: the blocks of its manifests, shared between snapshots, and a bit per entry that says whether it is live. Files are made when
/// they are enumerated; whoever can say before which partitions, buckets or levels are needed, does.</summary>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A list of files, as Delta's")]
[CollectionBuilder(typeof(PaimonFileList), nameof(Create))]
public sealed class PaimonFileList : IReadOnlyCollection<PaimonDataFile>
{
    /// <summary>More rows have neither a file nor a table: the number is damaged.</summary>
    public const long MaxRows = 1L << 42;

    private readonly IReadOnlyList<ManifestBlock> _blocks;
    private readonly ulong[][] _live;

    private PaimonFileList(IReadOnlyList<ManifestBlock> blocks, ulong[][] live, PartitionPool pool)
    {
        (_blocks, _live, Partitions) = (blocks, live, pool);
        foreach ((ManifestBlock block, int row) in Rows())
        {
            Count++;
            SizeBytes = long.CreateSaturating((Int128)SizeBytes + block.SizeBytes(row));
            IsRowCountKnown &= block.RowCount(row) is >= 0 and <= MaxRows;
            RowCount = long.CreateSaturating((Int128)RowCount + block.RowCount(row));
            Flags |= block.Flags(row);
        }
    }

    /// <inheritdoc/>
    public int Count { get; }

    /// <summary>Bytes of all files.</summary>
    public long SizeBytes { get; }

    /// <summary>Physical rows of all files; means something where <see cref="IsRowCountKnown"/>.</summary>
    public long RowCount { get; }

    /// <summary>Whether every file tells a possible number of rows.</summary>
    public bool IsRowCountKnown { get; } = true;

    /// <summary>Bytes held in memory by its own count, without files that are decoded.</summary>
    public long HeldBytes => _blocks.Sum(b => b.HeldBytes) + _live.Sum(l => 8L * l.Length);

    /// <summary>What some files have.</summary>
    internal EntryFlags Flags { get; }

    /// <summary>The partitions that the table's snapshots know.</summary>
    internal PartitionPool Partitions { get; }

    /// <summary>A list of files that are at hand.</summary>
    public static PaimonFileList Create(ReadOnlySpan<PaimonDataFile> files)
    {
        var pool = new PartitionPool();
        var block = new ManifestBlock(files.ToArray(), pool);
        return new PaimonFileList([block], [All(block)], pool);
    }

    /// <summary>The files that manifests add and none deletes.</summary>
    /// <param name="blocks">The manifests' entries, in the order of their lists.</param>
    /// <param name="known">The list of another snapshot, whose blocks are told from others by reference; or null.</param>
    /// <param name="pool">The table's partitions.</param>
    /// <exception cref="LakeException">FormatInvalid if a file is added twice.</exception>
    /// <remarks>An identity is added once and deleted at most once in a table's life, so the order of entries does not matter.</remarks>
    internal static PaimonFileList Of(IReadOnlyList<ManifestBlock> blocks, PaimonFileList? known, PartitionPool pool)
    {
        var bits = new Dictionary<ManifestBlock, ulong[]>();
        if (known is not null && known._blocks.All(new HashSet<ManifestBlock>(blocks).Contains))
        {
            for (int b = 0; b < known._blocks.Count; b++)
            {
                bits[known._blocks[b]] = (ulong[])known._live[b].Clone();
            }
        }

        ManifestBlock[] old = [.. bits.Keys];
        ManifestBlock[] fresh = [.. blocks.Where(b => !bits.ContainsKey(b))];
        var deleted = new HashSet<UInt128>(fresh.SelectMany(b => Entries(b, deleted: true).Select(b.Identity)));
        Dictionary<UInt128, (ManifestBlock Block, int Row)> added = new(fresh.Sum(b => b.Count));
        foreach (ManifestBlock block in fresh)
        {
            ulong[] live = bits[block] = new ulong[(block.Count + 63) / 64];
            foreach (int row in Entries(block, deleted: false).Where(r => !deleted.Contains(block.Identity(r))))
            {
                if (!added.TryAdd(block.Identity(row), (block, row)))
                {
                    throw Twice(block, row);
                }

                live[row >> 6] |= 1UL << (row & 63);
            }
        }

        if (deleted.Count + added.Count > 0)
        {
            foreach (ManifestBlock block in old)
            {
                Apply(block, bits, deleted, added);
            }
        }

        return new PaimonFileList(blocks, [.. blocks.Select(b => bits[b])], pool);
    }

    /// <inheritdoc/>
    public IEnumerator<PaimonDataFile> GetEnumerator() => Select(default).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The files of the places that are wanted.</summary>
    /// <param name="places">The partitions and buckets that are wanted.</param>
    /// <param name="levels">The levels that are wanted.</param>
    public IEnumerable<PaimonDataFile> Select(PaimonPlaces places, PaimonLevels levels = default)
        => Enumerable.Range(0, _blocks.Count).SelectMany(b => _blocks[b].Files(RowsOf(b, places, levels)));

    /// <summary>The files with one of the paths, of the places that are wanted.</summary>
    public IEnumerable<PaimonDataFile> SelectPaths(IReadOnlySet<string> paths, PaimonPlaces places = default, PaimonLevels levels = default)
    {
        var names = paths.Select(FileIdentity.NameHash).ToHashSet();
        return Enumerable.Range(0, _blocks.Count).SelectMany(b => _blocks[b].Files(RowsOf(b, places, levels).Where(r => names.Contains(_blocks[b].NameHash(r)))))
            .Where(f => paths.Contains(f.Path));
    }

    /// <summary>How many files there are in the places that are wanted.</summary>
    public int CountOf(PaimonPlaces places, PaimonLevels levels) => Enumerable.Range(0, _blocks.Count).Sum(b => RowsOf(b, places, levels).Count());

    /// <summary>Whether some file that is wanted has a flag.</summary>
    internal bool Any(EntryFlags flag, PaimonLevels levels)
        => Flags.HasFlag(flag) && Enumerable.Range(0, _blocks.Count).Any(b => RowsOf(b, default, levels).Any(r => _blocks[b].Flags(r).HasFlag(flag)));

    /// <summary>The files that have a flag.</summary>
    internal IEnumerable<PaimonDataFile> With(EntryFlags flag)
        => Flags.HasFlag(flag) ? Enumerable.Range(0, _blocks.Count).SelectMany(b => _blocks[b].Files(RowsOf(b, default, default).Where(r => _blocks[b].Flags(r).HasFlag(flag)))) : [];

    /// <summary>What another list has more and less, each list looked at on the levels that are wanted of it.</summary>
    internal (IReadOnlyList<PaimonDataFile> Added, IReadOnlyList<PaimonDataFile> Removed) Compare(PaimonFileList to, PaimonLevels fromLevels, PaimonLevels toLevels)
    {
        List<(ManifestBlock Block, int[] Rows)> mine = Without(to, fromLevels, toLevels);
        List<(ManifestBlock Block, int[] Rows)> others = to.Without(this, toLevels, fromLevels);
        // A file whose entry was written again into another manifest is the same file.
        var before = mine.SelectMany(m => m.Rows.Select(m.Block.Identity)).ToHashSet();
        var after = others.SelectMany(o => o.Rows.Select(o.Block.Identity)).ToHashSet();
        return (Files(others, before), Files(mine, after));
    }

    // The rows of this list whose block the other one has not, or in which they are not live.
    private List<(ManifestBlock Block, int[] Rows)> Without(PaimonFileList other, PaimonLevels levels, PaimonLevels otherLevels)
    {
        var places = Enumerable.Range(0, other._blocks.Count).ToDictionary(b => other._blocks[b]);
        var result = new List<(ManifestBlock, int[])>();
        for (int b = 0; b < _blocks.Count; b++)
        {
            IEnumerable<int> rows = RowsOf(b, default, levels);
            if (places.TryGetValue(_blocks[b], out int same))
            {
                ulong[] live = other._live[same];
                if (levels == otherLevels && _live[b].AsSpan().SequenceEqual(live))
                {
                    continue;
                }

                rows = levels == otherLevels ? rows.Where(r => !IsLive(live, r)) : rows.Except(other.RowsOf(same, default, otherLevels));
            }

            result.Add((_blocks[b], [.. rows]));
        }

        return result;
    }

    private static List<PaimonDataFile> Files(IEnumerable<(ManifestBlock Block, int[] Rows)> parts, HashSet<UInt128> but)
        => [.. parts.SelectMany(p => p.Block.Files(p.Rows.Where(r => !but.Contains(p.Block.Identity(r)))))];

    // What newer manifests say of the files of an older one, and it of theirs.
    private static void Apply(ManifestBlock block, Dictionary<ManifestBlock, ulong[]> bits, HashSet<UInt128> deleted, Dictionary<UInt128, (ManifestBlock Block, int Row)> added)
    {
        ulong[] live = bits[block];
        for (int row = 0; row < block.Count; row++)
        {
            UInt128 identity = block.Identity(row);
            if (deleted.Contains(identity))
            {
                live[row >> 6] &= ~(1UL << (row & 63));
            }
            else if (added.TryGetValue(identity, out var newer))
            {
                if (IsLive(live, row))
                {
                    throw Twice(block, row);
                }

                // What was deleted once stays so.
                bits[newer.Block][newer.Row >> 6] &= ~(1UL << (newer.Row & 63));
            }
        }
    }

    private static LakeException Twice(ManifestBlock block, int row) => LakeException.FormatInvalid($"The file {block.Files([row]).First().Path} is added twice in a snapshot");

    private static IEnumerable<int> Entries(ManifestBlock block, bool deleted)
        => Enumerable.Range(0, block.Count).Where(r => block.Flags(r).HasFlag(EntryFlags.IsDeleted) == deleted);

    private static ulong[] All(ManifestBlock block)
    {
        ulong[] live = new ulong[(block.Count + 63) / 64];
        for (int row = 0; row < block.Count; row++)
        {
            live[row >> 6] |= 1UL << (row & 63);
        }

        return live;
    }

    private static bool IsLive(ulong[] live, int row) => (live[row >> 6] >> (row & 63) & 1) != 0;

    private IEnumerable<(ManifestBlock Block, int Row)> Rows()
    {
        for (int b = 0; b < _blocks.Count; b++)
        {
            for (int row = 0; row < _blocks[b].Count; row++)
            {
                if (IsLive(_live[b], row))
                {
                    yield return (_blocks[b], row);
                }
            }
        }
    }

    private IEnumerable<int> RowsOf(int block, PaimonPlaces places, PaimonLevels levels)
    {
        IEnumerable<int> rows = RowsIn(block, places, levels);
        return places.Bounds is null ? rows : Within(_blocks[block], [.. rows], places.Bounds);
    }

    // Whoever looks at few files decodes just these.
    private static List<int> Within(ManifestBlock block, List<int> rows, IReadOnlyList<PaimonBounds> conditions)
    {
        const int Few = 4;
        foreach (PaimonBounds condition in conditions)
        {
            if (block.Bounds(condition, make: rows.Count > block.Count / Few) is { } bounds)
            {
                rows.RemoveAll(r => !condition.MayMatch(bounds[r].Least, bounds[r].Greatest));
            }
        }

        return rows;
    }

    private IEnumerable<int> RowsIn(int block, PaimonPlaces places, PaimonLevels levels)
    {
        foreach ((PaimonFileRun run, Range rows) in _blocks[block].Runs(places))
        {
            for (int row = rows.Start.Value; row < rows.End.Value; row++)
            {
                if (IsLive(_live[block], row) && levels.Include(run.Bucket, _blocks[block].Level(row)))
                {
                    yield return row;
                }
            }
        }
    }
}
