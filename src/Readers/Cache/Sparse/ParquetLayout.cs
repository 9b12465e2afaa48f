using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>Where the parts of a Parquet file lie: what has to be there so that some columns can be read.</summary>
/// <remarks>Source: parquet-format, parquet.thrift (FileMetaData, RowGroup, ColumnChunk, ColumnMetaData).</remarks>
internal sealed class ParquetLayout
{
    /// <summary>Bytes at the end: the footer's length and "PAR1".</summary>
    public const int TailBytes = 8;

    // Old writers do not count the dictionary's page header in the chunk's size; readers read on by so much (Arrow's kMaxDictHeaderSize, PARQUET-816).
    private const int ChunkPaddingBytes = 100;

    private const int EncryptionField = 8; // of FileMetaData: encrypted columns under a plain footer

    private readonly List<Part> _parts;
    private readonly long _fileSize;
    private long[]? _starts;

    private ParquetLayout(List<Part> parts, IReadOnlyList<long> rowGroups, bool isEncrypted, long footerOffset, long fileSize)
    {
        _parts = parts;
        RowGroups = rowGroups;
        IsEncrypted = isEncrypted;
        FooterOffset = footerOffset;
        _fileSize = fileSize;
    }

    /// <summary>Rows of each row group; negative where the footer does not tell.</summary>
    public IReadOnlyList<long> RowGroups { get; }

    /// <summary>Whether some columns are encrypted.</summary>
    public bool IsEncrypted { get; }

    /// <summary>Where the footer begins.</summary>
    public long FooterOffset { get; }

    /// <summary>The footer's range.</summary>
    public ByteRange Footer => new(FooterOffset, _fileSize - FooterOffset);

    /// <summary>Length of the whole footer, tail included, from the last <see cref="TailBytes"/> of a file; null if it is no plain Parquet file.</summary>
    public static long? FooterBytes(ReadOnlySpan<byte> tail, long fileSize)
    {
        if (!tail[4..].SequenceEqual("PAR1"u8))
        {
            return null;
        }

        long length = System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(tail) + (long)TailBytes;
        return length <= fileSize && length <= Array.MaxLength ? length : null;
    }

