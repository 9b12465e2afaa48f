using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Paimon;

/// <summary>Reads the deletion vectors of a scan's files.</summary>
internal sealed class DeletionVectorLoader(PaimonSnapshot snapshot, ExternalLocations locations)
{
    private const long MaxIndexBytes = 1L << 30;

    /// <summary>Dead positions of each file that has a deletion vector.</summary>
    public async ValueTask<IReadOnlyDictionary<PaimonDataFile, List<long>>> LoadAsync(IReadOnlyList<PaimonDataFile> files, CancellationToken cancellationToken)
    {
        var positions = new Dictionary<PaimonDataFile, List<long>>(ReferenceEqualityComparer.Instance);
        var wanted = files.Select(f => (File: f, Vector: snapshot.DeletionVectorOf(f))).Where(p => p.Vector is not null);
        foreach (var index in wanted.GroupBy(p => p.Vector!.IndexPath))
        {
            byte[] content = await ReadAsync(index.Key, cancellationToken);
            if (content.Length == 0)
            {
                throw LakeException.FormatInvalid("The deletion vector index is empty", index.Key);
            }

            DeletionVectors.CheckFileVersion(content[0], index.Key);
            foreach ((PaimonDataFile file, PaimonDeletionVector? vector) in index)
            {
                if (vector!.Offset < 0 || vector.Length < 0 || vector.Offset > content.Length)
                {
                    throw LakeException.FormatInvalid($"The deletion vector of {file.Name} lies at {vector.Offset}, outside the index file of {content.Length} bytes", index.Key);
                }

                int length = (int)DeletionVectors.BytesToRead(vector, content.Length);
                positions[file] = DeletionVectors.Decode(content.AsSpan((int)vector.Offset, length), vector, file.RowCount);
            }
        }

        return positions;
    }

    private async ValueTask<byte[]> ReadAsync(string path, CancellationToken cancellationToken)
    {
        (IObjectStore store, string key) = locations.Resolve(snapshot.Table.Root, path);
        try
        {
            return await store.ReadAsync(key, MaxIndexBytes, cancellationToken);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.NotFound && !path.StartsWith("index/", StringComparison.Ordinal))
        {
            // Some writers put the file into index/ although the option says otherwise.
            return await store.ReadAsync(snapshot.Table.Root.Key("index/" + path[(path.LastIndexOf('/') + 1)..]), MaxIndexBytes, cancellationToken);
        }
    }
}
