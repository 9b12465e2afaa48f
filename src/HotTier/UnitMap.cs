using System.Collections.Immutable;

namespace LakeHolo.HotTier;

/// <summary>Which rows of a copy stand for which units of the lake. Rows carry a number; a group of numbers stands for a set of units.</summary>
/// <remarks>A unit that was copied has a group of its own, whose rows know their positions. Units that were rewritten without changing a row become one
/// group with those they replaced: the same rows, but their positions are no longer known.</remarks>
internal sealed class UnitMap
{
    private readonly ImmutableDictionary<string, int> _groups;
    private readonly ImmutableDictionary<int, UnitGroup> _byId;

    private UnitMap(ImmutableDictionary<string, int> groups, ImmutableDictionary<int, UnitGroup> byId)
    {
        _groups = groups;
        _byId = byId;
    }

    public static UnitMap Empty { get; } = new(ImmutableDictionary.Create<string, int>(StringComparer.Ordinal), ImmutableDictionary<int, UnitGroup>.Empty);

    /// <summary>Names of the units that the copy holds.</summary>
    public IEnumerable<string> Names => _groups.Keys;

    public int Count => _groups.Count;

    public IEnumerable<UnitGroup> Groups => _byId.Values;

    /// <summary>The group of a unit; null if the copy does not hold it.</summary>
    public UnitGroup? Find(string unit) => _groups.TryGetValue(unit, out int id) ? _byId[id] : null;

    /// <summary>The group of a number; null if there is none.</summary>
    public UnitGroup? Find(int id) => _byId.GetValueOrDefault(id);

    /// <summary>Whether the copy holds a unit.</summary>
    public bool Has(string unit) => _groups.ContainsKey(unit);

    /// <summary>The map after a change.</summary>
    public UnitMap With(IEnumerable<UnitGroup> removed, IEnumerable<UnitGroup> added)
    {
        ImmutableDictionary<string, int>.Builder groups = _groups.ToBuilder();
        ImmutableDictionary<int, UnitGroup>.Builder byId = _byId.ToBuilder();
        foreach (UnitGroup group in removed)
        {
            byId.Remove(group.Id);
            groups.RemoveRange(group.Names);
        }

        foreach (UnitGroup group in added)
        {
            byId.Add(group.Id, group);
            foreach (string name in group.Names)
            {
                groups.Add(name, group.Id);
            }
        }

        return new UnitMap(groups.ToImmutable(), byId.ToImmutable());
    }
}

/// <summary>Units and the numbers of the rows that stand for them.</summary>
/// <param name="Id">Number of the group; that of its rows where it has one unit.</param>
/// <param name="Names">The units.</param>
/// <param name="Numbers">The numbers of their rows.</param>
/// <param name="KnowsPositions">Whether the rows' positions are those in the unit.</param>
internal sealed record UnitGroup(int Id, IReadOnlyList<string> Names, IReadOnlyList<int> Numbers, bool KnowsPositions)
{
    /// <summary>A unit as it was copied.</summary>
    public static UnitGroup Of(string name, int number) => new(number, [name], [number], KnowsPositions: true);
}
