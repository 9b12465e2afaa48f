using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Orc;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.LogFiles;
using LakeHolo.Readers.Hudi.Merging;

namespace LakeHolo.Readers.Hudi;

/// <summary>Makes base files and log blocks readable for the engine.</summary>
internal sealed class SliceFiles(EngineDatabase engine, IFileMaterializer files)
{
    private static readonly OrcReadOptions Orc = new();
    private readonly ParquetShapes _shapes = new();

    /// <summary>The base files of slices, in their order.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="slices">The slices; those without a base file are passed over.</param>
    /// <param name="columns">Names of the columns that will be read, null for all.</param>
    /// <param name="leases">Takes what keeps the files in place.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    public async ValueTask<IReadOnlyList<ReadableFile>> OpenBasesAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, IReadOnlyCollection<string>? columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        FileSlice[] based = [.. slices.Where(s => s.Base is not null)];
        var paths = new string[based.Length];
        foreach (IGrouping<bool, int> some in Enumerable.Range(0, based.Length).GroupBy(i => based[i].Base!.Extension == "orc"))
        {
            int[] indexes = [.. some];
            CacheableFile[] sources = [.. indexes.Select(i => Source(snapshot, based[i].Base!))];
            FileLease lease = some.Key
                ? await files.OpenDecodedAsync(sources, OrcFileDecoder.DecoderKey(Orc), OrcFileDecoder.Create(Orc), cancellationToken)
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

    /// <summary>The base files of slices by the slices' ordinals; slices without one are missing.</summary>
    private async ValueTask<IReadOnlyDictionary<int, ReadableFile>> OpenBasesByOrdinalAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, IReadOnlyCollection<string>? columns, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        int[] ordinals = [.. Enumerable.Range(0, slices.Count).Where(i => slices[i].Base is not null)];
        IReadOnlyList<ReadableFile> opened = await OpenBasesAsync(snapshot, slices, columns, leases, cancellationToken);
        return ordinals.Zip(opened).ToDictionary(p => p.First, p => p.Second);
    }

    /// <summary>Reads the slices' log files, decodes their live blocks, and merges them with the base files.</summary>
    public async Task<MergedSlices> MergeAsync(
        HudiSnapshot snapshot, IReadOnlyList<FileSlice> slices, CancellationToken cancellationToken)
    {
        MergeRules rules = MergeRules.Of(snapshot);
        var leases = new List<IAsyncDisposable>();
        try
        {
            // As many slices at once as there are processors: each holds the log files of one slice in memory.
            var decoded = new SliceLogs[slices.Count];
            await Parallel.ForAsync(0, slices.Count, cancellationToken, async (slice, token) => decoded[slice] = await DecodeSliceAsync(snapshot, slices[slice], slice, leases, token));
            rules = decoded.Any(d => d.HasPartial) ? rules with { Fill = FillMode.Absent } : rules;
            DecodedBlock[] blocks = [.. decoded.SelectMany(d => d.Blocks)];
            DecodedDeletes[] deletes = [.. decoded.SelectMany(d => d.Deletes)];
            // Whole rows of the base are needed only where versions are combined.
            IReadOnlyCollection<string>? columns = rules.Fill == FillMode.None ? NamesOf(snapshot, KeyColumns(snapshot, rules)) : null;
            IReadOnlyDictionary<int, ReadableFile> bases = await OpenBasesByOrdinalAsync(snapshot, slices, columns, leases, cancellationToken);
            return new SliceMerger(engine, snapshot, rules).Merge(blocks, deletes, bases);
        }
        finally
        {
            foreach (IAsyncDisposable lease in leases)
            {
                await lease.DisposeAsync();
            }
        }
    }

    private async ValueTask<SliceLogs> DecodeSliceAsync(HudiSnapshot snapshot, FileSlice slice, int ordinal, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        var result = new SliceLogs([], [], false);
        IReadOnlyList<LogFile> logs = await ReadLogsAsync(snapshot, slice, cancellationToken);
        IReadOnlyList<LiveBlock> live = LogScan.LiveBlocks(snapshot, slice, logs);
        for (int order = 0; order < live.Count; order++)
        {
            LiveBlock block = live[order];
            if (block.Block.Type == LogBlockType.Delete)
            {
                ReadOnlySpan<byte> content = block.Log.Content.Span.Slice(block.Block.ContentOffset, block.Block.ContentLength);
                result.Deletes.Add(new DecodedDeletes(ordinal, order, DeleteBlock.Decode(content, block.Log.File.Path)));
                continue;
            }

            result = result with { HasPartial = result.HasPartial || block.Block.IsPartial };
            result.Blocks.Add(new DecodedBlock(
                await DecodeAsync(snapshot, slice, block, leases, cancellationToken), ordinal, order, block.Block.IsPartial ? DataBlock.ColumnsOf(block) : null));
        }

        return result;
    }

