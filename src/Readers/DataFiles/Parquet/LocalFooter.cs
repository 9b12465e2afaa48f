using LakeHolo.Readers.Cache.Sparse;
using Microsoft.Win32.SafeHandles;

namespace LakeHolo.Readers.DataFiles.Parquet;

/// <summary>The footer of a local Parquet file, in one or two reads: for what has to be known of many files without asking the engine for each.</summary>
internal static class LocalFooter
{
    private const int FirstReadBytes = 64 << 10;

    /// <summary>The footer without its length and magic; null where the file is none with a plain footer and plain columns, or cannot be read: whoever reads it says why.</summary>
    public static byte[]? TryRead(string localPath)
    {
        try
        {
            using SafeFileHandle handle = File.OpenHandle(localPath);
            long size = RandomAccess.GetLength(handle);
            byte[] end = ReadEnd(handle, size, (int)Math.Min(size, FirstReadBytes));
            if (end.Length < ParquetLayout.TailBytes || ParquetLayout.FooterBytes(end.AsSpan(end.Length - ParquetLayout.TailBytes), size) is not { } length)
            {
                return null;
            }

            byte[] footer = length <= end.Length ? end[^(int)length..] : ReadEnd(handle, size, (int)length);
            return ParquetLayout.Parse(footer, size).IsEncrypted ? null : footer[..^ParquetLayout.TailBytes];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or LakeCatalog.LakeException)
        {
            return null;
        }
    }

    private static byte[] ReadEnd(SafeFileHandle handle, long size, int length)
    {
        byte[] bytes = new byte[length];
        for (int done = 0; done < length;)
        {
            int read = RandomAccess.Read(handle, bytes.AsSpan(done), size - length + done);
            done += read > 0 ? read : throw new EndOfStreamException("the file ended early");
        }

        return bytes;
    }
}
