using System.Collections;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>The slices of a table, partition by partition, packed; <see cref="FileSlice"/>s are made of those that are asked for. Following a commit replaces the
/// blocks of the partitions that it wrote to, and shares the others.</summary>
public sealed class SliceList : IReadOnlyList<FileSlice>
{
    private readonly SliceBlock[] _blocks;
    private readonly int[] _starts;

    /// <param name="blocks">Ordered by partition, ordinally.</param>
    internal SliceList(IEnumerable<SliceBlock> blocks)
    {
        _blocks = [.. blocks.Where(b => b.Count > 0)];
        _starts = new int[_blocks.Length];
        for (int i = 0; i < _blocks.Length; i++)
        {
            _starts[i] = Count;
            Count += _blocks[i].Count;
            FileCount += _blocks[i].FileCount;
            SizeBytes += _blocks[i].SizeBytes;
            HasLogs |= _blocks[i].HasLogs;
        }
    }

    /// <summary>The blocks, ordered by partition.</summary>
    public IReadOnlyList<SliceBlock> Blocks => _blocks;

    /// <inheritdoc/>
    public int Count { get; }

    /// <summary>Number of base and log files.</summary>
    public long FileCount { get; }

    /// <summary>Their bytes.</summary>
    public long SizeBytes { get; }

    /// <summary>Whether a slice has log files.</summary>
    public bool HasLogs { get; }

    /// <inheritdoc/>
    public FileSlice this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            int found = Array.BinarySearch(_starts, index);
            int block = found >= 0 ? found : ~found - 1;
            return _blocks[block].Read()[index - _starts[block]];
        }
    }

    /// <inheritdoc/>
    public IEnumerator<FileSlice> GetEnumerator() => _blocks.SelectMany(b => b.Read()).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Packs slices.</summary>
    /// <param name="slices">Ordered by partition, ordinally.</param>
    internal static SliceList Of(IEnumerable<FileSlice> slices)
    {
        var writer = new PackedWriter();
        var blocks = new List<SliceBlock>();
        var some = new List<FileSlice>();
        foreach (FileSlice slice in slices)
        {
            if (some.Count > 0 && some[0].Partition != slice.Partition)
            {
                blocks.Add(SliceBlock.Of(some, writer));
                some.Clear();
            }

            some.Add(slice);
        }

        if (some.Count > 0)
        {
            blocks.Add(SliceBlock.Of(some, writer));
        }

        return new SliceList(blocks);
    }

    /// <summary>The list with the blocks of some partitions taken from another one.</summary>
    internal SliceList With(IReadOnlySet<string> partitions, SliceList newer)
        => new(_blocks.Where(b => !partitions.Contains(b.Partition)).Concat(newer._blocks).OrderBy(b => b.Partition, StringComparer.Ordinal));

    /// <summary>The list, with blocks of another one where they say the same.</summary>
    internal SliceList Sharing(SliceList other)
    {
        var known = other._blocks.ToDictionary(b => b.Partition, StringComparer.Ordinal);
        return new SliceList(_blocks.Select(b => known.GetValueOrDefault(b.Partition) is { } same && same.IsSame(b) ? same : b));
    }
}

/// <summary>The slices of one partition, packed. Immutable; a block that two snapshots share says the same in both.</summary>
public sealed class SliceBlock
{
    private const int HasBase = 1, HasOwnInstant = 2;
    private readonly byte[] _packed;

    private SliceBlock(string partition, byte[] packed) => (Partition, _packed) = (partition, packed);

    /// <summary>Partition path.</summary>
    public string Partition { get; }

    /// <summary>Number of slices.</summary>
    public int Count { get; private init; }

    /// <summary>Number of base and log files.</summary>
    public int FileCount { get; private init; }

    /// <summary>Their bytes.</summary>
    public long SizeBytes { get; private init; }

    /// <summary>Whether a slice has log files.</summary>
    public bool HasLogs { get; private init; }

    /// <summary>Makes the slices.</summary>
    public FileSlice[] Read()
    {
        // flags, number of logs, [base instant], then name and size of the base file and of each log
        var slices = new FileSlice[Count];
        var reader = new PackedReader(_packed);
        for (int i = 0; i < slices.Length; i++)
        {
            long flags = reader.Number();
            int logs = (int)reader.Number();
            string? instant = (flags & HasOwnInstant) != 0 ? reader.Text() : null;
            string fileId = "";
            HudiFile? file = (flags & HasBase) != 0 ? FileOf(ref reader, out fileId) : null;
            HudiFile[] ofLogs = logs == 0 ? [] : new HudiFile[logs];
            for (int log = 0; log < logs; log++)
            {
                ofLogs[log] = FileOf(ref reader, out fileId);
            }

            slices[i] = new FileSlice { Partition = Partition, FileId = fileId, BaseInstant = instant ?? file!.Instant, Base = file, Logs = ofLogs };
        }

        return slices;
    }

    internal bool IsSame(SliceBlock other) => Partition == other.Partition && _packed.AsSpan().SequenceEqual(other._packed);

    internal static SliceBlock Of(List<FileSlice> slices, PackedWriter writer)
    {
        foreach (FileSlice slice in slices)
        {
            bool hasOwnInstant = slice.Base?.Instant != slice.BaseInstant;
            writer.Number((slice.Base is null ? 0 : HasBase) | (hasOwnInstant ? HasOwnInstant : 0));
            writer.Number(slice.Logs.Count);
            if (hasOwnInstant)
            {
                writer.Text(slice.BaseInstant);
            }

            foreach (HudiFile file in slice.Files)
            {
                writer.Name(file.Path.AsSpan(file.Path.LastIndexOf('/') + 1));
                writer.Number(file.SizeBytes);
            }
        }

        return new SliceBlock(slices[0].Partition, writer.Take())
        {
            Count = slices.Count,
            FileCount = slices.Sum(s => s.Logs.Count + (s.Base is null ? 0 : 1)),
            SizeBytes = slices.Sum(s => s.Files.Sum(f => f.SizeBytes)),
            HasLogs = slices.Exists(s => s.Logs.Count > 0),
        };
    }

    private HudiFile FileOf(ref PackedReader reader, out string fileId)
    {
        string name = reader.Name();
        HudiFileName parsed = HudiFileName.TryParse(name) ?? throw new LakeException(LakeErrorKind.Internal, "A packed name is no data file's", name);
        fileId = parsed.FileId;
        return parsed.FileOf(Partition, name, reader.Number());
    }
}
