using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon.Pruning.FileIndexes;

/// <summary>The indexes of one data file, by column and kind; what they say of a column's values.</summary>
/// <remarks>
/// <code>
/// int64 magic | int32 version | int32 length of the head | int32 columns, { text name | int32 indexes, { text kind | int32 start | int32 length } } | … | body
/// </code>
/// All big-endian; <c>start</c> counts from the container's first byte, -1 means that the column is NULL throughout.
/// </remarks>
internal sealed class FileIndex
{
    private const long Magic = 1493475289347502;
    private const int Version = 1;
    private const int AllNull = -1;

    private readonly byte[] _bytes;
    private readonly string _path;
    private readonly Dictionary<string, List<(string Kind, int Start, int Length)>> _columns = [];

    private FileIndex(byte[] bytes, string path)
    {
        _bytes = bytes;
        _path = path;
    }

    /// <summary>Size in memory.</summary>
    public int SizeBytes => _bytes.Length;

    /// <summary>Reads the head.</summary>
    /// <exception cref="LakeException">The bytes are no index of this version.</exception>
    public static FileIndex Open(byte[] bytes, string path)
    {
        var index = new FileIndex(bytes, path);
        var reader = new IndexReader(bytes, path);
        if (reader.Long() != Magic || reader.Int() != Version)
        {
            throw LakeException.FeatureUnsupported("The file index has an unknown magic number or version", path);
        }

        reader.Int();
        int columns = reader.Count(6);
        for (int i = 0; i < columns; i++)
        {
            string name = reader.Text();
            int kinds = reader.Count(10);
            var list = new List<(string, int, int)>(kinds);
            for (int j = 0; j < kinds; j++)
            {
                list.Add((reader.Text(), reader.Int(), reader.Int()));
            }

            index._columns[name] = list;
        }

        return index;
    }

    /// <summary>Whether the file may hold a row of a filter.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="column">From a name in the filter to the name and type in the file; null if it may not be looked up.</param>
    public bool MayMatch(Scanning.ScanFilter filter, Func<string, PaimonField?> column)
    {
        var known = new Dictionary<string, IColumnKnowledge?>(StringComparer.OrdinalIgnoreCase);
        return FilterPruning.MayMatch(filter, name =>
        {
            if (!known.TryGetValue(name, out IColumnKnowledge? knowledge))
            {
                knowledge = column(name) is PaimonField field ? Of(field) : null;
                known[name] = knowledge;
            }

            return knowledge;
        });
    }

    private IColumnKnowledge? Of(PaimonField field)
    {
        if (!_columns.TryGetValue(field.Name, out List<(string Kind, int Start, int Length)>? kinds))
        {
            return null;
        }

        var parts = new List<IColumnKnowledge>();
        foreach ((string kind, int start, int length) in kinds)
        {
            if (start == AllNull)
            {
                parts.Add(new ColumnValues(field.Type, [], HasNull: true));
                continue;
            }

            if (start < 0 || length < 0 || start > _bytes.Length - length)
            {
                throw LakeException.FormatInvalid($"The index of '{field.Name}' lies at {start}, {length} bytes, outside the {_bytes.Length} bytes there are", _path);
            }

            ReadOnlySpan<byte> body = _bytes.AsSpan(start, length);
            IColumnKnowledge? part = kind switch
            {
                "bloom-filter" => BloomFilterIndex.TryRead(body, field.Type, _path),
                "bitmap" => ColumnValues.ReadBitmap(body, field.Type, _path),
                "range-bitmap" => ColumnValues.ReadRangeBitmap(body, field.Type, _path),
                "bsi" => BitSliceIndex.TryRead(body, field.Type, _path),
                _ => null,
            };
            if (part is not null)
            {
                parts.Add(part);
            }
        }

        return parts.Count == 0 ? null : new AllOf(parts);
    }

    private sealed class AllOf(IReadOnlyList<IColumnKnowledge> parts) : IColumnKnowledge
    {
        public bool MayBeNull => parts.All(p => p.MayBeNull);

        public bool MayBeNotNull => parts.All(p => p.MayBeNotNull);

        public bool MayMatch(Scanning.ScanComparison comparison, Scanning.ScanLiteral literal) => parts.All(p => p.MayMatch(comparison, literal));

        public bool MayStartWith(string prefix) => parts.All(p => p.MayStartWith(prefix));
    }
}
