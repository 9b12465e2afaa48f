using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Avro;
using LakeHolo.Readers.DataFiles.Blob;
using LakeHolo.Readers.DataFiles.Orc;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Paimon.Evolution;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>Makes data files readable by the engine, grouped by the schema they were written with.</summary>
internal sealed class PaimonFileOpener(IFileMaterializer materializer, ExternalLocations locations)
{
    private readonly NestedColumns _nested = new();

    /// <summary>Where absolute paths may lead.</summary>
    public ExternalLocations Locations => locations;

    /// <summary>Opens files; the leases go into <paramref name="leases"/>.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="files">The files.</param>
    /// <param name="columns">The columns wanted, as the snapshot has them.</param>
    /// <param name="leases">Receives what must be disposed after the last row was read.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <param name="filter">What every needed row fulfils, where the positions of rows do not matter; null for nothing.</param>
    /// <param name="mayArrive">Whether files may still be under way when this returns, where nothing of them has to be looked at.</param>
    public async ValueTask<IReadOnlyList<PaimonFileGroup>> OpenAsync(
        PaimonSnapshot snapshot, IEnumerable<PaimonDataFile> files, IReadOnlyList<PaimonField> columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken,
        ScanFilter? filter = null, bool mayArrive = false)
    {
        mayArrive &= !columns.Any(c => c.Type.HoldsVariant || NestedColumns.HoldsRows(c.Type)); // these are told by the files' footers
        var groups = new List<PaimonFileGroup>();
        HashSet<int> wanted = [.. columns.Select(c => c.Id)];
        foreach (var group in files.GroupBy(f => (f.SchemaId, f.Format, Written: f.WriteColumns is null ? null : string.Join('\n', f.WriteColumns))))
        {
            IReadOnlyList<PaimonDataFile> members = [.. group];
            PaimonSchema schema = snapshot.Schemas.GetValueOrDefault(group.Key.SchemaId)
                ?? throw LakeException.FormatInvalid($"The data file names schema {group.Key.SchemaId}, which is not there", members[0].Path);
            schema.CheckNamesOf(wanted, members[0].Path);
            FileLease lease = await OpenAsync(snapshot, members, group.Key.Format, schema, columns, cancellationToken, ConditionOf(snapshot, schema, columns, filter), mayArrive);
            leases.Add(lease);
            _nested.Check(schema, columns, members, lease.LocalPaths);
            var all = new PaimonFileGroup(schema, members[0].WriteColumns, members, lease.LocalPaths) { Format = group.Key.Format };
            groups.AddRange(columns.Any(c => c.Type.HoldsVariant) ? SplitByVariants(all, columns) : [all]);
        }

        return groups;
    }

    // Each file decides for itself how it stores variants, so the engine reads only files of one physical schema together.
    private IEnumerable<PaimonFileGroup> SplitByVariants(PaimonFileGroup files, IReadOnlyList<PaimonField> columns)
    {
        ParquetFooter[] footers = _nested.Footers.Read(files.LocalPaths, i => files.Files[i].Path);
        foreach (IGrouping<ParquetNode, int> alike in Enumerable.Range(0, footers.Length).GroupBy(i => footers[i].Schema))
        {
            yield return files with
            {
                Files = [.. alike.Select(i => files.Files[i])],
                LocalPaths = [.. alike.Select(i => files.LocalPaths[i])],
                Variants = StoredVariants.Of(alike.Key, files.Schema, columns, files.Files[alike.First()].Path),
            };
        }
    }

    /// <summary>Opens blob files; the local paths of their values.</summary>
    public async ValueTask<string[]> OpenBlobsAsync(
        PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        FileLease lease = await OpenAsync(snapshot, files, "blob", snapshot.TableSchema, [], cancellationToken);
        leases.Add(lease);
        return [.. lease.LocalPaths];
    }

    // Statistics are of the values as the files have them: of columns that were altered since they say nothing.
    private static RowGroupCondition? ConditionOf(PaimonSnapshot snapshot, PaimonSchema schema, IReadOnlyList<PaimonField> columns, ScanFilter? filter) =>
        RowGroupCondition.TryCreate(filter, name => columns.FirstOrDefault(c => c.Name.Equals(name, StringComparison.OrdinalIgnoreCase)) is { } column
            && !snapshot.TableSchema.PartitionKeys.Contains(column.Name)
            && schema.Fields.FirstOrDefault(f => f.Id == column.Id) is { } stored && stored.Type.HasSameValuesAs(column.Type)
                ? (stored.Name, PaimonArrowTypes.ToField(column)) : null);

    private async ValueTask<FileLease> OpenAsync(
        PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files, string format, PaimonSchema schema, IReadOnlyList<PaimonField> columns,
        CancellationToken cancellationToken, RowGroupCondition? condition = null, bool mayArrive = false)
    {
        CacheableFile[] cacheable = [.. files.Select(f => Locate(snapshot, f, f.Path) with { Needed = condition })];
        try
        {
            return await OpenAsync(snapshot, cacheable, files[0].Path, format, schema, columns, mayArrive, cancellationToken);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.NotFound)
        {
            if (await TryLocateOtherwiseAsync(snapshot, files, cancellationToken) is not CacheableFile[] others)
            {
                throw;
            }

            return await OpenAsync(snapshot, others, files[0].Path, format, schema, columns, mayArrive, cancellationToken);
        }
    }

