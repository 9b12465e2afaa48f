using System.Globalization;
using System.Text;
using System.Text.Json;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Paimon;

/// <summary>The folder of a table, or of one of its branches: which snapshots, tags and schemas there are.</summary>
/// <remarks>A branch has only snapshots, schemas and tags of its own; manifests and data lie in the table's main folders.</remarks>
internal sealed class PaimonFolder(TableRoot root, string branch)
{
    /// <summary>The branch that is the table itself.</summary>
    public const string Main = "main";

    private const long MaxJsonBytes = 64 << 20;

    private string Prefix => branch == Main ? "" : $"branch/branch-{branch}/";

    public TableRoot Root => root;

    public string SnapshotPath(long id) => root.Key(string.Create(CultureInfo.InvariantCulture, $"{Prefix}snapshot/snapshot-{id}"));

    public async ValueTask<PaimonCommit?> TryReadCommitAsync(long id, CancellationToken cancellationToken) =>
        await TryReadAsync(SnapshotPath(id), cancellationToken) is byte[] content ? PaimonCommit.Parse(content, SnapshotPath(id)) : null;

    /// <summary>The commit of an id, also one that expired into the long-lived changelog.</summary>
    public async ValueTask<PaimonCommit?> TryReadChangeAsync(long id, CancellationToken cancellationToken)
    {
        if (await TryReadCommitAsync(id, cancellationToken) is PaimonCommit commit)
        {
            return commit;
        }

        string key = root.Key(string.Create(CultureInfo.InvariantCulture, $"{Prefix}changelog/changelog-{id}"));
        return await TryReadAsync(key, cancellationToken) is byte[] content ? PaimonCommit.Parse(content, key) : null;
    }

    public async ValueTask<PaimonCommit?> TryReadTagAsync(string name, CancellationToken cancellationToken)
    {
        if (name.Length == 0 || name.Contains('/', StringComparison.Ordinal))
        {
            return null;
        }

        string key = root.Key($"{Prefix}tag/tag-{name}");
        return await TryReadAsync(key, cancellationToken) is byte[] content ? PaimonCommit.Parse(content, key) : null;
    }

    /// <summary>The snapshot that a consumer reads next, or null.</summary>
    public async ValueTask<long?> TryReadConsumerAsync(string name, CancellationToken cancellationToken)
    {
        if (await TryReadAsync(root.Key($"{Prefix}consumer/consumer-{name}"), cancellationToken) is not byte[] content)
        {
            return null;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(content);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("nextSnapshot", out JsonElement next) && next.TryGetInt64(out long id)
                ? id
                : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw LakeException.FormatInvalid("The consumer file is not JSON", root.Key($"{Prefix}consumer/consumer-{name}"), e);
        }
    }

    /// <summary>Id of the newest snapshot, or null. LATEST is a hint only: it may lag behind.</summary>
    public async ValueTask<long?> FindLatestAsync(CancellationToken cancellationToken)
    {
        if (await TryReadAsync(root.Key(Prefix + "snapshot/LATEST"), cancellationToken) is byte[] hint
            && long.TryParse(Encoding.UTF8.GetString(hint).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long id) && id is > 0 and < long.MaxValue
            && await root.Store.HeadAsync(SnapshotPath(id + 1), cancellationToken) is null
            && await root.Store.HeadAsync(SnapshotPath(id), cancellationToken) is not null)
        {
            return id;
        }

        List<long> ids = await ListNumbersAsync("snapshot", "snapshot-", cancellationToken);
        return ids.Count == 0 ? null : ids[^1];
    }

    public ValueTask<List<long>> ListSnapshotIdsAsync(CancellationToken cancellationToken) => ListNumbersAsync("snapshot", "snapshot-", cancellationToken);

