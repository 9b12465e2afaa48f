using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi.Changes;

/// <summary>The changes of a table that keeps them (<c>hoodie.table.cdc.enabled</c>): <c>op</c> (i, u, d), <c>ts_ms</c> (the commit's instant), and the row
/// before and after as JSON.</summary>
/// <remarks>Where a commit left change logs with both images (mode DATA_BEFORE_AFTER), they are read; else the states of the file groups it wrote are compared, before
/// and after it. A replaced file group's rows are deletions, those of the groups in its place insertions, as Hudi tells them.</remarks>
internal sealed class ChangeScan(HudiReader reader, SliceFiles files, EngineDatabase engine, HudiHistory history)
{
    private const string Key = "_hoodie_record_key", Partition = "_hoodie_partition_path", Sequence = "_hoodie_commit_seqno";
    private readonly List<IAsyncDisposable> _leases = [];
    private readonly List<string> _parts = ["SELECT '' AS op, '' AS ts_ms, '' AS \"before\", '' AS \"after\" WHERE false"];
    private long _files;
    private long _bytes;

    /// <summary>Plans the changes of some commits.</summary>
    public async ValueTask<TableScan> PlanAsync(HudiSnapshot snapshot, IReadOnlyList<Instant> commits, CancellationToken cancellationToken)
    {
        if (!snapshot.Properties.PopulatesMetaFields)
        {
            throw LakeException.FeatureUnsupported("Hudi: changes of a table without meta fields (hoodie.populate.meta.fields=false) are not supported", snapshot.Table.FullName);
        }

        string mode = snapshot.Properties.Text("hoodie.table.cdc.supplemental.logging.mode")?.ToUpperInvariant() ?? "DATA_BEFORE_AFTER";
        if (mode is not ("OP_KEY_ONLY" or "DATA_BEFORE" or "DATA_BEFORE_AFTER"))
        {
            throw LakeException.FeatureUnsupported($"Hudi: hoodie.table.cdc.supplemental.logging.mode {mode} is not supported", snapshot.Table.FullName);
        }

        try
        {
            foreach (Instant commit in commits)
            {
                CommitMetadata metadata = history.MetadataOf(commit);
                if (!metadata.KeepsRows)
                {
                    await AddAsync(snapshot, commit, metadata, mode == "DATA_BEFORE_AFTER", cancellationToken);
                }
            }
        }
        catch
        {
            foreach (IAsyncDisposable lease in _leases)
            {
                await lease.DisposeAsync();
            }

            throw;
        }

        return new TableScan(string.Join(" UNION ALL ", _parts), new ScanStatistics { FilesTotal = _files, FilesRead = _files, BytesRead = _bytes }, _leases);
    }

    private async ValueTask AddAsync(HudiSnapshot snapshot, Instant commit, CommitMetadata metadata, bool usesLogs, CancellationToken cancellationToken)
    {
        var logged = new HashSet<(string, string)>();
        foreach (WriteStat write in metadata.Writes.Where(w => usesLogs && w.ChangeLogs.Count > 0))
        {
            logged.Add((write.Partition, write.FileId));
            foreach ((string path, long size) in write.ChangeLogs)
            {
                foreach (ReadableFile block in await files.OpenChangeLogAsync(snapshot, write.Partition, path, size, commit.Time, _leases, cancellationToken))
                {
                    AddLog(block, commit);
                }

                (_files, _bytes) = (_files + 1, _bytes + size);
            }
        }

        var replaced = metadata.Replaced.ToHashSet();
        var written = metadata.Writes.Select(w => (w.Partition, w.FileId)).Where(g => !logged.Contains(g) && !replaced.Contains(g)).ToHashSet();
        if (replaced.Count > 0)
        {
            string? before = await RelationAsync(history.Before(commit, replaced), cancellationToken);
            AddRows(before, commit, "d", isAfter: false);
        }

        if (written.Count > 0)
        {
            string? before = await RelationAsync(history.Before(commit, written), cancellationToken);
            string? after = await RelationAsync(history.At(HudiHistory.TimeOf(commit), written), cancellationToken);
            AddDifference(before, after, commit);
        }
    }

