using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Snapshots;

/// <summary>A named table: says nothing of versions or rows.</summary>
/// <param name="Source">The source it was found in.</param>
/// <param name="Schema">Schema name, from the path.</param>
/// <param name="Name">Table name, from the path.</param>
/// <param name="Format">Name of its <see cref="ITableFormat"/>: delta, hudi, paimon, parquet, csv, orc, sequencefile.</param>
/// <param name="Root">Its folder.</param>
public sealed record LakeTable(string Source, string Schema, string Name, string Format, TableRoot Root)
{
    /// <summary><c>source.schema.table</c>, for messages and logs.</summary>
    public string FullName => $"{Source}.{Schema}.{Name}";
}
