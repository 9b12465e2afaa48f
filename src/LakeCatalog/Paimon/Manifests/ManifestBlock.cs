using System.Collections.Concurrent;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Paimon.Manifests;

/// <summary>The entries of a manifest, ordered by partition and bucket: columns of what all of a table's files are asked for, and of large manifests the entries
/// as they were written, compressed, which become files when they are asked for. Immutable.</summary>
internal sealed class ManifestBlock
{
    /// <summary>The files of so many entries are made at once: each costs a kilobyte or two with its statistics.</summary>
    public const int MaxDecoded = 1_024;

    // Large enough to compress well, small enough to open a partition's files without much waste.
    private const int ChunkBytes = 16 * 1024;

    private readonly (PaimonFileRun Run, int End)[] _runs;
    private readonly UInt128[] _identities;
    private readonly long[] _sizes;
    private readonly long[] _rowCounts;
    private readonly int[] _levels;
    private readonly int[] _nameHashes;
    private readonly EntryFlags[] _flags;
    private readonly PaimonDataFile[]? _decoded;
    private readonly Chunk[] _chunks = [];
    private readonly Func<AvroRecord, PaimonPartition, PaimonDataFile>? _toFile;
    private readonly AvroSchema? _schema;
    private readonly string _path = "";
    private readonly ConcurrentDictionary<string, (long Least, long Greatest)[]> _bounds = new(StringComparer.Ordinal);

    private ManifestBlock((PaimonFileRun Run, int End)[] runs, int count)
    {
        _runs = runs;
        _identities = new UInt128[count];
        _sizes = new long[count];
        _rowCounts = new long[count];
        _levels = new int[count];
        _nameHashes = new int[count];
        _flags = new EntryFlags[count];
    }

    /// <summary>Files that were added.</summary>
    public ManifestBlock(IReadOnlyList<PaimonDataFile> files, PartitionPool pool)
        : this(Runs(files, pool, out PaimonDataFile[] ordered), files.Count)
    {
        _decoded = ordered;
        for (int row = 0; row < ordered.Length; row++)
        {
            PaimonDataFile file = ordered[row];
            (_identities[row], _sizes[row], _rowCounts[row], _levels[row], _nameHashes[row]) = (FileIdentity.Of(file), file.SizeBytes, file.RowCount, file.Level, FileIdentity.NameHash(file.Path));
            _flags[row] = (file.DeleteRowCount == 0 ? 0 : EntryFlags.MayHoldDeletes) | (file.FirstRowId is null ? 0 : EntryFlags.HasRowIds)
                | (file is { FirstRowId: not null, WriteColumns: not null } ? EntryFlags.IsPart : 0) | (BinaryRow.Arity(file.MinKey) > 0 ? EntryFlags.HasKey : 0);
        }
    }

    private ManifestBlock(Builder builder, int maxDecoded)
        : this(builder.Runs, builder.Count)
    {
        (_schema, _path, _toFile) = (builder.Schema, builder.Path, builder.ToFile);
        for (int row = 0; row < _sizes.Length; row++)
        {
            ref readonly Builder.Entry entry = ref builder.At(row);
            (_identities[row], _sizes[row], _rowCounts[row], _levels[row], _nameHashes[row], _flags[row]) = (entry.Identity, entry.SizeBytes, entry.RowCount, entry.Level, entry.NameHash, entry.Flags);
        }

        _chunks = builder.Chunks(_sizes.Length <= maxDecoded ? int.MaxValue : ChunkBytes);
        if (_sizes.Length <= maxDecoded)
        {
            _decoded = [.. Files(Enumerable.Range(0, _sizes.Length))];
            _chunks = [];
        }
    }

    /// <summary>Number of entries.</summary>
    public int Count => _sizes.Length;

    /// <summary>Bytes held by its own count, without files that are decoded and bounds.</summary>
    public long HeldBytes => (41L * Count) + (32L * _runs.Length) + _chunks.Sum(c => c.Data.LongLength + 40);

    /// <summary>The entries of a manifest.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="path">Its path, for errors.</param>
    /// <param name="pool">The table's partitions.</param>
    /// <param name="decodePartition">Decodes a stored partition.</param>
    /// <param name="toFile">Makes a file of an entry.</param>
    /// <param name="maxDecoded">Of how many entries at most the files are made at once.</param>
    public static ManifestBlock Read(
        AvroContainer manifest, string path, PartitionPool pool, Func<byte[], IReadOnlyList<object?>> decodePartition, Func<AvroRecord, PaimonPartition, PaimonDataFile> toFile, int maxDecoded)
        => new(new Builder(manifest, path, pool, decodePartition, toFile), maxDecoded);

    /// <summary>What tells an entry's file from others.</summary>
    public UInt128 Identity(int row) => _identities[row];

    /// <summary>Size of the file, bytes.</summary>
    public long SizeBytes(int row) => _sizes[row];

    /// <summary>Physical rows of the file.</summary>
    public long RowCount(int row) => _rowCounts[row];

