using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Discovery;

/// <summary>A table that a crawl found by its markers.</summary>
/// <param name="Schema">Schema name, from the path.</param>
/// <param name="Name">Table name, from the path; unique within the crawl.</param>
/// <param name="Format">Format name: delta, hudi, paimon, parquet, csv, orc, sequencefile.</param>
/// <param name="Root">The table's folder.</param>
/// <param name="Note">What a user should know (a name that collided, say), or null.</param>
public sealed record TableSighting(string Schema, string Name, string Format, TableRoot Root, string? Note);

/// <summary>A table that an earlier crawl found: it keeps its name.</summary>
/// <param name="Format">Its format.</param>
/// <param name="Schema">Its schema name.</param>
/// <param name="Name">Its name.</param>
/// <param name="Note">What was remarked of it.</param>
public sealed record KnownTable(string Format, string Schema, string Name, string? Note);

/// <summary>A folder that a crawl could not make sense of; it hides no other.</summary>
/// <param name="Location">The folder.</param>
/// <param name="Error">Why.</param>
public sealed record CrawlFault(string Location, string Error);

/// <summary>The outcome of a crawl, tables in ordinal order of their location.</summary>
/// <param name="Tables">What was found.</param>
/// <param name="Faults">What could not be listed or recognised.</param>
public sealed record CrawlResult(IReadOnlyList<TableSighting> Tables, IReadOnlyList<CrawlFault> Faults);
