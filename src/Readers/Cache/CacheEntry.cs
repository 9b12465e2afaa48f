namespace LakeHolo.Readers.Cache;

/// <summary>One file of the cache. Its fields belong to the <see cref="CacheIndex"/> that made it.</summary>
internal sealed class CacheEntry
{
    public CacheEntry(string name, string path)
    {
        Name = name;
        Path = path;
        Node = new LinkedListNode<CacheEntry>(this);
    }

    public string Name { get; }

    /// <summary>Where the engine opens it.</summary>
    public string Path { get; }

    /// <summary>Bytes that it takes on disk.</summary>
    public long SizeBytes { get; set; }

    /// <summary>What is known of its content while the process lives, made by whoever fills it.</summary>
    public object? State { get; set; }

    internal LinkedListNode<CacheEntry> Node { get; }

    internal int Leases { get; set; }

    internal Task Ready { get; set; } = Task.CompletedTask;

    internal CancellationTokenSource? Creation { get; set; }

    internal long TouchedTicks { get; set; }
}