    /// <summary>Its LSM level.</summary>
    public int Level(int row) => _levels[row];

    /// <summary>A hash of the last part of its path.</summary>
    public int NameHash(int row) => _nameHashes[row];

    /// <summary>What else is known of it.</summary>
    public EntryFlags Flags(int row) => _flags[row];

    /// <summary>The runs of entries that lie in wanted partitions and buckets, and the rows of each.</summary>
    public IEnumerable<(PaimonFileRun Run, Range Rows)> Runs(PaimonPlaces places)
    {
        for (int i = 0; i < _runs.Length; i++)
        {
            PaimonFileRun run = _runs[i].Run;
            if (places.InPartition?.Invoke(run.Partition) == false)
            {
                // Runs of one partition lie together.
                for (; i + 1 < _runs.Length && _runs[i + 1].Run.Partition == run.Partition; i++)
                {
                }
            }
            else if (places.InBucket?.Invoke(run) != false)
            {
                yield return (run, (i == 0 ? 0 : _runs[i - 1].End).._runs[i].End);
            }
        }
    }

    /// <summary>The files of entries, which are given in ascending order.</summary>
    public IEnumerable<PaimonDataFile> Files(IEnumerable<int> rows)
    {
        if (_decoded is not null)
        {
            foreach (int row in rows)
            {
                yield return _decoded[row];
            }

            yield break;
        }

        var wanted = new List<int>();
        int chunk = 0;
        foreach (int row in rows)
        {
            if (row >= _chunks[chunk].End)
            {
                foreach (PaimonDataFile file in Decode(chunk, wanted))
                {
                    yield return file;
                }

                wanted.Clear();
                while (row >= _chunks[chunk].End)
                {
                    chunk++;
                }
            }

            wanted.Add(row);
        }

        foreach (PaimonDataFile file in Decode(chunk, wanted))
        {
            yield return file;
        }
    }

    /// <summary>Bounds of a column in every file, made at the first call: then all files are decoded once. Null where they are not made yet and
    /// <paramref name="make"/> does not say so.</summary>
    public (long Least, long Greatest)[]? Bounds(PaimonBounds column, bool make)
    {
        if (_bounds.TryGetValue(column.Key, out var known) || !make)
        {
            return known;
        }

        var bounds = new (long, long)[Count];
        for (int row = 0; row < _decoded?.Length; row++)
        {
            bounds[row] = column.Of(_decoded[row]);
        }

        try
        {
            Parallel.For(0, _chunks.Length, chunk =>
            {
                int start = chunk == 0 ? 0 : _chunks[chunk - 1].End;
                foreach (PaimonDataFile file in Decode(chunk, [.. Enumerable.Range(start, _chunks[chunk].End - start)]))
                {
                    bounds[start++] = column.Of(file);
                }
            });
        }
        catch (AggregateException e) when (e.InnerException is LakeException invalid)
        {
            throw invalid;
        }

        return _bounds.GetOrAdd(column.Key, bounds);
    }

    private static (PaimonFileRun Run, int End)[] Runs(IReadOnlyList<PaimonDataFile> files, PartitionPool pool, out PaimonDataFile[] ordered)
    {
        var groups = files.GroupBy(f => new PaimonFileRun(pool.Get(f.PartitionBytes, _ => f.Partition), f.Bucket, f.TotalBuckets)).ToList();
        ordered = [.. groups.SelectMany(g => g)];
        int end = 0;
        return [.. groups.Select(g => (g.Key, end += g.Count()))];
    }

    private PaimonFileRun RunOf(int row)
    {
        int low = 0;
        for (int high = _runs.Length - 1; low < high;)
        {
            int middle = (low + high) / 2;
            (low, high) = row < _runs[middle].End ? (low, middle) : (middle + 1, high);
        }

        return _runs[low].Run;
    }

    private List<PaimonDataFile> Decode(int chunk, List<int> rows)
    {
        var files = new List<PaimonDataFile>(rows.Count);
        if (rows.Count == 0)
        {
            return files;
        }

        var cursor = new AvroCursor(_chunks[chunk].Raw(), _path);
        int next = chunk == 0 ? 0 : _chunks[chunk - 1].End;
        foreach (int row in rows)
        {
            for (; next < row; next++)
            {
                cursor.Skip(_schema!);
            }

            var entry = (AvroRecord)AvroDatum.Read(_schema!, ref cursor, _path)!;
            files.Add(_toFile!(entry, RunOf(row).Partition));
            next++;
        }

        return files;
    }

    /// <summary>Entries one after the other, compressed where that makes them smaller.</summary>
    private readonly record struct Chunk(byte[] Data, int RawLength, int End)
    {
        public byte[] Raw()
        {
            if (Data.Length == RawLength)
            {
                return Data;
            }

            using var decompressor = new ZstdSharp.Decompressor();
            return decompressor.Unwrap(Data).ToArray();
        }
    }

