using System.Diagnostics;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Queries;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>Keeps a copy of a roll-up current: what the units that changed gave before is taken away, what they give now is added.</summary>
internal sealed class RollUpFollower(EngineDatabase engine)
{
    /// <summary>Applies a step of the roll-up's table.</summary>
    /// <param name="copy">The copy, at <paramref name="from"/>; nobody else changes it meanwhile.</param>
    /// <param name="rollUp">Its parts.</param>
    /// <param name="reader">Reads the table.</param>
    /// <param name="from">The query at the snapshot that the copy holds.</param>
    /// <param name="to">The query at the snapshot that it is to hold.</param>
    /// <param name="diff">The difference of the table.</param>
    /// <param name="cancellationToken">Until the transaction is committed.</param>
    /// <exception cref="CannotFollowException">The query has to be run anew.</exception>
    public async ValueTask<RefreshReport> ApplyAsync(
        HotCopy copy, RollUp rollUp, IUnitReader reader, QuerySnapshot from, QuerySnapshot to, SnapshotDiff diff, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        (Snapshot older, Snapshot newer) = (from.Tables[0].Snapshot, to.Tables[0].Snapshot);
        if (diff.NotFollowable is { } why)
        {
            throw new CannotFollowException(why);
        }

        if (reader.UnitsOf(older) is null || reader.UnitsOf(older) != reader.UnitsOf(newer))
        {
            throw new CannotFollowException("the table's rows come together in a way that no part of them can be read alone");
        }

        if (diff.Removed.Count > 0 && (older is FolderSnapshot || diff.Removed.Select(f => f.Path).Intersect(diff.Added.Select(f => f.Path), StringComparer.Ordinal).Any()))
        {
            throw new CannotFollowException("what files held that were replaced cannot be read any more");
        }

        var touched = diff.Removed.Select(f => reader.UnitOf(older, f)).Concat(diff.Added.Concat(diff.PositionsRemoved).Select(f => reader.UnitOf(newer, f))).ToHashSet(StringComparer.Ordinal);
        bool isSame = touched.Count == 0 || (diff.RowsUnchanged && (older.RowCount is null || newer.RowCount is null || older.RowCount == newer.RowCount));
        await using TableScan? gone = isSame ? null : await StatesAsync(from, Live(older, diff.Removed, touched));
        await using TableScan? come = isSame ? null : await StatesAsync(to, Live(newer, diff.Added, touched));
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, "BEGIN TRANSACTION");
        try
        {
            Groups groups = isSame ? default : await ChangeAsync(copy, new StoredRollUp(rollUp, copy.State.Stamp.Columns), connection, to, rollUp, gone, come, cancellationToken);
            HotStamp stamp = copy.State.Stamp;
            string how = isSame || groups.Deleted + groups.Inserted == 0 ? "nothing" : groups.LookedUp ? "groups+looked up" : "groups";
            var report = new RefreshReport(how, groups.Deleted, groups.Inserted, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            stamp = stamp with
            {
                Snapshot = to.Id.Text,
                Identity = to.Identity,
                CommittedAt = to.CommittedAt,
                Rows = stamp.Rows - groups.Deleted + groups.Inserted,
                DeadRows = stamp.DeadRows + groups.Deleted,
                LastRefresh = report,
            };
            copy.Database.WriteStamp(connection, stamp);
            await copy.CommitAsync(
                connection,
                () =>
                {
                    report = report with { Milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds };
                    return copy.State with { Stamp = stamp with { LastRefresh = report }, Snapshot = to };
                },
                cancellationToken);
            return report;
        }
        catch (Exception e)
        {
            HotDatabase.RollBack(connection);
            cancellationToken.ThrowIfCancellationRequested();
            throw e is DuckDBException ? new CannotFollowException("its groups cannot be changed: " + e.Message) : e;
        }

        // A bucket or slice is there before and after, unless its last file went or its first one came; to know that costs a look at all files.
        HashSet<string> Live(Snapshot snapshot, IReadOnlyList<DataFileInfo> own, HashSet<string> units) => reader.UnitsOf(snapshot) == UnitKind.Files
            ? own.Concat(diff.PositionsRemoved).Select(f => reader.UnitOf(snapshot, f)).ToHashSet(StringComparer.Ordinal)
            : snapshot.EnumerateFiles().Select(f => reader.UnitOf(snapshot, f)).Where(units.Contains).ToHashSet(StringComparer.Ordinal);

        async ValueTask<TableScan?> StatesAsync(QuerySnapshot query, HashSet<string> units)
            => units.Count == 0 ? null : await ((QueryTables)query.Reader).PlanStatesAsync(query, rollUp, new UnitSelection(units), cancellationToken);
    }

    private static async Task<Groups> ChangeAsync(
        HotCopy copy, StoredRollUp stored, DuckDBConnection connection, QuerySnapshot to, RollUp rollUp, TableScan? gone, TableScan? come, CancellationToken cancellationToken)
    {
        string rows = copy.Database.Rows;
        await Task.Run(
            () =>
            {
                // Of what is read, only the groups' states are kept in between.
                string nothing = $"SELECT * FROM ({(come ?? gone)!.Sql}) WHERE false";
                Make("hot_gone", gone?.Sql ?? nothing);
                Make("hot_come", come?.Sql ?? nothing);
                Make("hot_change", stored.Change("temp.hot_gone", "temp.hot_come"));
                Make("hot_next", stored.Next("temp.hot_change", rows));
            },
            CancellationToken.None);
        cancellationToken.ThrowIfCancellationRequested();
        string next = "temp.hot_next";
        bool again = stored.HasExtremes && HotDatabase.Scalar(connection, $"SELECT 1 FROM {next} WHERE again AND n > 0 LIMIT 1") is not null;
        if (again)
        {
            await using TableScan whole = await ((QueryTables)to.Reader).PlanStatesAsync(to, rollUp, null, cancellationToken);
            await Task.Run(() => Make("hot_again", stored.LookedUp(next, whole.Sql)), CancellationToken.None);
            next = "temp.hot_again";
        }

        if (HotDatabase.Scalar(connection, stored.Impossible(next) + " LIMIT 1") is not null)
        {
            throw new CannotFollowException("its groups do not come out even");
        }

        return await Task.Run(
            () =>
            {
                long deleted = HotDatabase.Change(connection, $"DELETE FROM {rows} WHERE rowid IN (SELECT r FROM {next})");
                long inserted = HotDatabase.Change(connection, stored.Insert(rows, next));
                foreach (string table in (string[])["hot_gone", "hot_come", "hot_change", "hot_next", "hot_again"])
                {
                    HotDatabase.Change(connection, $"DROP TABLE IF EXISTS temp.{table}");
                }

                return new Groups(deleted, inserted, again);
            },
            CancellationToken.None);

        void Make(string name, string sql)
        {
            cancellationToken.ThrowIfCancellationRequested();
            HotDatabase.Change(connection, $"CREATE OR REPLACE TEMP TABLE {name} AS {sql}");
        }
    }

    private readonly record struct Groups(long Deleted, long Inserted, bool LookedUp);
}
