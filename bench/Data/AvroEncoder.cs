using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.Bench.Data;

/// <summary>Writes Avro's binary encoding by a schema: dictionaries for records and maps, lists for arrays; fields without a value are null.</summary>
internal static class AvroEncoder
{
    /// <summary>A value alone.</summary>
    public static AvroBytes Encode(AvroSchema schema, object? value)
    {
        var bytes = new AvroBytes();
        Write(bytes, schema, value);
        return bytes;
    }

    private static void Write(AvroBytes to, AvroSchema schema, object? value)
    {
        switch (schema.Kind)
        {
            case AvroKind.Null:
                break;
            case AvroKind.Boolean:
                to.Int(value is true ? -1 : 0); // zig-zag: one byte, 1 or 0
                break;
            case AvroKind.Int or AvroKind.Long:
                to.Int(Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture));
                break;
            case AvroKind.String:
                to.Text((string?)value ?? "");
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
                        to.Text(key);
                        Write(to, schema.Items!, entry);
                    }
                });
                break;
            case AvroKind.Union:
                int branch = Enumerable.Range(0, schema.Branches.Count).First(i => Fits(schema.Branches[i], value));
                to.Int(branch);
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

    private static void Blocks(AvroBytes to, int count, Action write)
    {
        if (count > 0)
        {
            to.Int(count);
            write();
        }

        to.Int(0);
    }

    /// <summary>A record of one field <c>value</c>, in a union of several such.</summary>
    /// <param name="Record">The record's name.</param>
    /// <param name="Value">Its value.</param>
    public sealed record Wrapped(string Record, object? Value);
}
