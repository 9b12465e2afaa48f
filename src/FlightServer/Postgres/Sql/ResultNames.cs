using LakeHolo.FlightServer.Postgres.Types;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>Names of result columns as PostgreSQL gives them where the text names none (a function's name, a cast's inner name, <c>?column?</c>), and the types of casts to CHAR, BPCHAR and VARCHAR.</summary>
internal static class ResultNames
{
    public static IReadOnlyList<PgColumn> Apply(SqlStatement statement, IReadOnlyList<PgColumn> columns)
    {
        if (statement.Tokens[0].Is("values"))
        {
            return [.. columns.Select((c, i) => c with { Name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"column{i + 1}") })];
        }

        IReadOnlyList<SelectItem?> items = SelectItems.Align(statement, columns.Count);
        return [.. columns.Select((c, i) => Of(items[i], c))];
    }

    private static PgColumn Of(SelectItem? item, PgColumn column)
    {
        PgColumn named = item is { HasAlias: false } && !item.Name.Equals(column.Name, StringComparison.OrdinalIgnoreCase) ? column with { Name = item.Name } : column;
        return item?.Characters is { } type && column.Type == PgType.Text ? named with { Type = type.Type, TypeModifier = type.Modifier } : named;
    }
}
