using System.Runtime.CompilerServices;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>How ORC files are read.</summary>
internal sealed record OrcReadOptions
{
    /// <summary>Names of the top-level columns that are needed, or null for all; output is in file order.</summary>
    internal IReadOnlyCollection<string>? Columns { get; init; }

    /// <summary>Top-level columns whose timestamps come in nanoseconds. In the others a value finer than a microsecond is refused.</summary>
    internal IReadOnlyCollection<string> NanosecondColumns { get; init; } = [];

    /// <summary>Instants were stored as the UTC wall clock read in the writer's zone (Paimon's <c>orc.timestamp-ltz.legacy.type</c>): correct them.</summary>
    internal bool LegacyInstants { get; init; }

    /// <summary>Zone of writers whose stripes name none.</summary>
    internal string DefaultWriterZone { get; init; } = "UTC";
}

/// <summary>Bytes of a file.</summary>
internal delegate ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> OrcRangeReader(IReadOnlyList<ByteRange> ranges, CancellationToken cancellationToken);

/// <summary>An ORC file: its schema, and its rows as Arrow batches.</summary>
/// <remarks>
/// Layout (ORC specification v1): <c>"ORC" | stripe... | metadata | footer | postscript | postscript's length (1 byte)</c>;
/// a stripe: <c>index streams | data streams | stripe footer</c>.
/// </remarks>
internal sealed class OrcFile
{
    internal const int BatchRows = 65_536;

    // Lists multiply rows; smaller batches keep their items bounded.
    private const int NestedBatchRows = 8_192;
    private const int TailBytes = 16 * 1024;
    private const int MaxFooterBytes = 1 << 28;

    private static readonly string[] AcidColumns = ["operation", "originalTransaction", "bucket", "rowId", "currentTransaction", "row"];

    private readonly OrcRangeReader _read;
    private readonly OrcPostScript _postScript;
    private readonly OrcFooter _footer;
    private readonly string _path;

    private OrcFile(OrcRangeReader read, OrcPostScript postScript, OrcFooter footer, string path)
    {
        _read = read;
        _postScript = postScript;
        _footer = footer;
        _path = path;
        Schema = new OrcSchema(footer.Types, new OrcReadOptions(), path).Build();
    }

    /// <summary>The file's columns; the attributes of a type (<c>paimon.id</c>, <c>iceberg.id</c>) are metadata of its field.</summary>
    internal Schema Schema { get; }

    internal long RowCount => _footer.RowCount;

    /// <summary>Opens an object of a store.</summary>
    internal static ValueTask<OrcFile> OpenAsync(IObjectStore store, string key, long sizeBytes, CancellationToken cancellationToken = default) =>
        OpenAsync((ranges, token) => store.ReadRangesAsync(key, ranges, null, token), sizeBytes, key, cancellationToken);

    /// <summary>Reads the tail of a file.</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FormatInvalid"/> for broken bytes, <see cref="LakeErrorKind.FeatureUnsupported"/>
    /// for lzo and brotli, encryption, newer file versions, Hive's ACID files.</exception>
    internal static async ValueTask<OrcFile> OpenAsync(OrcRangeReader read, long sizeBytes, string path, CancellationToken cancellationToken = default)
    {
        ReadOnlyMemory<byte> tail = await TailAsync(read, sizeBytes, TailBytes, cancellationToken);
        int postScriptBytes = tail.Length > 0 ? tail.Span[^1] : 0;
        if (postScriptBytes == 0 || postScriptBytes >= tail.Length)
        {
            throw LakeException.FormatInvalid("The file is too short for ORC", path);
        }

        OrcPostScript postScript = OrcPostScript.Parse(tail.Span[^(postScriptBytes + 1)..^1], path);
        if (postScript.FooterLength > Math.Min(sizeBytes - postScriptBytes - 1, MaxFooterBytes))
        {
            throw LakeException.FormatInvalid($"An ORC file of {sizeBytes} bytes declares a footer of {postScript.FooterLength}", path);
        }

        int whole = (int)postScript.FooterLength + postScriptBytes + 1;
        tail = tail.Length >= whole ? tail[^whole..] : await TailAsync(read, sizeBytes, whole, cancellationToken);
        ReadOnlyMemory<byte> footer = OrcCompression.Decompress(postScript, tail[..(int)postScript.FooterLength], path);
        OrcFooter parsed = OrcFooter.Parse(footer.Span, path);
        if (parsed.Types[0].FieldNames.SequenceEqual(AcidColumns))
        {
            throw LakeException.FeatureUnsupported("Hive ACID tables are not supported", path);
        }

        return new OrcFile(read, postScript, parsed, path);
    }

