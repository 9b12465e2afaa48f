using LakeHolo.FlightServer.Postgres.Types;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>Names of result columns as PostgreSQL gives them where the text names none: a function's name, a cast's inner name, <c>?column?</c>.</summary>
internal static class ResultNames
{
    public static IReadOnlyList<PgColumn> Apply(SqlStatement statement, IReadOnlyList<PgColumn> columns)
    {
        IReadOnlyList<SelectItem?> items = SelectItems.Align(statement, columns.Count);
        return [.. columns.Select((c, i) => items[i] is { HasAlias: false } item && !item.Name.Equals(c.Name, StringComparison.OrdinalIgnoreCase) ? c with { Name = item.Name } : c)];
    }
}
