using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace LakeHolo.Readers.Merging;

/// <summary>Keys of one or several whole numbers, numbered in the order in which they came. Most keys that are looked for are not there, which a few bits tell that stay in a
/// processor's nearest cache.</summary>
internal sealed unsafe class KeySet
{
    /// <summary>Most numbers of a key.</summary>
    public const int MaxParts = 4;

    private const int FilterBitsPerKey = 16;
    private const ulong Multiplier = 0x9E3779B97F4A7C15;

    // Nobody who writes a table can choose keys that all fall together.
    private static readonly ulong Seed = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));

    private readonly int _parts;
    private long[] _keys;
    private int[] _slots = [];
    private ulong[] _filter = [];

    /// <param name="parts">Numbers of a key.</param>
    /// <param name="expected">About how many keys there will be.</param>
    public KeySet(int parts, int expected)
    {
        _parts = parts;
        _keys = new long[Math.Max(16, expected) * parts];
        Resize();
    }

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes that a key takes, at most.</summary>
    public static long BytesPerKey(int parts) => (parts * 2 * sizeof(long)) + (8 * sizeof(int)) + (FilterBitsPerKey / 2);

    /// <summary>Adds a key, where it is not there.</summary>
    /// <param name="key">Its numbers.</param>
    /// <returns>Its number.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Add(ReadOnlySpan<long> key)
    {
        ulong hash = Seed;
        foreach (long part in key)
        {
            hash = Mix(hash, part);
        }

        int slot = SlotOf(hash);
        for (; _slots[slot] != 0; slot = (slot + 1) & (_slots.Length - 1))
        {
            if (key.SequenceEqual(_keys.AsSpan((_slots[slot] - 1) * _parts, _parts)))
            {
                return _slots[slot] - 1;
            }
        }

        if (Count * _parts == _keys.Length)
        {
            Array.Resize(ref _keys, _keys.Length * 2);
            Resize();
            return Add(key);
        }

        key.CopyTo(_keys.AsSpan(Count * _parts));
        Put(hash, slot);
        return Count++;
    }

    /// <summary>Tells of rows whether their keys are not there.</summary>
    /// <param name="columns">The numbers of the keys, column by column.</param>
    /// <param name="from">The first row.</param>
    /// <param name="to">Behind the last one.</param>
    /// <param name="absent">1 for each row whose key is not there, else 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Absent(long** columns, int from, int to, byte* absent)
    {
        ulong seed = Seed;
        long* first = columns[0];
        long* second = _parts == 2 ? columns[1] : null;
        fixed (ulong* filter = _filter)
        {
            ulong mask = ((ulong)_filter.Length << 6) - 1;
            for (int row = from; row < to; row++)
            {
                ulong hash = Mix(seed, first[row]);
                if (second is not null)
                {
                    hash = Mix(hash, second[row]);
                }
                else
                {
                    for (int part = 1; part < _parts; part++)
                    {
                        hash = Mix(hash, columns[part][row]);
                    }
                }

                ulong bit = hash & mask;
                absent[row] = ((filter[bit >> 6] >> (int)(bit & 63)) & 1) == 0 || !Contains(hash, columns, row) ? (byte)1 : (byte)0;
            }
        }
    }

    private bool Contains(ulong hash, long** columns, int row)
    {
        for (int slot = SlotOf(hash); _slots[slot] != 0; slot = (slot + 1) & (_slots.Length - 1))
        {
            int start = (_slots[slot] - 1) * _parts;
            int part = 0;
            while (part < _parts && _keys[start + part] == columns[part][row])
            {
                part++;
            }

            if (part == _parts)
            {
                return true;
            }
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong hash, long part)
    {
        hash = (hash ^ (ulong)part) * Multiplier;
        return hash ^ (hash >> 32);
    }

    private int SlotOf(ulong hash) => (int)(hash >> 32) & (_slots.Length - 1);

    private void Put(ulong hash, int slot)
    {
        _slots[slot] = Count + 1;
        ulong bit = hash & (((ulong)_filter.Length << 6) - 1);
        _filter[bit >> 6] |= 1UL << (int)(bit & 63);
    }

    // Twice as many places as keys there is room for.
    private void Resize()
    {
        int room = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(_keys.Length / _parts));
        (_slots, _filter) = (new int[room * 2], new ulong[Math.Max(1, room * FilterBitsPerKey / 64)]);
        int count = Count;
        for (Count = 0; Count < count; Count++)
        {
            ulong hash = Seed;
            foreach (long part in _keys.AsSpan(Count * _parts, _parts))
            {
                hash = Mix(hash, part);
            }

            int slot = SlotOf(hash);
            while (_slots[slot] != 0)
            {
                slot = (slot + 1) & (_slots.Length - 1);
            }

            Put(hash, slot);
        }
    }
}
