using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Avro;
using LakeHolo.Readers.DataFiles.Orc;

namespace LakeHolo.Readers.Paimon;

/// <summary>Makes data files readable by the engine, grouped by the schema they were written with.</summary>
internal sealed class PaimonFileOpener(IFileMaterializer materializer)
{
    /// <summary>Opens files; the leases go into <paramref name="leases"/>.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="files">The files.</param>
    /// <param name="columns">The columns wanted, as the snapshot has them.</param>
    /// <param name="leases">Receives what must be disposed after the last row was read.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<IReadOnlyList<PaimonFileGroup>> OpenAsync(
        PaimonSnapshot snapshot, IEnumerable<PaimonDataFile> files, IReadOnlyList<PaimonField> columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        var groups = new List<PaimonFileGroup>();
        foreach (var group in files.GroupBy(f => (f.SchemaId, f.Format, Written: f.WriteColumns is null ? null : string.Join('\n', f.WriteColumns))))
        {
            IReadOnlyList<PaimonDataFile> members = [.. group];
            PaimonSchema schema = snapshot.Schemas.GetValueOrDefault(group.Key.SchemaId)
                ?? throw LakeException.FormatInvalid($"The data file names schema {group.Key.SchemaId}, which is not there", members[0].Path);
            FileLease lease = await OpenAsync(snapshot, members, group.Key.Format, schema, columns, cancellationToken);
            leases.Add(lease);
            groups.Add(new PaimonFileGroup(schema, members[0].WriteColumns, members, lease.LocalPaths) { Format = group.Key.Format });
        }

        return groups;
    }

    private async ValueTask<FileLease> OpenAsync(
        PaimonSnapshot snapshot, IReadOnlyList<PaimonDataFile> files, string format, PaimonSchema schema, IReadOnlyList<PaimonField> columns,
        CancellationToken cancellationToken)
    {
        CacheableFile[] cacheable = [.. files.Select(f => Locate(snapshot, f))];
        switch (format)
        {
            case "parquet":
                CheckNanoseconds(schema, columns, files[0]);
                HashSet<int> ids = [.. columns.Select(c => c.Id)];
                string[] names = [.. schema.Fields.Where(f => ids.Contains(f.Id)).Select(f => f.Name), PaimonColumns.Sequence, PaimonColumns.ValueKind];
                return await materializer.OpenAsync(cacheable, names, cancellationToken);
            case "orc":
                // The whole file is decoded once, whatever the query needs: the next one will need other columns.
                var options = new OrcReadOptions
                {
                    NanosecondColumns = [.. schema.Fields.Where(f => f.Type.Kind == PaimonTypeKind.Timestamp && f.Type.Length > 6).Select(f => f.Name)],
                    LegacyInstants = !string.Equals(snapshot.TableSchema.Option("orc.timestamp-ltz.legacy.type"), "false", StringComparison.OrdinalIgnoreCase),
                };
                return await materializer.OpenDecodedAsync(cacheable, OrcFileDecoder.DecoderKey(options), OrcFileDecoder.Create(options), cancellationToken);
            case "avro":
                return await materializer.OpenDecodedAsync(cacheable, AvroFileDecoder.DecoderKey, AvroFileDecoder.Create(), cancellationToken);
            default:
                throw LakeException.FeatureUnsupported($"Data files of the format '{format}' are not supported", files[0].Path);
        }
    }

    // The engine reads INT96 in microseconds only: what is finer would be lost.
    private static void CheckNanoseconds(PaimonSchema schema, IReadOnlyList<PaimonField> columns, PaimonDataFile file)
    {
        foreach (PaimonField column in columns)
        {
            if (schema.Fields.FirstOrDefault(f => f.Id == column.Id) is PaimonField physical && physical.Type.HoldsNanoseconds)
            {
                throw LakeException.FeatureUnsupported($"The column '{column.Name}' of type {physical.Type.Text} is stored in nanoseconds in a Parquet file, which is not supported", file.Path);
            }
        }
    }

    /// <summary>Where a file of the table lies; a file outside the table's own store is refused.</summary>
    private static CacheableFile Locate(PaimonSnapshot snapshot, PaimonDataFile file)
    {
        if (file.ExternalPath is null)
        {
            return new CacheableFile(snapshot.Table.Root.Store, snapshot.Table.Root.Key(file.Path), file.SizeBytes);
        }

        string root = Normalise(snapshot.Table.Root.Store.Root.OriginalString).TrimEnd('/') + "/";
        string external = Normalise(file.ExternalPath);
        if (!external.StartsWith(root, StringComparison.Ordinal) || external.Split('/').Contains(".."))
        {
            throw LakeException.FeatureUnsupported("The data file lies outside the table's source (_EXTERNAL_PATH)", file.ExternalPath);
        }

        return new CacheableFile(snapshot.Table.Root.Store, external[root.Length..], file.SizeBytes);
    }

    // file:/a, file:///a and /a are one place.
    private static string Normalise(string uri) => uri.StartsWith("file:", StringComparison.Ordinal) ? "/" + uri[5..].TrimStart('/') : uri;
}
