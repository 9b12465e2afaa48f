namespace LakeHolo.FlightServer.Wire;

/// <summary>Memory for what has to be rewritten for one message, used again for the next. Not thread-safe.</summary>
internal sealed class Scratch
{
    private const int BlockBytes = 64 << 10;

    private readonly List<byte[]> _blocks = [];
    private int _block;
    private int _used;

    /// <summary>Bytes that are held.</summary>
    public long HeldBytes => _blocks.Sum(b => (long)b.Length);

    /// <summary>Gives all of it back; what was handed out is not valid any more. Blocks that only a large value needed are dropped.</summary>
    public void Clear()
    {
        _blocks.RemoveAll(b => b.Length > 16 * BlockBytes);
        (_block, _used) = (0, 0);
    }

    /// <summary>Zeroed memory, at a multiple of 8 within its block.</summary>
    public Memory<byte> Rent(int bytes)
    {
        int rounded = (bytes + 7) & ~7;
        while (_block < _blocks.Count && _blocks[_block].Length - _used < rounded)
        {
            _block++;
            _used = 0;
        }

        if (_block == _blocks.Count)
        {
            _blocks.Add(GC.AllocateUninitializedArray<byte>(Math.Max(BlockBytes, rounded)));
        }

        Memory<byte> memory = _blocks[_block].AsMemory(_used, bytes);
        memory.Span.Clear();
        _used += rounded;
        return memory;
    }

    /// <summary>Takes back the end of what was rented last.</summary>
    public void GiveBack(int bytes) => _used -= bytes & ~7;
}
