using System.Collections;
using LakeHolo.LakeCatalog.Hudi.FileSlices;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>What a commit wrote, packed; <see cref="WriteStat"/>s are made of those that are asked for.</summary>
public sealed class WriteStatList : IReadOnlyList<WriteStat>
{
    private const int HasOwnPath = 1, HasOwnFileId = 2, HasChangeLogs = 4;
    private readonly string[] _partitions;
    private readonly byte[] _packed;

    private WriteStatList(string[] partitions, byte[] packed, int count) => (_partitions, _packed, Count) = (partitions, packed, count);

    /// <summary>Nothing.</summary>
    public static WriteStatList Empty { get; } = new([], [], 0);

    /// <inheritdoc/>
    public int Count { get; }

    /// <summary>The partitions that were written to.</summary>
    public IReadOnlyList<string> Partitions => _partitions;

    /// <inheritdoc/>
    public WriteStat this[int index] => this.ElementAt(index);

    /// <summary>What was written to some partitions.</summary>
    public IEnumerable<WriteStat> In(IReadOnlySet<string> partitions) => _partitions.Any(partitions.Contains) ? Read(partitions) : [];

    /// <summary>Packs what a commit wrote.</summary>
    public static WriteStatList Of(IEnumerable<WriteStat> stats)
    {
        var builder = new Builder();
        foreach (WriteStat stat in stats)
        {
            builder.Add(stat);
        }

        return builder.Build();
    }

    /// <inheritdoc/>
    public IEnumerator<WriteStat> GetEnumerator() => ((IEnumerable<WriteStat>)Read(null)).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private List<WriteStat> Read(IReadOnlySet<string>? partitions)
    {
        var stats = new List<WriteStat>(partitions is null ? Count : 0);
        bool[]? wanted = partitions is null ? null : [.. _partitions.Select(partitions.Contains)];
        var reader = new PackedReader(_packed);
        while (!reader.IsAtEnd)
        {
            int partition = (int)reader.Number();
            ReadOnlySpan<byte> entry = reader.Bytes((int)reader.Number());
            if (wanted?[partition] != false)
            {
                stats.Add(Unpack(_partitions[partition], entry));
            }
        }

        return stats;
    }

    // partition, length, then: flags, rows, size, path or name, [file id], [number of change logs, path and size of each]
    private static WriteStat Unpack(string partition, ReadOnlySpan<byte> entry)
    {
        var reader = new PackedReader(entry);
        long flags = reader.Number();
        long rows = reader.Number();
        long size = reader.Number();
        string name = (flags & HasOwnPath) != 0 ? reader.Text() : reader.Name();
        string path = (flags & HasOwnPath) != 0 ? name : PathOf(partition, name);
        string fileId = (flags & HasOwnFileId) != 0 ? reader.Text() : HudiFileName.TryParse(name)?.FileId ?? "";
        var logs = new (string, long)[(flags & HasChangeLogs) != 0 ? reader.Number() : 0];
        for (int i = 0; i < logs.Length; i++)
        {
            logs[i] = (reader.Text(), reader.Number());
        }

        return new WriteStat(partition, fileId, path, rows, size, logs);
    }

    private static string PathOf(string partition, string name) => partition.Length == 0 ? name : partition + "/" + name;

    /// <summary>Collects what a commit wrote.</summary>
    internal sealed class Builder
    {
        private readonly Dictionary<string, int> _partitions = new(StringComparer.Ordinal);
        private readonly PackedWriter _entry = new();
        private readonly List<byte> _packed = [];
        private int _count;

        public void Add(WriteStat stat)
        {
            if (!_partitions.TryGetValue(stat.Partition, out int partition))
            {
                _partitions[stat.Partition] = partition = _partitions.Count;
            }

            string name = stat.Path[(stat.Path.LastIndexOf('/') + 1)..];
            bool hasOwnPath = PathOf(stat.Partition, name) != stat.Path;
            bool hasOwnFileId = (HudiFileName.TryParse(hasOwnPath ? stat.Path : name)?.FileId ?? "") != stat.FileId;
            _entry.Number((hasOwnPath ? HasOwnPath : 0) | (hasOwnFileId ? HasOwnFileId : 0) | (stat.ChangeLogs.Count > 0 ? HasChangeLogs : 0));
            _entry.Number(stat.RowCount);
            _entry.Number(stat.SizeBytes);
            if (hasOwnPath)
            {
                _entry.Text(stat.Path);
            }
            else
            {
                _entry.Name(name);
            }

            if (hasOwnFileId)
            {
                _entry.Text(stat.FileId);
            }

            if (stat.ChangeLogs.Count > 0)
            {
                _entry.Number(stat.ChangeLogs.Count);
                foreach ((string path, long size) in stat.ChangeLogs)
                {
                    _entry.Text(path);
                    _entry.Number(size);
                }
            }

            byte[] entry = _entry.Take();
            _entry.Number(partition);
            _entry.Number(entry.Length);
            _packed.AddRange(_entry.Take());
            _packed.AddRange(entry);
            _count++;
        }

        public WriteStatList Build() => _count == 0 ? Empty : new([.. _partitions.OrderBy(p => p.Value).Select(p => p.Key)], [.. _packed], _count);
    }
}
