using System.Collections.Concurrent;
using System.IO.Hashing;
using System.Text;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;

namespace LakeHolo.LakeCatalog.Delta.Files;

/// <summary>Files that one checkpoint or commit added, as columns. Immutable; which of them are live is said by <see cref="DeltaFileList"/>.</summary>
public sealed class FileBlock
{
    private readonly byte[] _pathBytes;
    private readonly int[] _pathEnds;
    private readonly long[] _sizes;
    private readonly long[] _rowCounts;
    private readonly IReadOnlyDictionary<int, DeletionVectorDescriptor> _vectors;
    private readonly long[]? _baseRowIds;
    private readonly long[]? _rowCommitVersions;
    private readonly StatsStore _stats;
    private readonly ConcurrentDictionary<string, ColumnBounds> _bounds = new(StringComparer.Ordinal);
    private readonly Lazy<int[]> _index;

    private FileBlock(Builder builder)
    {
        _pathBytes = builder.Paths.AsSpan(0, builder.PathLength).ToArray();
        _pathEnds = [.. builder.PathEnds];
        _sizes = [.. builder.Sizes];
        _rowCounts = [.. builder.RowCounts];
        _vectors = builder.Vectors;
        _baseRowIds = builder.BaseRowIds.Exists(v => v >= 0) ? [.. builder.BaseRowIds] : null;
        _rowCommitVersions = builder.RowCommitVersions.Exists(v => v >= 0) ? [.. builder.RowCommitVersions] : null;
        _stats = builder.Stats.Build();
        Partitions = [.. builder.Partitions.Select(p => p.Build())];
        _index = new Lazy<int[]>(BuildIndex);
    }

    /// <summary>Number of files.</summary>
    public int Count => _pathEnds.Length;

    /// <summary>Partition columns, in the order of the table's partition columns.</summary>
    public IReadOnlyList<PartitionColumn> Partitions { get; }

    /// <summary>Approximate bytes held, without cached bounds.</summary>
    public long HeldBytes => _pathBytes.LongLength + (4L * Count) + (16L * Count) + _stats.SizeBytes + (4L * Count * Partitions.Count)
        + (_baseRowIds is null ? 0 : 8L * Count) + (_rowCommitVersions is null ? 0 : 8L * Count) + (_index.IsValueCreated ? 4L * _index.Value.Length : 0)
        + (160L * _vectors.Count);

    /// <summary>Canonical path: relative to the table's root, or absolute.</summary>
    public string Path(int row) => Encoding.UTF8.GetString(PathUtf8(row));

    /// <summary>Size in bytes.</summary>
    public long SizeBytes(int row) => _sizes[row];

    /// <summary>Rows in the file before deletions; -1 if unknown.</summary>
    public long RowCount(int row) => _rowCounts[row];

    /// <summary>Deleted positions, or null.</summary>
    public DeletionVectorDescriptor? DeletionVector(int row) => _vectors.TryGetValue(row, out DeletionVectorDescriptor? vector) ? vector : null;

    /// <summary>Row id of the first row; -1 if unknown.</summary>
    public long BaseRowId(int row) => _baseRowIds is null ? -1 : _baseRowIds[row];

    /// <summary>Commit version of rows without a materialised one; -1 if unknown.</summary>
    public long RowCommitVersion(int row) => _rowCommitVersions is null ? -1 : _rowCommitVersions[row];

    /// <summary>Statistics as JSON, or null.</summary>
    public string? StatisticsJson(int row) => _stats.Read(row) is { Length: > 0 } json ? Encoding.UTF8.GetString(json) : null;

    /// <summary>Bounds of a leaf column for every file, parsed once.</summary>
    /// <param name="physicalPath">Physical names from the top-level column to the leaf.</param>
    /// <param name="type">The leaf's type.</param>
    public ColumnBounds Bounds(IReadOnlyList<string> physicalPath, DeltaType type) =>
        _bounds.GetOrAdd(string.Join('\u001f', physicalPath) + "\u001f" + type, _ => ColumnBounds.Parse(_stats, Count, physicalPath, type));

    /// <summary>What statistics tell of a top-level column exactly, for every file; parsed at each call.</summary>
    /// <param name="physicalName">Its physical name.</param>
    /// <param name="type">Its type.</param>
    public ExactBounds ExactBounds(string physicalName, DeltaType type) => Files.ExactBounds.Parse(_stats, Count, physicalName, type);

    /// <summary>Rows with a path; usually none or one.</summary>
    internal IEnumerable<int> Find(byte[] path)
    {
        int[] index = _index.Value;
        int mask = index.Length - 1;
        for (int slot = (int)XxHash3.HashToUInt64(path) & mask; index[slot] != 0; slot = (slot + 1) & mask)
        {
            int row = index[slot] - 1;
            if (PathUtf8(row).SequenceEqual(path))
            {
                yield return row;
            }
        }
    }

