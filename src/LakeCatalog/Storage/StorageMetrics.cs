using System.Diagnostics.Metrics;

namespace LakeHolo.LakeCatalog.Storage;

/// <summary>What is counted of remote storage.</summary>
internal static class StorageMetrics
{
    private static readonly Meter Meter = new("LakeHolo.LakeCatalog");

    public static readonly Counter<long> Requests = Meter.CreateCounter<long>("lakeholo.storage.requests", "{request}", "Requests sent, repeated ones included");

    public static readonly Counter<long> Faults = Meter.CreateCounter<long>("lakeholo.storage.faults", "{request}", "Requests that failed and may be repeated");

    public static readonly Counter<long> ReceivedBytes = Meter.CreateCounter<long>("lakeholo.storage.received", "By", "Bytes of objects received");
}
