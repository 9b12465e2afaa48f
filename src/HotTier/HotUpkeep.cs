using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using Microsoft.Extensions.Logging;

namespace LakeHolo.HotTier;

/// <summary>Bounds of the tier.</summary>
/// <param name="MaxConcurrentBuilds">Copies that are worked on at once.</param>
/// <param name="MaxBytes">Bytes of all copies on disk.</param>
/// <param name="PartBytes">Bytes of the lake that are copied in one transaction while a copy is built; a unit is not divided.</param>
internal sealed record HotLimits(int MaxConcurrentBuilds, long MaxBytes, long PartBytes = 256L << 20);

/// <summary>Keeps files small and the tier within its disk.</summary>
internal sealed class HotUpkeep(HotStore store, HotLimits limits, ILogger logger)
{
    // A file that grew by this much over what its rows need is written anew; the bound that is promised is 1.5.
    private const double GrowthAllowed = 1.35;
    private const long SmallestCheckpoint = 256 << 10;
    private const long LargestCheckpoint = 8 << 20;

    /// <summary>Takes the log of changes into the file once it has grown, and writes the file anew where deleted rows take too much of it.</summary>
    /// <returns>The copy that serves now.</returns>
    public async ValueTask<HotCopy> AfterRefreshAsync(Snapshot snapshot, HotCopy copy, CancellationToken cancellationToken)
    {
        try
        {
            HotStamp stamp = copy.State.Stamp;
            if (store.LogBytesOf(copy) > Math.Clamp(stamp.FreshBytes / 8, SmallestCheckpoint, LargestCheckpoint))
            {
                using DuckDBConnection connection = store.Engine.OpenConnection();
                await Task.Run(() => EngineDatabase.Execute(connection, $"CHECKPOINT {copy.Database.Alias}"), cancellationToken);
            }

            long bytes = store.BytesOf(copy);
            double needed = stamp.FreshBytes * Math.Max(1, stamp.FreshRows == 0 ? 1 : (double)stamp.Rows / stamp.FreshRows);
            if (bytes <= Math.Max(needed * GrowthAllowed, Math.Max(stamp.FreshBytes, stamp.BuiltBytes) + SmallestCheckpoint))
            {
                return copy;
            }

            HotBuild build = await store.RewriteAsync(snapshot, copy, cancellationToken);
            HotCopy anew = store.Publish(build, copy.Record.Query, copy.Record.BuiltAt, copy.KnownNewestAt);
            Log.Rewritten(logger, copy.Record.FullName, bytes, store.BytesOf(anew));
            return anew;
        }
        catch (Exception e) when (e is DuckDBException or LakeException or IOException)
        {
            // A reader may only have been in the way.
            Log.UpkeepFailed(logger, copy.Record.FullName, e.Message);
            store.QuarantineIfRefused(copy);
            return copy;
        }
    }

    /// <summary>Makes room for a copy: drops the ones used longest ago.</summary>
    /// <param name="table">The table to be promoted.</param>
    /// <param name="bytes">What it takes in the lake; about what the copy will.</param>
    /// <exception cref="LakeException">ResourcesExhausted: it does not fit.</exception>
    public void MakeRoom(LakeTable table, long bytes)
    {
        HotCopy? own = store.Find(table);
        if (bytes > limits.MaxBytes)
        {
            throw LakeException.ResourcesExhausted($"The table takes {bytes} bytes, more than hot copies may ({limits.MaxBytes}: hot.size)");
        }

        foreach (HotCopy copy in store.Copies.Where(c => c != own).OrderBy(c => c.LastUsedAt ?? c.Record.BuiltAt).ToArray())
        {
            if (store.Copies.Where(c => c != own).Sum(store.BytesOf) + bytes <= limits.MaxBytes)
            {
                break;
            }

            store.Evict(copy);
            Log.Evicted(logger, copy.Record.FullName);
        }

        if (store.FreeBytes is { } free && free < bytes)
        {
            throw LakeException.ResourcesExhausted($"The table takes {bytes} bytes, and {free} are free on the disk of hot copies");
        }
    }
}
