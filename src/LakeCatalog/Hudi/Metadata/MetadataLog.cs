using System.Text;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi.HFiles;
using LakeHolo.LakeCatalog.Hudi.LogFiles;

namespace LakeHolo.LakeCatalog.Hudi.Metadata;

/// <summary>A block of the metadata table's logs: values by key (null for a deleted key), as the writer's Avro.</summary>
internal sealed record MetadataBlock(string Instant, AvroSchema? Schema, IReadOnlyDictionary<string, ReadOnlyMemory<byte>?> Cells);

/// <summary>Decodes log files of the metadata table.</summary>
internal static class MetadataLog
{
    /// <summary>The blocks of a file in order, with rollbacks inside the file left for the caller (as blocks without cells).</summary>
    public static async ValueTask<IReadOnlyList<(MetadataBlock? Data, string? RolledBack)>> ReadAsync(
        ReadOnlyMemory<byte> file, string path, CancellationToken cancellationToken)
    {
        var blocks = new List<(MetadataBlock?, string?)>();
        foreach (LogBlock block in LogFileParser.Parse(file.Span, path))
        {
            ReadOnlyMemory<byte> content = file.Slice(block.ContentOffset, block.ContentLength);
            switch (block.Type)
            {
                case LogBlockType.HFileData:
                    blocks.Add((await HFileAsync(block, content, path, cancellationToken), null));
                    break;
                case LogBlockType.Delete:
                    var deleted = new Dictionary<string, ReadOnlyMemory<byte>?>(StringComparer.Ordinal);
                    foreach (DeletedKey key in DeleteBlock.Decode(content.Span, path))
                    {
                        deleted[key.Key] = null;
                    }

                    blocks.Add((new MetadataBlock(block.Instant, null, deleted), null));
                    break;
                case LogBlockType.Command:
                    blocks.Add((null, block.Headers.GetValueOrDefault(LogHeader.TargetInstantTime)));
                    break;
                case LogBlockType.Corrupt:
                    break;
                default:
                    throw LakeException.FeatureUnsupported($"Hudi: {block.Type} log blocks in the metadata table are not supported", path);
            }
        }

        return blocks;
    }

    /// <summary>The Avro schema of an HFile's values.</summary>
    public static AvroSchema SchemaOf(HFileReader file, string? header, string path)
    {
        string json = header ?? (file.FileInfo.TryGetValue("schema", out ReadOnlyMemory<byte> text)
            ? Encoding.UTF8.GetString(text.Span)
            : throw LakeException.FormatInvalid("HFile: no schema of the values", path));
        return AvroSchema.Parse(json, path);
    }

    private static async ValueTask<MetadataBlock> HFileAsync(LogBlock block, ReadOnlyMemory<byte> content, string path, CancellationToken cancellationToken)
    {
        HFileReader file = await HFileReader.OpenAsync(content, path, cancellationToken);
        var cells = new Dictionary<string, ReadOnlyMemory<byte>?>(StringComparer.Ordinal);
        foreach (HFileCell cell in await file.ReadAllAsync(cancellationToken))
        {
            // An empty value is a deleted key.
            cells[Encoding.UTF8.GetString(cell.Key.Span)] = cell.Value.Length == 0 ? null : cell.Value;
        }

        return new MetadataBlock(block.Instant, SchemaOf(file, block.Headers.GetValueOrDefault(LogHeader.Schema), path), cells);
    }
}
