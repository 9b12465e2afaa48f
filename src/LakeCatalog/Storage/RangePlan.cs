namespace LakeHolo.LakeCatalog.Storage;

/// <summary>How many ranges become few requests: near ranges are joined to one stretch, long stretches are cut into parts that travel side by side.</summary>
internal sealed class RangePlan
{
    private readonly int[] _stretchOfRange;

    private RangePlan(IReadOnlyList<ByteRange> stretches, IReadOnlyList<RangePart> parts, int[] stretchOfRange)
    {
        Stretches = stretches;
        Parts = parts;
        _stretchOfRange = stretchOfRange;
    }

    /// <summary>The joined ranges, by offset.</summary>
    public IReadOnlyList<ByteRange> Stretches { get; }

    /// <summary>One request each.</summary>
    public IReadOnlyList<RangePart> Parts { get; }

    public static RangePlan For(IReadOnlyList<ByteRange> ranges, int gapBytes, int partBytes)
    {
        var stretches = new List<ByteRange>();
        int[] stretchOfRange = new int[ranges.Count];
        foreach (int i in Enumerable.Range(0, ranges.Count).OrderBy(i => ranges[i].Offset))
        {
            ByteRange range = ranges[i];
            ByteRange? last = stretches.Count > 0 ? stretches[^1] : null;
            if (last is { } open && range.Offset - (open.Offset + open.Length) <= gapBytes && range.Offset + range.Length - open.Offset <= Array.MaxLength)
            {
                stretches[^1] = open with { Length = Math.Max(open.Length, range.Offset + range.Length - open.Offset) };
            }
            else
            {
                stretches.Add(range);
            }

            stretchOfRange[i] = stretches.Count - 1;
        }

        var parts = new List<RangePart>();
        for (int s = 0; s < stretches.Count; s++)
        {
            for (long start = 0; start < stretches[s].Length; start += partBytes)
            {
                parts.Add(new RangePart(s, (int)start, (int)Math.Min(partBytes, stretches[s].Length - start)));
            }
        }

        return new RangePlan(stretches, parts, stretchOfRange);
    }

    /// <summary>The bytes of each range, in the order asked for, out of those of the stretches.</summary>
    public ReadOnlyMemory<byte>[] Slice(IReadOnlyList<ByteRange> ranges, byte[][] stretches)
    {
        var results = new ReadOnlyMemory<byte>[ranges.Count];
        for (int i = 0; i < results.Length; i++)
        {
            int s = _stretchOfRange[i];
            results[i] = stretches[s].AsMemory((int)(ranges[i].Offset - Stretches[s].Offset), (int)ranges[i].Length);
        }

        return results;
    }
}

/// <summary>A part of a stretch.</summary>
/// <param name="Stretch">Index of the stretch.</param>
/// <param name="Start">Offset inside the stretch.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct RangePart(int Stretch, int Start, int Length);
