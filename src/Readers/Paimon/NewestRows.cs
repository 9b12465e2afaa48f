using System.Runtime.CompilerServices;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Merging;
using LakeHolo.Readers.Paimon.MergeEngines;

namespace LakeHolo.Readers.Paimon;

/// <summary>Merging where the newest row of a key wins, all rows of the newer runs are newer than those of the large ones, and keys are whole numbers: the newer runs' keys are read once,
/// into memory of ours, and tell which of their own rows and which rows of the large runs are live, whatever those are.</summary>
internal sealed unsafe class NewestRows : IDisposable
{
    private const long MaxRows = 1L << 18;

    private readonly Dictionary<int, Bucket> _buckets = [];
    private readonly Dictionary<int, PositionSet> _dead = [];
    private long _reserved;

    private NewestRows(long reserved) => _reserved = reserved;

    /// <summary>The keys that the newer runs of a bucket hold; null for none.</summary>
    public KeySet? KeysOf(int bucket) => _buckets.GetValueOrDefault(bucket)?.Keys;

    /// <summary>Positions of a newer run's file that are superseded, or delete their key; null for none.</summary>
    public PositionSet? DeadOf(int file) => _dead.GetValueOrDefault(file);

    /// <summary>Reads the keys.</summary>
    /// <param name="connection">Reads.</param>
    /// <param name="sql">The table's keys and options; the newest row wins.</param>
    /// <param name="opened">The newer runs' files, among others.</param>
    /// <param name="newer">Which these are.</param>
    /// <param name="numbers">Numbers of the files.</param>
    /// <param name="buckets">Numbers of the files' buckets.</param>
    /// <returns>Null where keys are not whole numbers, or too many, or where a row is none that can be merged: the engine tells which.</returns>
    public static NewestRows? TryRead(
        DuckDBConnection connection, MergeSql sql, IReadOnlyList<PaimonFileGroup> opened, IReadOnlySet<PaimonDataFile> newer,
        IReadOnlyDictionary<PaimonDataFile, int> numbers, IReadOnlyDictionary<PaimonDataFile, int> buckets)
    {
        int parts = sql.KeyFields.Count;
        long rows = newer.Sum(f => f.RowCount);
        if (sql.Options.UsesLookupRule || sql.Options.KeepsDeletes || parts is 0 or > KeySet.MaxParts || rows > MaxRows || sql.KeyFields.Any(k => !k.Type.IsInteger))
        {
            return null;
        }

        long bytes = (rows * (KeySet.BytesPerKey(parts) + 64)) + newer.Sum(f => PositionSet.BytesOf(f.RowCount));
        if (!LiveRows.TryReserve(bytes))
        {
            return null;
        }

        var result = new NewestRows(bytes);
        try
        {
            foreach (PaimonFileGroup group in opened)
            {
                PaimonFileGroup part = group.Of(newer.Contains);
                if (part.Files.Count == 0)
                {
                    continue;
                }

                Source[] sources = [.. part.Files.Select(f => result.SourceOf(numbers[f], buckets[f], parts, () => newer.Where(n => buckets[n] == buckets[f]).Sum(n => n.RowCount)))];
                var reader = new Reader(sources, parts, sql.Options.IgnoreDelete);
                if (!EngineNumbers.TryRead(connection, sql.NumberedKeys(part), reader.Take) || reader.HasUnknownKinds)
                {
                    result.Dispose();
                    return null;
                }
            }
        }
        catch
        {
            result.Dispose();
            throw;
        }

        return result;
    }

    /// <inheritdoc/>
    public void Dispose() => LiveRows.TryReserve(-Interlocked.Exchange(ref _reserved, 0));

    private Source SourceOf(int file, int bucket, int parts, Func<long> rows)
    {
        if (!_buckets.TryGetValue(bucket, out Bucket? keys))
        {
            int expected = (int)rows();
            _buckets[bucket] = keys = new Bucket(new KeySet(parts, expected), new List<Row>(expected));
        }

        return new Source(file, keys, _dead[file] = new PositionSet());
    }

    /// <summary>The keys of a bucket's newer runs, and the newest row of each.</summary>
    private sealed record Bucket(KeySet Keys, List<Row> Newest);

    /// <summary>A file that is read.</summary>
    private sealed record Source(int Number, Bucket Bucket, PositionSet Dead);

    /// <summary>A row, and its place in the order of versions: at equal sequence a row that deletes is the earlier one.</summary>
    private readonly record struct Row(long Sequence, bool IsAdded, Source File, long Position)
    {
        public bool IsNewerThan(in Row other) => Sequence != other.Sequence ? Sequence > other.Sequence
            : IsAdded != other.IsAdded ? IsAdded
            : File.Number != other.File.Number ? File.Number > other.File.Number : Position > other.Position;
    }

    /// <summary>Takes rows of files: index of the file, position, kind, sequence number, key.</summary>
    private sealed class Reader(Source[] files, int parts, bool ignoresDelete)
    {
        /// <summary>Whether the kind of a row is none of 0 to 3.</summary>
        public bool HasUnknownKinds { get; private set; }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Take(long** columns, int rows)
        {
            Span<long> key = stackalloc long[KeySet.MaxParts];
            key = key[..parts];
            for (int i = 0; i < rows; i++)
            {
                long kind = columns[2][i];
                HasUnknownKinds |= (ulong)kind > 3;
                var row = new Row(columns[3][i], kind is 0 or 2, files[columns[0][i]], columns[1][i]);
                if (!row.IsAdded)
                {
                    row.File.Dead.Add(row.Position);
                    if (ignoresDelete)
                    {
                        continue;
                    }
                }

                for (int part = 0; part < parts; part++)
                {
                    key[part] = columns[4 + part][i];
                }

                Bucket bucket = row.File.Bucket;
                int number = bucket.Keys.Add(key);
                if (number == bucket.Newest.Count)
                {
                    bucket.Newest.Add(row);
                    continue;
                }

                Row other = bucket.Newest[number];
                bool isNewer = row.IsNewerThan(other);
                (isNewer ? other : row).File.Dead.Add((isNewer ? other : row).Position);
                bucket.Newest[number] = isNewer ? row : other;
            }
        }
    }
}
