using System.Buffers.Binary;
using System.Numerics;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon.Pruning;

/// <summary>The bucket of a key: Murmur3 over its binary row.</summary>
internal static class BucketHash
{
    /// <summary>The bucket of a key, or null for a type whose hash is not built.</summary>
    public static int? BucketOf(IReadOnlyList<object> key, IReadOnlyList<PaimonType> types, int buckets) =>
        Hash(key, types) is int hash ? Math.Abs(hash % buckets) : null;

    /// <summary>The hash of a key.</summary>
    public static int? Hash(IReadOnlyList<object> key, IReadOnlyList<PaimonType> types)
    {
        int header = (key.Count + 63 + 8) / 64 * 8;
        var row = new List<byte>(new byte[header + (8 * key.Count)]);
        for (int i = 0; i < key.Count; i++)
        {
            if (!Write(row, header + (8 * i), key[i], types[i]))
            {
                return null;
            }
        }

        return Murmur([.. row]);
    }

    private static bool Write(List<byte> row, int slot, object value, PaimonType type)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        switch (value)
        {
            case bool b:
                bytes[0] = b ? (byte)1 : (byte)0;
                break;
            case long n:
                BinaryPrimitives.WriteInt64LittleEndian(bytes, n);
                bytes[(type.Kind switch { PaimonTypeKind.TinyInt => 1, PaimonTypeKind.SmallInt => 2, PaimonTypeKind.BigInt => 8, _ => 4 })..].Clear();
                break;
            case BigInteger unscaled when type.Length <= 18 && unscaled >= long.MinValue && unscaled <= long.MaxValue:
                BinaryPrimitives.WriteInt64LittleEndian(bytes, (long)unscaled);
                break;
            case PaimonTimestamp t when type.Length <= 3 && t.NanoOfMilli == 0:
                BinaryPrimitives.WriteInt64LittleEndian(bytes, t.Millis);
                break;
            case byte[] text when type.IsString && text.Length <= 7:
                text.CopyTo(bytes);
                bytes[7] = (byte)(0x80 | text.Length);
                break;
            case byte[] text when type.IsString:
                BinaryPrimitives.WriteInt32LittleEndian(bytes, text.Length);
                BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], row.Count);
                row.AddRange(text);
                row.AddRange(new byte[(8 - (text.Length % 8)) % 8]);
                break;
            default:
                return false;
        }

        for (int i = 0; i < 8; i++)
        {
            row[slot + i] = bytes[i];
        }

        return true;
    }

    private static int Murmur(ReadOnlySpan<byte> bytes)
    {
        uint h = 42;
        for (int i = 0; i < bytes.Length; i += 4)
        {
            uint k = BinaryPrimitives.ReadUInt32LittleEndian(bytes[i..]) * 0xCC9E2D51;
            h ^= BitOperations.RotateLeft(k, 15) * 0x1B873593;
            h = (BitOperations.RotateLeft(h, 13) * 5) + 0xE6546B64;
        }

        h ^= (uint)bytes.Length;
        h ^= h >> 16;
        h *= 0x85EBCA6B;
        h ^= h >> 13;
        h *= 0xC2B2AE35;
        h ^= h >> 16;
        return (int)h;
    }
}
