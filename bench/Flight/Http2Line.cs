using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace LakeHolo.Bench.Flight;

/// <summary>A connection that carries one request at a time.</summary>
/// <remarks>Source: RFC 9113, sections 3.4, 4.1 and 6; RFC 7541, section 6.2.2 and appendix A for the headers, which are literals.</remarks>
internal sealed class Http2Line : IDisposable
{
    private const int FrameHead = 9;
    private const byte Data = 0;
    private const byte Headers = 1;
    private const byte Settings = 4;
    private const byte Ping = 6;
    private const byte WindowUpdate = 8;
    private const byte EndStream = 1;
    private const byte Acknowledged = 1;
    private const byte EndHeaders = 4;
    private const byte Padded = 8;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly string _authority;
    private readonly List<byte> _out = [];
    private byte[] _in = new byte[64 << 10];
    private byte[] _answer = new byte[4 << 10];
    private int _inCount;
    private int _answerCount;
    private int _stream = -1;

    public Http2Line(Uri server)
    {
        _authority = server.Authority;
        _socket.Connect(server.Host, server.Port);
        _out.AddRange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);

        // SETTINGS_INITIAL_WINDOW_SIZE, and as much for the connection: no answer of a run waits for room.
        Frame(Settings, 0, 0, [0, 4, 0x7f, 0xff, 0xff, 0xff]);
        Frame(WindowUpdate, 0, 0, [0x7f, 0xfe, 0, 0]);
        Flush();
    }

    public int Handle => (int)_socket.SafeHandle.DangerousGetHandle();

    /// <summary>The body of the answer, once it is whole.</summary>
    public ReadOnlySpan<byte> Answer => _answer.AsSpan(0, _answerCount);

    public void Send(TurnRequest request)
    {
        _stream += 2;
        _answerCount = 0;
        var block = new List<byte> { 0x83, 0x86 }; // :method POST, :scheme http
        Literal(block, [0x04], request.Path); // :path
        Literal(block, [0x01], _authority); // :authority
        Literal(block, [0x0f, 0x10], "application/grpc"); // content-type
        Literal(block, [0x00, 0x02, (byte)'t', (byte)'e'], "trailers");
        bool hasBody = request.Body.Length > 0;
        Frame(Headers, (byte)(EndHeaders | (hasBody ? 0 : EndStream)), _stream, [.. block]);
        if (hasBody)
        {
            Frame(Data, EndStream, _stream, request.Body);
        }

        Flush();
    }

    /// <summary>Takes what came, of which there is some; true if the answer is whole.</summary>
    public bool Receive()
    {
        if (_in.Length - _inCount < 16 << 10)
        {
            Array.Resize(ref _in, _in.Length * 2);
        }

        int came = _socket.Receive(_in.AsSpan(_inCount));
        if (came == 0)
        {
            throw new InvalidOperationException("The server closed a connection");
        }

        _inCount += came;
        bool isWhole = false;
        int at = 0;
        for (int length; _inCount - at >= FrameHead && _inCount - at >= FrameHead + (length = BinaryPrimitives.ReadInt32BigEndian(_in.AsSpan(at)) >>> 8); at += FrameHead + length)
        {
            isWhole |= Take(_in[at + 3], _in[at + 4], _in.AsSpan(at + FrameHead, length));
        }

        _in.AsSpan(at, _inCount - at).CopyTo(_in);
        _inCount -= at;
        return isWhole;
    }

    public void Dispose() => _socket.Dispose();

    private bool Take(byte type, byte flags, ReadOnlySpan<byte> payload)
    {
        switch (type)
        {
            case Data when (flags & Padded) == 0:
                if (_answerCount + payload.Length > _answer.Length)
                {
                    Array.Resize(ref _answer, Math.Max(_answer.Length * 2, _answerCount + payload.Length));
                }

                payload.CopyTo(_answer.AsSpan(_answerCount));
                _answerCount += payload.Length;
                return (flags & EndStream) != 0;
            case Headers:
                return (flags & EndStream) != 0;
            case Settings or Ping:
                if ((flags & Acknowledged) == 0)
                {
                    Frame(type, Acknowledged, 0, type == Ping ? payload : []);
                    Flush();
                }

                return false;
            case WindowUpdate:
                return false;
            default:
                throw new InvalidOperationException($"A frame of type {type} with flags {flags}");
        }
    }

    private void Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        Span<byte> head = stackalloc byte[FrameHead];
        BinaryPrimitives.WriteInt32BigEndian(head, payload.Length << 8);
        (head[3], head[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(head[5..], stream);
        _out.AddRange(head);
        _out.AddRange(payload);
    }

    private static void Literal(List<byte> block, ReadOnlySpan<byte> name, string value)
    {
        block.AddRange(name);
        block.Add(checked((byte)(value.Length < 0x7f ? value.Length : throw new InvalidOperationException("A header that is too long"))));
        block.AddRange(Encoding.ASCII.GetBytes(value));
    }

    private void Flush()
    {
        _ = _socket.Send(CollectionsMarshal.AsSpan(_out));
        _out.Clear();
    }
}
