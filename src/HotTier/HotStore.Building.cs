using System.Diagnostics;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>Building of generations.</summary>
internal sealed partial class HotStore
{
    /// <summary>Builds a database of a table's rows. Not visible before <see cref="Publish"/>.</summary>
    /// <param name="snapshot">The snapshot that the scan gives.</param>
    /// <param name="scan">The rows; with their origin where there are <paramref name="units"/>.</param>
    /// <param name="units">What the units are; null if the scan does not tell.</param>
    /// <param name="promotion">What is promoted.</param>
    /// <param name="how">Why it is built, for the report.</param>
    /// <param name="progress">Called with the connection that builds and the file that it writes, for asking how far it is; with null once it may not be asked any more.</param>
    /// <param name="cancellationToken">Interrupts the engine.</param>
    public ValueTask<HotBuild> BuildAsync(
        Snapshot snapshot, TableScan scan, UnitKind? units, PromotionSpec promotion, string how, Action<DuckDBConnection?, string> progress, CancellationToken cancellationToken)
    {
        IReadOnlyList<StoredColumn> columns = ColumnPlan.Initial(snapshot, promotion);
        string origin = units is null ? "NULL::INTEGER AS u, NULL::BIGINT AS p" : $"{RowOrigin.Unit}::INTEGER AS u, {RowOrigin.Position}::BIGINT AS p";
        string rows = $"SELECT {origin}, {string.Join(", ", columns.Select(c => $"{SqlText.Identifier(c.Name)} AS {c.Stored}"))} FROM ({scan.Sql}){OrderBy(columns, snapshot, promotion)}";
        var stamp = new HotStamp
        {
            Snapshot = snapshot.Id.Text,
            Identity = snapshot.Identity,
            CommittedAt = snapshot.CommittedAt,
            Units = units,
            Columns = columns,
            Rows = 0,
            NextUnit = scan.Units.Count,
            NextColumn = columns.Count,
            LastRefresh = new RefreshReport(how, 0, 0, 0),
        };
        UnitGroup[] groups = [.. scan.Units.Select(UnitGroup.Of)];
        StoredColumn[] keys = promotion.Lookup ? [.. HotFollower.KeysOf(columns, snapshot)] : [];
        return promotion.Lookup && keys.Length == 0
            ? throw LakeException.QueryInvalid($"{snapshot.Table.FullName} has no primary key among the promoted columns, which lookup = true needs")
            : WriteAsync(snapshot.Table, rows, groups, stamp, snapshot, keys, progress, cancellationToken);
    }

    /// <summary>Builds a database of a roll-up's groups and their states.</summary>
    /// <param name="snapshot">The query at its table's snapshot.</param>
    /// <param name="rollUp">Its parts.</param>
    /// <param name="states">The states of all groups.</param>
    /// <param name="promotion">What is promoted.</param>
    /// <param name="how">Why it is built, for the report.</param>
    /// <param name="progress">As above.</param>
    /// <param name="cancellationToken">Interrupts the engine.</param>
    public ValueTask<HotBuild> BuildAsync(
        QuerySnapshot snapshot, RollUp rollUp, TableScan states, PromotionSpec promotion, string how, Action<DuckDBConnection?, string> progress, CancellationToken cancellationToken)
    {
        IReadOnlyList<StoredColumn> columns = ColumnPlan.Initial(snapshot, promotion);
        var stored = new StoredRollUp(rollUp, columns);
        string rows = $"SELECT NULL::INTEGER AS u, NULL::BIGINT AS p, {stored.Visible}, {stored.States} FROM ({states.Sql}){OrderBy(columns, snapshot, promotion)}";
        var stamp = new HotStamp
        {
            Snapshot = snapshot.Id.Text,
            Identity = snapshot.Identity,
            CommittedAt = snapshot.CommittedAt,
            Columns = columns,
            Rows = 0,
            NextColumn = columns.Count,
            RollUp = rollUp.Sql,
            Hidden = stored.HiddenNames,
            LastRefresh = new RefreshReport(how, 0, 0, 0),
        };
        return WriteAsync(snapshot.Table, rows, [], stamp, snapshot, [], progress, cancellationToken);
    }

