using System.Globalization;
using LakeHolo.LakeCatalog.Paimon.Manifests;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>What happened between two versions, as files of rows with kinds.</summary>
/// <param name="Changes">A snapshot whose files are the changelog or delta files, to be read without merging; null for a comparison of states.</param>
/// <param name="Before">For a comparison of states: the older one.</param>
/// <param name="After">For a comparison of states: the newer one.</param>
public sealed record PaimonChanges(PaimonSnapshot? Changes, PaimonSnapshot? Before, PaimonSnapshot? After)
{
    /// <summary>Finds the changes after one version up to another.</summary>
    /// <param name="snapshot">Any snapshot of the table (and branch); its columns are those of the result.</param>
    /// <param name="from">Snapshot id or tag, exclusive.</param>
    /// <param name="to">Snapshot id or tag, inclusive.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <returns>The changelog files where the table's producer writes them, else the files that its commits added; two tags are compared state by state.</returns>
    /// <exception cref="LakeException">NotFound if a part of the history is gone.</exception>
    public static async ValueTask<PaimonChanges> LoadAsync(PaimonSnapshot snapshot, string from, string to, CancellationToken cancellationToken = default)
    {
        if (snapshot.TableSchema.Flag("data-evolution.enabled"))
        {
            throw LakeException.FeatureUnsupported("Changes of a table with the option data-evolution.enabled are not told", snapshot.Table.Root.Location);
        }

        if (snapshot.Fallback is not null)
        {
            throw LakeException.FeatureUnsupported($"Changes of a table with the option {PaimonFeatures.FallbackBranch} are not told", snapshot.Table.Root.Location);
        }

        foreach ((string option, string usual) in (IEnumerable<(string, string)>)[("incremental-between-scan-mode", "auto"), ("incremental-between-tag-to-snapshot", "false")])
        {
            if (snapshot.TableSchema.Option(option)?.Trim() is string value && !value.Equals(usual, StringComparison.OrdinalIgnoreCase))
            {
                throw LakeException.FeatureUnsupported($"Changes of a table with the option {option}={value} are not told", snapshot.Table.Root.Location);
            }
        }

        var folder = new PaimonFolder(snapshot.Table.Root, snapshot.Branch);
        PaimonCommit? fromTag = await folder.TryReadTagAsync(from, cancellationToken);
        PaimonCommit? toTag = await folder.TryReadTagAsync(to, cancellationToken);
        if (fromTag is not null && toTag is not null)
        {
            var loader = new PaimonSnapshotLoader(snapshot.Table, folder, snapshot.Branch);
            return new PaimonChanges(
                null, await loader.LoadAsync(fromTag, travelling: true, snapshot, cancellationToken), await loader.LoadAsync(toTag, travelling: true, snapshot, cancellationToken));
        }

        long first = fromTag?.Id ?? Number(from);
        long last = toTag?.Id ?? Number(to);
        if (first > last)
        {
            throw LakeException.QueryInvalid(string.Create(CultureInfo.InvariantCulture, $"The changes from {first} to {last} run backwards"));
        }

        return new PaimonChanges(snapshot.WithFiles([.. await FilesAsync(snapshot, folder, first, last, cancellationToken)]), null, null);
    }

    private static long Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long id)
        ? id
        : throw LakeException.NotFound($"There is no tag '{text}', and it is no snapshot id");

    private static async ValueTask<IReadOnlyList<PaimonDataFile>> FilesAsync(
        PaimonSnapshot snapshot, PaimonFolder folder, long first, long last, CancellationToken cancellationToken)
    {
        string producer = snapshot.TableSchema.Option("changelog-producer")?.Trim().ToLowerInvariant() ?? "none";
        if (producer is not ("none" or "input" or "lookup" or "full-compaction"))
        {
            throw LakeException.FeatureUnsupported($"The Paimon option changelog-producer={producer} is not supported", snapshot.Table.Root.Location);
        }

        bool fromDeltas = producer == "none" || snapshot.PrimaryKey.Count == 0;
        var reader = new ManifestReader(snapshot.Table.Root, snapshot.Schemas[snapshot.Schemas.Keys.Max()], snapshot.Files.Partitions);
        var files = new List<PaimonDataFile>();
        for (long id = first + 1; id <= last; id++)
        {
            PaimonCommit commit = await folder.TryReadChangeAsync(id, cancellationToken)
                ?? throw LakeException.NotFound(string.Create(CultureInfo.InvariantCulture, $"Snapshot {id} is not there, so the changes after {first} cannot be told"), snapshot.Table.Root.Location);
            string? list = fromDeltas ? (commit.Kind == "APPEND" ? commit.DeltaManifestList : null)
                : commit.Kind == "OVERWRITE" ? null : commit.ChangelogManifestList;
            if (list is not null)
            {
                files.AddRange(await PaimonSnapshotLoader.ReadAddedAsync(reader, list, cancellationToken));
            }
        }

        // A batch read sees rows of this bucket only after a compaction, which brings no changes.
        return files.FirstOrDefault(f => f.Bucket == PaimonDataFile.PostponeBucket && snapshot.PrimaryKey.Count > 0) is PaimonDataFile postponed
            ? throw LakeException.FeatureUnsupported("Changes of a table with the option bucket=-2 whose rows wait for a compaction are not told", postponed.Path)
            : files;
    }
}
