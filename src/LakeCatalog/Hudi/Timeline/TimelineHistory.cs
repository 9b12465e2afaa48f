using System.Globalization;
using System.Text.Json;
using LakeHolo.LakeCatalog.Storage;
using ParquetSharp;
using ParquetSharp.IO;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>The archived timeline of layout 2: <c>_version_</c> names a manifest, the manifest names Parquet files of instants.</summary>
internal static class TimelineHistory
{
    private const string ManifestPrefix = "manifest_";

    /// <summary>Completion times of archived instants; instants that are not found are missing in the result.</summary>
    public static async ValueTask<IReadOnlyDictionary<string, string>> ReadCompletionsAsync(
        TableRoot root, string folder, IReadOnlySet<string> instants, CancellationToken cancellationToken)
    {
        var completions = new Dictionary<string, string>(StringComparer.Ordinal);
        if (instants.Count == 0 || await FindManifestAsync(root, folder, cancellationToken) is not { } manifest)
        {
            return completions;
        }

        foreach (string name in manifest)
        {
            // <min instant>_<max instant>_<level>.parquet
            string[] parts = name.Split('_');
            if (parts.Length == 3 && instants.Any(i => string.CompareOrdinal(i, parts[0]) >= 0 && string.CompareOrdinal(i, parts[1]) <= 0))
            {
                byte[] file = await root.Store.ReadAsync(root.Key(folder + name), cancellationToken: cancellationToken);
                foreach (Row row in Read(file, withMetadata: false, name))
                {
                    if (instants.Contains(row.Time) && row.Completion is { Length: > 0 } end)
                    {
                        completions[row.Time] = end;
                    }
                }
            }
        }

        return completions;
    }

    /// <summary>The completed files' bytes of archived instants of an action after a time; null where there are none.</summary>
    public static async ValueTask<IReadOnlyList<(string Time, byte[]? Metadata)>> ReadActionsAsync(
        TableRoot root, string folder, string action, string since, CancellationToken cancellationToken)
    {
        var found = new List<(string, byte[]?)>();
        foreach (string name in await FindManifestAsync(root, folder, cancellationToken) ?? [])
        {
            string[] parts = name.Split('_');
            if (parts.Length != 3 || string.CompareOrdinal(parts[1], since) > 0)
            {
                byte[] file = await root.Store.ReadAsync(root.Key(folder + name), cancellationToken: cancellationToken);
                found.AddRange(Read(file, withMetadata: true, name).Where(r => r.Action == action && string.CompareOrdinal(r.Time, since) > 0).Select(r => (r.Time, r.Metadata)));
            }
        }

        return found;
    }

    /// <summary>Archived commits, delta commits and replace commits: instant and completion time.</summary>
    public static async ValueTask<IReadOnlyDictionary<string, string?>> ReadCommitsAsync(TableRoot root, string folder, CancellationToken cancellationToken)
    {
        var commits = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (string name in await FindManifestAsync(root, folder, cancellationToken) ?? [])
        {
            byte[] file = await root.Store.ReadAsync(root.Key(folder + name), cancellationToken: cancellationToken);
            foreach (Row row in Read(file, withMetadata: false, name).Where(r => r.Action is "commit" or "deltacommit" or "replacecommit"))
            {
                commits[row.Time] = row.Completion;
            }
        }

        return commits;
    }

    private static async ValueTask<IReadOnlyList<string>?> FindManifestAsync(TableRoot root, string folder, CancellationToken cancellationToken)
    {
        // Only a few manifests are retained: one that vanished between the two reads has a successor.
        string versionKey = root.Key(folder + "_version_");
        for (int attempt = 0; attempt < 3 && await root.Store.HeadAsync(versionKey, cancellationToken) is not null; attempt++)
        {
            string text = System.Text.Encoding.UTF8.GetString(await root.Store.ReadAsync(versionKey, maxSizeBytes: 1 << 10, cancellationToken)).Trim();
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int version))
            {
                throw LakeException.FormatInvalid($"Hudi: the timeline history's version is '{text}'", versionKey);
            }

            string manifestKey = root.Key(string.Create(CultureInfo.InvariantCulture, $"{folder}manifest_{version}"));
            if (await root.Store.HeadAsync(manifestKey, cancellationToken) is not null)
            {
                return await ReadManifestAsync(root, manifestKey, cancellationToken);
            }
        }

        // Without a version (or with one of a manifest that is gone) the newest manifest counts.
        string? newest = null;
        int greatest = -1;
        await foreach (ObjectEntry entry in root.Store.ListAsync(root.Key(folder), recursive: false, cancellationToken: cancellationToken))
        {
            if (entry.Name.StartsWith(ManifestPrefix, StringComparison.Ordinal)
                && int.TryParse(entry.Name.AsSpan(ManifestPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > greatest)
            {
                (newest, greatest) = (entry.Key, number);
            }
        }

        return newest is null ? null : await ReadManifestAsync(root, newest, cancellationToken);
    }

    private static async ValueTask<IReadOnlyList<string>> ReadManifestAsync(TableRoot root, string key, CancellationToken cancellationToken)
    {
        byte[] json = await root.Store.ReadAsync(key, cancellationToken: cancellationToken);
        try
        {
            using JsonDocument manifest = JsonDocument.Parse(json);
            return [.. manifest.RootElement.GetProperty("files").EnumerateArray().Select(f => f.GetProperty("fileName").GetString() ?? throw new InvalidOperationException("a file without a name"))];
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw LakeException.FormatInvalid("Hudi: a manifest of the timeline history is malformed: " + error.Message, key, error);
        }
    }

    private static List<Row> Read(byte[] file, bool withMetadata, string name)
    {
        var found = new List<Row>();
        try
        {
            using var stream = new MemoryStream(file, writable: false);
            using var source = new ManagedRandomAccessFile(stream);
            using var reader = new ParquetFileReader(source);
            SchemaDescriptor schema = reader.FileMetaData.Schema;
            for (int group = 0; group < reader.FileMetaData.NumRowGroups; group++)
            {
                using RowGroupReader rows = reader.RowGroup(group);
                int count = checked((int)rows.MetaData.NumRows);
                string?[] times = Column<string?>(rows, schema, "instantTime", count);
                string?[] ends = Column<string?>(rows, schema, "completionTime", count);
                string?[] actions = Column<string?>(rows, schema, "action", count);
                byte[]?[] metadata = withMetadata ? Column<byte[]?>(rows, schema, "metadata", count) : new byte[]?[count];
                found.AddRange(Enumerable.Range(0, count).Select(i => new Row(times[i] ?? "", ends[i], actions[i], metadata[i])));
            }
        }
        catch (ParquetException error)
        {
            throw LakeException.FormatInvalid("Hudi: a file of the timeline history is malformed: " + error.Message, name, error);
        }

        return found;
    }

    private static T[] Column<T>(RowGroupReader rows, SchemaDescriptor schema, string name, int count)
    {
        using LogicalColumnReader<T> column = rows.Column(schema.ColumnIndex(name)).LogicalReader<T>();
        return column.ReadAll(count);
    }

    private sealed record Row(string Time, string? Completion, string? Action, byte[]? Metadata);
}
