using System.Diagnostics;
using System.Globalization;
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
    private const long MostSorted = 5_000_000;

    /// <summary>Builds a database of a table's rows. Not the table's copy before <see cref="Publish"/>; but where it is built in several parts, those that were
    /// copied serve already: <see cref="FindBuilding"/>.</summary>
    /// <param name="snapshot">The snapshot that the scans give.</param>
    /// <param name="parts">Units that are copied together; one selection, or null for all, where the rows are to be in one order.</param>
    /// <param name="plan">Plans the rows of some units; with their origin where there are <paramref name="units"/>.</param>
    /// <param name="units">What the units are; null if the scans do not tell.</param>
    /// <param name="promotion">What is promoted.</param>
    /// <param name="how">Why it is built, for the report.</param>
    /// <param name="work">Is told how far it is.</param>
    /// <param name="cancellationToken">Interrupts the engine.</param>
    public ValueTask<HotBuild> BuildAsync(
        Snapshot snapshot, IReadOnlyList<UnitSelection?> parts, Func<UnitSelection?, CancellationToken, ValueTask<TableScan>> plan, UnitKind? units, PromotionSpec promotion, string how,
        HotWork work, CancellationToken cancellationToken)
    {
        IReadOnlyList<StoredColumn> columns = ColumnPlan.Initial(snapshot, promotion);
        string list = string.Join(", ", columns.Select(c => $"{SqlText.Identifier(c.Name)} AS {c.Stored}"));
        string order = OrderBy(columns, snapshot, promotion);
        StoredColumn[] keys = promotion.Lookup ? [.. HotFollower.KeysOf(columns, snapshot)] : [];
        if (promotion.Lookup && keys.Length == 0)
        {
            throw LakeException.QueryInvalid($"{snapshot.Table.FullName} has no primary key among the promoted columns, which lookup = true needs");
        }

        var stamp = new HotStamp
        {
            Snapshot = snapshot.Id.Text,
            Identity = snapshot.Identity,
            CommittedAt = snapshot.CommittedAt,
            Units = units,
            Columns = columns,
            Rows = 0,
            NextColumn = columns.Count,
            LastRefresh = new RefreshReport(how, 0, 0, 0),
        };
        return WriteAsync(snapshot, promotion, stamp, keys, [.. parts.Select(p => (PlanPart)PlanAsync(p))], work, cancellationToken);

        PlanPart PlanAsync(UnitSelection? part) => async (first, token) =>
        {
            TableScan scan = await plan(part, token);
            string origin = units is null ? "NULL::INTEGER AS u, NULL::BIGINT AS p"
                : string.Create(CultureInfo.InvariantCulture, $"({RowOrigin.Unit} + {first})::INTEGER AS u, {RowOrigin.Position}::BIGINT AS p");
            return new BuildPart($"SELECT {origin}, {list} FROM ({scan.Sql})", order, [.. scan.Units.Select((name, number) => UnitGroup.Of(name, first + number))], scan);
        };
    }

    /// <summary>Builds a database of a roll-up's groups and their states.</summary>
    /// <param name="snapshot">The query at its table's snapshot.</param>
    /// <param name="rollUp">Its parts.</param>
    /// <param name="states">Plans the states of all groups.</param>
    /// <param name="promotion">What is promoted.</param>
    /// <param name="how">Why it is built, for the report.</param>
    /// <param name="work">Is told how far it is.</param>
    /// <param name="cancellationToken">Interrupts the engine.</param>
    public ValueTask<HotBuild> BuildAsync(
        QuerySnapshot snapshot, RollUp rollUp, Func<CancellationToken, ValueTask<TableScan>> states, PromotionSpec promotion, string how, HotWork work, CancellationToken cancellationToken)
    {
        IReadOnlyList<StoredColumn> columns = ColumnPlan.Initial(snapshot, promotion);
        var stored = new StoredRollUp(rollUp, columns);
        string order = OrderBy(columns, snapshot, promotion);
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
        return WriteAsync(snapshot, promotion, stamp, [], [PlanAsync], work, cancellationToken);

        async ValueTask<BuildPart> PlanAsync(int first, CancellationToken token)
        {
            TableScan scan = await states(token);
            return new BuildPart($"SELECT NULL::INTEGER AS u, NULL::BIGINT AS p, {stored.Visible}, {stored.States} FROM ({scan.Sql})", order, [], scan);
        }
    }

    /// <summary>Writes a copy anew, without the room of deleted rows and dropped columns.</summary>
    public ValueTask<HotBuild> RewriteAsync(Snapshot snapshot, HotCopy copy, CancellationToken cancellationToken)
    {
        PromotionSpec promotion = copy.Record.Promotion;
        HotState state = copy.State;

        // Rows in one order fill the engine's groups of rows: what several threads write as they come is put together again, and leaves holes. Where there are many, the holes are small to them.
        string order = promotion.OrderBy.Count == 0 && state.Stamp.Rows <= MostSorted ? " ORDER BY u, p" : OrderBy(state.Stamp.Columns, snapshot, promotion);
        string rows = $"SELECT u, p, {string.Join(", ", state.Stamp.Columns.Select(c => $"{HotDatabase.Read(c)} AS {c.Stored}").Concat(state.Stamp.Hidden))} FROM {copy.Database.Rows}";
        StoredColumn[] keys = promotion.Lookup ? [.. HotFollower.KeysOf(state.Stamp.Columns, snapshot)] : [];
        return WriteAsync(
            snapshot, promotion, state.Stamp, keys, [(_, _) => ValueTask.FromResult(new BuildPart(rows, order, [.. state.Units.Groups], null))], new HotWork(), cancellationToken);
    }

    private async ValueTask<HotBuild> WriteAsync(
        Snapshot snapshot, PromotionSpec promotion, HotStamp stamp, StoredColumn[] keys, IReadOnlyList<PlanPart> parts, HotWork work, CancellationToken cancellationToken)
    {
        LakeTable table = snapshot.Table;
        string file = $"{FileStem(table)}.{Guid.NewGuid():N}.duckdb";
        string path = Path.Combine(_directory, file);
        var database = new HotDatabase(_engine, NextAlias());
        long started = Stopwatch.GetTimestamp();
        HotCopy? copy = null;
        using DuckDBConnection connection = _engine.OpenWatchedConnection();
        try
        {
            for (int i = 0; i < parts.Count; i++)
            {
                BuildPart part = await parts[i](stamp.NextUnit, cancellationToken);
                await using (part.Lease)
                {
                    work.Begin(i, parts.Count, stamp.Rows, (part.Lease as TableScan)?.Statistics.FilesRead);
                    if (i == 0)
                    {
                        // The first rows of a query may cost as much as all.
                        bool textsRepeat = !promotion.Lookup && snapshot is not QuerySnapshot && await Task.Run(() => HotDatabase.TextsRepeat(connection, part.Rows), CancellationToken.None);
                        cancellationToken.ThrowIfCancellationRequested();
                        database.Create(path, textsRepeat);
                    }

                    (HotStamp before, UnitMap units) = (stamp, copy?.State.Units ?? UnitMap.Empty);
                    EngineDatabase.Execute(connection, "BEGIN TRANSACTION");
                    if (i == 0 && promotion.Lookup)
                    {
                        database.CreateRows(connection, part.Rows);
                    }

                    bool creates = i == 0 && !promotion.Lookup;
                    await RunAsync(connection, creates ? $"CREATE TABLE {database.Rows} AS {part.Rows}{part.Order}" : $"INSERT INTO {database.Rows} {part.Rows}{part.Order}", path, work, cancellationToken);
                    if (i == 0)
                    {
                        database.CreateTables(connection);
                    }

                    database.WriteUnits(connection, [], part.Groups);
                    stamp = before with
                    {
                        Rows = (long)HotDatabase.Scalar(connection, $"SELECT count(*) FROM {database.Rows}")!,
                        NextUnit = Math.Max(before.NextUnit, part.Groups.Select(g => g.Id + 1).DefaultIfEmpty().Max()),
                    };
                    var state = new HotState(stamp, units.With([], part.Groups), snapshot, snapshot.Schema, IsPart: true);
                    if (copy is not null)
                    {
                        await copy.CommitAsync(connection, () => state, cancellationToken);
                        continue;
                    }

                    EngineDatabase.Execute(connection, "COMMIT");
                    copy = new HotCopy(RecordOf(table, file, promotion), database, state, DateTimeOffset.MinValue, Retired);
                    if (parts.Count > 1)
                    {
                        Building(copy, isBuilding: true);
                    }
                }
            }

            stamp = await FinishAsync(connection, copy!, stamp, snapshot, keys, started, cancellationToken);
            copy!.State = new HotState(stamp, copy.State.Units, snapshot, snapshot.Schema);
            return new HotBuild(copy, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (Exception e)
        {
            connection.Dispose();
            if (copy is null)
            {
                Discard(database, file);
            }
            else
            {
                Discard(copy);
            }

            cancellationToken.ThrowIfCancellationRequested();
            throw e is DuckDBException ? new LakeException(LakeErrorKind.ResourcesExhausted, $"The hot copy cannot be written: {e.Message}", path, innerException: e) : e;
        }
    }

    private async ValueTask<HotStamp> FinishAsync(
        DuckDBConnection connection, HotCopy copy, HotStamp stamp, Snapshot snapshot, StoredColumn[] keys, long started, CancellationToken cancellationToken)
    {
        await Task.Run(
            () =>
            {
                copy.Database.CreateIndexes(connection, keys);
                EngineDatabase.Execute(connection, $"CHECKPOINT {copy.Database.Alias}");
            },
            CancellationToken.None);
        cancellationToken.ThrowIfCancellationRequested();
        stamp = stamp with
        {
            CountsAgree = snapshot.RowCount == stamp.Rows,
            DeadRows = 0,
            FreshRows = stamp.Rows,
            FreshBytes = copy.Database.UsedBytes(connection),
            BuiltBytes = BytesOf(copy),
            LastRefresh = stamp.LastRefresh! with { RowsInserted = stamp.Rows, Milliseconds = Stopwatch.GetElapsedTime(started).TotalMilliseconds },
        };
        copy.Database.WriteStamp(connection, stamp);
        return stamp;
    }

    private static async ValueTask RunAsync(DuckDBConnection connection, string sql, string path, HotWork work, CancellationToken cancellationToken)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using (new EngineInterrupt(command, cancellationToken))
        {
            work.Watch(connection, path);
            try
            {
                await Task.Run(command.ExecuteNonQuery, CancellationToken.None);
            }
            finally
            {
                work.Watch(null, path);
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
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
/// <param name="Copy">What it will be.</param>
/// <param name="Milliseconds">The time that it took.</param>
internal sealed record HotBuild(HotCopy Copy, double Milliseconds);

/// <summary>Plans a part of a build.</summary>
/// <param name="firstUnit">The number of its first unit.</param>
/// <param name="cancellationToken">Ends the planning.</param>
internal delegate ValueTask<BuildPart> PlanPart(int firstUnit, CancellationToken cancellationToken);

/// <summary>Rows that are copied in one transaction.</summary>
/// <param name="Rows">A SELECT of them, as they are stored.</param>
/// <param name="Order">ORDER BY for it, or nothing.</param>
/// <param name="Groups">Their units.</param>
/// <param name="Lease">Held until they are copied.</param>
internal sealed record BuildPart(string Rows, string Order, IReadOnlyCollection<UnitGroup> Groups, IAsyncDisposable? Lease);
