using System.Text.Json;
using Apache.Arrow;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>The schema <c>lakeholo</c>, the parts of <c>information_schema</c> that tools ask for, and the system tables of a table
/// (<c>db."t$files"</c> and so on, in one shape for all formats).</summary>
internal sealed class SystemTables(CatalogService catalog, ITierController? tier, QueryLog log, Func<IEnumerable<QuerySession>> sessions)
{
    /// <summary>Names of the schema's tables.</summary>
    public static IReadOnlyList<string> Names { get; } = ["tables", "columns", "snapshots", "features", "sync_runs", "hot_tables", "query_log", "sessions", "advice"];

    /// <summary>Suffixes after '$'.</summary>
    public static IReadOnlyList<string> TableSuffixes { get; } = ["snapshots", "files", "partitions", "schemas", "options", "tags", "branches", "consumers"];

    /// <summary>A table of the schema <c>lakeholo</c> or <c>information_schema</c>; null if it has no such table.</summary>
    public async ValueTask<RowRelation?> TryGetAsync(UserAccess who, string schema, string name, CancellationToken cancellationToken)
    {
        return (schema.ToLowerInvariant(), name.ToLowerInvariant()) switch
        {
            ("lakeholo", "tables") => Tables(who),
            ("lakeholo", "columns") => Columns(who),
            ("lakeholo", "snapshots") => await SnapshotsAsync(who, cancellationToken),
            ("lakeholo", "features") => Features(who),
            ("lakeholo", "sync_runs") => SyncRuns(who),
            ("lakeholo", "hot_tables") => HotTables(who),
            ("lakeholo", "query_log") => log.ToRelation(who),
            ("lakeholo", "sessions") => Sessions(who),
            ("lakeholo", "advice") => Advice.Of(log.EntriesFor(who), who.Readable(catalog.Tables), Hot(who)),
            ("information_schema", "tables") => InformationTables(who),
            ("information_schema", "columns") => InformationColumns(who),
            ("information_schema", "schemata") => InformationSchemata(who),
            _ => null,
        };
    }

    /// <summary>A system table of one table.</summary>
    public async ValueTask<RowRelation> OfTableAsync(UserAccess who, CatalogTable table, string suffix, SnapshotSelector at, CancellationToken cancellationToken)
    {
        switch (suffix)
        {
            case "snapshots":
                var history = new RowRelation(("snapshot", "VARCHAR"), ("committed_at", "TIMESTAMPTZ"), ("operation", "VARCHAR"), ("schema_id", "VARCHAR"), ("details", "VARCHAR"));
                foreach (SnapshotInfo info in await table.Format.ListSnapshotsAsync(table.Table, cancellationToken))
                {
                    // Commits tell counts of rows, and the values of the conditions by which rows were deleted.
                    history.Add(info.Id.Text, info.CommittedAt, info.Operation, info.SchemaId, who.CanReadAll(table) ? info.Details : null);
                }

                return history;
            case "schemas":
                var schemas = new RowRelation(("schema_id", "VARCHAR"), ("position", "INTEGER"), ("column_name", "VARCHAR"), ("data_type", "VARCHAR"), ("is_nullable", "BOOLEAN"));
                foreach ((string id, Schema schema) in await table.Format.ListSchemasAsync(table.Table, cancellationToken))
                {
                    for (int i = 0; i < schema.FieldsList.Count; i++)
                    {
                        Field field = schema.FieldsList[i];
                        schemas.Add(id, i + 1, field.Name, SqlText.TypeOf(field), field.IsNullable);
                    }
                }

                return schemas;
            case "tags" or "branches" or "consumers":
                var references = new RowRelation(("name", "VARCHAR"), ("snapshot", "VARCHAR"), ("committed_at", "TIMESTAMPTZ"));
                foreach (SnapshotReference reference in await table.Format.ListReferencesAsync(table.Table, suffix, cancellationToken))
                {
                    references.Add(reference.Name, reference.Snapshot?.Text, reference.CommittedAt);
                }

                return references;
            default:
                Snapshot snapshot = await catalog.LoadSnapshotAsync(table, at, synced: false, cancellationToken);
                return suffix switch
                {
                    "files" => Files(snapshot),
                    "partitions" => Partitions(snapshot),
                    "options" => Options(snapshot),
                    _ => throw LakeException.NotFound($"There is no system table ${suffix}; known are {string.Join(", ", TableSuffixes.Select(s => "$" + s))}"),
                };
        }
    }

