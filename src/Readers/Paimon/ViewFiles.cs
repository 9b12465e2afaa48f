using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>The files that a request may read: those of its view, and of its units.</summary>
internal sealed class ViewFiles(PaimonSnapshot snapshot, ScanRequest request)
{
    private readonly PaimonLevels _levels = PaimonViews.LevelsOf(snapshot, request.View);
    private readonly bool _areFiles = PaimonOrigins.KindOf(snapshot) == UnitKind.Files;

    /// <summary>The files in the places that are wanted.</summary>
    public IEnumerable<PaimonDataFile> Select(PaimonPlaces places) => request.Units switch
    {
        null => snapshot.Files.Select(places, _levels),
        { } units when !_areFiles => snapshot.Files.Select(places with { InBucket = r => units.Has(PaimonOrigins.UnitOf(snapshot, r)) && places.InBucket?.Invoke(r) != false }, _levels),
        { Except: false } units => snapshot.Files.SelectPaths(units.Names, places, _levels),
        { } units => snapshot.Files.Select(places, _levels).Where(f => units.Has(f.Path)),
    };

    /// <summary>Their number.</summary>
    public int Count(PaimonPlaces places = default) => request.Units is not null ? Select(places).Count()
        : places == default && _levels == snapshot.VisibleLevels ? snapshot.VisibleCount
        : snapshot.Files.CountOf(places, _levels);
}
