using System.Collections.Concurrent;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Hudi.LogFiles;

namespace LakeHolo.Readers.Hudi.LogFiles;

/// <summary>Opens log files. What their blocks are is remembered: a log file never changes (one that grows has another size).</summary>
internal sealed class LogFileOpener
{
    private const int MaxKnown = 50_000;
    private const long MaxHeaderCharacters = 32L << 20;
    private readonly ConcurrentDictionary<(string Location, string Path, long Size), IReadOnlyList<LogBlock>> _known = new();
    private long _headerCharacters;

    /// <summary>The log files of a slice, in their order; with their bytes where they had to be read.</summary>
    public async ValueTask<IReadOnlyList<LogFile>> OpenAsync(HudiSnapshot snapshot, FileSlice slice, CancellationToken cancellationToken)
    {
        var logs = new List<LogFile>(slice.Logs.Count);
        foreach (HudiFile log in slice.Logs)
        {
            if (_known.TryGetValue((snapshot.Table.Root.Location, log.Path, log.SizeBytes), out IReadOnlyList<LogBlock>? blocks))
            {
                logs.Add(new LogFile(log, blocks, null));
                continue;
            }

            ReadOnlyMemory<byte> content = await ReadAsync(snapshot, log, cancellationToken);
            blocks = LogFileParser.Parse(content.Span, log.Path);
            Remember((snapshot.Table.Root.Location, log.Path, log.SizeBytes), blocks);
            logs.Add(new LogFile(log, blocks, content));
        }

        return logs;
    }

    /// <summary>A log file's bytes. A file that has grown since it was listed is read up to the listed size.</summary>
    public static async ValueTask<ReadOnlyMemory<byte>> ReadAsync(HudiSnapshot snapshot, HudiFile log, CancellationToken cancellationToken)
    {
        byte[] content = await snapshot.Table.Root.Store.ReadAsync(snapshot.Table.Root.Key(log.Path), int.MaxValue, cancellationToken);
        return content.AsMemory(0, (int)Math.Min(content.Length, log.SizeBytes));
    }

    private void Remember((string, string, long) file, IReadOnlyList<LogBlock> blocks)
    {
        long characters = blocks.Sum(b => b.Headers.Values.Sum(h => (long)h.Length));
        if (_known.Count >= MaxKnown || Interlocked.Add(ref _headerCharacters, characters) > MaxHeaderCharacters)
        {
            _known.Clear();
            Interlocked.Exchange(ref _headerCharacters, characters);
        }

        _known[file] = blocks;
    }
}
