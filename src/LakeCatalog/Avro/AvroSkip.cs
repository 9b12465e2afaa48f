using System.Runtime.CompilerServices;

namespace LakeHolo.LakeCatalog.Avro;

/// <summary>Steps over the values of a field that nobody needs: what its schema says is looked up once, not for each value.</summary>
internal sealed class AvroSkip
{
    private readonly AvroSchema _value;
    private readonly AvroKind _kind;
    private readonly int _nullBranch;

    /// <param name="schema">The field's schema.</param>
    internal AvroSkip(AvroSchema schema)
    {
        // -1: no union around the value.
        (_value, _nullBranch) = schema.Kind != AvroKind.Union ? (schema, -1) : schema.Branches switch
        {
            [{ Kind: AvroKind.Null }, { } value] => (value, 0),
            [{ } value, { Kind: AvroKind.Null }] => (value, 1),
            _ => (schema, -1),
        };
        _kind = _value.Kind;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Skip(ref AvroCursor cursor)
    {
        if (_nullBranch >= 0 && cursor.ReadIndex(2) == _nullBranch)
        {
            return;
        }

        switch (_kind)
        {
            case AvroKind.Int or AvroKind.Long:
                cursor.ReadLong();
                break;
            case AvroKind.Bytes or AvroKind.String:
                cursor.ReadBytes();
                break;
            case AvroKind.Fixed:
                cursor.Take(_value.FixedSize);
                break;
            default:
                cursor.Skip(_value);
                break;
        }
    }
}
