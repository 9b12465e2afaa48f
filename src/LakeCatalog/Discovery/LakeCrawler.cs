using System.Collections.Concurrent;
using System.Text;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Discovery;

/// <summary>Walks a source's folders, level by level, and recognises tables by their own markers. Never descends into a table; skips hidden and junk
/// folders (<see cref="HiddenNames"/>).</summary>
public static class LakeCrawler
{
    private const int ConcurrentListings = 16;
    private const int MaxDepth = 12;

    /// <summary>A listing longer than this is a data folder of some kind, not a folder of tables: it is judged by what was seen.</summary>
    private const int MaxEntriesPerFolder = 20_000;

    /// <summary>Finds the tables below a folder. A folder that cannot be listed becomes a fault, unless it is the root itself.</summary>
    /// <param name="root">Where to begin.</param>
    /// <param name="known">Tables found before, format by key prefix: taken as they are while their folder is still listed, at no request.</param>
    /// <param name="visited">Called for each folder that was looked into, by several threads.</param>
    /// <param name="cancellationToken">Observed between listings.</param>
    /// <exception cref="LakeException">The root cannot be listed.</exception>
    public static async ValueTask<CrawlResult> CrawlAsync(
        TableRoot root, IReadOnlyDictionary<string, KnownTable> known, Action? visited = null, CancellationToken cancellationToken = default)
    {
        var found = new ConcurrentBag<(TableRoot Root, string Format)>();
        var faults = new ConcurrentBag<CrawlFault>();
        List<TableRoot> level = [root];
        for (int depth = 0; level.Count > 0 && depth <= MaxDepth; depth++)
        {
            var next = new ConcurrentBag<TableRoot>();
            var options = new ParallelOptions { MaxDegreeOfParallelism = ConcurrentListings, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(level, options, async (folder, token) =>
            {
                try
                {
                    if (known.TryGetValue(folder.Prefix, out KnownTable? table) && folder != root)
                    {
                        found.Add((folder, table.Format));
                        return;
                    }

                    await VisitAsync(folder, found, faults, next, token);
                    visited?.Invoke();
                }
                catch (LakeException e) when (folder != root)
                {
                    faults.Add(new CrawlFault(folder.Location, e.Message));
                }
            });
            level = [.. next];
        }

        return new CrawlResult(TableNaming.Name(root, found, known), [.. faults.OrderBy(f => f.Location, StringComparer.Ordinal)]);
    }

    private static async ValueTask VisitAsync(
        TableRoot folder,
        ConcurrentBag<(TableRoot Root, string Format)> found,
        ConcurrentBag<CrawlFault> faults,
        ConcurrentBag<TableRoot> next,
        CancellationToken cancellationToken)
    {
        List<ObjectEntry> entries = await ListAsync(folder, cancellationToken);
        if (entries.Any(e => e.IsFolder && e.Name == "_delta_log"))
        {
            found.Add((folder, "delta"));
            return;
        }

        if (entries.Any(e => e.IsFolder && e.Name == ".hoodie"))
        {
            found.Add((folder, "hudi"));
            return;
        }

        if (await IsPaimonAsync(folder, entries, cancellationToken))
        {
            found.Add((folder, "paimon"));
            return;
        }

        (string? format, string? fault) = await DataFolderFormatAsync(folder, entries, depth: 0, cancellationToken);
        if (fault is not null)
        {
            faults.Add(new CrawlFault(folder.Location, fault));
        }
        else if (format is not null)
        {
            found.Add((folder, format));
        }
        else
        {
            foreach (ObjectEntry child in entries.Where(e => e.IsFolder && !HiddenNames.IsHidden(e.Name)))
            {
                next.Add(new TableRoot(folder.Store, child.Key));
            }
        }
    }

    private static async ValueTask<bool> IsPaimonAsync(TableRoot folder, List<ObjectEntry> entries, CancellationToken cancellationToken)
    {
        if (!entries.Any(e => e.IsFolder && e.Name == "schema"))
        {
            return false;
        }

        // A table is one iff a numbered schema file exists (Paimon file system catalog); snapshots may not exist yet.
        await foreach (ObjectEntry entry in folder.Store.ListAsync(folder.Prefix + "schema/schema-", recursive: false, null, cancellationToken))
        {
            if (!entry.IsFolder && long.TryParse(entry.Name.AsSpan("schema-".Length), out _))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The format of a folder of plain data files, also when they lie in <c>key=value</c> folders below it; null when it is none.</summary>
    private static async ValueTask<(string? Format, string? Fault)> DataFolderFormatAsync(
        TableRoot folder, List<ObjectEntry> entries, int depth, CancellationToken cancellationToken)
    {
        var formats = new SortedSet<string>(StringComparer.Ordinal);
        foreach (ObjectEntry file in entries.Where(e => !e.IsFolder && !HiddenNames.IsHidden(e.Name) && e.SizeBytes > 0))
        {
            string? format = FormatByName(file.Name);
            if (format is null && formats.Count == 0 && !file.Name.Contains('.', StringComparison.Ordinal))
            {
                format = await IsSequenceFileAsync(folder, file, cancellationToken) ? "sequencefile" : null;
            }

            if (format is not null)
            {
                formats.Add(format);
            }
        }

        if (formats.Count > 1)
        {
            return (null, $"The folder mixes {string.Join(", ", formats)} files; a table has files of one format");
        }

        if (formats.Count == 1)
        {
            return (formats.Min, null);
        }

        ObjectEntry[] partitions = [.. entries.Where(e => e.IsFolder && !HiddenNames.IsHidden(e.Name))];
        if (partitions.Length == 0 || depth >= MaxDepth || !partitions.All(p => p.Name.Contains('=', StringComparison.Ordinal)))
        {
            return (null, null);
        }

        // All partitions of one table hold files of one format: the first that holds any tells.
        foreach (ObjectEntry partition in partitions)
        {
            var child = new TableRoot(folder.Store, partition.Key);
            (string? format, string? fault) = await DataFolderFormatAsync(child, await ListAsync(child, cancellationToken), depth + 1, cancellationToken);
            if (format is not null || fault is not null)
            {
                return (format, fault);
            }
        }

        return (null, null);
    }

    private static string? FormatByName(string name)
    {
        string lower = name.ToLowerInvariant();
        return Path.GetExtension(lower) switch
        {
            ".parquet" or ".parq" => "parquet",
            ".orc" => "orc",
            ".csv" => "csv",
            ".gz" or ".zst" when Path.GetExtension(Path.GetFileNameWithoutExtension(lower)) == ".csv" => "csv",
            _ => null,
        };
    }

    private static async ValueTask<bool> IsSequenceFileAsync(TableRoot folder, ObjectEntry file, CancellationToken cancellationToken)
    {
        if (file.SizeBytes < 4)
        {
            return false;
        }

        IReadOnlyList<ReadOnlyMemory<byte>> head = await folder.Store.ReadRangesAsync(file.Key, [new ByteRange(0, 3)], null, cancellationToken);
        return Encoding.ASCII.GetString(head[0].Span) == "SEQ";
    }

    private static async ValueTask<List<ObjectEntry>> ListAsync(TableRoot folder, CancellationToken cancellationToken)
    {
        var entries = new List<ObjectEntry>();
        await foreach (ObjectEntry entry in folder.Store.ListAsync(folder.Prefix, recursive: false, null, cancellationToken))
        {
            entries.Add(entry);
            if (entries.Count >= MaxEntriesPerFolder)
            {
                break;
            }
        }

        return entries;
    }
}