    /// <summary>Parses a footer.</summary>
    /// <param name="footer">All of it, tail included.</param>
    /// <param name="fileSize">Size of the file whose end it is.</param>
    /// <exception cref="LakeException">FormatInvalid.</exception>
    public static ParquetLayout Parse(ReadOnlySpan<byte> footer, long fileSize)
    {
        var parts = new List<Part>();
        var rowGroups = new List<long>();
        bool isEncrypted = false;
        var thrift = new CompactThrift(footer[..^TailBytes]);
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field == 4)
            {
                int groups = thrift.List(out _);
                for (int i = 0; i < groups; i++)
                {
                    rowGroups.Add(ReadRowGroup(ref thrift, parts, i));
                }
            }
            else
            {
                isEncrypted |= field == EncryptionField;
                thrift.Skip(type);
            }
        }

        return new ParquetLayout(parts, rowGroups, isEncrypted, fileSize - footer.Length, fileSize);
    }

    /// <summary>The ranges that hold the footer and what belongs to top-level columns: chunks, page indexes, bloom filters.</summary>
    public IEnumerable<ByteRange> RangesOf(IReadOnlyCollection<string> columns) => ChunksOf(columns).Prepend(Footer);

    /// <summary>The ranges of what belongs to top-level columns, without the footer.</summary>
    /// <param name="columns">The columns.</param>
    /// <param name="needed">For each row group whether it is wanted; null for all.</param>
    public IEnumerable<ByteRange> ChunksOf(IReadOnlyCollection<string> columns, IReadOnlyList<bool>? needed = null)
    {
        // Without regard to case, as the engine matches names: one column too many is no harm.
        var wanted = new HashSet<string>(columns, StringComparer.OrdinalIgnoreCase);
        foreach (Part part in _parts.Where(p => wanted.Contains(p.Column) && needed?[p.RowGroup] != false))
        {
            long length = part.Length ?? NextStart(part.Offset) - part.Offset;
            if (part.Offset < 0 || length < 0 || part.Offset > _fileSize - length)
            {
                throw LakeException.FormatInvalid($"The Parquet footer places {length} bytes of column '{part.Column}' at {part.Offset} of {_fileSize}");
            }

            yield return new ByteRange(part.Offset, Math.Min(length + part.Padding, _fileSize - part.Offset));
        }
    }

    private long NextStart(long offset)
    {
        _starts ??= [.. _parts.Select(p => p.Offset).Append(FooterOffset).Distinct().Order()];
        int index = Array.BinarySearch(_starts, offset);
        return index + 1 < _starts.Length ? _starts[index + 1] : FooterOffset;
    }

    // Its number of rows.
    private static long ReadRowGroup(ref CompactThrift thrift, List<Part> parts, int number)
    {
        long rows = -1;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            if (field == 1)
            {
                int chunks = thrift.List(out _);
                for (int i = 0; i < chunks; i++)
                {
                    ReadChunk(ref thrift, parts, number);
                }
            }
            else if (field == 3)
            {
                rows = thrift.Integer();
            }
            else
            {
                thrift.Skip(type);
            }
        }

        return rows;
    }

    private static void ReadChunk(ref CompactThrift thrift, List<Part> parts, int rowGroup)
    {
        string column = string.Empty;
        long offsetIndex = -1, offsetIndexLength = 0, columnIndex = -1, columnIndexLength = 0;
        int first = parts.Count;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            switch (field)
            {
                case 3:
                    column = ReadChunkMetadata(ref thrift, parts, rowGroup);
                    break;
                case 4:
                    offsetIndex = thrift.Integer();
                    break;
                case 5:
                    offsetIndexLength = thrift.Integer();
                    break;
                case 6:
                    columnIndex = thrift.Integer();
                    break;
                case 7:
                    columnIndexLength = thrift.Integer();
                    break;
                default:
                    thrift.Skip(type);
                    break;
            }
        }

        if (parts.Count == first)
        {
            throw LakeException.FormatInvalid("The Parquet footer holds a column chunk without metadata");
        }

        AddIfThere(parts, column, rowGroup, offsetIndex, offsetIndexLength);
        AddIfThere(parts, column, rowGroup, columnIndex, columnIndexLength);
    }

    private static string ReadChunkMetadata(ref CompactThrift thrift, List<Part> parts, int rowGroup)
    {
        string column = string.Empty;
        long size = -1, dataPage = -1, indexPage = -1, dictionaryPage = -1, bloom = -1;
        long? bloomLength = null;
        int field = 0;
        while (thrift.NextField(ref field, out int type))
        {
            switch (field)
            {
                case 3:
                    int segments = thrift.List(out int segmentType);
                    for (int i = 0; i < segments; i++)
                    {
                        if (i == 0)
                        {
                            column = thrift.Text();
                        }
                        else
                        {
                            thrift.Skip(segmentType);
                        }
                    }

                    break;
                case 7:
                    size = thrift.Integer();
                    break;
                case 9:
                    dataPage = thrift.Integer();
                    break;
                case 10:
                    indexPage = thrift.Integer();
                    break;
                case 11:
                    dictionaryPage = thrift.Integer();
                    break;
                case 14:
                    bloom = thrift.Integer();
                    break;
                case 15:
                    bloomLength = thrift.Integer();
                    break;
                default:
                    thrift.Skip(type);
                    break;
            }
        }

        // The chunk begins with whichever of its pages comes first; writers that have no dictionary may leave its offset at 0.
        long start = dataPage;
        start = indexPage > 0 ? Math.Min(start, indexPage) : start;
        start = dictionaryPage > 0 ? Math.Min(start, dictionaryPage) : start;
        parts.Add(new Part(column, rowGroup, start, size, ChunkPaddingBytes));
        if (bloom > 0)
        {
            parts.Add(new Part(column, rowGroup, bloom, bloomLength > 0 ? bloomLength : null, 0)); // older writers do not tell the length
        }

        return column;
    }

    private static void AddIfThere(List<Part> parts, string column, int rowGroup, long offset, long length)
    {
        if (offset > 0 && length > 0)
        {
            parts.Add(new Part(column, rowGroup, offset, length, 0));
        }
    }

    // Length null: up to whatever comes next.
    private readonly record struct Part(string Column, int RowGroup, long Offset, long? Length, int Padding);
}
