using System.Text;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.Bench.Data;

/// <summary>Writes Avro's binary encoding by a schema: dictionaries for records and maps, lists for arrays; fields without a value are null.</summary>
internal static class AvroEncoder
{
    /// <summary>A container file of one record.</summary>
    public static byte[] Container(string schemaJson, IReadOnlyDictionary<string, object?> record)
    {
        byte[] body = Encode(AvroSchema.Parse(schemaJson, "schema"), record);
        byte[] sync = new byte[16];
        using var file = new MemoryStream();
        file.Write("Obj\u0001"u8);
        Number(file, 1);
        Bytes(file, "avro.schema"u8);
        Bytes(file, Encoding.UTF8.GetBytes(schemaJson));
        Number(file, 0);
        file.Write(sync);
        Number(file, 1);
        Bytes(file, body);
        file.Write(sync);
        return file.ToArray();
    }

    /// <summary>A value alone.</summary>
    public static byte[] Encode(AvroSchema schema, object? value)
    {
        using var stream = new MemoryStream();
        Write(stream, schema, value);
        return stream.ToArray();
    }

    private static void Write(MemoryStream to, AvroSchema schema, object? value)
    {
        switch (schema.Kind)
        {
            case AvroKind.Null:
                break;
            case AvroKind.Boolean:
                to.WriteByte(value is true ? (byte)1 : (byte)0);
                break;
            case AvroKind.Int or AvroKind.Long:
                Number(to, Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));
                break;
            case AvroKind.String:
                Bytes(to, Encoding.UTF8.GetBytes((string?)value ?? ""));
                break;
            case AvroKind.Record:
                var fields = (IReadOnlyDictionary<string, object?>)value!;
                foreach (AvroField field in schema.Fields)
                {
                    Write(to, field.Type, fields.GetValueOrDefault(field.Name));
                }

                break;
            case AvroKind.Array:
                var items = (IReadOnlyList<object?>)value!;
                Blocks(to, items.Count, () => items.ToList().ForEach(i => Write(to, schema.Items!, i)));
                break;
            case AvroKind.Map:
                var entries = (IReadOnlyDictionary<string, object?>)value!;
                Blocks(to, entries.Count, () =>
                {
                    foreach ((string key, object? entry) in entries)
                    {
                        Bytes(to, Encoding.UTF8.GetBytes(key));
                        Write(to, schema.Items!, entry);
                    }
                });
                break;
            case AvroKind.Union:
                int branch = Enumerable.Range(0, schema.Branches.Count).First(i => Fits(schema.Branches[i], value));
                Number(to, branch);
                Write(to, schema.Branches[branch], value is Wrapped wrapped ? new Dictionary<string, object?> { ["value"] = wrapped.Value } : value);
                break;
            default:
                throw new NotSupportedException($"{schema.Kind}");
        }
    }

    private static bool Fits(AvroSchema schema, object? value) => value switch
    {
        null => schema.Kind == AvroKind.Null,
        string => schema.Kind == AvroKind.String,
        bool => schema.Kind == AvroKind.Boolean,
        int or long => schema.Kind is AvroKind.Int or AvroKind.Long,
        Wrapped wrapped => schema.FullName?.EndsWith("." + wrapped.Record, StringComparison.Ordinal) == true,
        IReadOnlyDictionary<string, object?> => schema.Kind is AvroKind.Record or AvroKind.Map,
        _ => schema.Kind == AvroKind.Array,
    };

    private static void Blocks(MemoryStream to, int count, Action write)
    {
        if (count > 0)
        {
            Number(to, count);
            write();
        }

        Number(to, 0);
    }

    private static void Bytes(MemoryStream to, ReadOnlySpan<byte> bytes)
    {
        Number(to, bytes.Length);
        to.Write(bytes);
    }

    private static void Number(MemoryStream to, long value)
    {
        ulong zigzag = (ulong)((value << 1) ^ (value >> 63));
        for (; zigzag >= 0x80; zigzag >>= 7)
        {
            to.WriteByte((byte)(zigzag | 0x80));
        }

        to.WriteByte((byte)zigzag);
    }

    /// <summary>A record of one field <c>value</c>, in a union of several such.</summary>
    /// <param name="Record">The record's name.</param>
    /// <param name="Value">Its value.</param>
    public sealed record Wrapped(string Record, object? Value);
}
