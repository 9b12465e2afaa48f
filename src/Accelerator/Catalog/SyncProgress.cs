using System.Diagnostics;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>How far a sync is: it first walks the source's folders, then asks each table for its newest snapshot.</summary>
/// <param name="source">The source's name.</param>
/// <param name="startedAt">When it began.</param>
public sealed class SyncProgress(string source, DateTimeOffset startedAt)
{
    private readonly long _clock = Stopwatch.GetTimestamp();
    private long _folders;
    private int _tables = -1;
    private int _checked;

    /// <summary>The source's name.</summary>
    public string Source { get; } = source;

    /// <summary>When it began.</summary>
    public DateTimeOffset StartedAt { get; } = startedAt;

    /// <summary>The time since.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_clock);

    /// <summary>Folders that were looked into; those of known tables are not.</summary>
    public long Folders => Interlocked.Read(ref _folders);

    /// <summary>Tables that there are; null while folders are being walked.</summary>
    public int? Tables => Volatile.Read(ref _tables) is >= 0 and var count ? count : null;

    /// <summary>Tables whose newest snapshot is known by now.</summary>
    public int TablesChecked => Volatile.Read(ref _checked);

    /// <inheritdoc/>
    public override string ToString() => Tables is { } tables ? $"{Source}: {TablesChecked} of {tables} tables read" : $"{Source}: {Folders} folders looked into";

    internal void FolderVisited() => Interlocked.Increment(ref _folders);

    internal void Found(int tables) => Volatile.Write(ref _tables, tables);

    internal void TableChecked() => Interlocked.Increment(ref _checked);
}
