using System.Globalization;
using System.Text;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>The parameter markers in a statement's text.</summary>
internal static class Markers
{
    private const int MaxParameters = 65_535;

    public static int Number(Token token) =>
        int.TryParse(token.Value, CultureInfo.InvariantCulture, out int number) && number is > 0 and <= MaxParameters
            ? number
            : throw new PgError("42P02", $"there is no parameter ${token.Value}");

    /// <summary>The text with casts around markers.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="casts">By parameter, from 0: the type, or null for none.</param>
    public static string Cast(SqlStatement statement, IReadOnlyList<string?> casts)
    {
        if (casts.All(c => c is null))
        {
            return statement.Text;
        }

        var text = new StringBuilder();
        int copied = 0;
        foreach (Token token in statement.Tokens)
        {
            if (token.Kind == TokenKind.Parameter && casts[Number(token) - 1] is { } cast)
            {
                text.Append(statement.Text, copied, token.Start - copied).Append(CultureInfo.InvariantCulture, $"CAST(${token.Value} AS {cast})");
                copied = token.End;
            }
        }

        return text.Append(statement.Text, copied, statement.Text.Length - copied).ToString();
    }

    public static bool IsLimit(SqlStatement statement, int number) => Any(statement, number, i => i > 0 && (statement.Tokens[i - 1].Is("limit") || statement.Tokens[i - 1].Is("offset")));

    public static bool IsAny(SqlStatement statement, int number) => Any(statement, number, i => IsInAny(statement, i));

    /// <summary>The statement with <c>$n</c> in the place of <c>ANY($n)</c>.</summary>
    public static SqlStatement WithoutAny(SqlStatement statement)
    {
        var text = new StringBuilder(statement.Text);
        for (int i = statement.Tokens.Count - 1; i >= 0; i--)
        {
            if (statement.Tokens[i].Kind == TokenKind.Parameter && IsInAny(statement, i))
            {
                // The parentheses stay: they do no harm.
                Token any = statement.Tokens[i - 2];
                text.Remove(any.Start, any.Length).Insert(any.Start, " ");
            }
        }

        return SqlStatement.Split(text.ToString())[0];
    }

    public static bool IsOperand(SqlStatement statement, int number) => Any(statement, number, i => OperatorOf(statement, i) >= 0);

    /// <summary>The statement with comparisons in the place of <c>+ - * / %</c> beside parameters: what is compared has the type of the other side, which the engine tells.</summary>
    public static SqlStatement AsComparisons(SqlStatement statement)
    {
        var text = new StringBuilder(statement.Text);
        for (int i = 0; i < statement.Tokens.Count; i++)
        {
            if (statement.Tokens[i].Kind == TokenKind.Parameter && OperatorOf(statement, i) is >= 0 and int at)
            {
                text[statement.Tokens[at].Start] = '=';
            }
        }

        return SqlStatement.Split(text.ToString())[0];
    }

    // The operator before a parameter, else the one behind it.
    private static int OperatorOf(SqlStatement statement, int at) =>
        at > 0 && IsArithmetic(statement.Tokens[at - 1]) ? at - 1 : at + 1 < statement.Tokens.Count && IsArithmetic(statement.Tokens[at + 1]) ? at + 1 : -1;

    private static bool IsArithmetic(Token token) => token.Kind == TokenKind.Symbol && token.Value is "+" or "-" or "*" or "/" or "%";

    private static bool IsInAny(SqlStatement statement, int at) =>
        at > 1 && at + 1 < statement.Tokens.Count && statement.Tokens[at - 1].Is("(") && statement.Tokens[at + 1].Is(")")
        && (statement.Tokens[at - 2].Is("any") || statement.Tokens[at - 2].Is("all") || statement.Tokens[at - 2].Is("some"));

    private static bool Any(SqlStatement statement, int number, Func<int, bool> condition)
    {
        for (int i = 0; i < statement.Tokens.Count; i++)
        {
            if (statement.Tokens[i].Kind == TokenKind.Parameter && Number(statement.Tokens[i]) == number && condition(i))
            {
                return true;
            }
        }

        return false;
    }
}
