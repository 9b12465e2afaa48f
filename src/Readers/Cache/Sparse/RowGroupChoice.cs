using System.Collections.Concurrent;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>The row groups of a file that a query needs, where they are few enough for a view of them.</summary>
/// <param name="Needed">For each row group whether it is needed.</param>
/// <param name="Key">Names them.</param>
internal sealed record RowGroupChoice(bool[] Needed, string Key)
{
    /// <summary>Row groups that the view does not name.</summary>
    public int LeftOut => Needed.Count(n => !n);
}

/// <summary>Chooses row groups of one file.</summary>
internal sealed class RowGroupChooser(ParquetLayout layout, bool always)
{
    private const int MaxKeptColumns = 16;

    private readonly ConcurrentDictionary<string, ColumnRange?[]> _ranges = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _views = new(StringComparer.Ordinal); // with their bytes

    /// <summary>Whether there are views of the file.</summary>
    public bool HasViews => !_views.IsEmpty;

    /// <summary>For each row group whether it may hold needed rows; null if all may, or if that cannot be told without the footer.</summary>
    /// <param name="condition">The query's condition.</param>
    /// <param name="footer">The footer without its length and magic; null to use only what is known of the columns already.</param>
    /// <param name="path">For messages.</param>
    public bool[]? Needed(RowGroupCondition condition, byte[]? footer, string path)
    {
        var ranges = new Dictionary<string, ColumnRange?[]>(StringComparer.Ordinal);
        foreach ((string name, IArrowType type) in condition.Columns.Values)
        {
            string key = $"{name}\0{SqlText.TypeOf(type)}";
            if (!_ranges.TryGetValue(key, out ColumnRange?[]? known))
            {
                if (footer is null)
                {
                    return null;
                }

                if (_ranges.Count >= MaxKeptColumns)
                {
                    _ranges.Clear();
                }

                known = _ranges[key] = RowGroupStatistics.Of(footer, name, type, path);
            }

            ranges[name] = known;
        }

        bool[] needed = [.. layout.RowGroups.Select((_, i) => condition.MayMatch(name => ranges[name][i]))];
        return Array.TrueForAll(needed, n => n) ? null : needed;
    }

    /// <summary>The choice of row groups if there is a view of them already.</summary>
    public RowGroupChoice? Known(bool[]? needed) => needed is not null && _views.ContainsKey(KeyOf(needed)) ? new RowGroupChoice(needed, KeyOf(needed)) : null;

    /// <summary>The choice of row groups; null where the whole columns are to be fetched instead: when half of their bytes are needed, when nothing would be
    /// saved by leaving row groups out, or when views would take more bytes than the whole columns, which serve all queries.</summary>
    /// <param name="needed">For each row group whether it is needed.</param>
    /// <param name="columns">The needed columns.</param>
    /// <param name="present">What of the file is there.</param>
    public RowGroupChoice? Choose(bool[]? needed, IReadOnlyCollection<string> columns, IReadOnlyList<Segment> present)
    {
        if (needed is null || layout.IsEncrypted || layout.RowGroups.Any(r => r < 0))
        {
            return null;
        }

        ByteRange[] some = [.. layout.ChunksOf(columns, needed)];
        ByteRange[] all = [.. layout.ChunksOf(columns)];
        long bytes = Length(some);
        string key = KeyOf(needed);
        long others = _views.Where(v => v.Key != key).Sum(v => v.Value);
        if (!always && (bytes * 2 > Length(all) || others + bytes > Length(all) || Length(Ranges.Missing(some, present)) >= Length(Ranges.Missing(all, present))))
        {
            return null;
        }

        _views[key] = Math.Max(bytes, _views.GetValueOrDefault(key));
        return new RowGroupChoice(needed, key);
    }

    private static long Length(IReadOnlyList<ByteRange> ranges) => ranges.Sum(r => r.Length);

    private static string KeyOf(bool[] needed)
    {
        byte[] bits = new byte[(needed.Length + 7) / 8];
        for (int i = 0; i < needed.Length; i++)
        {
            bits[i / 8] |= (byte)(needed[i] ? 1 << (i % 8) : 0);
        }

        return Convert.ToHexStringLower(bits);
    }
}