    /// <summary>The ETag of each snapshot's file, by id.</summary>
    public async ValueTask<IReadOnlyDictionary<long, string>> ListSnapshotTagsAsync(CancellationToken cancellationToken)
    {
        const string prefix = "snapshot-";
        var tags = new Dictionary<long, string>();
        await foreach (ObjectEntry entry in root.Store.ListAsync(root.Key($"{Prefix}snapshot/"), recursive: false, cancellationToken: cancellationToken))
        {
            if (entry.Name.StartsWith(prefix, StringComparison.Ordinal)
                && long.TryParse(entry.Name.AsSpan(prefix.Length), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long id))
            {
                tags[id] = entry.ETag;
            }
        }

        return tags;
    }

    public async ValueTask<IReadOnlyList<string>> ListNamesAsync(string folder, string prefix, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        await foreach (ObjectEntry entry in root.Store.ListAsync(root.Key($"{Prefix}{folder}/"), recursive: false, cancellationToken: cancellationToken))
        {
            if (entry.Name.StartsWith(prefix, StringComparison.Ordinal))
            {
                names.Add(entry.Name[prefix.Length..]);
            }
        }

        return names;
    }

    /// <summary>Every schema by id; those of <paramref name="known"/> are taken over while its newest one has not changed.</summary>
    public async ValueTask<IReadOnlyDictionary<long, PaimonSchema>> ReadSchemasAsync(
        IReadOnlyDictionary<long, PaimonSchema>? known, CancellationToken cancellationToken)
    {
        List<long> ids = await ListNumbersAsync("schema", "schema-", cancellationToken);
        if (ids.Count == 0)
        {
            throw LakeException.NotFound("The folder is no Paimon table: it has no schema", root.Location);
        }

        long newestKnown = known is null || known.Count == 0 ? -1 : known.Keys.Max();
        if (newestKnown >= 0 && (!ids.Contains(newestKnown) || !IsSame(await ReadSchemaAsync(newestKnown, cancellationToken), known![newestKnown])))
        {
            newestKnown = -1;
        }

        var schemas = new Dictionary<long, PaimonSchema>();
        foreach (long id in ids)
        {
            schemas[id] = id <= newestKnown && known!.TryGetValue(id, out PaimonSchema? schema) ? schema : await ReadSchemaAsync(id, cancellationToken);
        }

        return schemas;
    }

    public async ValueTask<bool> HasSchemaAsync(long id, CancellationToken cancellationToken) =>
        await root.Store.HeadAsync(SchemaPath(id), cancellationToken) is not null;

    public async ValueTask<byte[]?> TryReadAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            return await root.Store.ReadAsync(key, MaxJsonBytes, cancellationToken);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.NotFound)
        {
            return null;
        }
    }

    private static bool IsSame(PaimonSchema a, PaimonSchema b) => a.TimeMillis == b.TimeMillis && a.Fields.Count == b.Fields.Count
        && a.Fields.Zip(b.Fields).All(p => p.First.Id == p.Second.Id && p.First.Name == p.Second.Name && p.First.Type.HasSameValuesAs(p.Second.Type))
        && a.Options.Count == b.Options.Count && a.Options.All(o => b.Option(o.Key) == o.Value);

    private string SchemaPath(long id) => root.Key(string.Create(CultureInfo.InvariantCulture, $"{Prefix}schema/schema-{id}"));

    private async ValueTask<PaimonSchema> ReadSchemaAsync(long id, CancellationToken cancellationToken)
    {
        string path = SchemaPath(id);
        return PaimonSchema.Parse(await root.Store.ReadAsync(path, MaxJsonBytes, cancellationToken), id, path);
    }

    // A name counts only if the whole suffix is a number: temporary files of a crashed writer begin the same way.
    private async ValueTask<List<long>> ListNumbersAsync(string folder, string prefix, CancellationToken cancellationToken)
    {
        var ids = new List<long>();
        foreach (string name in await ListNamesAsync(folder, prefix, cancellationToken))
        {
            if (long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long id))
            {
                ids.Add(id);
            }
        }

        ids.Sort();
        return ids;
    }
}
