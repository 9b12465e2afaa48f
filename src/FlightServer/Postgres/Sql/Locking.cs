using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>Refuses what would lock or write rows.</summary>
internal static class Locking
{
    /// <summary>Checks a query.</summary>
    /// <exception cref="PgError">25006 for <c>SELECT … FOR UPDATE</c> and its like, <c>SELECT … INTO</c>.</exception>
    public static void Refuse(SqlStatement statement)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        for (int i = 0; i + 1 < tokens.Count; i++)
        {
            if (tokens[i].Is("for") && i > 0 && (tokens[i + 1].Is("update") || tokens[i + 1].Is("share") || (tokens[i + 1].Is("no") && tokens[i + 2 < tokens.Count ? i + 2 : i].Is("key"))
                || (tokens[i + 1].Is("key") && i + 2 < tokens.Count && tokens[i + 2].Is("share"))))
            {
                string what = tokens[i + 1].Is("no") ? "NO KEY UPDATE" : tokens[i + 1].Is("key") ? "KEY SHARE" : tokens[i + 1].Value.ToUpperInvariant();
                throw new PgError("25006", $"cannot execute SELECT FOR {what} in a read-only transaction")
                {
                    Hint = "Tables of the lake are read only: there is nothing to lock.",
                    Position = statement.Offset + tokens[i].Start + 1,
                };
            }

            if (tokens[i].Is("into") && tokens[0].Is("select") && i > 0 && tokens[i - 1].Kind != TokenKind.Symbol | tokens[i - 1].Is(")") | tokens[i - 1].Is("*") && tokens[i + 1].Kind != TokenKind.Symbol)
            {
                throw new PgError("25006", "cannot execute SELECT INTO in a read-only transaction") { Position = statement.Offset + tokens[i].Start + 1 };
            }
        }
    }
}
