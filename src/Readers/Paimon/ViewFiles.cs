using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>The files that a request may read: those of its view, and of its units.</summary>
internal sealed class ViewFiles(PaimonSnapshot snapshot, ScanRequest request)
{
    private readonly PaimonLevels _levels = PaimonViews.LevelsOf(snapshot, request.View);
    private readonly bool _areFiles = PaimonOrigins.KindOf(snapshot) == UnitKind.Files;

    /// <summary>The files in the places that are wanted.</summary>
    public IEnumerable<PaimonDataFile> Select(Func<PaimonFileRun, bool> isWanted) => request.Units switch
    {
        null => snapshot.Files.Select(isWanted, _levels),
        { } units when !_areFiles => snapshot.Files.Select(r => units.Has(PaimonOrigins.UnitOf(snapshot, r)) && isWanted(r), _levels),
        { Except: false } units => snapshot.Files.SelectPaths(units.Names, isWanted, _levels),
        { } units => snapshot.Files.Select(isWanted, _levels).Where(f => units.Has(f.Path)),
    };

    /// <summary>Their number.</summary>
    public int Count(Func<PaimonFileRun, bool>? isWanted = null) => request.Units is not null ? Select(isWanted ?? (_ => true)).Count()
        : isWanted is null && _levels == snapshot.VisibleLevels ? snapshot.VisibleCount
        : snapshot.Files.CountOf(isWanted, _levels);
}
