using System.Runtime.CompilerServices;

namespace LakeHolo.Readers.Merging;

/// <summary>Positions of rows in a file: a bit for each row up to the last of them.</summary>
internal sealed class PositionSet
{
    private ulong[] _words = [];

    /// <summary>Bytes of a set whose greatest position this is.</summary>
    public static long BytesOf(long greatest) => ((greatest >> 6) + 1) * sizeof(ulong);

    /// <summary>Adds a position.</summary>
    /// <returns>Whether it was not there.</returns>
    public bool Add(long position)
    {
        long word = position >> 6;
        if (word >= _words.Length)
        {
            Array.Resize(ref _words, checked((int)Math.Max(word + 1, Math.Min(_words.Length * 2L, Array.MaxLength))));
        }

        ulong bit = 1UL << (int)(position & 63);
        bool isNew = (_words[word] & bit) == 0;
        _words[word] |= bit;
        return isNew;
    }

    /// <summary>Whether a position is there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(long position)
    {
        ulong word = (ulong)position >> 6;
        ulong[] words = _words;
        return word < (ulong)words.Length && ((words[word] >> (int)(position & 63)) & 1) != 0;
    }
}
