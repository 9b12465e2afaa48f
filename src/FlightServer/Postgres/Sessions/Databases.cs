using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>The sources of the catalog as databases.</summary>
internal static class Databases
{
    /// <summary>Names that clients take when nobody tells them one.</summary>
    private static readonly string[] Defaults = ["postgres", "lakeholo", "default", "template1"];

    public static async ValueTask<IReadOnlyList<string>> ListAsync(IQueryService service, QuerySession session, CancellationToken cancellationToken) =>
        (await service.ListCatalogAsync(session, new CatalogFilter(null, null, null, [], IncludeSchemas: false), cancellationToken)).Catalogs;

    /// <summary>The source for the database that a client asks for; without one of that name, the first, if it asked for none in particular.</summary>
    /// <exception cref="PgError">3D000.</exception>
    public static async ValueTask<string> FindAsync(IQueryService service, QuerySession session, string asked, string user, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> sources = await ListAsync(service, session, cancellationToken);
        string? found = sources.FirstOrDefault(s => s == asked) ?? sources.FirstOrDefault(s => s.Equals(asked, StringComparison.OrdinalIgnoreCase));
        if (found is null && sources.Count > 0 && (asked == user || Defaults.Contains(asked)))
        {
            found = sources[0];
        }

        return found ?? throw new PgError("3D000", $"database \"{asked}\" does not exist") { IsFatal = true, Hint = $"Databases are the sources: {string.Join(", ", sources)}." };
    }
}
