using System.Globalization;

namespace LakeHolo.LakeCatalog.Hudi.FileSlices;

/// <summary>What a data file's name says.</summary>
/// <param name="FileId">File group.</param>
/// <param name="Instant">Base: the writing instant. Log: the slice's base instant (version 6) or the writing delta commit (version 8 and later).</param>
/// <param name="LogVersion">Number of a log file, 0 for a base file.</param>
/// <param name="WriteToken">Attempt that wrote it.</param>
/// <param name="Extension">Of a base file: parquet, orc, …; of a log file empty, or <c>cdc</c>.</param>
internal readonly record struct HudiFileName(string FileId, string Instant, int LogVersion, string WriteToken, string Extension)
{
    public bool IsLog => LogVersion > 0;

    public bool IsCdc => IsLog && Extension.Length > 0;

    /// <summary>The file of this name in a partition.</summary>
    public HudiFile FileOf(string partition, string name, long sizeBytes)
        => new(partition.Length == 0 ? name : partition + "/" + name, sizeBytes, Instant, LogVersion, WriteToken, IsLog ? "" : Extension);

    /// <summary>Reads a name; null for markers, checksums and other files that are no data.</summary>
    public static HudiFileName? TryParse(string name) => name.StartsWith('.') ? Log(name) : Base(name);

    // <fileId>_<writeToken>_<instant>.<ext>
    private static HudiFileName? Base(string name)
    {
        int first = name.IndexOf('_', StringComparison.Ordinal);
        int second = first < 0 ? -1 : name.IndexOf('_', first + 1);
        int dot = second < 0 ? -1 : name.IndexOf('.', second + 1);
        if (first <= 0 || dot <= second + 1 || name.IndexOf('_', second + 1) >= 0)
        {
            return null;
        }

        string extension = name.AsSpan(dot + 1) is "parquet" ? "parquet" : name[(dot + 1)..].ToLowerInvariant();
        return extension is "parquet" or "orc" or "hfile" or "lance" or "vortex"
            ? new HudiFileName(name[..first], name[(second + 1)..dot], 0, name[(first + 1)..second], extension)
            : null;
    }

    // .<fileId>_<instant>.log.<version>_<writeToken>[.cdc]
    private static HudiFileName? Log(string name)
    {
        int log = name.IndexOf(".log.", 1, StringComparison.Ordinal);
        int underscore = log < 0 ? -1 : name.LastIndexOf('_', log);
        if (underscore < 2)
        {
            return null;
        }

        ReadOnlySpan<char> rest = name.AsSpan(log + 5);
        int end = rest.IndexOf('_');
        ReadOnlySpan<char> number = end < 0 ? rest : rest[..end];
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int version) || version < 1)
        {
            return null;
        }

        string token = end < 0 ? "" : rest[(end + 1)..].ToString();
        bool isCdc = token.EndsWith(".cdc", StringComparison.Ordinal) || token.EndsWith("-cdc", StringComparison.Ordinal);
        return new HudiFileName(name[1..underscore], name[(underscore + 1)..log], version, isCdc ? token[..^4] : token, isCdc ? "cdc" : "");
    }
}
