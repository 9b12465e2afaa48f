using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>A place where tables are discovered.</summary>
public sealed record LakeSource
{
    /// <summary>Its name: the catalog in <c>source.schema.table</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The folder that is crawled.</summary>
    public required TableRoot Root { get; init; }

    /// <summary>Time between two syncs; ignored when <see cref="SyncCron"/> is set.</summary>
    public TimeSpan SyncInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A cron expression (five fields, UTC) instead of an interval, or null.</summary>
    public string? SyncCron { get; init; }
}

/// <summary>Which warehouse layer a schema belongs to.</summary>
public sealed record LayerRule(string SchemaPattern, string Layer);
