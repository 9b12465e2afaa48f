using LakeHolo.Accelerator.Queries;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>A table of the catalog and what is known of it. The identity never changes; the knowledge is swapped whole.</summary>
public sealed class CatalogTable
{
    private volatile TableKnowledge _knowledge = new(null, null, null);

    internal CatalogTable(LakeTable table, string? layer, string? note, ITableFormat format)
    {
        Table = table;
        Layer = layer;
        Note = note;
        Format = format;
    }

    /// <summary>Name, format and place.</summary>
    public LakeTable Table { get; }

    /// <summary>ods, dwd, dws, ads, …, or null.</summary>
    public string? Layer { get; }

    /// <summary>What discovery remarked (a name that collided), or null.</summary>
    public string? Note { get; }

    /// <summary>The promoted query that this table is; null for a table of the lake.</summary>
    public PromotedQuery? Query { get; internal init; }

    /// <summary>The newest snapshot that was loaded, or null.</summary>
    public Snapshot? Newest => _knowledge.Newest;

    /// <summary>When <see cref="Newest"/> was last known to be the newest.</summary>
    public DateTimeOffset? CheckedAt => _knowledge.CheckedAt;

    /// <summary>Why the table cannot be read, or null.</summary>
    public string? LastError => _knowledge.Error;

    internal ITableFormat Format { get; }

    internal void Learn(Snapshot newest, DateTimeOffset at) => _knowledge = new(newest, at, null);

    internal void Fail(string error, DateTimeOffset at) => _knowledge = new(_knowledge.Newest, at, error);

    private sealed record TableKnowledge(Snapshot? Newest, DateTimeOffset? CheckedAt, string? Error);
}
