using LakeHolo.LakeCatalog.Storage;
using Microsoft.Win32.SafeHandles;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>Files that are fetched while somebody may open them already.</summary>
internal sealed partial class SparseFile
{
    private volatile bool _isHeld;

    /// <summary>Holds the file, so that whoever opens it waits until columns are there, which the caller has to fetch. Waits for nobody else's fetch.</summary>
    /// <returns>What is to be fetched; null where everything is there, where others use the file, or where it cannot be held: then it is to be fetched as ever.</returns>
    public async ValueTask<EarlyFetch?> TryBeginAsync(CacheableFile source, string etag, IReadOnlyCollection<string> columns, CancellationToken cancellationToken)
    {
        // Others may read what is there: they would wait as well.
        bool MayBegin() => !_isWhole && _ready.IsEmpty && _chooser?.HasViews != true && _sizeBytes > _wholeFileBytes;
        if (!FileHold.IsPossible || !MayBegin() || !await _gate.WaitAsync(0, CancellationToken.None))
        {
            return null;
        }

        SafeFileHandle? handle = null;
        EarlyFetch? begun = null;
        try
        {
            handle = OpenLocal();
            var fetch = new Fetch(this, source, etag, handle);
            if (!MayBegin() || (await EnsureFooterAsync(fetch, cancellationToken)).Layout is not { } layout
                || (source.Needed is not null && await ChooseAnewAsync(fetch, columns, cancellationToken) is not null))
            {
                return null;
            }

            List<ByteRange> requests = await MissingAsync(handle, [.. layout.RangesOf(columns)], cancellationToken);
            if (requests.Count > 0 && FileHold.TryTake(handle, _mostWaiting) is { } hold)
            {
                _isHeld = true;
                begun = new EarlyFetch(hold, requests, fetch.RunAsync, isComplete => EndHold(fetch.Handle, hold, columns, isComplete));
            }

            return begun;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // the way that waits says what is wrong
        }
        finally
        {
            if (begun is null)
            {
                handle?.Dispose();
                _gate.Release();
            }
        }
    }

    private void EndHold(SafeFileHandle handle, FileHold hold, IReadOnlyCollection<string> columns, bool isComplete)
    {
        try
        {
            if (!isComplete)
            {
                TakeEnd(handle);
            }

            SegmentMap.Write(MapPath, _index.NewTemporaryPath(), _sizeBytes, _segments);
            if (isComplete)
            {
                _hasFooter = true;
                _ready = _ready.Union(columns);
            }
        }
        finally
        {
            _isHeld = false;
            hold.Release();
            handle.Dispose();
            _gate.Release();
        }
    }

    // Without it this is no Parquet file. It is fetched again with the rest.
    private void TakeEnd(SafeFileHandle handle)
    {
        long tail = _sizeBytes - ParquetLayout.TailBytes;
        RandomAccess.Write(handle, new byte[ParquetLayout.TailBytes], tail);
        _hasFooter = false;
        foreach (Segment segment in _segments.Where(s => s.End > tail).ToList())
        {
            _segments.Remove(segment);
            _unverified.Remove(segment);
            _index.Grow(_entry, -segment.Length);
        }
    }
}
