using System.Buffers.Binary;
using System.IO.Hashing;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Parquet;

namespace LakeHolo.Readers.DataFiles.Blob;

/// <summary>Decodes Paimon's files of large values to Parquet, for <see cref="IFileMaterializer.OpenDecodedAsync"/>: <c>value BLOB, elsewhere BOOLEAN</c>, one row a
/// record; where <c>elsewhere</c> is true an older file has the value.</summary>
/// <remarks>
/// <code>
/// record: int32 LE magic | payload | int64 LE length of the record | int32 LE CRC-32 of all before
/// file:   records | index: lengths as deltas, zigzag LEB128; -1 NULL, -2 elsewhere | int32 LE bytes of the index | version
/// </code>
/// </remarks>
internal static class BlobFileDecoder
{
    /// <summary>Key of the decoder's output; change it when the output changes.</summary>
    internal const string DecoderKey = "blob-1";

    private const int Magic = 1481511375;
    private const byte Version = 1;
    private const int RecordOverhead = 16;
    private const int FooterBytes = 5;
    private const long ElsewhereLength = -2;
    private const int BatchRows = 65_536;
    private const int BatchBytes = 1 << 26;

    private static readonly Schema Schema =
        new([new Field("value", BinaryType.Default, nullable: true), new Field("elsewhere", BooleanType.Default, nullable: false)], null);

    /// <summary>A decoder.</summary>
    internal static FileDecoder Create() => async (file, targetPath, cancellationToken) =>
    {
        byte[] bytes = await file.Store.ReadAsync(file.Key, cancellationToken: cancellationToken);
        ParquetFileWriter.Write(targetPath, Schema, Read(bytes, file.Key), cancellationToken);
    };

    /// <summary>The records of a file, batch by batch.</summary>
    internal static IEnumerable<RecordBatch> Read(byte[] bytes, string path)
    {
        List<long> lengths = ReadIndex(bytes, path, out int end);
        var values = new BinaryArray.Builder();
        var elsewhere = new BooleanArray.Builder();
        int position = 0;
        int held = 0;
        foreach (long length in lengths)
        {
            elsewhere.Append(length == ElsewhereLength);
            if (length < 0)
            {
                values.AppendNull();
            }
            else
            {
                ReadOnlySpan<byte> payload = Payload(bytes.AsSpan(position, (int)length), path);
                values.Append(payload);
                position += (int)length;
                held += payload.Length;
            }

            if (values.Length >= BatchRows || held >= BatchBytes)
            {
                yield return Flush();
            }
        }

        if (position != end)
        {
            throw LakeException.FormatInvalid($"The records of the blob file end at {position}, its index begins at {end}", path);
        }

        yield return Flush();

        RecordBatch Flush()
        {
            var batch = new RecordBatch(Schema, [values.Build(), elsewhere.Build()], values.Length);
            values = new BinaryArray.Builder();
            elsewhere = new BooleanArray.Builder();
            held = 0;
            return batch;
        }
    }

    private static List<long> ReadIndex(ReadOnlySpan<byte> bytes, string path, out int end)
    {
        if (bytes.Length < FooterBytes || bytes[^1] != Version)
        {
            throw bytes.Length < FooterBytes
                ? LakeException.FormatInvalid($"The blob file has only {bytes.Length} bytes", path)
                : LakeException.FeatureUnsupported($"Blob files of version {bytes[^1]} are not supported, only {Version}", path);
        }

        int indexBytes = BinaryPrimitives.ReadInt32LittleEndian(bytes[^FooterBytes..]);
        if (indexBytes < 0 || indexBytes > bytes.Length - FooterBytes)
        {
            throw LakeException.FormatInvalid($"The blob file declares an index of {indexBytes} bytes in {bytes.Length}", path);
        }

        end = bytes.Length - FooterBytes - indexBytes;
        ReadOnlySpan<byte> index = bytes.Slice(end, indexBytes);
        var lengths = new List<long>();
        long length = 0;
        long total = 0;
        while (index.Length > 0)
        {
            length = unchecked(length + ReadDelta(ref index, path));
            if (length < ElsewhereLength || length > end - total || length is >= 0 and < RecordOverhead)
            {
                throw LakeException.FormatInvalid($"A record of the blob file has the length {length}", path);
            }

            total += Math.Max(length, 0);
            lengths.Add(length);
        }

        return lengths;
    }

    private static long ReadDelta(ref ReadOnlySpan<byte> index, string path)
    {
        ulong value = 0;
        for (int shift = 0; shift < 70 && index.Length > 0; shift += 7)
        {
            byte next = index[0];
            index = index[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return (long)(value >> 1) ^ -(long)(value & 1);
            }
        }

        throw LakeException.FormatInvalid("The index of the blob file ends within a number", path);
    }

    private static ReadOnlySpan<byte> Payload(ReadOnlySpan<byte> record, string path)
    {
        if (BinaryPrimitives.ReadInt32LittleEndian(record) != Magic || BinaryPrimitives.ReadInt64LittleEndian(record[^12..]) != record.Length
            || BinaryPrimitives.ReadUInt32LittleEndian(record[^4..]) != Crc32.HashToUInt32(record[..^4]))
        {
            throw LakeException.FormatInvalid("A record of the blob file does not match its magic number, length or checksum", path);
        }

        return record[4..^12];
    }
}
