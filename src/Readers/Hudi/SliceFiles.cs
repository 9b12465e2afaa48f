using System.Collections.Concurrent;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Orc;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Merging;
using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Hudi;

/// <summary>Makes base files and log blocks readable for the engine.</summary>
internal sealed class SliceFiles(EngineDatabase engine, IFileMaterializer files)
{
    private static readonly OrcReadOptions Orc = new();
    private const int MaxKnownBlocks = 50_000;
    private const long MaxKeptBytes = 256L << 20;
    private readonly ParquetShapes _shapes = new();
    private readonly LogFileOpener _logs = new();
    private readonly ConcurrentDictionary<(string Location, string Path, long Size, long Offset), IReadOnlySet<string>?> _columns = new();

    /// <summary>The base files of slices, in their order.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="slices">The slices; those without a base file are passed over.</param>
    /// <param name="columns">Names of the columns that will be read, null for all.</param>
    /// <param name="leases">Takes what keeps the files in place.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <param name="needed">Tells which row groups are needed of slices without log files; null for all, and where the positions of rows matter.</param>
    /// <param name="mayArrive">Whether files may still be under way when this returns; their footers were read before.</param>
    public async ValueTask<IReadOnlyList<ReadableFile>> OpenBasesAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, IReadOnlyCollection<string>? columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken,
        RowGroupCondition? needed = null, bool mayArrive = false)
    {
        FileSlice[] based = [.. slices.Where(s => s.Base is not null)];
        var paths = new string[based.Length];
        foreach (IGrouping<bool, int> some in Enumerable.Range(0, based.Length).GroupBy(i => based[i].Base!.Extension == "orc"))
        {
            int[] indexes = [.. some];
            CacheableFile[] sources = [.. indexes.Select(i => Source(snapshot, based[i].Base!) with { Needed = based[i].Logs.Count == 0 ? needed : null })];
            FileLease lease = some.Key
                ? await files.OpenDecodedAsync(sources, OrcFileDecoder.DecoderKey(Orc), OrcFileDecoder.Create(Orc), cancellationToken)
                : mayArrive && columns is not null ? await files.OpenEarlyAsync(sources, columns, cancellationToken)
                : await files.OpenAsync(sources, columns, cancellationToken);
            leases.Add(lease);
            for (int i = 0; i < indexes.Length; i++)
            {
                paths[indexes[i]] = lease.LocalPaths[i];
            }
        }

        using DuckDBConnection connection = engine.OpenConnection();
        return
        [
            .. based.Select((s, i) => Readable(snapshot, connection, s.Base!.Path, s.Base.SizeBytes, s.Partition, s.Base.Instant, paths[i]))
                .Select((f, i) => based[i].Base!.Extension == "orc" ? f with { MicrosecondInstants = new HashSet<string>() } : f),
        ];
    }

    /// <summary>Finds the log blocks of slices that a snapshot holds.</summary>
    public async ValueTask<IReadOnlyList<SliceLogs>> FindLogsAsync(HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, CancellationToken cancellationToken)
    {
        string table = SliceLogs.TableIdentityOf(snapshot);
        var found = new SliceLogs[slices.Count];
        long kept = 0;
        await Parallel.ForAsync(0, slices.Count, cancellationToken, async (i, token) =>
        {
            IReadOnlyList<LogFile> logs = await _logs.OpenAsync(snapshot, slices[i], token);
            // What was just read is decoded next, unless it is more than should lie in memory.
            if (Interlocked.Add(ref kept, logs.Sum(l => (long)(l.Content?.Length ?? 0))) > MaxKeptBytes)
            {
                logs = [.. logs.Select(l => l with { Content = null })];
            }

            found[i] = SliceLogs.Of(table, slices[i], LogScan.LiveBlocks(snapshot, slices[i], logs));
        });
        return found;
    }

    /// <summary>The data blocks of a slice, decoded. Of a slice that is copied after its first query, blocks have only the columns of that query, until another one needs others.</summary>
    /// <param name="snapshot">Whose columns and rules apply.</param>
    /// <param name="slice">The slice.</param>
    /// <param name="ordinal">Its ordinal.</param>
    /// <param name="withPositions">Whether the positions of records are read.</param>
    /// <param name="columns">Names of the columns that are needed, beside what merging looks at; null for all, and where the slice will not be copied.</param>
    /// <param name="leases">Takes what keeps the files in place.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<IReadOnlyList<DecodedBlock>> OpenBlocksAsync(
        HudiSnapshot snapshot, SliceLogs slice, int ordinal, bool withPositions, IReadOnlyCollection<string>? columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        IReadOnlySet<string>? wanted = columns is null || slice.HasPartial || !MergedCopies.AreMadeAtOnce(slice.Slice.Files.Sum(f => f.SizeBytes)) || MergeRules.Of(snapshot) is not { AreFolded: false } rules
            ? null
            : NamesOf(snapshot, [.. columns, .. rules.ColumnsOf(snapshot)]);
        var blocks = new List<DecodedBlock>();
        for (int order = 0; order < slice.Live.Count; order++)
        {
            LiveBlock live = slice.Live[order];
            if (live.Block.Type != LogBlockType.Delete)
            {
                ReadableFile file = await DecodeAsync(snapshot, slice.Slice, live, wanted, leases, cancellationToken);
                blocks.Add(new DecodedBlock(file, ordinal, order, file.IsPartial ? new SliceScan(snapshot).NamesIn(file) : null) { Positions = withPositions ? RecordPositions.TryRead(live) : null });
            }
        }

        return blocks;
    }

    /// <summary>The delete blocks of a slice.</summary>
    public static async ValueTask<IReadOnlyList<DecodedDeletes>> ReadDeletesAsync(HudiSnapshot snapshot, SliceLogs slice, int ordinal, bool withPositions, CancellationToken cancellationToken)
    {
        var deletes = new List<DecodedDeletes>();
        for (int order = 0; order < slice.Live.Count; order++)
        {
            LiveBlock live = slice.Live[order];
            if (live.Block.Type == LogBlockType.Delete)
            {
                ReadOnlyMemory<byte> content = live.Log.Content ?? await LogFileOpener.ReadAsync(snapshot, live.Log.File, cancellationToken);
                deletes.Add(new DecodedDeletes(ordinal, order, DeleteBlock.Decode(content.Span.Slice(live.Block.ContentOffset, live.Block.ContentLength), live.Log.File.Path))
                {
                    Positions = withPositions ? RecordPositions.TryRead(live) : null,
                });
            }
        }

        return deletes;
    }

    /// <summary>The blocks of a change log; it never grows, since each write makes its own.</summary>
    public async ValueTask<IReadOnlyList<ReadableFile>> OpenChangeLogAsync(
        HudiSnapshot snapshot, string partition, string path, long sizeBytes, string instant, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        byte[] content = await snapshot.Table.Root.Store.ReadAsync(snapshot.Table.Root.Key(path), int.MaxValue, cancellationToken);
        var log = new LogFile(new HudiFile(path, content.Length, instant, 1, "", "cdc"), LogFileParser.Parse(content, path), content);
        var slice = new FileSlice { Partition = partition, FileId = "", BaseInstant = instant };
        var blocks = new List<ReadableFile>();
        foreach (LogBlock block in log.Blocks)
        {
            if (block.Type != LogBlockType.CdcData)
            {
                throw LakeException.FormatInvalid($"Hudi: a change log of {sizeBytes} bytes with a {block.Type} block", path);
            }

            blocks.Add(await DecodeAsync(snapshot, slice, new LiveBlock(log, block), null, leases, cancellationToken));
        }

        return blocks;
    }

    private async ValueTask<ReadableFile> DecodeAsync(
        HudiSnapshot snapshot, FileSlice slice, LiveBlock live, IReadOnlySet<string>? wanted, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        IReadOnlySet<string>? columns = live.Block.Type == LogBlockType.ParquetData ? null : DecodedColumns(snapshot, live, wanted);
        string names = columns is null ? "" : ":" + string.Join(',', columns.Order(StringComparer.Ordinal));
        string decoder = $"{DataBlock.DecoderVersion}:{SliceScan.Text(live.Block.Offset)}";
        FileDecoder decode = async (_, target, token) =>
            await DataBlock.WriteParquetAsync(live, live.Log.Content ?? await LogFileOpener.ReadAsync(snapshot, live.Log.File, token), KeyColumnOf(snapshot), columns, target, token);
        FileLease lease = columns is null
            ? await files.OpenDecodedAsync([Source(snapshot, live.Log.File)], decoder + names, decode, cancellationToken)
            : await files.OpenPassingAsync([Source(snapshot, live.Log.File)], decoder + names, decode, cancellationToken);
        lock (leases)
        {
            leases.Add(lease);
        }

        using DuckDBConnection connection = engine.OpenConnection();
        // Blocks of one schema are decoded to files of one shape.
        string? schema = live.Block.Type == LogBlockType.AvroData ? live.Block.Headers.GetValueOrDefault(LogHeader.Schema) + names : null;
        ReadableFile file = Readable(snapshot, connection, live.Log.File.Path + "#" + decoder + names, live.Log.File.SizeBytes, slice.Partition, live.Block.Instant, lease.LocalPaths[0], schema);
        file = file with { Path = live.Log.File.Path + "#" + decoder, IsPartial = live.Block.IsPartial, DecodedColumns = columns };
        return live.Block.Type != LogBlockType.ParquetData ? file with { MicrosecondInstants = DataBlock.MicrosecondInstantsOf(live) } : file;
    }

    // The columns that a block is decoded with: those of the first query, for it, its copies and queries of no others; else all.
    private IReadOnlySet<string>? DecodedColumns(HudiSnapshot snapshot, LiveBlock live, IReadOnlySet<string>? wanted)
    {
        if (_columns.Count > MaxKnownBlocks)
        {
            _columns.Clear();
        }

        return _columns.AddOrUpdate(
            (snapshot.Table.Root.Location, live.Log.File.Path, live.Log.File.SizeBytes, live.Block.Offset), wanted,
            (_, known) => known is null || wanted is null || !wanted.IsSubsetOf(known) ? null : known);
    }

    /// <summary>The names that columns have in files of any schema version.</summary>
    public static IReadOnlySet<string> NamesOf(HudiSnapshot snapshot, IEnumerable<string> columns)
        => columns.SelectMany(c => snapshot.SchemaHistory?.NamesOf(c) ?? [c]).ToHashSet(StringComparer.OrdinalIgnoreCase);

    private static string? KeyColumnOf(HudiSnapshot snapshot)
        => snapshot.Properties.PopulatesMetaFields ? "_hoodie_record_key" : snapshot.Properties.RecordKeyFields is [var only] ? only : null;

    private ReadableFile Readable(HudiSnapshot snapshot, DuckDBConnection connection, string path, long size, string partition, string instant, string localPath, string? shape = null)
    {
        string identity = SliceScan.Text(size) + ":" + snapshot.Table.Root.Location + "/" + path;
        return new ReadableFile(localPath, identity, partition, _shapes.Of(connection, shape ?? identity, localPath), snapshot.SchemaHistory?.VersionOf(instant)) { Path = path };
    }

    /// <summary>A file for the cache.</summary>
    public static CacheableFile Source(HudiSnapshot snapshot, HudiFile file)
        => new(snapshot.Table.Root.Store, snapshot.Table.Root.Key(file.Path), file.SizeBytes);
}
