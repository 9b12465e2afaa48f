using LakeHolo.Accelerator.Catalog;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Access;

/// <summary>What one user may read and do.</summary>
/// <param name="user">Its name.</param>
/// <param name="roles">Its roles; null where there is no access control.</param>
internal sealed class UserAccess(string user, IReadOnlyList<AccessRole>? roles)
{
    /// <summary>The user's name.</summary>
    public string User => user;

    /// <summary>The same for all who may read the same under the same name.</summary>
    public string Key { get; } = roles is null ? user : $"{user}\n{string.Join('\n', roles.Select(r => r.Name).Order(StringComparer.OrdinalIgnoreCase))}";

    /// <summary>What its statements may take.</summary>
    public UserLimits Limits { get; init; } = UserLimits.None;

    /// <summary>Whether others' statements and the tiers are its business.</summary>
    public bool IsAdmin => roles is null || roles.Any(r => r.IsAdmin);

    /// <summary>Whether some of the rows or columns of a table may be read.</summary>
    public bool CanRead(CatalogTable table) => roles is null || GrantsOf(table).Any();

    /// <summary>Whether everything of a table may be read.</summary>
    public bool CanReadAll(CatalogTable table) => PolicyOf(table) is null && CanRead(table);

    /// <summary>The tables that may be read.</summary>
    public IReadOnlyList<CatalogTable> Readable(IReadOnlyList<CatalogTable> tables) => roles is null ? tables : [.. tables.Where(CanRead)];

    /// <summary>What of a table is hidden; null for nothing.</summary>
    /// <exception cref="LakeException">PermissionDenied: no grant covers the table.</exception>
    public TablePolicy? PolicyOf(CatalogTable table)
    {
        if (roles is null)
        {
            return null;
        }

        TableGrant[] grants = [.. GrantsOf(table)];
        return grants.Length == 0 ? throw LakeException.PermissionDenied($"{user} may not read this table")
            : grants.Any(g => g.Filter is null && g.Masks.Count == 0) ? null
            : new TablePolicy(table.Table, user, grants);
    }

    private IEnumerable<TableGrant> GrantsOf(CatalogTable table) => roles!.SelectMany(r => r.Grants).Where(g => Covers(g, table));

    /// <summary>Whether a grant is about a table.</summary>
    public static bool Covers(TableGrant grant, CatalogTable table) =>
        (grant.Tables is { } tables && (NamePattern.Matches(tables, $"{table.Table.Schema}.{table.Table.Name}") || NamePattern.Matches(tables, table.Table.FullName)))
        || (grant.Layer is { } layer && table.Layer is { } of && NamePattern.Matches(layer, of));
}
