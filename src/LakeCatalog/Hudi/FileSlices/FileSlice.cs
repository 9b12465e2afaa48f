namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>A data file of a Hudi table.</summary>
/// <param name="Path">Relative to the table's root.</param>
/// <param name="SizeBytes">Size as listed.</param>
/// <param name="Instant">Base: the writing instant. Log: see <see cref="FileSlice.Logs"/>.</param>
/// <param name="LogVersion">Number of a log file, 0 for a base file.</param>
/// <param name="WriteToken">Attempt that wrote it.</param>
/// <param name="Extension">parquet, orc; empty for a log file.</param>
public sealed record HudiFile(string Path, long SizeBytes, string Instant, int LogVersion, string WriteToken, string Extension);

/// <summary>What is live of one file group as of an instant: at most one base file and the log files that change it, in merge order.</summary>
public sealed record FileSlice
{
    /// <summary>Partition path, empty for a table without partitions.</summary>
    public required string Partition { get; init; }

    /// <summary>The file group.</summary>
    public required string FileId { get; init; }

    /// <summary>The slice's base instant.</summary>
    public required string BaseInstant { get; init; }

    /// <summary>The base file; null for a group of log files only.</summary>
    public HudiFile? Base { get; init; }

    /// <summary>Log files, oldest first. Their instant is the slice's base instant (table version 6) or the delta commit that wrote them.</summary>
    public IReadOnlyList<HudiFile> Logs { get; init; } = [];

    /// <summary>The files, base first.</summary>
    public IEnumerable<HudiFile> Files => Base is null ? Logs : Logs.Prepend(Base);
}
