using System.Text;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>Decodes single values without a container: Hudi's log blocks and payloads, a container's records.</summary>
public static class AvroDatum
{
    /// <summary>Decodes a value; see <see cref="AvroRecord"/> for what becomes of each type.</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FormatInvalid"/> if the bytes do not fit the schema or some are left.</exception>
    public static object? Decode(AvroSchema schema, ReadOnlySpan<byte> bytes, string pathForErrors)
    {
        var cursor = new AvroCursor(bytes, pathForErrors);
        object? value = Read(schema, ref cursor, pathForErrors);
        return cursor.Remaining == 0 ? value : throw cursor.Invalid($"has {cursor.Remaining} bytes after the last value");
    }

    /// <summary>Decodes a record.</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FormatInvalid"/> if the bytes do not fit the schema, or it is no record's.</exception>
    public static AvroRecord DecodeRecord(AvroSchema schema, ReadOnlySpan<byte> bytes, string pathForErrors) =>
        Decode(schema, bytes, pathForErrors) as AvroRecord ?? throw LakeException.FormatInvalid($"Avro data is {schema}, not a record", pathForErrors);

    /// <summary>Decodes the next value of a cursor.</summary>
    public static object? Read(AvroSchema schema, ref AvroCursor cursor, string pathForErrors) => Read(schema, ref cursor, pathForErrors, 0);

    private static object? Read(AvroSchema schema, ref AvroCursor cursor, string path, int depth)
    {
        cursor.CheckDepth(depth);
        return schema.Kind switch
        {
            AvroKind.Null => null,
            AvroKind.Boolean => cursor.ReadBoolean(),
            AvroKind.Int => cursor.ReadInt(),
            AvroKind.Long => cursor.ReadLong(),
            AvroKind.Float => cursor.ReadFloat(),
            AvroKind.Double => cursor.ReadDouble(),
            AvroKind.Bytes => cursor.ReadBytes().ToArray(),
            AvroKind.String => Encoding.UTF8.GetString(cursor.ReadBytes()),
            AvroKind.Fixed => cursor.Take(schema.FixedSize).ToArray(),
            AvroKind.Enum => schema.Symbols[cursor.ReadIndex(schema.Symbols.Count)],
            AvroKind.Union => Read(schema.Branches[cursor.ReadIndex(schema.Branches.Count)], ref cursor, path, depth + 1),
            AvroKind.Record => ReadRecord(schema, ref cursor, path, depth),
            AvroKind.Array => ReadArray(schema.Items!, ref cursor, path, depth),
            _ => ReadMap(schema.Items!, ref cursor, path, depth),
        };
    }

    private static AvroRecord ReadRecord(AvroSchema schema, ref AvroCursor cursor, string path, int depth)
    {
        var values = new object?[schema.Fields.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Read(schema.Fields[i].Type, ref cursor, path, depth + 1);
        }

        return new AvroRecord(schema, values, path);
    }

    private static object?[] ReadArray(AvroSchema items, ref AvroCursor cursor, string path, int depth)
    {
        var values = new List<object?>();
        for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
        {
            for (; count > 0; count--)
            {
                values.Add(Read(items, ref cursor, path, depth + 1));
            }
        }

        return [.. values];
    }

    private static Dictionary<string, object?> ReadMap(AvroSchema items, ref AvroCursor cursor, string path, int depth)
    {
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
        {
            for (; count > 0; count--)
            {
                string key = Encoding.UTF8.GetString(cursor.ReadBytes());
                values[key] = Read(items, ref cursor, path, depth + 1);
            }
        }

        return values;
    }
}
