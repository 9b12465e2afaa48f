using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>A part of a sparse file that is there.</summary>
/// <param name="Offset">Where it begins.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Checksum">XXH3 of them.</param>
internal readonly record struct Segment(long Offset, long Length, ulong Checksum)
{
    public long End => Offset + Length;
}

/// <summary>Arithmetic of byte ranges.</summary>
internal static class Ranges
{
    // Two ranges become one request when the gap is small and what is fetched in vain stays below a twelfth, or below one gap.
    private const long MaxGapBytes = 64 << 10;
    private const long WasteShare = 12;

    /// <summary>What of the wanted ranges no segment holds, ordered and without overlap.</summary>
    public static List<ByteRange> Missing(IEnumerable<ByteRange> wanted, IEnumerable<Segment> present)
    {
        Segment[] held = [.. present.OrderBy(s => s.Offset)];
        var missing = new List<ByteRange>();
        long done = 0;
        int next = 0;
        foreach (ByteRange range in wanted.OrderBy(r => r.Offset))
        {
            long end = range.Offset + range.Length;
            for (long start = Math.Max(range.Offset, done); start < end;)
            {
                while (next < held.Length && held[next].End <= start)
                {
                    next++;
                }

                if (next < held.Length && held[next].Offset <= start)
                {
                    start = held[next].End;
                    continue;
                }

                long stop = next < held.Length ? Math.Min(end, held[next].Offset) : end;
                missing.Add(new ByteRange(start, stop - start));
                start = stop;
            }

            done = Math.Max(done, end);
        }

        return missing;
    }

    /// <summary>Which segments hold a byte of the wanted ranges.</summary>
    public static IEnumerable<Segment> Touched(IReadOnlyList<ByteRange> wanted, IEnumerable<Segment> present)
    {
        ByteRange[] ordered = [.. wanted.OrderBy(r => r.Offset)];
        long[] reach = new long[ordered.Length]; // how far the ranges up to each one go
        for (int i = 0; i < ordered.Length; i++)
        {
            reach[i] = Math.Max(i == 0 ? 0 : reach[i - 1], ordered[i].Offset + ordered[i].Length);
        }

        int before = 0; // ranges that begin before the segment's end
        foreach (Segment segment in present.OrderBy(s => s.End))
        {
            while (before < ordered.Length && ordered[before].Offset < segment.End)
            {
                before++;
            }

            if (before > 0 && reach[before - 1] > segment.Offset)
            {
                yield return segment;
            }
        }
    }

    /// <summary>Requests for missing ranges: near ones joined, long ones cut.</summary>
    public static List<ByteRange> Requests(IReadOnlyList<ByteRange> missing, long maxBytes)
    {
        var joined = new List<ByteRange>();
        long waste = 0;
        foreach (ByteRange range in missing)
        {
            if (joined.Count > 0)
            {
                ByteRange last = joined[^1];
                long gap = range.Offset - (last.Offset + last.Length);
                long length = range.Offset + range.Length - last.Offset;
                if (gap <= MaxGapBytes && waste + gap <= Math.Max(MaxGapBytes, length / WasteShare))
                {
                    waste += gap;
                    joined[^1] = last with { Length = length };
                    continue;
                }
            }

            waste = 0;
            joined.Add(range);
        }

        var requests = new List<ByteRange>();
        foreach (ByteRange range in joined)
        {
            // Cut evenly, so that no request is left with a few bytes.
            long count = (range.Length + maxBytes - 1) / maxBytes;
            for (long i = 0; i < count; i++)
            {
                long start = range.Length * i / count;
                requests.Add(new ByteRange(range.Offset + start, (range.Length * (i + 1) / count) - start));
            }
        }

        return requests;
    }
}
