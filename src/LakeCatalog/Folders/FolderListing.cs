using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.RegularExpressions;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Folders;

/// <summary>The data files below a folder, and what their paths say.</summary>
internal sealed partial record FolderListing(IReadOnlyList<FolderFile> Files, IReadOnlyList<string> PartitionColumns)
{
    private const string NullPartition = "__HIVE_DEFAULT_PARTITION__";

    /// <summary>A short hash of keys, sizes and tags.</summary>
    internal string Id
    {
        get
        {
            var hash = new XxHash64();
            foreach (FolderFile file in Files)
            {
                hash.Append(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{file.Path}\0{file.SizeBytes}\0{file.ETag}\0")));
            }

            return hash.GetCurrentHashAsUInt64().ToString("x16", CultureInfo.InvariantCulture);
        }
    }

    internal static async ValueTask<FolderListing> ListAsync(TableRoot root, CancellationToken cancellationToken)
    {
        var files = new List<FolderFile>();
        string[]? keys = null;
        await foreach (ObjectEntry entry in root.Store.ListAsync(root.Prefix, recursive: true, null, cancellationToken))
        {
            string path = entry.Key[root.Prefix.Length..];
            string[] segments = path.Split('/');
            if (entry.IsFolder || entry.SizeBytes == 0 || segments.Any(s => s.Length == 0 || HiddenNames.IsHidden(s)))
            {
                continue;
            }

            foreach (string segment in segments.SkipLast(1).Where(s => AcidFolder().IsMatch(s)))
            {
                throw LakeException.FeatureUnsupported($"Hive ACID folders ('{segment}') are not supported", root.Location);
            }

            (string Key, string? Value)[] partition = [.. segments.SkipLast(1).Where(s => s.IndexOf('=', StringComparison.Ordinal) > 0).Select(ParsePartition)];
            string[] fileKeys = [.. partition.Select(p => p.Key)];
            keys ??= fileKeys;
            if (!keys.SequenceEqual(fileKeys, StringComparer.Ordinal) || fileKeys.Distinct(StringComparer.OrdinalIgnoreCase).Count() != fileKeys.Length)
            {
                throw LakeException.FormatInvalid($"Partition folders disagree: '{string.Join('/', keys)}' and '{string.Join('/', fileKeys)}'", root.Location + "/" + path);
            }

            files.Add(new FolderFile(path, entry.SizeBytes, entry.ModifiedAt, entry.ETag, [.. partition.Select(p => p.Value)]));
        }

        files.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
        return new FolderListing(files, keys ?? []);
    }

    /// <summary>The partition columns with the narrowest type that all values have.</summary>
    internal IEnumerable<Field> PartitionFields()
    {
        for (int i = 0; i < PartitionColumns.Count; i++)
        {
            string[] values = [.. Files.Select(f => f.Partition[i]).OfType<string>().Distinct(StringComparer.Ordinal)];
            IArrowType type = values.Length == 0 ? StringType.Default
                : values.All(v => DateOnly.TryParseExact(v, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _)) ? Date32Type.Default
                : values.All(v => long.TryParse(v, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)) ? Int64Type.Default
                : StringType.Default;
            yield return new Field(PartitionColumns[i], type, nullable: true);
        }
    }

    private static (string Key, string? Value) ParsePartition(string segment)
    {
        int equals = segment.IndexOf('=', StringComparison.Ordinal);
        string value = Unescape(segment[(equals + 1)..]);
        return (Unescape(segment[..equals]), value == NullPartition ? null : value);
    }

    /// <summary>Hive escapes a character as % and two hexadecimal digits; anything else stays as it is.</summary>
    private static string Unescape(string text) =>
        text.Contains('%', StringComparison.Ordinal)
            ? Escape().Replace(text, m => Encoding.UTF8.GetString([.. Enumerable.Range(0, m.Length / 3).Select(i => Convert.ToByte(m.Value.Substring((3 * i) + 1, 2), 16))]))
            : text;

    [GeneratedRegex("(%[0-9A-Fa-f]{2})+")]
    private static partial Regex Escape();

    [GeneratedRegex("^(base_[0-9]+|(delete_)?delta_[0-9]+_[0-9]+(_[0-9]+)?)$")]
    private static partial Regex AcidFolder();
}
