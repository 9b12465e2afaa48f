using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Paimon;

/// <summary>Merge results of buckets, by the content of the bucket.</summary>
internal sealed class MergeCache(EngineDatabase engine, PaimonFileOpener opener) : IDisposable
{
    private readonly MergeResults<MergeBatch> _results = new();

    /// <summary>Versions that are combined at once, where merging combines them: some hundred bytes each.</summary>
    public long MaxFolded { get; set; } = 1L << 18;

    /// <summary>A merge result, and which of its buckets a scan uses.</summary>
    /// <param name="Batch">The result.</param>
    /// <param name="Buckets">Numbers of the buckets.</param>
    /// <param name="Files">Their files, merged: what a scan reads except for dead positions.</param>
    internal sealed record Use(MergeBatch Batch, IReadOnlyList<int> Buckets, IReadOnlyList<(PaimonDataFile File, int Number)> Files)
    {
        /// <summary>A file of each of <see cref="Buckets"/>.</summary>
        public required IReadOnlyList<PaimonDataFile> Samples { get; init; }

        /// <summary>All files of the buckets, also those that the scan does not need.</summary>
        public required IReadOnlyList<(PaimonDataFile File, int Number)> All { get; init; }

        /// <summary>Keeps the result in place for one more user.</summary>
        public required Func<IAsyncDisposable> Lease { get; init; }
    }

    /// <summary>What a bucket's merge result depends on: files, deletion vectors, columns, options, and whether rows that delete their key are kept.</summary>
    public static string IdentityOf(PaimonSnapshot snapshot, string partition, IReadOnlyList<MergeSection> sections, bool keepsDeletes)
    {
        var text = new StringBuilder(keepsDeletes ? "with deletes\n" : "").Append(snapshot.Table.Root.Location).Append('\n').Append(snapshot.Branch).Append('\n')
            .Append(snapshot.TableSchema.Id.ToString(CultureInfo.InvariantCulture)).Append('\n').Append(partition);
        foreach ((string key, string value) in snapshot.TableSchema.Options.OrderBy(o => o.Key, StringComparer.Ordinal))
        {
            text.Append('\n').Append(key).Append('=').Append(value);
        }

        foreach (PaimonDataFile file in sections.SelectMany(s => s.Base.Concat(s.Newer)))
        {
            text.Append('\n').Append(file.Path).Append('@').Append(file.Level.ToString(CultureInfo.InvariantCulture));
            if (snapshot.DeletionVectorOf(file) is PaimonDeletionVector vector)
            {
                text.Append('-').Append(vector.IndexPath).Append('+').Append(vector.Offset.ToString(CultureInfo.InvariantCulture));
            }
        }

        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    /// <summary>Merge results of buckets, made if they are not there; they stay until the leases are disposed.</summary>
    public async ValueTask<IReadOnlyList<Use>> GetAsync(
        PaimonSnapshot snapshot,
        IReadOnlyList<(string Identity, IReadOnlyList<MergeSection> Sections)> buckets,
        IReadOnlyDictionary<PaimonDataFile, List<long>> vectors,
        bool keepsDeletes,
        List<IAsyncDisposable> leases,
        CancellationToken cancellationToken)
    {
        var uses = new List<Use>();
        foreach ((MergeBatch batch, IReadOnlyList<(string Identity, IReadOnlyList<MergeSection> Sections)> members, Func<IAsyncDisposable> lease) in await _results.GetAsync(
            buckets, b => b.Identity, async missing => [await MergeBatch.MergeAsync(engine, snapshot, missing, opener, vectors, keepsDeletes, MaxFolded, cancellationToken)], leases, cancellationToken))
        {
            Dictionary<string, int> numbers = batch.FileNumbers.ToDictionary(f => Key(f.Key), f => f.Value);
            (PaimonDataFile, int)[] all = [.. members.SelectMany(m => m.Sections).SelectMany(s => s.Base.Concat(s.Newer)).Select(f => (f, numbers[Key(f)]))];
            uses.Add(new Use(batch, [.. members.Select(m => batch.Members[m.Identity])], all)
            {
                Samples = [.. members.Select(m => m.Sections[0].Base[0])],
                All = all,
                Lease = lease,
            });
        }

        return uses;
    }

    public void Dispose() => _results.Dispose();

    private static string Key(PaimonDataFile file) => $"{file.Path}@{file.Level.ToString(CultureInfo.InvariantCulture)}";
}