    /// <summary>The blocks of a change log; it never grows, since each write makes its own.</summary>
    public async ValueTask<IReadOnlyList<ReadableFile>> OpenChangeLogAsync(
        HudiSnapshot snapshot, string partition, string path, long sizeBytes, string instant, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        byte[] content = await snapshot.Table.Root.Store.ReadAsync(snapshot.Table.Root.Key(path), int.MaxValue, cancellationToken);
        var log = new LogFile(new HudiFile(path, content.Length, instant, 1, "", "cdc"), content, LogFileParser.Parse(content, path));
        var slice = new FileSlice { Partition = partition, FileId = "", BaseInstant = instant };
        var blocks = new List<ReadableFile>();
        foreach (LogBlock block in log.Blocks)
        {
            if (block.Type != LogBlockType.CdcData)
            {
                throw LakeException.FormatInvalid($"Hudi: a change log of {sizeBytes} bytes with a {block.Type} block", path);
            }

            blocks.Add(await DecodeAsync(snapshot, slice, new LiveBlock(log, block), leases, cancellationToken));
        }

        return blocks;
    }

    private async ValueTask<ReadableFile> DecodeAsync(
        HudiSnapshot snapshot, FileSlice slice, LiveBlock live, List<IAsyncDisposable> leases, CancellationToken cancellationToken)
    {
        string decoder = $"{DataBlock.DecoderVersion}:{SliceScan.Text(live.Block.Offset)}";
        FileLease lease = await files.OpenDecodedAsync(
            [Source(snapshot, live.Log.File)], decoder, (_, target, token) => DataBlock.WriteParquetAsync(live, KeyColumnOf(snapshot), target, token), cancellationToken);
        lock (leases)
        {
            leases.Add(lease);
        }

        using DuckDBConnection connection = engine.OpenConnection();
        ReadableFile file = Readable(snapshot, connection, live.Log.File.Path + "#" + decoder, live.Log.File.SizeBytes, slice.Partition, live.Block.Instant, lease.LocalPaths[0]);
        return live.Block.Type != LogBlockType.ParquetData ? file with { MicrosecondInstants = DataBlock.MicrosecondInstantsOf(live) } : file;
    }

    /// <summary>The names that columns have in files of any schema version.</summary>
    public static IReadOnlyCollection<string> NamesOf(HudiSnapshot snapshot, IEnumerable<string> columns)
        => columns.SelectMany(c => snapshot.SchemaHistory?.NamesOf(c) ?? [c]).ToHashSet(StringComparer.OrdinalIgnoreCase);

    private static IEnumerable<string> KeyColumns(HudiSnapshot snapshot, MergeRules rules)
        => snapshot.Properties.RecordKeyFields.Append("_hoodie_record_key").Concat(rules.Ordering);

    private static string? KeyColumnOf(HudiSnapshot snapshot)
        => snapshot.Properties.PopulatesMetaFields ? "_hoodie_record_key" : snapshot.Properties.RecordKeyFields is [var only] ? only : null;

    private static async ValueTask<IReadOnlyList<LogFile>> ReadLogsAsync(HudiSnapshot snapshot, FileSlice slice, CancellationToken cancellationToken)
    {
        var logs = new List<LogFile>(slice.Logs.Count);
        foreach (HudiFile log in slice.Logs)
        {
            // A file that has grown since it was listed is read up to the listed size.
            byte[] content = await snapshot.Table.Root.Store.ReadAsync(snapshot.Table.Root.Key(log.Path), int.MaxValue, cancellationToken);
            ReadOnlyMemory<byte> listed = content.AsMemory(0, (int)Math.Min(content.Length, log.SizeBytes));
            logs.Add(new LogFile(log, listed, LogFileParser.Parse(listed.Span, log.Path)));
        }

        return logs;
    }

    private ReadableFile Readable(HudiSnapshot snapshot, DuckDBConnection connection, string path, long size, string partition, string instant, string localPath)
    {
        string identity = SliceScan.Text(size) + ":" + snapshot.Table.Root.Location + "/" + path;
        return new ReadableFile(localPath, identity, partition, _shapes.Of(connection, identity, localPath), snapshot.SchemaHistory?.VersionOf(instant)) { Path = path };
    }

    private static CacheableFile Source(HudiSnapshot snapshot, HudiFile file)
        => new(snapshot.Table.Root.Store, snapshot.Table.Root.Key(file.Path), file.SizeBytes);

    private sealed record SliceLogs(List<DecodedBlock> Blocks, List<DecodedDeletes> Deletes, bool HasPartial);
}
