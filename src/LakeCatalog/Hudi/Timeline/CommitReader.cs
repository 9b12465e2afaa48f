using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.Metadata;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>Reads commits and plans, each file once in the life of a followed table.</summary>
internal sealed class CommitReader(TableRoot root, HudiMetadataCache known)
{
    private const int MaxConcurrentReads = 16;
    private readonly Dictionary<(string, long), CommitMetadata> _commits = [];
    private readonly Dictionary<(string, long), IReadOnlyList<(string, string)>> _plans = [];
    private readonly Dictionary<(string, long), CleanMetadata> _cleans = [];

    public async ValueTask<Dictionary<string, CommitMetadata>> ReadCommitsAsync(IEnumerable<Instant> instants, CancellationToken cancellationToken)
    {
        var result = new Dictionary<string, CommitMetadata>(StringComparer.Ordinal);
        foreach (Instant[] some in instants.Chunk(MaxConcurrentReads))
        {
            CommitMetadata[] read = await Task.WhenAll(some.Select(i => Task.Run(() => ReadCommitAsync(i, cancellationToken).AsTask(), cancellationToken)));
            for (int i = 0; i < some.Length; i++)
            {
                result[some[i].Time] = _commits[(some[i].Key, some[i].SizeBytes)] = read[i];
            }
        }

        return result;
    }

    /// <summary>File groups of compactions that are scheduled or running.</summary>
    public async ValueTask<IReadOnlyList<(string Partition, string FileId, string Instant)>> ReadPlansAsync(HudiTimeline timeline, CancellationToken cancellationToken)
    {
        var result = new List<(string, string, string)>();
        foreach (Instant instant in timeline.Instants.Where(i => i is { Action: "compaction", IsCompleted: false }))
        {
            (string, long) key = (instant.Key, instant.SizeBytes);
            if (!known.Plans.TryGetValue(key, out IReadOnlyList<(string Partition, string FileId)>? plan))
            {
                byte[] content = await root.Store.ReadAsync(instant.Key, cancellationToken: cancellationToken);
                plan = content.Length == 0 ? [] : CommitAvro.ReadPlan(content, instant.Key);
            }

            _plans[key] = plan;
            result.AddRange(plan.Select(g => (g.Partition, g.FileId, instant.Time)));
        }

        return result;
    }

    /// <summary>What completed cleans after a time removed, oldest first.</summary>
    public async ValueTask<IReadOnlyList<CleanMetadata>> ReadCleansAsync(IEnumerable<Instant> cleans, CancellationToken cancellationToken)
    {
        var result = new List<CleanMetadata>();
        foreach (Instant clean in cleans.Where(i => i.SizeBytes > 0))
        {
            if (!known.Cleans.TryGetValue((clean.Key, clean.SizeBytes), out CleanMetadata? read))
            {
                read = CommitAvro.ReadClean(await root.Store.ReadAsync(clean.Key, cancellationToken: cancellationToken), clean.Key);
            }

            _cleans[(clean.Key, clean.SizeBytes)] = read;
            result.Add(read);
        }

        return result;
    }

    public HudiMetadataCache ToCache(MetadataTableCache metadataTable, FileSchema? fileSchema, bool hasMarkers)
        => new() { Commits = _commits, Plans = _plans, Cleans = _cleans, MetadataTable = metadataTable, FileSchema = fileSchema, HasMarkers = hasMarkers };

    private async ValueTask<CommitMetadata> ReadCommitAsync(Instant instant, CancellationToken cancellationToken)
    {
        if (known.Commits.TryGetValue((instant.Key, instant.SizeBytes), out CommitMetadata? commit))
        {
            return commit;
        }

        byte[] content = instant.SizeBytes == 0 ? [] : await root.Store.ReadAsync(instant.Key, cancellationToken: cancellationToken);
        return content switch
        {
            [] => CommitMetadata.Empty,
            [(byte)'O', (byte)'b', (byte)'j', 1, ..] => CommitAvro.ReadCommit(content, instant.Key),
            _ => CommitMetadata.ParseJson(content, instant.Key),
        };
    }
}