    /// <summary>A path that two files have, or null. One that is known by its last commits may have such; a checkpoint may not.</summary>
    internal string? RepeatedPath()
    {
        int[] index = _index.Value;
        int mask = index.Length - 1;
        for (int row = 0; row < Count; row++)
        {
            ReadOnlySpan<byte> path = PathUtf8(row);
            for (int slot = (int)XxHash3.HashToUInt64(path) & mask; index[slot] != row + 1; slot = (slot + 1) & mask)
            {
                if (PathUtf8(index[slot] - 1).SequenceEqual(path))
                {
                    return Path(row);
                }
            }
        }

        return null;
    }

    internal ReadOnlySpan<byte> PathUtf8(int row)
    {
        int start = row == 0 ? 0 : _pathEnds[row - 1];
        return _pathBytes.AsSpan(start, _pathEnds[row] - start);
    }

    private int[] BuildIndex()
    {
        int[] index = new int[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, Count + (Count / 2)))];
        int mask = index.Length - 1;
        for (int row = 0; row < Count; row++)
        {
            int slot = (int)XxHash3.HashToUInt64(PathUtf8(row)) & mask;
            while (index[slot] != 0)
            {
                slot = (slot + 1) & mask;
            }

            index[slot] = row + 1;
        }

        return index;
    }

    /// <summary>Collects files in order.</summary>
    internal sealed class Builder : IDisposable
    {
        private readonly IReadOnlyList<string> _partitionNames;
        private readonly string _rootLocation;
        private readonly bool _trackRows;

        /// <summary>Starts a block.</summary>
        /// <param name="partitionNames">Physical names of the partition columns, in order.</param>
        /// <param name="rootLocation">The table's root.</param>
        /// <param name="trackRows">Whether row ids are kept.</param>
        public Builder(IReadOnlyList<string> partitionNames, string rootLocation, bool trackRows)
        {
            _partitionNames = partitionNames;
            _rootLocation = rootLocation;
            _trackRows = trackRows;
            Partitions = [.. partitionNames.Select(_ => new PartitionColumn.Builder())];
        }

        public byte[] Paths { get; private set; } = new byte[256];

        public int PathLength { get; private set; }

        public List<int> PathEnds { get; } = [];

        public List<long> Sizes { get; } = [];

        public List<long> RowCounts { get; } = [];

        public List<long> BaseRowIds { get; } = [];

        public List<long> RowCommitVersions { get; } = [];

        public Dictionary<int, DeletionVectorDescriptor> Vectors { get; } = [];

        public StatsStore.Builder Stats { get; } = new();

        public IReadOnlyList<PartitionColumn.Builder> Partitions { get; }

        public IReadOnlyList<string> PartitionNames => _partitionNames;

        public int Count => PathEnds.Count;

        /// <summary>Adds a file but for its partition values, which the caller adds to <see cref="Partitions"/>.</summary>
        public void Add(
            string encodedPath, long sizeBytes, ReadOnlySpan<byte> stats, long? recordCount, DeletionVectorDescriptor? vector, long? baseRowId,
            long? rowCommitVersion) => AddCanonical(
                DeltaPath.Canonical(encodedPath, _rootLocation), sizeBytes, stats, recordCount, vector, baseRowId, rowCommitVersion);

        /// <summary>The same, of UTF-8.</summary>
        public void Add(
            ReadOnlySpan<byte> encodedPath, long sizeBytes, ReadOnlySpan<byte> stats, long? recordCount, DeletionVectorDescriptor? vector, long? baseRowId,
            long? rowCommitVersion)
        {
            // Without an escape and a scheme the text is canonical as it is.
            if (encodedPath.ContainsAny((byte)'%', (byte)':') || encodedPath.StartsWith((byte)'/'))
            {
                Add(Encoding.UTF8.GetString(encodedPath), sizeBytes, stats, recordCount, vector, baseRowId, rowCommitVersion);
                return;
            }

            Reserve(encodedPath.Length);
            encodedPath.CopyTo(Paths.AsSpan(PathLength));
            PathLength += encodedPath.Length;
            AddRest(sizeBytes, stats, recordCount, vector, baseRowId, rowCommitVersion);
        }

        private void AddCanonical(
            string path, long sizeBytes, ReadOnlySpan<byte> stats, long? recordCount, DeletionVectorDescriptor? vector, long? baseRowId,
            long? rowCommitVersion)
        {
            Reserve(Encoding.UTF8.GetMaxByteCount(path.Length));
            PathLength += Encoding.UTF8.GetBytes(path, Paths.AsSpan(PathLength));
            AddRest(sizeBytes, stats, recordCount, vector, baseRowId, rowCommitVersion);
        }

        private void Reserve(int more)
        {
            int needed = checked(PathLength + more);
            if (needed > Paths.Length)
            {
                byte[] larger = new byte[Math.Max(needed, checked(Paths.Length * 2))];
                Paths.AsSpan(0, PathLength).CopyTo(larger);
                Paths = larger;
            }
        }

        private void AddRest(
            long sizeBytes, ReadOnlySpan<byte> stats, long? recordCount, DeletionVectorDescriptor? vector, long? baseRowId, long? rowCommitVersion)
        {
            if (vector is not null)
            {
                Vectors[Count] = vector;
            }

            PathEnds.Add(PathLength);
            Sizes.Add(sizeBytes);
            RowCounts.Add(recordCount ?? StatsStore.RecordCount(stats));
            Stats.Add(stats);
            if (_trackRows)
            {
                BaseRowIds.Add(baseRowId ?? -1);
                RowCommitVersions.Add(rowCommitVersion ?? -1);
            }
        }

        /// <summary>Adds a file of a commit.</summary>
        public void Add(FileAction file)
        {
            Add(file.Path, file.SizeBytes, file.Stats, null, file.DeletionVector, file.BaseRowId, file.DefaultRowCommitVersion);
            for (int i = 0; i < _partitionNames.Count; i++)
            {
                PartitionValues.TryFind(file.PartitionValues, _partitionNames[i], out string? value);
                Partitions[i].Add(value);
            }
        }

        /// <summary>Copies the live files of a block.</summary>
        public void AddLive(FileBlock block, ulong[] live)
        {
            byte[][] stats = new byte[block.Count][];
            block._stats.ForEach((row, json) => stats[row] = json.ToArray());
            for (int row = 0; row < block.Count; row++)
            {
                if ((live[row >> 6] >> (row & 63) & 1) == 0)
                {
                    continue;
                }

                AddCanonical(
                    block.Path(row), block.SizeBytes(row), stats[row] ?? [], block.RowCount(row), block.DeletionVector(row), block.BaseRowId(row),
                    block.RowCommitVersion(row));
                for (int i = 0; i < Partitions.Count; i++)
                {
                    Partitions[i].Add(block.Partitions[i].Value(row));
                }
            }
        }

        /// <summary>An empty builder for the same table.</summary>
        public Builder NewLike() => new(_partitionNames, _rootLocation, _trackRows);

        public FileBlock Build() => new(this);

        public void Dispose() => Stats.Dispose();
    }
}

