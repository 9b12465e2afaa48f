using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Delta;

namespace LakeHolo.Readers.DataFiles.Parquet;

/// <summary>Footers of data files, kept by local path: data files never change.</summary>
internal sealed class ParquetFooters
{
    private const int MaxCached = 100_000;
    private const int ParallelFrom = 32;

    private readonly ConcurrentDictionary<string, ParquetFooter> _footers = new(StringComparer.Ordinal);

    /// <summary>Footers of files, in their order.</summary>
    /// <param name="localPaths">The files.</param>
    /// <param name="pathOf">Their paths in the table, by index, for messages.</param>
    /// <exception cref="LakeException">FormatInvalid: a file is no Parquet file; FeatureUnsupported: its footer is encrypted.</exception>
    public ParquetFooter[] Read(IReadOnlyList<string> localPaths, Func<int, string> pathOf)
    {
        var footers = new ParquetFooter[localPaths.Count];
        if (footers.Length < ParallelFrom)
        {
            for (int i = 0; i < footers.Length; i++)
            {
                footers[i] = Footer(localPaths[i], pathOf(i));
            }

            return footers;
        }

        try
        {
            Parallel.For(0, footers.Length, i => footers[i] = Footer(localPaths[i], pathOf(i)));
        }
        catch (AggregateException e) when (e.InnerExceptions[0] is LakeException first)
        {
            ExceptionDispatchInfo.Throw(first);
        }

        return footers;
    }

    private ParquetFooter Footer(string localPath, string path)
    {
        if (_footers.TryGetValue(localPath, out ParquetFooter? known))
        {
            return known;
        }

        if (_footers.Count >= MaxCached)
        {
            _footers.Clear();
        }

        return _footers[localPath] = ParquetFooter.Read(localPath, path);
    }
}