    /// <summary>Writes a copy anew, without the room of deleted rows and dropped columns.</summary>
    public ValueTask<HotBuild> RewriteAsync(Snapshot snapshot, HotCopy copy, CancellationToken cancellationToken)
    {
        PromotionSpec promotion = copy.Record.Promotion;
        HotState state = copy.State;
        string rows = $"SELECT u, p, {string.Join(", ", state.Stamp.Columns.Select(c => $"{HotDatabase.Read(c)} AS {c.Stored}").Concat(state.Stamp.Hidden))} FROM {copy.Database.Rows}{OrderBy(state.Stamp.Columns, snapshot, promotion)}";
        StoredColumn[] keys = promotion.Lookup ? [.. HotFollower.KeysOf(state.Stamp.Columns, snapshot)] : [];
        return WriteAsync(snapshot.Table, rows, [.. state.Units.Groups], state.Stamp, snapshot, keys, (_, _) => { }, cancellationToken);
    }

    private async ValueTask<HotBuild> WriteAsync(
        LakeTable table, string rowsSql, IReadOnlyCollection<UnitGroup> groups, HotStamp stamp, Snapshot snapshot, StoredColumn[] keys,
        Action<DuckDBConnection?, string> progress, CancellationToken cancellationToken)
    {
        string file = $"{FileStem(table)}.{Guid.NewGuid():N}.duckdb";
        string path = Path.Combine(_directory, file);
        var database = new HotDatabase(_engine, NextAlias());
        long started = Stopwatch.GetTimestamp();
        using DuckDBConnection connection = _engine.OpenWatchedConnection();
        try
        {
            database.Attach(path);
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"CREATE TABLE {database.Rows} AS {rowsSql}";
            using (new EngineInterrupt(command, cancellationToken))
            {
                progress(connection, path);
                try
                {
                    await Task.Run(command.ExecuteNonQuery, CancellationToken.None);
                }
                finally
                {
                    progress(null, path);
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
            long rows = (long)HotDatabase.Scalar(connection, $"SELECT count(*) FROM {database.Rows}")!;
            database.CreateTables(connection);
            database.WriteUnits(connection, [], groups);
            database.CreateIndexes(connection, keys);
            EngineDatabase.Execute(connection, $"CHECKPOINT {database.Alias}");
            stamp = stamp with
            {
                Rows = rows,
                CountsAgree = snapshot.RowCount == rows,
                DeadRows = 0,
                FreshRows = rows,
                FreshBytes = new FileInfo(path).Length,
                LastRefresh = stamp.LastRefresh! with { RowsInserted = rows, Milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds },
            };
            database.WriteStamp(connection, stamp);
            EngineDatabase.Execute(connection, $"CHECKPOINT {database.Alias}");
            HotState state = database.Load();
            return new HotBuild(file, database, state with { Snapshot = snapshot, Schema = snapshot.Schema }, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (Exception e)
        {
            Discard(database, file);
            cancellationToken.ThrowIfCancellationRequested();
            throw e is DuckDBException ? new LakeException(LakeErrorKind.ResourcesExhausted, $"The hot copy cannot be written: {e.Message}", path, innerException: e) : e;
        }
    }

    private static string OrderBy(IReadOnlyList<StoredColumn> columns, Snapshot snapshot, PromotionSpec promotion)
    {
        IEnumerable<string> keys = promotion.OrderBy.Select(key =>
        {
            bool descending = key.EndsWith(" DESC", StringComparison.Ordinal);
            string name = ColumnPlan.Find(snapshot, descending ? key[..^5] : key).Name;
            StoredColumn column = columns.FirstOrDefault(c => c.Name == name) ?? throw LakeException.QueryInvalid($"ORDER BY {name}: the column is not among the promoted ones");
            return column.Stored + (descending ? " DESC" : string.Empty);
        });
        return promotion.OrderBy.Count == 0 ? string.Empty : " ORDER BY " + string.Join(", ", keys);
    }

    private static string FileStem(LakeTable table)
    {
        string text = $"{table.Schema}.{table.Name}";
        return string.Concat(text.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_'))[..Math.Min(text.Length, 80)];
    }
}

/// <summary>A database that was built and waits to be published.</summary>
/// <param name="File">Its file name.</param>
/// <param name="Database">The attached database.</param>
/// <param name="State">What it holds.</param>
/// <param name="Milliseconds">The time that it took.</param>
internal sealed record HotBuild(string File, HotDatabase Database, HotState State, double Milliseconds);
