using System.Buffers.Binary;
using Grpc.Core;

namespace LakeHolo.FlightServer.Wire;

/// <summary>Frames that arrive, as the bytes of an Arrow IPC stream: <c>FFFFFFFF, length, flatbuffer padded to 8, body</c> each, for Arrow's own reader.</summary>
internal sealed class FrameStream(IAsyncStreamReader<FlightFrame> frames, FlightFrame? first, CancellationToken cancellationToken) : Stream
{
    private readonly Queue<ReadOnlyMemory<byte>> _parts = new();
    private FlightFrame? _first = first;
    private bool _ended;

    /// <summary>The last app_metadata that came with a frame.</summary>
    public ReadOnlyMemory<byte> AppMetadata { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken token = default)
    {
        while (_parts.Count == 0)
        {
            if (_ended || !await NextAsync())
            {
                _ended = true;
                return 0;
            }
        }

        ReadOnlyMemory<byte> part = _parts.Peek();
        int count = Math.Min(buffer.Length, part.Length);
        part.Span[..count].CopyTo(buffer.Span);
        _parts.Dequeue();
        if (count < part.Length)
        {
            // The rest goes back to the front.
            ReadOnlyMemory<byte>[] rest = [part[count..], .. _parts];
            _parts.Clear();
            foreach (ReadOnlyMemory<byte> piece in rest)
            {
                _parts.Enqueue(piece);
            }
        }

        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Frames are read asynchronously");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private async ValueTask<bool> NextAsync()
    {
        FlightFrame? frame = Interlocked.Exchange(ref _first, null);
        if (frame is null)
        {
            if (!await frames.MoveNext(cancellationToken))
            {
                return false;
            }

            frame = frames.Current;
        }

        if (!frame.AppMetadata.IsEmpty)
        {
            AppMetadata = frame.AppMetadata;
        }

        if (frame.Header.IsEmpty)
        {
            return true;
        }

        int padding = -frame.Header.Length & 7;
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteInt32LittleEndian(prefix, -1);
        BinaryPrimitives.WriteInt32LittleEndian(prefix.AsSpan(4), frame.Header.Length + padding);
        _parts.Enqueue(prefix);
        _parts.Enqueue(frame.Header);
        if (padding > 0)
        {
            _parts.Enqueue(new byte[padding]);
        }

        if (!frame.ReadBody.IsEmpty)
        {
            _parts.Enqueue(frame.ReadBody);
        }

        return true;
    }
}