    /// <summary>Columns as <see cref="ReadAsync"/> gives them with these options.</summary>
    internal Schema SchemaFor(OrcReadOptions options) => new OrcSchema(_footer.Types, options, _path).Build();

    /// <summary>Streams all rows in file order; the caller disposes each batch.</summary>
    internal async IAsyncEnumerable<RecordBatch> ReadAsync(OrcReadOptions options, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Schema schema = SchemaFor(options);
        int batchRows = _footer.Types.Any(t => t.Kind is OrcKind.List or OrcKind.Map) ? NestedBatchRows : BatchRows;
        long rows = 0;
        foreach (OrcStripe stripe in _footer.Stripes)
        {
            OrcColumn[] columns = await OpenStripeAsync(stripe, options, cancellationToken);
            for (long left = stripe.RowCount; left > 0; left -= batchRows)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = (int)Math.Min(left, batchRows);
                yield return new RecordBatch(schema, [.. columns.Select(c => ArrowArrayFactory.BuildArray(c.Read(count, null)))], count);
            }

            rows += stripe.RowCount;
        }

        if (rows != _footer.RowCount)
        {
            throw LakeException.FormatInvalid($"The ORC stripes hold {rows} rows, the footer says {_footer.RowCount}", _path);
        }
    }

    private static async ValueTask<ReadOnlyMemory<byte>> TailAsync(OrcRangeReader read, long sizeBytes, int count, CancellationToken cancellationToken)
    {
        long length = Math.Min(sizeBytes, count);
        return (await read([new ByteRange(sizeBytes - length, length)], cancellationToken))[0];
    }

    private async ValueTask<OrcColumn[]> OpenStripeAsync(OrcStripe stripe, OrcReadOptions options, CancellationToken cancellationToken)
    {
        // Additions cannot overflow: each part is first held against what is left of the file by the store itself.
        if (stripe.FooterLength is <= 0 or > MaxFooterBytes || stripe.Offset > long.MaxValue / 4 || stripe.IndexLength > long.MaxValue / 4 || stripe.DataLength > long.MaxValue / 4)
        {
            throw LakeException.FormatInvalid("An ORC stripe is out of range", _path);
        }

        long start = stripe.Offset + stripe.IndexLength + stripe.DataLength;
        ReadOnlyMemory<byte> bytes = (await _read([new ByteRange(start, stripe.FooterLength)], cancellationToken))[0];
        OrcStripeFooter footer = OrcStripeFooter.Parse(OrcCompression.Decompress(_postScript, bytes, _path).Span, _path);
        if (footer.Encodings.Count != _footer.Types.Count)
        {
            throw LakeException.FormatInvalid($"An ORC stripe has {footer.Encodings.Count} column encodings for {_footer.Types.Count} columns", _path);
        }

        var wanted = OrcSchema.SelectedIds(_footer.Types, options.Columns);
        var found = new List<OrcStream>();
        var ranges = new List<ByteRange>();
        long offset = stripe.Offset;
        foreach (OrcStream stream in footer.Streams)
        {
            if (stream.Length > start - offset)
            {
                throw LakeException.FormatInvalid($"An ORC stream of {stream.Length} bytes is longer than its stripe", _path);
            }

            if (stream.Kind <= OrcStreamKind.Secondary && wanted.Contains(stream.Column) && stream.Length > 0)
            {
                found.Add(stream);
                ranges.Add(new ByteRange(offset, stream.Length));
            }

            offset += stream.Length;
        }

        IReadOnlyList<ReadOnlyMemory<byte>> read = ranges.Count == 0 ? [] : await _read(ranges, cancellationToken);
        var streams = new Dictionary<(int, OrcStreamKind), ReadOnlyMemory<byte>>();
        for (int i = 0; i < found.Count; i++)
        {
            streams[(found[i].Column, found[i].Kind)] = read[i];
        }

        return new OrcColumnFactory(_footer.Types, footer, streams, _postScript, options, _path).CreateAll();
    }
}