    private static RowRelation Files(Snapshot snapshot)
    {
        var files = new RowRelation(
            ("path", "VARCHAR"), ("kind", "VARCHAR"), ("format", "VARCHAR"), ("size_bytes", "BIGINT"), ("row_count", "BIGINT"), ("deleted_row_count", "BIGINT"),
            ("partition", "VARCHAR"), ("file_group", "VARCHAR"), ("level", "INTEGER"), ("statistics", "VARCHAR"));
        foreach (DataFileInfo f in snapshot.EnumerateFiles())
        {
            files.Add(f.Path, f.Kind, f.Format, f.SizeBytes, f.RowCount, f.DeletedRowCount, PartitionText(f), f.Group, f.Level, f.StatisticsJson);
        }

        return files;
    }

    private static RowRelation Partitions(Snapshot snapshot)
    {
        var partitions = new RowRelation(("partition", "VARCHAR"), ("file_count", "BIGINT"), ("size_bytes", "BIGINT"), ("row_count", "BIGINT"));
        foreach (IGrouping<string, DataFileInfo> group in snapshot.EnumerateFiles().GroupBy(PartitionText).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            bool counted = group.All(f => f.RowCount is not null);
            partitions.Add(group.Key, group.LongCount(), group.Sum(f => f.SizeBytes), counted ? group.Sum(f => f.RowCount!.Value - (f.DeletedRowCount ?? 0)) : null);
        }

        return partitions;
    }

    private static RowRelation Options(Snapshot snapshot)
    {
        var options = new RowRelation(("name", "VARCHAR"), ("value", "VARCHAR"));
        foreach ((string name, string value) in snapshot.Options.OrderBy(o => o.Key, StringComparer.Ordinal))
        {
            options.Add(name, value);
        }

        return options;
    }

    private static string PartitionText(DataFileInfo file) => JsonSerializer.Serialize(file.Partition);

    private RowRelation Tables(UserAccess who)
    {
        var tables = new RowRelation(
            ("source", "VARCHAR"), ("schema", "VARCHAR"), ("name", "VARCHAR"), ("layer", "VARCHAR"), ("format", "VARCHAR"), ("location", "VARCHAR"),
            ("snapshot", "VARCHAR"), ("committed_at", "TIMESTAMPTZ"), ("checked_at", "TIMESTAMPTZ"), ("row_count", "BIGINT"), ("file_count", "BIGINT"),
            ("size_bytes", "BIGINT"), ("partition_columns", "VARCHAR"), ("primary_key", "VARCHAR"), ("features", "VARCHAR"), ("note", "VARCHAR"), ("last_error", "VARCHAR"));
        foreach (CatalogTable t in who.Readable(catalog.Tables))
        {
            Snapshot? s = t.Newest;
            bool whole = who.CanReadAll(t);
            tables.Add(
                t.Table.Source, t.Table.Schema, t.Table.Name, t.Layer, t.Table.Format, t.Table.Root.Location, s?.Id.Text, s?.CommittedAt, t.CheckedAt,
                whole ? s?.RowCount : null, whole ? s?.FileCount : null, whole ? s?.SizeBytes : null, s is null ? null : string.Join(", ", s.PartitionColumns), s is null ? null : string.Join(", ", s.PrimaryKey),
                s is null ? null : string.Join(", ", s.Features.Select(f => f.Name)), t.Note, t.LastError);
        }

        return tables;
    }