    /// <summary>Puts entries into the order of their runs.</summary>
    private sealed class Builder
    {
        private readonly List<Entry> _entries = [];
        private readonly List<ReadOnlyMemory<byte>> _blocks = [];
        private readonly int[] _order;

        public Builder(
            AvroContainer manifest, string path, PartitionPool pool, Func<byte[], IReadOnlyList<object?>> decodePartition, Func<AvroRecord, PaimonPartition, PaimonDataFile> toFile)
        {
            (Schema, Path, ToFile) = (manifest.Schema, path, toFile);
            var decoder = new EntryDecoder(manifest.Schema, path);
            var partitions = new Dictionary<PaimonPartition, int>();
            var numbers = new Dictionary<PaimonFileRun, int>();
            foreach (AvroBlock block in manifest.ReadBlocks())
            {
                var cursor = new AvroCursor(block.Data.Span, path);
                for (int i = 0; i < block.RecordCount; i++)
                {
                    int start = cursor.Position;
                    DecodedEntry entry = decoder.Read(ref cursor);
                    PaimonPartition partition = pool.Get(entry.Partition, decodePartition);
                    partitions.TryAdd(partition, partitions.Count);
                    var run = new PaimonFileRun(partition, entry.Bucket, entry.TotalBuckets);
                    if (!numbers.TryGetValue(run, out int number))
                    {
                        numbers.Add(run, number = numbers.Count);
                    }

                    _entries.Add(new Entry(number, _blocks.Count, start, cursor.Position, entry.Identity, entry.SizeBytes, entry.RowCount, entry.Level, entry.NameHash, entry.Flags));
                }

                if (cursor.Remaining > 0)
                {
                    throw LakeException.FormatInvalid("A block of the manifest holds more bytes than its records", path);
                }

                _blocks.Add(block.Data);
            }

            PaimonFileRun[] ordered = [.. numbers.Keys.OrderBy(r => partitions[r.Partition]).ThenBy(r => r.Bucket).ThenBy(r => r.TotalBuckets)];
            (_order, Runs) = Order(ordered, numbers);
        }

        public AvroSchema Schema { get; }

        public string Path { get; }

        public Func<AvroRecord, PaimonPartition, PaimonDataFile> ToFile { get; }

        public (PaimonFileRun Run, int End)[] Runs { get; }

        public int Count => _entries.Count;

        public ref readonly Entry At(int row) => ref System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_entries)[_order[row]];

        public Chunk[] Chunks(int chunkBytes)
        {
            var ends = new List<int>();
            for (int row = 0, bytes = 0; row < Count; row++)
            {
                bytes += At(row).End - At(row).Start;
                if (bytes >= chunkBytes || row == Count - 1)
                {
                    ends.Add(row + 1);
                    bytes = 0;
                }
            }

            var chunks = new Chunk[ends.Count];
            Parallel.For(
                0,
                chunks.Length,
                () => new ZstdSharp.Compressor(1),
                (i, _, compressor) =>
                {
                    chunks[i] = ChunkOf(i == 0 ? 0 : ends[i - 1], ends[i], chunkBytes < int.MaxValue ? compressor : null);
                    return compressor;
                },
                compressor => compressor.Dispose());
            return chunks;
        }

        private Chunk ChunkOf(int start, int end, ZstdSharp.Compressor? compressor)
        {
            var raw = new MemoryStream();
            for (int row = start; row < end; row++)
            {
                ref readonly Entry entry = ref At(row);
                raw.Write(_blocks[entry.Block].Span[entry.Start..entry.End]);
            }

            ReadOnlySpan<byte> bytes = raw.GetBuffer().AsSpan(0, (int)raw.Length);
            ReadOnlySpan<byte> compressed = compressor is null ? bytes : compressor.Wrap(bytes);
            return new Chunk((compressed.Length < bytes.Length ? compressed : bytes).ToArray(), bytes.Length, end);
        }

        // Entries of a run keep the order in which they were written.
        private (int[] Order, (PaimonFileRun Run, int End)[] Runs) Order(PaimonFileRun[] ordered, Dictionary<PaimonFileRun, int> numbers)
        {
            int[] counts = new int[ordered.Length];
            foreach (Entry entry in _entries)
            {
                counts[entry.Run]++;
            }

            int[] next = new int[ordered.Length];
            var runs = new (PaimonFileRun, int)[ordered.Length];
            int end = 0;
            for (int i = 0; i < ordered.Length; i++)
            {
                int number = numbers[ordered[i]];
                next[number] = end;
                runs[i] = (ordered[i], end += counts[number]);
            }

            int[] order = new int[_entries.Count];
            for (int i = 0; i < order.Length; i++)
            {
                order[next[_entries[i].Run]++] = i;
            }

            return (order, runs);
        }

        public readonly record struct Entry(int Run, int Block, int Start, int End, UInt128 Identity, long SizeBytes, long RowCount, int Level, int NameHash, EntryFlags Flags);
    }
}
