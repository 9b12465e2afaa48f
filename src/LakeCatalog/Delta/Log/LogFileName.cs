using System.Globalization;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>Kinds of files in <c>_delta_log</c> that a reader uses.</summary>
internal enum LogFileKind
{
    Commit,
    ClassicCheckpoint,
    MultiPartCheckpoint,
    UuidCheckpoint,
}

/// <summary>A file name of <c>_delta_log</c>, taken apart.</summary>
internal readonly record struct LogFileName(LogFileKind Kind, long Version, int Part, int Parts)
{
    private const int VersionDigits = 20;
    private const int PartDigits = 10;
    private const int UuidLength = 36;

    /// <summary>The name of a commit file.</summary>
    public static string Commit(long version) => version.ToString("D20", CultureInfo.InvariantCulture) + ".json";

    /// <summary>Null for every name that a reader ignores (checksums, compactions, hidden files, unknown ones).</summary>
    public static LogFileName? TryParse(string name)
    {
        string[] parts = name.Split('.');
        if (parts.Length < 2 || !TryDigits(parts[0], VersionDigits, out long version))
        {
            return null;
        }

        if (parts is [_, "json"])
        {
            return new LogFileName(LogFileKind.Commit, version, 1, 1);
        }

        if (parts[1] != "checkpoint")
        {
            return null;
        }

        return parts switch
        {
            [_, _, "parquet"] => new LogFileName(LogFileKind.ClassicCheckpoint, version, 1, 1),
            [_, _, { Length: UuidLength }, "parquet" or "json"] => new LogFileName(LogFileKind.UuidCheckpoint, version, 1, 1),
            [_, _, var o, var p, "parquet"] when TryDigits(o, PartDigits, out long part) && TryDigits(p, PartDigits, out long count)
                && part >= 1 && part <= count && count <= int.MaxValue => new LogFileName(LogFileKind.MultiPartCheckpoint, version, (int)part, (int)count),
            _ => null,
        };
    }

    private static bool TryDigits(string text, int digits, out long value)
    {
        value = 0;
        return text.Length == digits && !text.AsSpan().ContainsAnyExceptInRange('0', '9')
            && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }
}