/// <summary>The values of one partition column in a block: distinct texts and a code per file.</summary>
public sealed class PartitionColumn
{
    private readonly int[] _codes;

    private PartitionColumn(int[] codes, IReadOnlyList<string?> values)
    {
        _codes = codes;
        Values = values;
    }

    /// <summary>Distinct values as the log spells them; null for NULL.</summary>
    public IReadOnlyList<string?> Values { get; }

    /// <summary>Index into <see cref="Values"/> of a file.</summary>
    public int Code(int row) => _codes[row];

    /// <summary>Value of a file.</summary>
    public string? Value(int row) => Values[_codes[row]];

    /// <summary>Collects values in order of files.</summary>
    internal sealed class Builder
    {
        private readonly List<int> _codes = [];
        private readonly List<string?> _values = [];
        private readonly Dictionary<string, int> _known = new(StringComparer.Ordinal);
        private int _nullCode = -1;

        public void Add(string? value)
        {
            // An empty text is NULL for every type (Delta PROTOCOL.md, "Partition Value Serialization").
            if (string.IsNullOrEmpty(value))
            {
                if (_nullCode < 0)
                {
                    _nullCode = _values.Count;
                    _values.Add(null);
                }

                _codes.Add(_nullCode);
                return;
            }

            if (!_known.TryGetValue(value, out int code))
            {
                code = _values.Count;
                _known.Add(value, code);
                _values.Add(value);
            }

            _codes.Add(code);
        }

        /// <summary>The same, of UTF-8; texts that are known already are not made again.</summary>
        public void Add(ReadOnlySpan<byte> utf8)
        {
            if (utf8.IsEmpty || utf8.Length > 256)
            {
                Add(utf8.IsEmpty ? null : Encoding.UTF8.GetString(utf8));
                return;
            }

            Span<char> chars = stackalloc char[256];
            chars = chars[..Encoding.UTF8.GetChars(utf8, chars)];
            if (_known.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(chars, out int code))
            {
                _codes.Add(code);
                return;
            }

            Add(chars.ToString());
        }

        public PartitionColumn Build() => new([.. _codes], _values);
    }
}
