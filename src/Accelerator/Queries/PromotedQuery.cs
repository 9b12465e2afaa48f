namespace LakeHolo.Accelerator.Queries;

/// <summary>A query that was promoted: a table of its own, whose rows are what its text gives over the newest snapshots of the tables it reads.</summary>
/// <param name="Source">Source of the first of its tables, to which its name belongs.</param>
/// <param name="Schema">Schema of its name.</param>
/// <param name="Name">Its name.</param>
/// <param name="Sql">Its text.</param>
/// <param name="DefaultCatalog">Where its text looks for tables without a source; null for nowhere.</param>
/// <param name="DefaultSchema">Where its text looks for tables without a schema; null for nowhere.</param>
/// <param name="Tables">The tables that it reads, each once: <c>source</c>, <c>schema</c>, <c>table</c>.</param>
/// <param name="Owner">Who promoted it.</param>
public sealed record PromotedQuery(
    string Source, string Schema, string Name, string Sql, string? DefaultCatalog, string? DefaultSchema, IReadOnlyList<QueriedTable> Tables, string Owner)
{
    /// <summary>Schema of promoted queries that are named without one.</summary>
    public const string UsualSchema = "hot";

    /// <summary>What <see cref="LakeCatalog.Snapshots.LakeTable.Format"/> says of a promoted query.</summary>
    public const string Format = "query";
}

/// <summary>A table that a promoted query reads.</summary>
/// <param name="Source">Its source.</param>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
public sealed record QueriedTable(string Source, string Schema, string Name);