    private async ValueTask<string?> RelationAsync(HudiSnapshot? snapshot, CancellationToken cancellationToken)
    {
        if (snapshot is null || snapshot.Slices.Count == 0)
        {
            return null;
        }

        TableScan scan = await reader.PlanAsync(snapshot, ScanRequest.All, cancellationToken);
        _leases.Add(scan);
        (_files, _bytes) = (_files + scan.Statistics.FilesRead, _bytes + scan.Statistics.BytesRead);
        return scan.Sql;
    }

    private void AddLog(ReadableFile block, Instant commit)
    {
        string Image(string name) => block.Shape.Columns.FirstOrDefault(c => c.Name == name).Type is { Name: "STRUCT" } type
            ? JsonSql.Object(type.Children.Where(c => !IsMeta(c.Name)).Select(c => (c.Name, $"struct_extract({SqlText.Identifier(name)}, {SqlText.Literal(c.Name)})", c.Type)), $"{SqlText.Identifier(name)} IS NULL")
            : "NULL::VARCHAR";
        _parts.Add($"SELECT op, {SqlText.Literal(commit.Time)}, {Image("before")}, {Image("after")} FROM {SliceScan.From([block])}");
    }

    private void AddRows(string? relation, Instant commit, string op, bool isAfter)
    {
        if (relation is not null)
        {
            string image = Image(relation, "r", "false");
            _parts.Add($"SELECT {SqlText.Literal(op)}, {SqlText.Literal(commit.Time)}, {(isAfter ? "NULL" : image)}, {(isAfter ? image : "NULL")} FROM ({relation}) r");
        }
    }

    private void AddDifference(string? before, string? after, Instant commit)
    {
        string time = SqlText.Literal(commit.Time);
        if (after is null)
        {
            AddRows(before, commit, "d", isAfter: false);
            return;
        }

        if (before is null)
        {
            AddRows(after, commit, "i", isAfter: true);
            return;
        }

        // A late record that loses to the base may bring back a row of an earlier commit: a version that was not there before is a change, too.
        string changed = $"(SELECT * FROM ({after}) n WHERE _hoodie_commit_time = {time} OR NOT EXISTS (SELECT 1 FROM ({before}) o "
            + $"WHERE o.{Key} = n.{Key} AND o.{Partition} = n.{Partition} AND o.{Sequence} = n.{Sequence}))";
        string join = $"b.{Key} = a.{Key} AND b.{Partition} = a.{Partition}";
        // Writers may leave a key several times in one file: a change of it has one row before.
        _parts.Add($"SELECT CASE WHEN b.{Key} IS NULL THEN 'i' ELSE 'u' END, {time}, {Image(before, "b", $"b.{Key} IS NULL")}, {Image(after, "a", "false")} "
            + $"FROM {changed} a LEFT JOIN (SELECT DISTINCT ON ({Key}, {Partition}) * FROM ({before})) b ON {join}");
        _parts.Add($"SELECT 'd', {time}, {Image(before, "b", "false")}, NULL FROM ({before}) b WHERE NOT EXISTS (SELECT 1 FROM ({after}) a WHERE {join})");
    }

    private string Image(string relation, string alias, string isMissing)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"DESCRIBE {relation}";
        using DuckDBDataReader rows = command.ExecuteReader();
        var columns = new List<(string, string, EngineType)>();
        while (rows.Read())
        {
            if (!IsMeta(rows.GetString(0)))
            {
                columns.Add((rows.GetString(0), $"{alias}.{SqlText.Identifier(rows.GetString(0))}", EngineType.Parse(rows.GetString(1))));
            }
        }

        return JsonSql.Object(columns, isMissing);
    }

    private static bool IsMeta(string name) => name.StartsWith("_hoodie_", StringComparison.Ordinal) && name != "_hoodie_is_deleted";
}
