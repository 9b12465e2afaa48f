namespace LakeHolo.Readers.Merging;

/// <summary>How far a copy is.</summary>
internal enum CopyState
{
    /// <summary>It is not there.</summary>
    None,

    /// <summary>It is being written, or could not be.</summary>
    Started,

    /// <summary>It is there, unless the cache needed the room.</summary>
    Ready,
}

/// <summary>The columns that a query needs of copies.</summary>
internal sealed class CopyColumns
{
    private const char Separator = '\u0002';

    private readonly string[] _names;

    /// <param name="needed">Names of the needed columns.</param>
    /// <param name="all">Names of all columns of the table.</param>
    public CopyColumns(IEnumerable<string> needed, IReadOnlyList<string> all)
    {
        _names = [.. needed.Order(StringComparer.Ordinal)];

        // Where rows are only counted, any column will do. A copy of most columns costs about what one of all costs.
        string[] copied = _names.Length == 0 ? [.. all.Take(1)] : _names;
        Set = copied.Length * 2 > all.Count || copied.Any(n => n.Contains(Separator)) ? All : string.Join(Separator, copied);
    }

    /// <summary>The set of all columns.</summary>
    public static string All => "";

    /// <summary>The set that a copy for this query has.</summary>
    public string Set { get; }

    /// <summary>The names in a set; null for all columns.</summary>
    public static HashSet<string>? NamesOf(string set) => set == All ? null : set.Split(Separator).ToHashSet(StringComparer.Ordinal);

    /// <summary>Whether a copy of a set has the columns.</summary>
    public bool AreIn(string set) => set == All || set == Set || NamesOf(set)!.IsSupersetOf(_names);
}

/// <summary>The copies of a member, by the columns that they have.</summary>
internal sealed class CopySets
{
    // Behind these a copy gets all columns: it is the last one that the member needs.
    private const int MaxNarrow = 3;

    private readonly Dictionary<string, CopyState> _states = new(StringComparer.Ordinal);

    /// <summary>How often the member was merged for a query.</summary>
    public int Uses { get; set; }

    /// <summary>The sets that may have a copy with some columns: those that are there, and those that an earlier process may have left.</summary>
    public string[] Candidates(CopyColumns columns)
        =>
        [
            .. _states.Where(s => s.Value == CopyState.Ready && columns.AreIn(s.Key)).Select(s => s.Key),
            .. new[] { columns.Set, CopyColumns.All }.Distinct().Where(s => !_states.ContainsKey(s)),
        ];

    /// <summary>The set that should be copied next, so that there is a copy with some columns; null if there is one, or will be.</summary>
    public string? Missing(CopyColumns columns)
    {
        if (_states.Any(s => s.Value != CopyState.None && columns.AreIn(s.Key)))
        {
            return null;
        }

        return _states.Count(s => s.Value != CopyState.None) < MaxNarrow ? columns.Set : CopyColumns.All;
    }

    /// <summary>Notes how far the copy of a set is.</summary>
    public void Set(string set, CopyState state) => _states[set] = state;
}
