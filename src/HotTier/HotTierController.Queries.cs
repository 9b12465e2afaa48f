using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sources;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>What is different for promoted queries: they follow by groups, or are run anew.</summary>
internal sealed partial class HotTierController
{
    /// <summary>Follows the log of a roll-up's table; null if that brought the copy to the snapshot, else why the query has to be run anew.</summary>
    private async Task<string?> FollowAsync(CatalogTable table, HotCopy copy, QuerySnapshot to, CancellationToken cancellationToken)
    {
        try
        {
            (RollUp? rollUp, string? why) = await ((QueryTables)to.Reader).RollUpAsync(to, cancellationToken);
            if (rollUp is null || rollUp.Sql != copy.State.Stamp.RollUp)
            {
                return "the query was run anew: " + (why ?? "its states are not kept");
            }

            var from = (QuerySnapshot)(copy.State.Snapshot ?? await HeldAsync(table, copy, cancellationToken));
            (CatalogTable source, Snapshot newest) = to.Tables[0];
            IUnitReader reader = lake.UnitReader(source.Table) ?? throw new CannotFollowException("the format does not tell where rows come from");
            foreach ((Snapshot step, SnapshotDiff diff) in await StepsAsync(source, from.Tables[0].Snapshot, newest, cancellationToken))
            {
                if (diff.SchemaChanged || !HotCopy.SameColumns(from.Tables[0].Snapshot, step))
                {
                    throw new CannotFollowException($"the columns of {source.Table.FullName} changed");
                }

                QuerySnapshot next = to.At(step);
                RefreshReport report = await _rollUps.ApplyAsync(copy, rollUp, reader, from, next, diff, cancellationToken);
                Log.Followed(logger, table.Table.FullName, next.Id.Text, report.How, report.RowsDeleted, report.RowsInserted, report.Milliseconds);
                from = next;
            }

            return null;
        }
        catch (CannotFollowException e)
        {
            return e.Message;
        }
        catch (LakeException e) when (e.Kind is LakeErrorKind.NotFound or LakeErrorKind.FormatInvalid or LakeErrorKind.FeatureUnsupported or LakeErrorKind.QueryInvalid)
        {
            return e.Message;
        }
    }

    // A query reads hot copies of its tables where they serve the same snapshots.
    private async Task<HotCopy> RebuildAsync(
        CatalogTable table, QuerySnapshot query, PromotionSpec promotion, string how, HotWork work, DateTimeOffset askedAt, CancellationToken cancellationToken)
    {
        _upkeep.MakeRoom(table.Table, 0);
        QuerySnapshot snapshot = query.ReadFrom("auto");
        (RollUp? rollUp, string? _) = promotion.Columns is null ? await ((QueryTables)query.Reader).RollUpAsync(query, cancellationToken) : (null, null);
        HotBuild build = rollUp is null
            ? await store.BuildAsync(snapshot, [null], (_, token) => lake.PlanAsync(snapshot, ScanRequest.All, token), null, promotion, how, work, cancellationToken)
            : await store.BuildAsync(
                snapshot, rollUp, token => ((QueryTables)query.Reader).PlanStatesAsync(snapshot, rollUp, null, token), promotion, how, work, cancellationToken);
        return Publish(table, build, how, askedAt);
    }
}
