using System.Text;
using LakeHolo.LakeCatalog.Delta.Log;

namespace LakeHolo.LakeCatalog.Delta.Files;

/// <summary>The live files of a version: blocks of columns shared between versions, and a bit per file that says whether it is live. Following a
/// commit adds a block and copies the bits, so it costs what the commit costs.</summary>
public sealed class DeltaFileList
{
    // Every lookup asks every block; more blocks than this are merged.
    private const int MaxBlocks = 32;

    private readonly ulong[][] _live;

    private DeltaFileList(IReadOnlyList<FileBlock> blocks, ulong[][] live)
    {
        Blocks = blocks;
        _live = live;
    }

    /// <summary>No files.</summary>
    public static DeltaFileList Empty { get; } = new([], []);

    /// <summary>The blocks; not all of their files are live.</summary>
    public IReadOnlyList<FileBlock> Blocks { get; }

    /// <summary>Number of live files.</summary>
    public long Count { get; private init; }

    /// <summary>Bytes of live files.</summary>
    public long SizeBytes { get; private init; }

    /// <summary>Live rows, or null if a file does not say how many it holds.</summary>
    public long? RowCount => UnknownRowCounts == 0 ? KnownRows : null;

    /// <summary>Approximate bytes held in memory.</summary>
    public long HeldBytes => Blocks.Sum(b => b.HeldBytes) + _live.Sum(l => 8L * l.Length);

    private long KnownRows { get; init; }

    private long UnknownRowCounts { get; init; }

    /// <summary>Whether a file of a block is live.</summary>
    public bool IsLive(int block, int row) => (_live[block][row >> 6] >> (row & 63) & 1) != 0;

    /// <summary>A copy of the bits that say which files of a block are live.</summary>
    public ulong[] LiveBits(int block) => [.. _live[block]];

    /// <summary>Positions of live files, block by block.</summary>
    public IEnumerable<(FileBlock Block, int Row)> Live()
    {
        for (int b = 0; b < Blocks.Count; b++)
        {
            for (int row = 0; row < Blocks[b].Count; row++)
            {
                if (IsLive(b, row))
                {
                    yield return (Blocks[b], row);
                }
            }
        }
    }

    /// <summary>Live files that another version does not hold in the same block; blocks that both share are compared by their bits.</summary>
    internal IEnumerable<(FileBlock Block, int Row)> LiveNotSharedWith(DeltaFileList other)
    {
        var others = new Dictionary<FileBlock, ulong[]>();
        for (int b = 0; b < other.Blocks.Count; b++)
        {
            others[other.Blocks[b]] = other._live[b];
        }

        for (int b = 0; b < Blocks.Count; b++)
        {
            ulong[]? shared = others.GetValueOrDefault(Blocks[b]);
            for (int word = 0; word < _live[b].Length; word++)
            {
                ulong bits = _live[b][word] & ~(shared?[word] ?? 0);
                while (bits != 0)
                {
                    yield return (Blocks[b], (word << 6) + System.Numerics.BitOperations.TrailingZeroCount(bits));
                    bits &= bits - 1;
                }
            }
        }
    }

    /// <summary>The live file with a path, or null.</summary>
    public (FileBlock Block, int Row)? Find(string canonicalPath)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(canonicalPath);
        for (int b = Blocks.Count - 1; b >= 0; b--)
        {
            foreach (int row in Blocks[b].Find(utf8))
            {
                if (IsLive(b, row))
                {
                    return (Blocks[b], row);
                }
            }
        }

