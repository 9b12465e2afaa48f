using System.IO.Compression;
using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;
using ZstdSharp;

namespace LakeHolo.Readers.Folders;

/// <summary>How a CSV file is written. The delimiter is the one that the first line has most of, outside quotes; nothing else is guessed: a file that does
/// not keep to it is an error with its line, where guessing would drop rows or put several fields into one.</summary>
/// <param name="Delimiter">Between fields.</param>
/// <param name="Compression">none, gzip or zstd, by the file's first bytes.</param>
/// <param name="FirstLine">The fields of the first line.</param>
/// <remarks>Source: RFC 4180, and the escape by backslash that Spark and Hive write.</remarks>
internal sealed record CsvDialect(char Delimiter, string Compression, IReadOnlyList<string> FirstLine)
{
    private const int MaxFirstLine = 1 << 20;

    private static readonly char[] Delimiters = [',', ';', '\t', '|'];

    /// <summary>Looks at a file's first line.</summary>
    /// <exception cref="LakeException">FormatInvalid: it is no text, or its first line is longer than 1 MiB.</exception>
    public static CsvDialect Of(string path)
    {
        using FileStream file = File.OpenRead(path);
        Span<byte> magic = stackalloc byte[4];
        int read = file.ReadAtLeast(magic, 4, throwOnEndOfStream: false);
        file.Position = 0;
        string compression = magic[..read] switch
        {
            [0x1F, 0x8B, ..] => "gzip",
            [0x28, 0xB5, 0x2F, 0xFD] => "zstd",
            _ => "none",
        };
        using Stream plain = compression switch
        {
            "gzip" => new GZipStream(file, CompressionMode.Decompress),
            "zstd" => new DecompressionStream(file),
            _ => file,
        };
        string line;
        try
        {
            line = ReadLine(plain, path);
        }
        catch (Exception e) when (e is InvalidDataException or ZstdException or DecoderFallbackException)
        {
            throw LakeException.FormatInvalid($"The file is no UTF-8 text: {e.Message}", path, e);
        }

        char delimiter = Delimiters.MaxBy(d => Fields(line, d).Count);
        return new CsvDialect(delimiter, compression, Fields(line, delimiter));
    }

    /// <summary>The engine's options for this dialect.</summary>
    /// <param name="escape">What stands before a quote inside quotes.</param>
    /// <param name="header">Whether the first line names the columns.</param>
    public string Options(char escape, bool header) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"delim = {SqlText.Literal(Delimiter.ToString())}, quote = '\"', escape = '{escape}', comment = '', skip = 0, compression = '{Compression}', header = {header}, strict_mode = true, hive_partitioning = false");

    private static string ReadLine(Stream stream, string path)
    {
        using var reader = new StreamReader(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true), detectEncodingFromByteOrderMarks: true);
        var line = new StringBuilder();
        bool quoted = false;
        for (int c = reader.Read(); c >= 0 && (quoted || c is not ('\n' or '\r')); c = reader.Read())
        {
            quoted ^= c == '"';
            line.Append((char)c);
            if (line.Length > MaxFirstLine)
            {
                throw LakeException.FormatInvalid($"The first line of the file is longer than {MaxFirstLine} characters", path);
            }
        }

        return line.ToString();
    }

    private static List<string> Fields(string line, char delimiter)
    {
        var fields = new List<string>();
        var field = new StringBuilder();
        bool quoted = false;
        foreach (char c in line)
        {
            quoted ^= c == '"';
            if (c == delimiter && !quoted)
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else if (c != '"')
            {
                field.Append(c);
            }
        }

        fields.Add(field.ToString());
        return fields;
    }
}
