using Microsoft.Extensions.Logging;

namespace LakeHolo.HotTier;

internal static partial class Log
{
    [LoggerMessage(4000, LogLevel.Information, "Hot copy of {Table} at snapshot {Snapshot}: {Rows} rows, {Bytes} bytes in {Milliseconds} ms")]
    public static partial void Built(ILogger logger, string table, string snapshot, long rows, long bytes, double milliseconds);

    [LoggerMessage(4001, LogLevel.Warning, "Hot copy of {Table} was not refreshed: {Error}")]
    public static partial void RefreshFailed(ILogger logger, string table, string error);

    [LoggerMessage(4002, LogLevel.Warning, "Sync of source {Source} failed: {Error}")]
    public static partial void SyncFailed(ILogger logger, string source, string error);
}
