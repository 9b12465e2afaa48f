using System.Text;
using LakeHolo.FlightServer.Postgres.Sessions;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>What PostgreSQL's clients write by habit, in the engine's words.</summary>
internal static class Habits
{
    public static SqlStatement Rewrite(SqlStatement statement, PgSession session)
    {
        var text = new StringBuilder();
        int copied = 0;
        IReadOnlyList<Token> tokens = statement.Tokens;
        for (int i = 0; i < tokens.Count; i++)
        {
            if (Replacement(statement, i, session) is var (end, replacement))
            {
                text.Append(statement.Text, copied, tokens[i].Start - copied).Append(replacement);
                copied = tokens[end - 1].End;
                i = end - 1;
            }
        }

        if (copied == 0)
        {
            return statement;
        }

        text.Append(statement.Text, copied, statement.Text.Length - copied);
        return SqlStatement.Split(text.ToString())[0] with { Offset = statement.Offset };
    }

    /// <summary>The text in the place of the tokens from one place to another (exclusive); null to keep them.</summary>
    private static (int End, string Text)? Replacement(SqlStatement statement, int at, PgSession session)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        bool Is(int i, string word) => i < tokens.Count && tokens[i].Is(word);
        Token token = tokens[at];

        // pg_catalog.x: functions and types are found without it.
        if (token.Is("pg_catalog") && Is(at + 1, ".") && at + 2 < tokens.Count)
        {
            return (at + 2, string.Empty);
        }

        return null;
    }
}
