using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Readers.Cache.Sparse;

/// <summary>Views: local files that name only some of the row groups.</summary>
internal sealed partial class SparseFile
{
    private volatile RowGroupChooser? _chooser;

    /// <summary>The row groups that are needed, where a view of them is to be opened; null where this file is, with the whole columns.</summary>
    /// <exception cref="LakeException">As for fetching: the footer may have to be.</exception>
    public async ValueTask<RowGroupChoice?> ChooseAsync(CacheableFile source, string etag, IReadOnlyCollection<string> columns, CancellationToken cancellationToken)
    {
        if (source.Needed is not { } condition || columns.Count == 0 || _sizeBytes <= _wholeFileBytes || (IsReady(columns) && !_alwaysViews))
        {
            return null;
        }

        if (_chooser is { } known && known.Known(known.Needed(condition, null, source.Key)) is { } choice)
        {
            return choice;
        }

        return await WithFileAsync(source, etag, fetch => ChooseAnewAsync(fetch, columns, cancellationToken), cancellationToken);
    }

    private async Task<RowGroupChoice?> ChooseAnewAsync(Fetch fetch, IReadOnlyCollection<string> columns, CancellationToken cancellationToken)
    {
        (ParquetLayout? layout, _) = await EnsureFooterAsync(fetch, cancellationToken);
        if (layout is null)
        {
            return null;
        }

        _chooser ??= new RowGroupChooser(layout, _alwaysViews);
        byte[] footer = await ReadLocalAsync(fetch.Handle, layout.Footer, cancellationToken);
        return _chooser.Choose(_chooser.Needed(fetch.Source.Needed!, footer[..^ParquetLayout.TailBytes], fetch.Source.Key), columns, _segments);
    }

    /// <summary>Makes the file of a view's entry, which the caller leases.</summary>
    public ValueTask CreateViewAsync(CacheableFile source, string etag, RowGroupChoice choice, CacheEntry view, CancellationToken cancellationToken) =>
        new(WithFileAsync(source, etag, async fetch =>
        {
            (ParquetLayout? layout, _) = await EnsureFooterAsync(fetch, cancellationToken);
            RowGroupView.Create(_index, view, await ReadLocalAsync(fetch.Handle, layout!.Footer, cancellationToken), layout, choice.Needed);
            return true;
        }, cancellationToken));

    /// <summary>Fetches what is missing of columns in some row groups and gives it to the view of these.</summary>
    /// <returns>Whether everything was there already.</returns>
    public async ValueTask<bool> EnsureViewAsync(
        CacheableFile source, string etag, RowGroupChoice choice, RowGroupView view, IReadOnlyCollection<string> columns, CancellationToken cancellationToken)
    {
        if (view.IsReady(columns))
        {
            if (StorageUse.Current is { } use && _layout is { } layout)
            {
                use.CountCached(layout.Footer.Length + layout.ChunksOf(columns, choice.Needed).Sum(r => r.Length));
            }

            return true;
        }

        ByteRange[] chunks = [];
        bool hit = await WithFileAsync(source, etag, async fetch =>
        {
            (ParquetLayout? layout, bool there) = await EnsureFooterAsync(fetch, cancellationToken);
            chunks = [.. layout!.ChunksOf(columns, choice.Needed)];
            return await EnsureRangesAsync(fetch, [layout.Footer, .. chunks], cancellationToken) && there;
        }, cancellationToken);
        await view.CopyAsync(_entry.Path, columns, chunks, cancellationToken);
        return hit;
    }
}
