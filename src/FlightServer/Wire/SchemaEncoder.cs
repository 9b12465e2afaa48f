using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Ipc;

namespace LakeHolo.FlightServer.Wire;

/// <summary>A schema as bytes, in the two forms the protocol wants.</summary>
internal sealed class EncodedSchema
{
    private const int PrefixBytes = 8;

    /// <summary>What clients are told of the engine's schemas; statements that come again have the same one.</summary>
    private static readonly ConditionalWeakTable<Schema, EncodedSchema> Exact = [];
    private static readonly ConditionalWeakTable<Schema, EncodedSchema> Jdbc = [];

    private WeakReference<Schema>? _fitting;

    public EncodedSchema(Schema schema)
    {
        Schema = schema;
        using var stream = new MemoryStream();
        using (var writer = new ArrowStreamWriter(stream, schema, leaveOpen: true))
        {
            writer.WriteStart();
        }

        // FF FF FF FF, int32 length, flatbuffer padded to 8: what the writer wrote after it (an end marker) is not part of the message.
        byte[] bytes = stream.GetBuffer();
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4));
        Encapsulated = bytes.AsMemory(0, PrefixBytes + length);
    }

    public Schema Schema { get; }

    /// <summary>One encapsulated IPC message: for FlightInfo.schema, dataset_schema, table_schema.</summary>
    public ReadOnlyMemory<byte> Encapsulated { get; }

    /// <summary>The bare flatbuffer: for FlightData.data_header.</summary>
    public ReadOnlyMemory<byte> Header => Encapsulated[PrefixBytes..];

    /// <summary>A schema of the engine's as clients are told it.</summary>
    /// <exception cref="LakeCatalog.LakeException">FeatureUnsupported for a column type that is not sent, by name.</exception>
    public static EncodedSchema For(Schema schema, bool jdbc) => jdbc
        ? Jdbc.GetValue(schema, static s => new EncodedSchema(WireSchema.For(s, jdbc: true)))
        : Exact.GetValue(schema, static s => new EncodedSchema(WireSchema.For(s, jdbc: false)));

    /// <summary>Whether rows that the engine gives under a schema can be sent under this one.</summary>
    public bool Fits(Schema rows)
    {
        if (_fitting is { } known && known.TryGetTarget(out Schema? last) && ReferenceEquals(last, rows))
        {
            return true;
        }

        if (!WireSchema.SameShape(rows, Schema))
        {
            return false;
        }

        _fitting = new WeakReference<Schema>(rows);
        return true;
    }

    /// <summary>Reads an encapsulated schema message.</summary>
    public static Schema Decode(ReadOnlyMemory<byte> encapsulated)
    {
        using var reader = new ArrowStreamReader(encapsulated);
        return reader.Schema;
    }
}
