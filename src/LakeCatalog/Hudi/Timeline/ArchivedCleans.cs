using System.Buffers.Binary;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>Reads what archived cleans removed.</summary>
internal static class ArchivedCleans
{
    /// <summary>The cleans of an archive after a time, by instant.</summary>
    /// <param name="root">The table.</param>
    /// <param name="properties">Its properties.</param>
    /// <param name="since">Exclusive bound.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <exception cref="LakeException">FeatureUnsupported for a clean that does not tell what it removed.</exception>
    public static async ValueTask<IReadOnlyDictionary<string, CleanMetadata>> ReadAsync(TableRoot root, HudiProperties properties, string since, CancellationToken cancellationToken)
    {
        var cleans = new Dictionary<string, CleanMetadata>(StringComparer.Ordinal);
        if (properties.TimelineLayout == 2)
        {
            foreach ((string time, byte[]? metadata) in await TimelineHistory.ReadActionsAsync(root, properties.HistoryFolder, "clean", since, cancellationToken))
            {
                cleans[time] = metadata is { Length: > 0 } ? CommitAvro.ReadClean(metadata, properties.HistoryFolder + time) : throw Untold(time, root);
            }

            return cleans;
        }

        await foreach (ObjectEntry entry in root.Store.ListAsync(root.Key(properties.ArchiveFolder), recursive: false, cancellationToken: cancellationToken))
        {
            if (entry.Name.StartsWith(".commits_.archive.", StringComparison.Ordinal))
            {
                byte[] file = await root.Store.ReadAsync(entry.Key, cancellationToken: cancellationToken);
                foreach (AvroRecord instant in Instants(file, entry.Key))
                {
                    string time = instant.GetStringOrNull("commitTime") ?? "";
                    if (instant.GetStringOrNull("actionType") == "clean" && instant.GetStringOrNull("actionState") is null or "COMPLETED" && string.CompareOrdinal(time, since) > 0)
                    {
                        cleans[time] = instant["hoodieCleanMetadata"] is AvroRecord clean ? CommitAvro.ReadClean(clean) : throw Untold(time, root);
                    }
                }
            }
        }

        return cleans;
    }

    // Log blocks of Avro records: i32 version, i32 records, then records x (i32 length, datum).
    private static List<AvroRecord> Instants(byte[] file, string path)
    {
        var records = new List<AvroRecord>();
        foreach (LogBlock block in LogFileParser.Parse(file, path).Where(b => b.Type == LogBlockType.AvroData))
        {
            AvroSchema schema = AvroSchema.Parse(block.Headers.GetValueOrDefault(LogHeader.Schema) ?? throw LakeException.FormatInvalid("Hudi: an archive block without a schema", path), path);
            ReadOnlySpan<byte> rest = file.AsSpan(block.ContentOffset, block.ContentLength);
            int count = rest.Length >= 8 ? BinaryPrimitives.ReadInt32BigEndian(rest[4..]) : 0;
            rest = count > 0 ? rest[8..] : [];
            for (int i = 0; i < count; i++)
            {
                int length = rest.Length >= 4 ? BinaryPrimitives.ReadInt32BigEndian(rest) : -1;
                if (length < 0 || length > rest.Length - 4)
                {
                    throw LakeException.FormatInvalid($"Hudi: instant {i} of {count} of an archive block declares {length} bytes of {rest.Length - 4}", path);
                }

                records.Add(AvroDatum.DecodeRecord(schema, rest.Slice(4, length), path));
                rest = rest[(4 + length)..];
            }
        }

        return records;
    }

    private static LakeException Untold(string time, TableRoot root)
        => LakeException.FeatureUnsupported($"Hudi: an older state cannot be read, since the archived clean {time} does not tell what it removed", root.Location);
}
