using System.Globalization;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>Casts to <c>numeric</c> without digits, which keeps all digits in PostgreSQL, and three decimals in the engine. Constants keep theirs; everything else has
/// 15 decimals, which are all that PostgreSQL itself takes from a double of 1 or more, and 23 digits before them, above which the engine fails.</summary>
internal static class Numerics
{
    private const int MaxDigits = 38;

    /// <summary>Decimals of what is cast to numeric without digits and is no constant.</summary>
    public const int WideScale = 15;

    private const string Wide = "DECIMAL(38, 15)";

    /// <summary>The type in the place of a type's name; null if it is no such cast, or has digits.</summary>
    /// <param name="tokens">The statement.</param>
    /// <param name="at">The type's name, after <c>::</c> or the AS of a CAST.</param>
    /// <exception cref="PgError">0A000: a constant of more than 38 digits.</exception>
    public static string? Replacement(IReadOnlyList<Token> tokens, int at)
    {
        if (!(tokens[at].Is("numeric") || tokens[at].Is("decimal")) || (at + 1 < tokens.Count && tokens[at + 1].Is("(")))
        {
            return null;
        }

        bool before = at + 1 < tokens.Count && tokens[at + 1].Kind == TokenKind.Text;
        int word = at > 2 && tokens[at - 1].Is(".") && tokens[at - 2].Is("pg_catalog") ? at - 3 : at - 1;
        bool cast = word >= 0 && (tokens[word].Is("::") || tokens[word].Is("as"));
        if (!before && !cast)
        {
            return null;
        }

        int operand = before ? at + 1 : word - 1;
        bool alone = operand >= 0 && tokens[operand].Kind is TokenKind.Text or TokenKind.Number
            && (before || tokens[word].Is("::") || (operand > 0 && tokens[operand - 1].Is("(")));
        if (!alone || (at + 1 < tokens.Count && tokens[at + 1].Is("[")))
        {
            return Wide;
        }

        string text = tokens[operand].Value.Trim().Replace("_", string.Empty, StringComparison.Ordinal);
        int e = text.IndexOfAny(['e', 'E']);
        string mantissa = e < 0 ? text : text[..e];
        int exponent = 0;
        if (e >= 0 && !int.TryParse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent))
        {
            return Wide; // No number: the engine says so.
        }

        int point = mantissa.IndexOf('.', StringComparison.Ordinal);
        long decimals = Math.Max(0L, (point < 0 ? 0 : mantissa.Length - point - 1) - (long)exponent);
        return decimals <= MaxDigits
            ? $"DECIMAL({MaxDigits}, {decimals})"
            : throw PgError.Unsupported($"a numeric of more than {MaxDigits} digits is not supported", "Numbers have 38 digits at most.");
    }

    /// <summary>The parameters that are cast to numeric without digits.</summary>
    public static IEnumerable<int> Parameters(IReadOnlyList<Token> tokens)
    {
        for (int at = 2; at < tokens.Count; at++)
        {
            if (Replacement(tokens, at) != Wide)
            {
                continue;
            }

            int word = tokens[at - 1].Is(".") ? at - 3 : at - 1;
            int operand = word - 1;
            while (operand > 0 && tokens[operand].Is(")"))
            {
                operand--;
            }

            if (operand >= 0 && tokens[operand].Kind == TokenKind.Parameter && (tokens[word].Is("::") || (operand > 1 && tokens[operand - 1].Is("(") && tokens[operand - 2].Is("cast"))))
            {
                yield return Markers.Number(tokens[operand]);
            }
        }
    }
}
