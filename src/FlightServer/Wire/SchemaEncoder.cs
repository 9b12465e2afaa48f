using System.Buffers.Binary;
using Apache.Arrow;
using Apache.Arrow.Ipc;

namespace LakeHolo.FlightServer.Wire;

/// <summary>A schema as bytes, in the two forms the protocol wants.</summary>
internal sealed class EncodedSchema
{
    private const int PrefixBytes = 8;

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

    /// <summary>Reads an encapsulated schema message.</summary>
    public static Schema Decode(ReadOnlyMemory<byte> encapsulated)
    {
        using var reader = new ArrowStreamReader(encapsulated);
        return reader.Schema;
    }
}
