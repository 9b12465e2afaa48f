using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Paimon;

/// <summary>Copies of merged buckets.</summary>
internal sealed class BucketCopies(EngineDatabase engine, IFileMaterializer files, PaimonFileOpener opener) : IDisposable
{
    private readonly MergedCopies _copies = new(engine, files, "paimon-merged-3\u0001");

    /// <summary>The copy of a bucket, if there is one that has the columns; its lease goes into <paramref name="leases"/>.</summary>
    public async ValueTask<MergedCopy?> TryOpenAsync(
        PaimonSnapshot snapshot, string identity, IReadOnlyList<MergeSection> sections, IReadOnlyList<PaimonField> columns, List<IAsyncDisposable> leases,
        CancellationToken cancellationToken)
        => columns.All(c => IsCopied(c, snapshot)) ? await _copies.TryOpenAsync(identity, Source(snapshot, sections), ColumnsOf(snapshot, columns), leases, cancellationToken) : null;

    /// <summary>Notes that merged buckets are read; what to dispose when the scan is over, which may begin their copies.</summary>
    public IAsyncDisposable Count(
        PaimonSnapshot snapshot, IReadOnlyList<(string Identity, IReadOnlyList<MergeSection> Sections)> buckets, MergeCache.Use use, IReadOnlyList<PaimonField> columns) => _copies.Count(
        buckets.Where(b => use.Batch.Members.ContainsKey(b.Identity)).Select(b => new CopyCandidate(
            b.Identity, Source(snapshot, b.Sections), b.Sections.Sum(s => s.Base.Concat(s.Newer).Sum(f => f.SizeBytes)),
            (names, leases, token) => RowsAsync(snapshot, b.Identity, b.Sections, use, names, leases, token))),
        ColumnsOf(snapshot, columns),
        use.Lease);

    /// <summary>Waits until no copy is being made.</summary>
    public Task SettleAsync() => _copies.SettleAsync();

    public void Dispose() => _copies.Dispose();

    // Columns that no copy can have are not asked for in one.
    private static CopyColumns ColumnsOf(PaimonSnapshot snapshot, IReadOnlyList<PaimonField> columns)
        => new(columns.Where(c => IsCopied(c, snapshot)).Select(c => c.Name), [.. snapshot.TableSchema.Fields.Where(f => IsCopied(f, snapshot)).Select(f => f.Name)]);

    private static bool IsCopied(PaimonField column, PaimonSnapshot snapshot)
    {
        try
        {
            // A copy would give a variant as plain text.
            PaimonColumns.CheckReadable(column, snapshot);
            return !column.Type.HoldsVariant;
        }
        catch (LakeException)
        {
            return false;
        }
    }

    private CacheableFile Source(PaimonSnapshot snapshot, IReadOnlyList<MergeSection> sections) => opener.Locate(snapshot, sections[0].Base[0], sections[0].Base[0].Path);

    private async ValueTask<string> RowsAsync(
        PaimonSnapshot snapshot, string identity, IReadOnlyList<MergeSection> sections, MergeCache.Use use, IReadOnlyCollection<string>? names, List<IAsyncDisposable> leases,
        CancellationToken cancellationToken)
    {
        int bucket = use.Batch.Members[identity];
        HashSet<PaimonDataFile> members = new(sections.SelectMany(s => s.Base.Concat(s.Newer)), ReferenceEqualityComparer.Instance);
        var pieces = new ScanPieces([], [use with { Buckets = [bucket], Files = [.. use.All.Where(f => members.Contains(f.File))] }], new Dictionary<PaimonDataFile, List<long>>());
        List<PaimonField> columns = [.. snapshot.TableSchema.Fields.Where(f => IsCopied(f, snapshot) && names?.Contains(f.Name) != false)];
        if (columns.Exists(f => use.Batch.Refused.ContainsKey(f.Name)))
        {
            throw LakeException.FeatureUnsupported("A column of the bucket cannot be merged", snapshot.Table.Root.Location);
        }

        return await new ScanSql(snapshot, columns, engine, opener).BuildAsync(pieces, leases, cancellationToken);
    }
}
