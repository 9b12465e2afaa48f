using System.Globalization;
using LakeHolo.LakeCatalog.Paimon.Manifests;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>From a commit to a snapshot: live files, schemas, deletion vectors.</summary>
/// <param name="table">The table.</param>
/// <param name="folder">Its folder, or that of the branch.</param>
/// <param name="branch">The branch that is read.</param>
/// <param name="isFallback">It only gives partitions that another branch has not: a fallback branch of its own says nothing (FileStoreTableFactory.java).</param>
internal sealed class PaimonSnapshotLoader(LakeTable table, PaimonFolder folder, string branch, bool isFallback = false)
{
    /// <summary>Loads the snapshot of a commit; manifests that <paramref name="known"/> has read are not read again.</summary>
    /// <param name="commit">The commit, or null for a table without any.</param>
    /// <param name="travelling">Time travel: columns of the commit's own schema. Otherwise those of the newest schema, which may be newer than the commit.</param>
    /// <param name="known">A snapshot of the same branch, or null.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<PaimonSnapshot> LoadAsync(PaimonCommit? commit, bool travelling, PaimonSnapshot? known, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<long, PaimonSchema> schemas = await folder.ReadSchemasAsync(known?.Schemas, cancellationToken);
        PaimonSchema newest = schemas[schemas.Keys.Max()];
        PaimonSchema schema = newest;
        if (travelling && commit is not null)
        {
            schema = schemas.TryGetValue(commit.SchemaId, out PaimonSchema? own)
                ? own with { Options = newest.Options }
                : throw LakeException.FormatInvalid($"Snapshot {commit.Id} names schema {commit.SchemaId}, which is not there", table.Root.Location);
        }

        PaimonFeatures.Check(schema, branch, table.Root.Location);
        PartitionPool pool = known is not null && HasSamePartitions(known.TableSchema, newest) ? known.Files.Partitions : new PartitionPool();
        var reader = new ManifestReader(table.Root, newest, pool);
        IReadOnlyDictionary<string, ManifestBlock> manifests = new Dictionary<string, ManifestBlock>();
        PaimonFileList files = [];
        IReadOnlyDictionary<(string, int, string), PaimonDeletionVector> vectors = new Dictionary<(string, int, string), PaimonDeletionVector>();
        if (commit is not null)
        {
            manifests = await ReadManifestsAsync(reader, commit, known?.Manifests, cancellationToken);
            files = PaimonFileList.Of([.. manifests.Values], known?.Files, pool);
            if (schema.PrimaryKeys.Count == 0 && files.With(EntryFlags.HasKey).FirstOrDefault() is PaimonDataFile keyed)
            {
                throw LakeException.FeatureUnsupported("A table without a primary key whose rows were written as changes (write-mode=change-log) is not supported", keyed.Path);
            }

            CheckRows(schema, files);
            if (commit.IndexManifest is string index)
            {
                vectors = known?.Commit?.IndexManifest == index ? known.DeletionVectors : await reader.ReadDeletionVectorsAsync(index, cancellationToken);
                CheckVectors(schema, files, vectors);
            }
        }

        PaimonSnapshot? fallback = null;
        if (!isFallback && schema.Option(PaimonFeatures.FallbackBranch) is string name && !string.IsNullOrWhiteSpace(name) && name != branch)
        {
            fallback = travelling
                ? throw LakeException.FeatureUnsupported($"Time travel in a table with the option {PaimonFeatures.FallbackBranch}={name} is not supported", table.Root.Location)
                : await LoadFallbackAsync(name, schema, files, known?.Fallback, cancellationToken);
        }