    private async ValueTask<FileLease> OpenAsync(
        PaimonSnapshot snapshot, CacheableFile[] cacheable, string path, string format, PaimonSchema schema, IReadOnlyList<PaimonField> columns, bool mayArrive,
        CancellationToken cancellationToken)
    {
        switch (format)
        {
            case "parquet" when NeedsTimestamps(schema, columns):
                Dictionary<string, TimeUnit> units = UnannotatedUnits(schema);
                string key = ParquetTimestampDecoder.DecoderKey + string.Concat(units.OrderBy(u => u.Key, StringComparer.Ordinal).Select(u => $"\u0001{u.Key}\u0002{u.Value}"));
                return await materializer.OpenDecodedAsync(cacheable, key, ParquetTimestampDecoder.Create(units), cancellationToken);
            case "parquet":
                HashSet<int> ids = [.. columns.Select(c => c.Id)];
                string[] names = [.. schema.Fields.Where(f => ids.Contains(f.Id)).Select(f => f.Name), PaimonColumns.Sequence, PaimonColumns.ValueKind, RowTracking.Physical[0].Name];
                return mayArrive ? await materializer.OpenEarlyAsync(cacheable, names, cancellationToken) : await materializer.OpenAsync(cacheable, names, cancellationToken);
            case "orc":
                // The whole file is decoded once, whatever the query needs: the next one will need other columns. Only columns in nanoseconds, which may
                // hold what cannot be read, are left out until somebody asks for them.
                HashSet<string> fine = [.. schema.Fields.Where(f => f.Type.HoldsNanoseconds).Select(f => f.Name)];
                bool withFine = fine.Count > 0 && schema.Fields.Any(f => fine.Contains(f.Name) && columns.Any(c => c.Id == f.Id));
                var options = new OrcReadOptions
                {
                    NanosecondColumns = withFine ? [.. fine.Order(StringComparer.Ordinal)] : [],
                    Columns = fine.Count == 0 || withFine
                        ? null
                        : [.. schema.Fields.Select(f => f.Name).Where(n => !fine.Contains(n)), PaimonColumns.Sequence, PaimonColumns.ValueKind, RowTracking.Physical[0].Name],
                    LegacyInstants = !string.Equals(snapshot.TableSchema.Option("orc.timestamp-ltz.legacy.type"), "false", StringComparison.OrdinalIgnoreCase),
                };
                return await materializer.OpenDecodedAsync(cacheable, OrcFileDecoder.DecoderKey(options), OrcFileDecoder.Create(options), cancellationToken);
            case "avro":
                return await materializer.OpenDecodedAsync(cacheable, AvroFileDecoder.DecoderKey, AvroFileDecoder.Create(), cancellationToken);
            case "blob":
                return await materializer.OpenDecodedAsync(cacheable, BlobFileDecoder.DecoderKey, BlobFileDecoder.Create(), cancellationToken);
            default:
                throw LakeException.FeatureUnsupported($"Data files of the format '{format}' are not supported", path);
        }
    }

    // The engine reads INT96 in microseconds only, and up to Paimon 0.6 timestamps are plain INT64 in Parquet.
    private static bool NeedsTimestamps(PaimonSchema schema, IReadOnlyList<PaimonField> columns) => schema.Fields.Any(f =>
        columns.Any(c => c.Id == f.Id) && (f.Type.HoldsNanoseconds || (schema.Version == 1 && Timestamps(f.Type, f.Name).Any())));

    // Only schemas of version 1 were written when the annotation was missing.
    private static Dictionary<string, TimeUnit> UnannotatedUnits(PaimonSchema schema) => schema.Version > 1
        ? []
        : schema.Fields.SelectMany(f => Timestamps(f.Type, f.Name)).ToDictionary(t => t.Path, t => t.Precision <= 3 ? TimeUnit.Millisecond : TimeUnit.Microsecond);

    private static IEnumerable<(string Path, int Precision)> Timestamps(PaimonType type, string path) => type.Kind switch
    {
        PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz => [(path, type.Length)],
        PaimonTypeKind.Array => Timestamps(type.Element!, path + ".element"),
        PaimonTypeKind.Map => Timestamps(type.Element!, path + ".key").Concat(Timestamps(type.Value!, path + ".value")),
        PaimonTypeKind.Row => type.Fields.SelectMany(f => Timestamps(f.Type, path + "." + f.Name)),
        _ => [],
    };

    /// <summary>A file of the table in its store.</summary>
    public CacheableFile Locate(PaimonSnapshot snapshot, PaimonDataFile file, string path)
    {
        (IObjectStore store, string key) = locations.Resolve(snapshot.Table.Root, path);
        return new CacheableFile(store, key, file.SizeBytes);
    }

    // Some writers named folders of dates and times in the other of the two spellings.
    private async ValueTask<CacheableFile[]?> TryLocateOtherwiseAsync(PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files, CancellationToken cancellationToken)
    {
        PaimonType[] types = [.. snapshot.TableSchema.PartitionKeys.Select(k => snapshot.TableSchema.Field(k).Type)];
        if (!types.Any(t => t.Kind is PaimonTypeKind.Date or PaimonTypeKind.Time or PaimonTypeKind.Timestamp or PaimonTypeKind.TimestampLtz))
        {
            return null;
        }

        var located = new CacheableFile[files.Count];
        bool any = false;
        for (int i = 0; i < located.Length; i++)
        {
            PaimonDataFile file = files[i];
            located[i] = Locate(snapshot, file, file.Path);
            if (file.ExternalPath is null && await located[i].Store.HeadAsync(located[i].Key, cancellationToken) is null)
            {
                string other = PaimonPaths.BucketFolder(snapshot.TableSchema, types, file.Partition, file.Bucket, otherSpelling: true) + file.Name;
                located[i] = Locate(snapshot, file, other);
                any = true;
            }
        }

        return any ? located : null;
    }
}
