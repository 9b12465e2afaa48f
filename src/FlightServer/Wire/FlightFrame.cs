using System.Buffers;
using Google.Protobuf;
using Grpc.Core;
using LakeHolo.FlightServer.Protocol;

namespace LakeHolo.FlightServer.Wire;

/// <summary>One FlightData message. Its body stays in the Arrow buffers it came from and is written piece by piece into the transport's own pipe:</summary>
/// <remarks>
/// <code>
/// 0A len descriptor   12 len data_header   1A len app_metadata   C2 3E len data_body
/// </code>
/// The protobuf field numbers are 1, 2, 3 and 1000. Each buffer of the body is padded with zeros to a multiple of 8, as Arrow IPC lays buffers out.
/// </remarks>
internal sealed class FlightFrame
{
    public static readonly Marshaller<FlightFrame> Marshaller = Marshallers.Create<FlightFrame>(static (frame, context) => frame.Write(context), Read);

    private static readonly byte[] Zeros = new byte[8];

    private const int DescriptorTag = 0x0A;
    private const int HeaderTag = 0x12;
    private const int MetadataTag = 0x1A;
    private const int BodyTag0 = 0xC2;
    private const int BodyTag1 = 0x3E;
    private const uint BodyTag = (1000 << 3) | 2;

    /// <summary>Bytes asked from the pipe at once; the pipe hands out its own blocks.</summary>
    private const int CopyBytes = 64 * 1024;

    public FlightDescriptor? Descriptor { get; set; }

    /// <summary>The bare Message flatbuffer.</summary>
    public ReadOnlyMemory<byte> Header { get; set; }

    public ReadOnlyMemory<byte> AppMetadata { get; set; }

    /// <summary>The body in pieces, padding among them.</summary>
    public List<ReadOnlyMemory<byte>> Body { get; } = [];

    /// <summary>Bytes of the body.</summary>
    public long BodyLength { get; private set; }

    /// <summary>A frame that was read: the whole body in one piece.</summary>
    public ReadOnlyMemory<byte> ReadBody => Body.Count == 0 ? default : Body[0];

    /// <summary>Adds a piece of a buffer.</summary>
    public void AddBody(ReadOnlyMemory<byte> part)
    {
        if (!part.IsEmpty)
        {
            Body.Add(part);
            BodyLength += part.Length;
        }
    }

    /// <summary>Puts other bytes into the place of the last pieces.</summary>
    public void ReplaceFrom(int piece, ReadOnlyMemory<byte> bytes)
    {
        for (int i = piece; i < Body.Count; i++)
        {
            BodyLength -= Body[i].Length;
        }

        Body.RemoveRange(piece, Body.Count - piece);
        AddBody(bytes);
    }

    /// <summary>Puts bytes before the last pieces.</summary>
    public void Insert(int piece, ReadOnlyMemory<byte> bytes)
    {
        Body.Insert(piece, bytes);
        BodyLength += bytes.Length;
    }

    /// <summary>Ends a buffer: the next begins at a multiple of 8.</summary>
    public void EndBuffer() => AddBody(Zeros.AsMemory(0, (int)(-BodyLength & 7)));

    public void Clear()
    {
        Body.Clear();
        BodyLength = 0;
        Header = default;
        AppMetadata = default;
    }

    private static int VarintSize(long value)
    {
        int size = 1;
        while (value >= 0x80)
        {
            value >>= 7;
            size++;
        }

        return size;
    }

    private static int WriteVarint(Span<byte> target, long value)
    {
        int at = 0;
        while (value >= 0x80)
        {
            target[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        target[at++] = (byte)value;
        return at;
    }

    private static void WriteField(IBufferWriter<byte> output, int tag, ReadOnlySpan<byte> bytes)
    {
        Span<byte> prefix = output.GetSpan(16);
        prefix[0] = (byte)tag;
        output.Advance(1 + WriteVarint(prefix[1..], bytes.Length));
        CopyTo(output, bytes);
    }

    private static void CopyTo(IBufferWriter<byte> output, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> span = output.GetSpan(Math.Min(bytes.Length, CopyBytes));
            int count = Math.Min(span.Length, bytes.Length);
            bytes[..count].CopyTo(span);
            output.Advance(count);
            bytes = bytes[count..];
        }
    }

    private void Write(SerializationContext context)
    {
        int descriptorLength = Descriptor?.CalculateSize() ?? 0;
        long size = BodyLength > 0 ? 2 + VarintSize(BodyLength) + BodyLength : 0;
        size += Descriptor is null ? 0 : 1 + VarintSize(descriptorLength) + descriptorLength;
        size += Header.IsEmpty ? 0 : 1 + VarintSize(Header.Length) + Header.Length;
        size += AppMetadata.IsEmpty ? 0 : 1 + VarintSize(AppMetadata.Length) + AppMetadata.Length;
        context.SetPayloadLength(checked((int)size));
        IBufferWriter<byte> output = context.GetBufferWriter();
        if (Descriptor is not null)
        {
            WriteField(output, DescriptorTag, Descriptor.ToByteArray());
        }

        if (!Header.IsEmpty)
        {
            WriteField(output, HeaderTag, Header.Span);
        }

        if (!AppMetadata.IsEmpty)
        {
            WriteField(output, MetadataTag, AppMetadata.Span);
        }

        if (BodyLength > 0)
        {
            WriteBody(output);
        }

        context.Complete();
    }

    private void WriteBody(IBufferWriter<byte> output)
    {
        Span<byte> prefix = output.GetSpan(16);
        prefix[0] = BodyTag0;
        prefix[1] = BodyTag1;
        output.Advance(2 + WriteVarint(prefix[2..], BodyLength));
        foreach (ReadOnlyMemory<byte> part in Body)
        {
            CopyTo(output, part.Span);
        }
    }

    /// <summary>Reads a message; the receive limit of the channel bounds it.</summary>
    private static FlightFrame Read(DeserializationContext context)
    {
        var frame = new FlightFrame();
        var input = new ProtobufFields(context.PayloadAsNewBuffer());
        while (input.Next(out uint tag))
        {
            switch (tag)
            {
                case DescriptorTag:
                    frame.Descriptor = FlightDescriptor.Parser.ParseFrom(input.Bytes().Span);
                    break;
                case HeaderTag:
                    frame.Header = input.Bytes();
                    break;
                case MetadataTag:
                    frame.AppMetadata = input.Bytes();
                    break;
                case BodyTag:
                    frame.Body.Clear();
                    frame.BodyLength = 0;
                    frame.AddBody(input.Bytes());
                    break;
                default:
                    input.Skip(tag);
                    break;
            }
        }

        return frame;
    }
}