        return null;
    }

    /// <summary>The list of a checkpoint: its files are all live.</summary>
    /// <exception cref="LakeException">FormatInvalid where a file is listed twice (Delta PROTOCOL.md, "Action Reconciliation").</exception>
    internal static DeltaFileList FromCheckpoint(FileBlock block, string root) => block.Count == 0 ? Empty
        : block.RepeatedPath() is { } path ? throw LakeException.FormatInvalid($"The checkpoint lists the file '{path}' twice", root)
        : Counted([block], [AllLive(block)]);

    /// <summary>The list after further commits.</summary>
    /// <param name="commits">Oldest first.</param>
    /// <param name="builder">An empty block for the files they add.</param>
    /// <param name="root">The table's root, for paths and messages.</param>
    internal DeltaFileList Apply(IReadOnlyList<CommitActions> commits, FileBlock.Builder builder, string root)
    {
        ulong[][] live = [.. _live.Select(l => l.ToArray())];
        var replay = new Replay(Blocks, live, builder, root);
        foreach (CommitActions commit in commits)
        {
            replay.Apply(commit);
        }

        FileBlock added = builder.Build();
        if (added.Count == 0)
        {
            return Counted(Blocks, live);
        }

        DeltaFileList list = Counted([.. Blocks, added], [.. live, replay.AddedLive(added.Count)]);
        return list.Blocks.Count > MaxBlocks ? list.Merged(builder.NewLike()) : list;
    }

    // All blocks but the largest become one.
    private DeltaFileList Merged(FileBlock.Builder builder)
    {
        FileBlock largest = Blocks.MaxBy(b => b.Count)!;
        int index = Blocks.ToList().IndexOf(largest);
        for (int b = 0; b < Blocks.Count; b++)
        {
            if (b != index)
            {
                builder.AddLive(Blocks[b], _live[b]);
            }
        }

        FileBlock rest = builder.Build();
        return Counted([largest, rest], [_live[index], AllLive(rest)]);
    }

    private static ulong[] AllLive(FileBlock block)
    {
        ulong[] bits = new ulong[(block.Count + 63) >> 6];
        Array.Fill(bits, ulong.MaxValue);
        if ((block.Count & 63) != 0)
        {
            bits[^1] = (1UL << (block.Count & 63)) - 1;
        }

        return bits;
    }

    private static DeltaFileList Counted(IReadOnlyList<FileBlock> blocks, ulong[][] live)
    {
        long count = 0;
        long size = 0;
        long rows = 0;
        long unknown = 0;
        for (int b = 0; b < blocks.Count; b++)
        {
            FileBlock block = blocks[b];
            for (int word = 0; word < live[b].Length; word++)
            {
                for (ulong bits = live[b][word]; bits != 0; bits &= bits - 1)
                {
                    int row = (word << 6) + System.Numerics.BitOperations.TrailingZeroCount(bits);
                    count++;
                    size += Math.Max(0, block.SizeBytes(row));
                    if (block.RowCount(row) < 0)
                    {
                        unknown++;
                    }
                    else
                    {
                        rows += block.RowCount(row) - (block.DeletionVector(row)?.Cardinality ?? 0);
                    }
                }
            }
        }

        return new DeltaFileList(blocks, live) { Count = count, SizeBytes = size, KnownRows = rows, UnknownRowCounts = unknown };
    }

    /// <summary>Applies commits to copies of the bits. The newest word about a file (path and deletion vector) counts.</summary>
    private sealed class Replay(IReadOnlyList<FileBlock> blocks, ulong[][] live, FileBlock.Builder builder, string root)
    {
        private readonly Dictionary<string, (int Row, string? VectorId)> _added = new(StringComparer.Ordinal);

        public void Apply(CommitActions commit)
        {
            var keys = new HashSet<(string, string?)>();
            foreach (FileAction file in commit.Removes)
            {
                string path = CheckedPath(file, keys, commit.Version);
                Remove(path, file.DeletionVector?.Id, anyVector: false);
            }

            foreach (FileAction file in commit.Adds)
            {
                string path = CheckedPath(file, keys, commit.Version);
                string? vectorId = file.DeletionVector?.Id;
                Remove(path, vectorId, anyVector: false);
                if (Remove(path, null, anyVector: true))
                {
                    throw LakeException.FormatInvalid(
                        $"Commit {commit.Version} adds the file '{path}', which is live with another deletion vector", root);
                }

                _added[path] = (builder.Count, vectorId);
                builder.Add(file);
            }
        }

        public ulong[] AddedLive(int count)
        {
            ulong[] bits = new ulong[(count + 63) >> 6];
            foreach ((int row, _) in _added.Values)
            {
                bits[row >> 6] |= 1UL << (row & 63);
            }

            return bits;
        }

        // One key twice in a commit leaves open which action counts (Delta PROTOCOL.md, "Action Reconciliation").
        private string CheckedPath(FileAction file, HashSet<(string, string?)> keys, long version)
        {
            string path = DeltaPath.Canonical(file.Path, root);
            return keys.Add((path, file.DeletionVector?.Id))
                ? path
                : throw LakeException.FormatInvalid($"Commit {version} names the file '{path}' twice", root);
        }

        private bool Remove(string path, string? vectorId, bool anyVector)
        {
            if (_added.TryGetValue(path, out (int Row, string? VectorId) added))
            {
                return (anyVector || added.VectorId == vectorId) && _added.Remove(path);
            }

            byte[] utf8 = Encoding.UTF8.GetBytes(path);
            for (int b = blocks.Count - 1; b >= 0; b--)
            {
                foreach (int row in blocks[b].Find(utf8))
                {
                    ulong bit = 1UL << (row & 63);
                    if ((live[b][row >> 6] & bit) != 0 && (anyVector || blocks[b].DeletionVector(row)?.Id == vectorId))
                    {
                        live[b][row >> 6] &= ~bit;
                        return true;
                    }
                }
            }

            return false;
        }
    }
}
