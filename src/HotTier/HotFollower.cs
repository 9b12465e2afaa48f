using System.Diagnostics;
using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>Brings a copy from one snapshot to another by applying their difference, in one transaction that also moves the stamp.</summary>
internal sealed class HotFollower(EngineDatabase engine)
{
    /// <summary>Applies a difference.</summary>
    /// <param name="copy">The copy, at <paramref name="from"/>; nobody else changes it meanwhile.</param>
    /// <param name="reader">Reads the table.</param>
    /// <param name="from">The snapshot that it holds.</param>
    /// <param name="to">The snapshot that it is to hold.</param>
    /// <param name="diff">Their difference.</param>
    /// <param name="covers">Which files the copy is to hold; null for all.</param>
    /// <param name="cancellationToken">Until the transaction is committed.</param>
    /// <exception cref="CannotFollowException">The copy has to be built anew.</exception>
    public async ValueTask<RefreshReport> ApplyAsync(
        HotCopy copy, IUnitReader reader, Snapshot from, Snapshot to, SnapshotDiff diff, Func<DataFileInfo, bool>? covers, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        HotStamp stamp = copy.State.Stamp;
        if (diff.NotFollowable is { } why)
        {
            throw new CannotFollowException(why);
        }

        if (stamp.Units is null || stamp.Units != reader.UnitsOf(to) || stamp.Units != reader.UnitsOf(from))
        {
            throw new CannotFollowException("the table's rows come together in another way than before");
        }

        ColumnPlan columns = ColumnPlan.Of(stamp, to, copy.Record.Promotion);
        UnitChanges changes = UnitChanges.Of(reader, from, to, diff, copy.State.Units, covers);
        var leases = new List<IAsyncDisposable>();
        try
        {
            using DuckDBConnection connection = engine.OpenConnection();
            var steps = new RefreshSteps(copy.Database, connection, stamp, copy.State.Units, columns.Columns);
            if (!changes.RowsUnchanged && covers is null && await KeysAsync(copy, reader, from, to, diff, columns, cancellationToken) is { } keys)
            {
                leases.Add(keys);
                steps.ReplaceKeys(keys, to.PrimaryKey);
            }
            else
            {
                await PlanUnitsAsync(steps, copy.State.Units, reader, to, changes, leases, cancellationToken);
            }

            await ProveAsync(connection, reader, to, columns, steps.Read, cancellationToken);
            if (columns.Alterations.Count > 0)
            {
                copy.Database.DropIndexes(connection);
            }

            foreach (string alteration in columns.Alterations)
            {
                EngineDatabase.Execute(connection, $"ALTER TABLE {copy.Database.Rows} {alteration}");
            }

            bool columnsChanged = !columns.Columns.SequenceEqual(stamp.Columns);
            RefreshReport report = await CommitAsync(copy, to, columns, steps, columnsChanged, started, connection, cancellationToken);
            if (columns.Alterations.Count > 0 && copy.Record.Promotion.Lookup)
            {
                copy.Database.CreateIndexes(connection, KeysOf(columns.Columns, to));
            }

            return report;
        }
        catch (DuckDBException e)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new LakeException(LakeErrorKind.ResourcesExhausted, $"The hot copy cannot be refreshed: {e.Message}", copy.Record.File, innerException: e);
        }
        finally
        {
            foreach (IAsyncDisposable lease in leases)
            {
                await lease.DisposeAsync();
            }
        }
    }

    /// <summary>The columns that lookups go by.</summary>
    public static IEnumerable<StoredColumn> KeysOf(IReadOnlyList<StoredColumn> columns, Snapshot snapshot)
        => columns.Where(c => snapshot.PrimaryKey.Contains(c.Name) && !snapshot.PartitionColumns.Contains(c.Name));

    private static async ValueTask<TableScan?> KeysAsync(
        HotCopy copy, IUnitReader reader, Snapshot from, Snapshot to, SnapshotDiff diff, ColumnPlan columns, CancellationToken cancellationToken)
    {
        bool hasKeys = to.PrimaryKey.Count > 0 && to.PrimaryKey.All(k => columns.Columns.Any(c => c.Name == k));
        if (!hasKeys || await reader.PlanKeysAsync(from, to, diff, cancellationToken) is not { } keys)
        {
            return null;
        }

        if (keys.Units.All(u => copy.State.Units.Find(u)?.KnowsPositions != false))
        {
            return keys;
        }

        await keys.DisposeAsync();
        return null;
    }

    private static async ValueTask PlanUnitsAsync(
        RefreshSteps steps, UnitMap held, IUnitReader reader, Snapshot to, UnitChanges changes, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        if (changes.RowsUnchanged)
        {
            steps.Regroup(changes.Gone, changes.New);
            return;
        }

        // A group whose positions are not known is read again whole, whichever of its units is concerned.
        var insert = new HashSet<string>(changes.New.Concat(changes.Changed), StringComparer.Ordinal);
        foreach (string unit in changes.Gone.Concat(changes.Changed).Concat(changes.Positions.Where(p => held.Find(p)?.KnowsPositions == false)))
        {
            if (held.Find(unit) is { } group && steps.Delete(group))
            {
                insert.UnionWith(group.Names.Where(n => !changes.Gone.Contains(n)));
            }
        }

        string[] positions = [.. changes.Positions.Where(p => held.Find(p)?.KnowsPositions == true)];
        if (positions.Length > 0)
        {
            TableScan deleted = await reader.PlanDeletedAsync(to, positions, cancellationToken);
            leases.Add(deleted);
            steps.DeletePositions(deleted);
        }

        if (insert.Count > 0)
        {
            TableScan rows = await reader.PlanAsync(to, new ScanRequest { Columns = steps.ColumnNames, Units = new UnitSelection(insert), WithOrigin = true }, cancellationToken);
            leases.Add(rows);
            steps.Insert(rows);
        }
    }

    // A column that is new by its name alone may have been in the files all along.
    private static async ValueTask ProveAsync(
        DuckDBConnection connection, IUnitReader reader, Snapshot to, ColumnPlan columns, IReadOnlySet<string> read, CancellationToken cancellationToken)
    {
        foreach (StoredColumn column in columns.Unproven)
        {
            await using TableScan scan = await reader.PlanAsync(
                to, new ScanRequest { Columns = [column.Name], Units = new UnitSelection(read, Except: true) }, cancellationToken);
            if (HotDatabase.Scalar(connection, $"SELECT 1 FROM ({scan.Sql}) WHERE {SqlText.Identifier(column.Name)} IS NOT NULL LIMIT 1") is not null)
            {
                throw new CannotFollowException($"files from before column {column.Name} was added hold values of it");
            }
        }
    }

    private static async ValueTask<RefreshReport> CommitAsync(
        HotCopy copy, Snapshot to, ColumnPlan columns, RefreshSteps steps, bool columnsChanged, long started, DuckDBConnection connection, CancellationToken cancellationToken)
    {
        HotStamp stamp = copy.State.Stamp;
        EngineDatabase.Execute(connection, "BEGIN TRANSACTION");
        try
        {
            (long deleted, long inserted) = await Task.Run(() => steps.Run(cancellationToken), CancellationToken.None);
            long rows = stamp.Rows - deleted + inserted;
            if (stamp.CountsAgree && !copy.Record.Promotion.IsPartOfRows && to.RowCount is { } count && count != rows)
            {
                throw new CannotFollowException(string.Create(CultureInfo.InvariantCulture, $"the table has {count} rows, the copy would have {rows}"));
            }

            string how = columnsChanged ? (steps.How == "nothing" ? "columns" : steps.How + "+columns") : steps.How;
            var report = new RefreshReport(how, deleted, inserted, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            stamp = stamp with
            {
                Snapshot = to.Id.Text,
                Identity = to.Identity,
                CommittedAt = to.CommittedAt,
                Columns = columns.Columns,
                Rows = rows,
                DeadRows = stamp.DeadRows + deleted,
                NextUnit = steps.NextUnit,
                NextColumn = columns.NextColumn,
                LastRefresh = report,
            };
            copy.Database.WriteUnits(connection, steps.RemovedGroups, steps.AddedGroups);
            copy.Database.WriteStamp(connection, stamp);
            UnitMap units = copy.State.Units.With(steps.RemovedGroups, steps.AddedGroups);
            await copy.CommitAsync(
                connection,
                () =>
                {
                    report = report with { Milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds };
                    return new HotState(stamp with { LastRefresh = report }, units, to, to.Schema);
                },
                cancellationToken);
            return report;
        }
        catch
        {
            HotDatabase.RollBack(connection);
            throw;
        }
    }
}
