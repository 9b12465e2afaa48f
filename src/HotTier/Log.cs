using Microsoft.Extensions.Logging;

namespace LakeHolo.HotTier;

internal static partial class Log
{
    [LoggerMessage(4000, LogLevel.Information, "Hot copy of {Table} at snapshot {Snapshot} ({How}): {Rows} rows, {Bytes} bytes in {Milliseconds} ms")]
    public static partial void Built(ILogger logger, string table, string snapshot, string how, long rows, long bytes, double milliseconds);

    [LoggerMessage(4001, LogLevel.Warning, "Hot copy of {Table} was not refreshed: {Error}")]
    public static partial void RefreshFailed(ILogger logger, string table, string error);

    [LoggerMessage(4003, LogLevel.Information, "Hot copy of {Table} followed to snapshot {Snapshot} by {How}: {Deleted} rows deleted, {Inserted} inserted in {Milliseconds} ms")]
    public static partial void Followed(ILogger logger, string table, string snapshot, string how, long deleted, long inserted, double milliseconds);

    [LoggerMessage(4004, LogLevel.Error, "Hot copy of {Table} does not hold what the lake holds at snapshot {Snapshot}; it is out of service and built anew. {Count} units differ: {Units}")]
    public static partial void Differs(ILogger logger, string table, string snapshot, int count, string units);

    [LoggerMessage(4005, LogLevel.Information, "Hot copy of {Table} was dropped to make room: it was used last of all")]
    public static partial void Evicted(ILogger logger, string table);

    [LoggerMessage(4006, LogLevel.Information, "Hot copy of {Table} was written anew: {Before} bytes became {After}")]
    public static partial void Rewritten(ILogger logger, string table, long before, long after);

    [LoggerMessage(4007, LogLevel.Warning, "Upkeep of the hot copy of {Table} failed: {Error}")]
    public static partial void UpkeepFailed(ILogger logger, string table, string error);

    [LoggerMessage(4009, LogLevel.Warning, "Hot copy of {Table} was not verified: {Error}")]
    public static partial void VerifyFailed(ILogger logger, string table, string error);

    [LoggerMessage(4010, LogLevel.Critical, "The engine failed inside and refuses every statement: the instance has to be opened anew")]
    public static partial void EngineLost(ILogger logger);

    [LoggerMessage(4008, LogLevel.Warning, "Denied to {User} at {Client}: {Reason}, for {Statement}")]
    public static partial void AccessDenied(ILogger logger, string user, string client, string reason, string statement);

    [LoggerMessage(4002, LogLevel.Warning, "Sync of source {Source} failed: {Error}")]
    public static partial void SyncFailed(ILogger logger, string source, string error);
}