    private RowRelation Columns(UserAccess who)
    {
        var columns = new RowRelation(
            ("source", "VARCHAR"), ("schema", "VARCHAR"), ("table", "VARCHAR"), ("position", "INTEGER"), ("name", "VARCHAR"), ("data_type", "VARCHAR"),
            ("is_nullable", "BOOLEAN"), ("is_partition_column", "BOOLEAN"), ("is_primary_key", "BOOLEAN"), ("comment", "VARCHAR"));
        foreach ((CatalogTable t, Snapshot s, int i, Field f) in EveryColumn(who))
        {
            string? comment = f.HasMetadata && f.Metadata.TryGetValue("comment", out string? text) ? text : null;
            columns.Add(
                t.Table.Source, t.Table.Schema, t.Table.Name, i + 1, f.Name, SqlText.TypeOf(f), f.IsNullable,
                s.PartitionColumns.Contains(f.Name), s.PrimaryKey.Contains(f.Name), comment);
        }

        return columns;
    }

    private IEnumerable<(CatalogTable Table, Snapshot Snapshot, int Position, Field Field)> EveryColumn(UserAccess who) =>
        from t in who.Readable(catalog.Tables)
        where t.Newest is not null
        from c in t.Newest!.Schema.FieldsList.Select((f, i) => (Field: f, Position: i))
        select (t, t.Newest!, c.Position, c.Field);

    private async ValueTask<RowRelation> SnapshotsAsync(UserAccess who, CancellationToken cancellationToken)
    {
        var all = new RowRelation(
            ("source", "VARCHAR"), ("schema", "VARCHAR"), ("table", "VARCHAR"), ("snapshot", "VARCHAR"), ("committed_at", "TIMESTAMPTZ"), ("operation", "VARCHAR"), ("details", "VARCHAR"));
        foreach (CatalogTable t in who.Readable(catalog.Tables).Where(t => t.Newest is not null && t.LastError is null))
        {
            foreach (SnapshotInfo info in await t.Format.ListSnapshotsAsync(t.Table, cancellationToken))
            {
                all.Add(t.Table.Source, t.Table.Schema, t.Table.Name, info.Id.Text, info.CommittedAt, info.Operation, who.CanReadAll(t) ? info.Details : null);
            }
        }

        return all;
    }

    private RowRelation Features(UserAccess who)
    {
        var features = new RowRelation(("source", "VARCHAR"), ("schema", "VARCHAR"), ("table", "VARCHAR"), ("feature", "VARCHAR"), ("handling", "VARCHAR"));
        foreach (CatalogTable t in who.Readable(catalog.Tables))
        {
            foreach (TableFeature feature in t.Newest?.Features ?? [])
            {
                features.Add(t.Table.Source, t.Table.Schema, t.Table.Name, feature.Name, feature.Handling);
            }
        }

        return features;
    }

    private RowRelation SyncRuns(UserAccess who)
    {
        var runs = new RowRelation(
            ("source", "VARCHAR"), ("started_at", "TIMESTAMPTZ"), ("duration_ms", "DOUBLE"), ("tables", "INTEGER"), ("added", "INTEGER"), ("removed", "INTEGER"),
            ("changed", "INTEGER"), ("faults", "VARCHAR"), ("state", "VARCHAR"), ("progress", "VARCHAR"));
        foreach (SyncRun r in who.IsAdmin ? catalog.Runs : [])
        {
            runs.Add(r.Source, r.StartedAt, r.DurationMs, r.Tables, r.Added, r.Removed, r.Changed, r.Faults.Count == 0 ? null : string.Join("\n", r.Faults), "done", null);
        }

        foreach (SyncProgress p in who.IsAdmin ? catalog.RunningSyncs : [])
        {
            runs.Add(p.Source, p.StartedAt, p.Elapsed.TotalMilliseconds, p.Tables, null, null, null, null, "running", p.ToString());
        }

        return runs;
    }

