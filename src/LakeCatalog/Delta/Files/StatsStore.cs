using System.Text.Json;

namespace LakeHolo.LakeCatalog.Delta.Files;

/// <summary>Statistics of a block's files: JSON text, kept compressed and parsed per column when a filter needs it.</summary>
internal sealed class StatsStore
{
    private readonly List<Chunk> _chunks;

    private StatsStore(List<Chunk> chunks) => _chunks = chunks;

    private readonly record struct Chunk(byte[] Data, int RawLength, int FirstRow, int[] Ends);

    /// <summary>Bytes held.</summary>
    public long SizeBytes => _chunks.Sum(c => c.Data.LongLength + (4L * c.Ends.Length));

    /// <summary>The JSON of one row; empty if the file has none.</summary>
    public byte[] Read(int row)
    {
        Chunk chunk = _chunks.FindLast(c => c.FirstRow <= row);
        int index = row - chunk.FirstRow;
        int start = index == 0 ? 0 : chunk.Ends[index - 1];
        return chunk.Ends[index] == start ? [] : Raw(chunk).AsSpan(start, chunk.Ends[index] - start).ToArray();
    }

    /// <summary>Visits the JSON of every row that has some.</summary>
    public void ForEach(Action<int, ReadOnlySpan<byte>> visit)
    {
        foreach (Chunk chunk in _chunks)
        {
            if (chunk.RawLength == 0)
            {
                continue;
            }

            byte[] raw = Raw(chunk);
            int start = 0;
            for (int i = 0; i < chunk.Ends.Length; i++)
            {
                if (chunk.Ends[i] > start)
                {
                    visit(chunk.FirstRow + i, raw.AsSpan(start, chunk.Ends[i] - start));
                }

                start = chunk.Ends[i];
            }
        }
    }

    private static byte[] Raw(Chunk chunk)
    {
        if (chunk.Data.Length == chunk.RawLength)
        {
            return chunk.Data;
        }

        using var decompressor = new ZstdSharp.Decompressor();
        return decompressor.Unwrap(chunk.Data).ToArray();
    }

    /// <summary>Collects rows in order.</summary>
    internal sealed class Builder : IDisposable
    {
        // Large enough to compress well, small enough to open one row without much waste.
        private const int ChunkBytes = 256 * 1024;
        private const int CompressFrom = 8 * 1024;

        private readonly List<Chunk> _chunks = [];
        private readonly List<int> _ends = [];
        private readonly ZstdSharp.Compressor _compressor = new(1);
        private byte[] _buffer = new byte[4096];
        private int _length;
        private int _firstRow;

        public void Add(ReadOnlySpan<byte> json)
        {
            if (_length + json.Length > _buffer.Length)
            {
                Array.Resize(ref _buffer, Math.Max(_length + json.Length, checked(_buffer.Length * 2)));
            }

            json.CopyTo(_buffer.AsSpan(_length));
            _length += json.Length;
            _ends.Add(_length);
            if (_length >= ChunkBytes || _ends.Count >= 65536)
            {
                Flush();
            }
        }

        public StatsStore Build()
        {
            Flush();
            return new StatsStore(_chunks);
        }

        public void Dispose() => _compressor.Dispose();

        private void Flush()
        {
            if (_ends.Count == 0)
            {
                return;
            }

            ReadOnlySpan<byte> raw = _buffer.AsSpan(0, _length);
            byte[] data = raw.ToArray();
            if (_length >= CompressFrom)
            {
                ReadOnlySpan<byte> compressed = _compressor.Wrap(raw);
                data = compressed.Length < _length ? compressed.ToArray() : data;
            }

            _chunks.Add(new Chunk(data, _length, _firstRow, [.. _ends]));
            _firstRow += _ends.Count;
            _ends.Clear();
            _length = 0;
        }
    }

    /// <summary>The <c>numRecords</c> of a statistics object, or -1.</summary>
    public static long RecordCount(ReadOnlySpan<byte> json)
    {
        // A text that breaks off tells nothing, also what stands before the break; the rest of it is not parsed here.
        if (json.TrimEnd(" \t\r\n"u8) is not [.., (byte)'}'])
        {
            return -1;
        }

        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return -1;
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool found = reader.ValueTextEquals("numRecords"u8);
                reader.Read();
                if (found)
                {
                    return reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long count) && count >= 0 ? count : -1;
                }

                reader.Skip();
            }
        }
        catch (JsonException)
        {
            // Statistics that are no JSON count as absent (Delta PROTOCOL.md, "Per-file Statistics").
        }

        return -1;
    }
}
