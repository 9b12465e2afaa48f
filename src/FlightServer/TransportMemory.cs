using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;

namespace LakeHolo.FlightServer;

/// <summary>What bytes go through on their way to a socket: Kestrel's own blocks of 4 KiB make sixteen pieces, each pinned by itself, of what one system call sends, and a new wait
/// after each 64 KiB.</summary>
internal static class TransportMemory
{
    /// <summary>Bytes that wait for a socket before who writes them waits.</summary>
    private const long WriteBufferBytes = 512 << 10;

    public static void AddTransportMemory(this IServiceCollection services)
    {
        services.AddSingleton<IMemoryPoolFactory<byte>, PoolFactory>();
        services.Configure<SocketTransportOptions>(o =>
        {
            o.MaxWriteBufferSize = WriteBufferBytes;

            // Calls begin on threads of the pool in any case: HTTP/2 hands each stream on. What is left on this one is taking frames apart and putting them together.
            o.UnsafePreferInlineScheduling = true;
        });
    }

    private sealed class PoolFactory : IMemoryPoolFactory<byte>
    {
        public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new BlockPool();
    }

    /// <summary>Pinned blocks of one size, used again; a connection that is idle holds none.</summary>
    private sealed class BlockPool : MemoryPool<byte>
    {
        private const int BlockBytes = 32 << 10;

        /// <summary>Blocks that are kept when nobody uses them: 16 MiB.</summary>
        private const int Kept = 512;

        private readonly ConcurrentQueue<Block> _free = new();
        private volatile bool _disposed;

        public override int MaxBufferSize => BlockBytes;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
            return _free.TryDequeue(out Block? block) ? block.Take() : new Block(this);
        }

        protected override void Dispose(bool disposing)
        {
            _disposed = true;
            _free.Clear();
        }

        private void Return(Block block)
        {
            if (!_disposed && _free.Count < Kept)
            {
                _free.Enqueue(block);
            }
        }

        private sealed class Block(BlockPool pool) : MemoryManager<byte>
        {
            private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);
            private int _isTaken = 1;

            public override Memory<byte> Memory => System.Runtime.InteropServices.MemoryMarshal.CreateFromPinnedArray(_bytes, 0, BlockBytes);

            public Block Take()
            {
                _isTaken = 1;
                return this;
            }

            public override Span<byte> GetSpan() => _bytes;

            public override MemoryHandle Pin(int elementIndex = 0) => Memory[elementIndex..].Pin();

            public override void Unpin()
            {
            }

            /// <summary>Whoever gives a block back twice does so once.</summary>
            protected override void Dispose(bool disposing)
            {
                if (Interlocked.Exchange(ref _isTaken, 0) == 1)
                {
                    pool.Return(this);
                }
            }
        }
    }
}