        return new PaimonSnapshot
        {
            Fallback = fallback,
            Table = table,
            Id = new SnapshotId(commit is null ? "0" : commit.Id.ToString(CultureInfo.InvariantCulture)),
            CommittedAt = commit is null ? null : DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(commit.TimeMillis, 0, 253_402_300_799_999)),
            Schema = new Apache.Arrow.Schema([.. schema.Fields.Select(PaimonArrowTypes.ToField)], null),
            PartitionColumns = schema.PartitionKeys,
            PrimaryKey = schema.PrimaryKeys,
            Options = newest.Options,
            Features = PaimonFeatures.List(schema, vectors.Count > 0),
            Commit = commit,
            Branch = branch,
            TableSchema = schema,
            Schemas = schemas,
            Files = files,
            DeletionVectors = vectors,
            Manifests = manifests,
        };
    }

    // A table that was made anew in the same folder may have other partition columns, of which the same bytes tell other values.
    private static bool HasSamePartitions(PaimonSchema one, PaimonSchema other) => one.PartitionKeys.SequenceEqual(other.PartitionKeys)
        && one.PartitionKeys.All(k => one.Field(k).Type.HasSameValuesAs(other.Field(k).Type));

    // Paimon looks at vectors only where the option says so: without it deleted rows would come back.
    private static void CheckVectors(
        PaimonSchema schema, PaimonFileList files, IReadOnlyDictionary<(string, int, string), PaimonDeletionVector> vectors)
    {
        const string Option = "deletion-vectors.enabled";
        if (vectors.Count > 0 && !schema.Flag(Option)
            && files.FirstOrDefault(f => vectors.ContainsKey((Convert.ToBase64String(f.PartitionBytes), f.Bucket, f.Name))) is PaimonDataFile file)
        {
            throw LakeException.FeatureUnsupported($"A table whose files have deletion vectors, but which does not have the option {Option}=true, is not supported", file.Path);
        }
    }

    // Paimon puts columns of one row together only where the option says so: without it such a row would come back several times, each time with some of its columns.
    private static void CheckRows(PaimonSchema schema, PaimonFileList files)
    {
        const string Option = "data-evolution.enabled";
        if (schema.PrimaryKeys.Count > 0 || schema.Flag(Option) || !files.Flags.HasFlag(EntryFlags.IsPart))
        {
            return;
        }

        foreach (var bucket in files.With(EntryFlags.HasRowIds).GroupBy(f => (Convert.ToBase64String(f.PartitionBytes), f.Bucket)))
        {
            PaimonDataFile? before = null;
            foreach (PaimonDataFile file in bucket.OrderBy(f => f.FirstRowId))
            {
                if (before is not null && file.FirstRowId < before.FirstRowId + before.RowCount && (IsPart(before) || IsPart(file)))
                {
                    throw LakeException.FeatureUnsupported($"A table whose files hold columns of the same rows (_WRITE_COLS), but which does not have the option {Option}=true, is not supported", file.Path);
                }

                before = before is null || file.FirstRowId + file.RowCount > before.FirstRowId + before.RowCount ? file : before;
            }
        }
    }

    private static bool IsPart(PaimonDataFile file) => file is { FirstRowId: not null, WriteColumns: not null };

    // Partitions that this branch has come from it, whatever rows a query wants; all others from the fallback branch.
    private async ValueTask<PaimonSnapshot> LoadFallbackAsync(
        string name, PaimonSchema schema, PaimonFileList files, PaimonSnapshot? known, CancellationToken cancellationToken)
    {
        var other = new PaimonFolder(table.Root, name);
        long? id = await other.FindLatestAsync(cancellationToken);
        PaimonCommit? commit = id is null ? null : await other.TryReadCommitAsync(id.Value, cancellationToken);
        PaimonSnapshot all = await new PaimonSnapshotLoader(table, other, name, isFallback: true).LoadAsync(commit, travelling: false, known?.Branch == name ? known : null, cancellationToken);
        if (!all.TableSchema.PartitionKeys.SequenceEqual(schema.PartitionKeys) || all.TableSchema.Fields.Count != schema.Fields.Count
            || !all.TableSchema.Fields.Zip(schema.Fields).All(f => f.First.Name == f.Second.Name && f.First.Type.Kind == f.Second.Type.Kind))
        {
            throw LakeException.FeatureUnsupported($"The branch of {PaimonFeatures.FallbackBranch}={name} has other columns than the table", table.Root.Location);
        }

        HashSet<string> own = [.. files.Select(default, PaimonSnapshot.LevelsOf(schema)).Select(f => Convert.ToBase64String(f.PartitionBytes)).Distinct()];
        return all.OfPartitions(f => !own.Contains(Convert.ToBase64String(f.PartitionBytes)));
    }

    /// <summary>The files that the manifests of a list add.</summary>
    public static async ValueTask<IReadOnlyList<PaimonDataFile>> ReadAddedAsync(ManifestReader reader, string list, CancellationToken cancellationToken)
    {
        var files = new List<PaimonDataFile>();
        foreach (string manifest in await reader.ReadListAsync(list, cancellationToken))
        {
            ManifestBlock block = await reader.ReadManifestAsync(manifest, cancellationToken);
            files.AddRange(block.Files(Enumerable.Range(0, block.Count).Where(r => !block.Flags(r).HasFlag(EntryFlags.IsDeleted))));
        }

        return files;
    }

    // In the order of the lists.
    private static async ValueTask<IReadOnlyDictionary<string, ManifestBlock>> ReadManifestsAsync(
        ManifestReader reader, PaimonCommit commit, IReadOnlyDictionary<string, ManifestBlock>? known, CancellationToken cancellationToken)
    {
        const int MaxReads = 8;
        var names = new List<string>();
        foreach (string? list in (string?[])[commit.BaseManifestList, commit.DeltaManifestList])
        {
            names.AddRange(list is null ? [] : await reader.ReadListAsync(list, cancellationToken));
        }

        string[] distinct = [.. names.Distinct(StringComparer.Ordinal)];
        var blocks = new ManifestBlock[distinct.Length];
        var options = new ParallelOptions { MaxDegreeOfParallelism = MaxReads, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, distinct.Length, options, async (i, token) => blocks[i] = known?.GetValueOrDefault(distinct[i]) ?? await reader.ReadManifestAsync(distinct[i], token));
        var manifests = new OrderedDictionary<string, ManifestBlock>(StringComparer.Ordinal);
        for (int i = 0; i < distinct.Length; i++)
        {
            manifests.Add(distinct[i], blocks[i]);
        }

        return manifests;
    }
}
