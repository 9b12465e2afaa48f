namespace LakeHolo.LakeCatalog.Paimon.Manifests;

/// <summary>The partitions of a table's snapshots, each of them once. For several threads.</summary>
internal sealed class PartitionPool
{
    private readonly Lock _lock = new();
    private readonly Dictionary<byte[], PaimonPartition> _known = new(new ByContent());

    /// <summary>The partition of a stored row; its values are decoded where it is new.</summary>
    public PaimonPartition Get(ReadOnlySpan<byte> stored, Func<byte[], IReadOnlyList<object?>> decode)
    {
        lock (_lock)
        {
            var known = _known.GetAlternateLookup<ReadOnlySpan<byte>>();
            if (!known.TryGetValue(stored, out PaimonPartition? partition))
            {
                byte[] bytes = stored.ToArray();
                partition = new PaimonPartition(bytes, decode(bytes));
                _known.Add(bytes, partition);
            }

            return partition;
        }
    }

    private sealed class ByContent : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(byte[] obj) => GetHashCode(obj.AsSpan());

        public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)System.IO.Hashing.XxHash3.HashToUInt64(alternate);
    }
}
