using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator;

/// <summary>Everything that the engine needs to know at start.</summary>
public sealed record LakeOptions
{
    /// <summary>Where tables are discovered.</summary>
    public required IReadOnlyList<LakeSource> Sources { get; init; }

    /// <summary>Layers by schema name; ods, dwd, dws, ads and dim are known without.</summary>
    public IReadOnlyList<LayerRule> Layers { get; init; } = [];

    /// <summary>Folder for state on disk: <c>cache/</c>, <c>hot/</c>, <c>spill/</c>.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Threads and memory of the engine; spill folder and allowed folders are filled in.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>Who may read and do what; null for everybody everything.</summary>
    public Access.AccessOptions? Access { get; init; }

    /// <summary>Bounds of statements.</summary>
    public ExecutionLimits Limits { get; init; } = new();

    /// <summary>Columns of folder tables whose files do not name any (SequenceFiles, CSV without header): <c>schema.table</c> to <c>name TYPE, …</c>.</summary>
    public IReadOnlyDictionary<string, string> FolderColumns { get; init; } = new Dictionary<string, string>();

    /// <summary>Hot copies that are built at once.</summary>
    public int MaxConcurrentBuilds { get; init; } = 2;

    /// <summary>Bound of the hot copies in bytes on disk; the one used longest ago makes room.</summary>
    public long HotBytes { get; init; } = 100L << 30;

    /// <summary>Bytes of the lake that are copied at once while a hot copy is built; what was copied serves already.</summary>
    public long HotPartBytes { get; init; } = 256L << 20;

    /// <summary>Bytes of the lake per hour that hot copies are compared with in the background; zero for none.</summary>
    public long HotVerifyBytes { get; init; } = 10L << 30;

    /// <summary>Bound of the disk cache in bytes.</summary>
    public long CacheBytes { get; init; } = 20L << 30;
}