    private RowRelation HotTables(UserAccess who)
    {
        var hot = new RowRelation(
            ("table", "VARCHAR"), ("state", "VARCHAR"), ("snapshot", "VARCHAR"), ("committed_at", "TIMESTAMPTZ"), ("known_newest_at", "TIMESTAMPTZ"), ("built_at", "TIMESTAMPTZ"),
            ("row_count", "BIGINT"), ("size_bytes", "BIGINT"), ("progress_percent", "DOUBLE"), ("last_refresh", "VARCHAR"), ("last_refresh_rows", "BIGINT"), ("last_refresh_ms", "DOUBLE"),
            ("part", "VARCHAR"), ("hits", "BIGINT"), ("last_used_at", "TIMESTAMPTZ"), ("last_error", "VARCHAR"), ("progress_files", "BIGINT"), ("progress_bytes", "BIGINT"),
            ("verified_at", "TIMESTAMPTZ"), ("speed_up", "DOUBLE"));
        IReadOnlyList<QueryLogEntry> statements = log.Entries;
        foreach (HotTableStatus s in Hot(who))
        {
            hot.Add(
                s.Table, s.State, s.Snapshot, s.CommittedAt, s.KnownNewestAt, s.BuiltAt, s.Rows, s.Bytes, s.ProgressPercent, s.LastRefresh, s.LastRefreshRows, s.LastRefreshMs, s.Part, s.Hits,
                s.LastUsedAt, s.LastError, s.ProgressFiles, s.ProgressBytes, s.VerifiedAt, Advice.SpeedUp(statements, s.Table));
        }

        return hot;
    }

    private RowRelation Sessions(UserAccess who)
    {
        var rows = new RowRelation(
            ("id", "VARCHAR"), ("user", "VARCHAR"), ("client_address", "VARCHAR"), ("client_name", "VARCHAR"), ("opened_at", "TIMESTAMPTZ"), ("last_used_at", "TIMESTAMPTZ"),
            ("running_statements", "BIGINT"), ("statements", "BIGINT"), ("options", "VARCHAR"));
        ILookup<string, QueryLogEntry> statements = log.Entries.ToLookup(e => e.Session, StringComparer.Ordinal);
        foreach (QuerySession s in sessions().Where(s => who.IsAdmin || s.Identity.User == who.User).OrderBy(s => s.OpenedAt))
        {
            rows.Add(
                s.Id, s.Identity.User, s.Identity.ClientAddress, s.Identity.ClientName, s.OpenedAt, s.LastUsedAt, statements[s.Id].LongCount(e => e.State is "running" or "queued"),
                statements[s.Id].LongCount(), JsonSerializer.Serialize(s.Options));
        }

        return rows;
    }

    private RowRelation InformationTables(UserAccess who)
    {
        var tables = new RowRelation(("table_catalog", "VARCHAR"), ("table_schema", "VARCHAR"), ("table_name", "VARCHAR"), ("table_type", "VARCHAR"));
        foreach (CatalogTable t in who.Readable(catalog.Tables))
        {
            tables.Add(t.Table.Source, t.Table.Schema, t.Table.Name, "BASE TABLE");
        }

        return tables;
    }

    private RowRelation InformationColumns(UserAccess who)
    {
        var columns = new RowRelation(
            ("table_catalog", "VARCHAR"), ("table_schema", "VARCHAR"), ("table_name", "VARCHAR"), ("column_name", "VARCHAR"), ("ordinal_position", "INTEGER"),
            ("is_nullable", "VARCHAR"), ("data_type", "VARCHAR"));
        foreach ((CatalogTable t, Snapshot _, int i, Field f) in EveryColumn(who))
        {
            columns.Add(t.Table.Source, t.Table.Schema, t.Table.Name, f.Name, i + 1, f.IsNullable ? "YES" : "NO", SqlText.TypeOf(f));
        }

        return columns;
    }

    private RowRelation InformationSchemata(UserAccess who)
    {
        var schemata = new RowRelation(("catalog_name", "VARCHAR"), ("schema_name", "VARCHAR"));
        foreach ((string source, string schema) in who.Readable(catalog.Tables).Select(t => (t.Table.Source, t.Table.Schema)).Distinct())
        {
            schemata.Add(source, schema);
        }

        return schemata;
    }

    private IReadOnlyList<HotTableStatus> Hot(UserAccess who)
    {
        IReadOnlyList<HotTableStatus> all = tier?.List() ?? [];
        if (who.IsAdmin)
        {
            return all;
        }

        // Of a table that is readable in part, counts and texts of queries would tell of the rest.
        HashSet<string> names = new(catalog.Tables.Where(t => who.CanRead(t) && who.CanReadAll(t)).Select(t => t.Table.FullName), StringComparer.OrdinalIgnoreCase);
        return [.. all.Where(h => names.Contains(h.Table)).Select(h => h with { LastError = null })];
    }
}
