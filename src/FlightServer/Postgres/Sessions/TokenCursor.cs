using System.Globalization;
using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Reads a statement's tokens from left to right.</summary>
internal sealed class TokenCursor(SqlStatement statement, int at = 0)
{
    public int At { get; private set; } = at;

    public bool AtEnd => At >= statement.Tokens.Count;

    public Token? Peek => AtEnd ? null : statement.Tokens[At];

    public bool Skip(string word)
    {
        if (!AtEnd && statement.Tokens[At].Is(word))
        {
            At++;
            return true;
        }

        return false;
    }

    /// <summary>Passes the first of some words that is there.</summary>
    public string? SkipAny(params ReadOnlySpan<string> words)
    {
        foreach (string word in words)
        {
            if (Skip(word))
            {
                return word;
            }
        }

        return null;
    }

    public void Expect(string word)
    {
        if (!Skip(word))
        {
            throw Unexpected();
        }
    }

    public Token Take()
    {
        if (AtEnd)
        {
            throw Unexpected();
        }

        return statement.Tokens[At++];
    }

    public string Name()
    {
        Token token = Take();
        return token.IsName ? token.Value : throw Unexpected(token);
    }

    public string TextOrName()
    {
        Token token = Take();
        return token.IsName || token.Kind == TokenKind.Text ? token.Value : throw Unexpected(token);
    }

    /// <summary>A name with dots.</summary>
    public string DottedName()
    {
        string name = Name();
        while (Skip("."))
        {
            name += "." + Name();
        }

        return name;
    }

    public long Number()
    {
        bool negative = Skip("-");
        Skip("+");
        Token token = Take();
        return token.Kind == TokenKind.Number && long.TryParse(token.Value, CultureInfo.InvariantCulture, out long value) ? negative ? -value : value : throw Unexpected(token);
    }

    public void End()
    {
        if (!AtEnd)
        {
            throw Unexpected();
        }
    }

    /// <summary>The rest as a statement of its own.</summary>
    public SqlStatement Rest()
    {
        if (AtEnd)
        {
            throw Unexpected();
        }

        return Between(At, statement.Tokens.Count);
    }

    public SqlStatement Between(int from, int to)
    {
        int start = statement.Tokens[from].Start;
        return new SqlStatement(
            statement.Text[start..statement.Tokens[to - 1].End], statement.Offset + start, [.. statement.Tokens.Skip(from).Take(to - from).Select(t => t with { Start = t.Start - start })]);
    }

    /// <summary>The place after the parenthesis that closes the one that was just passed.</summary>
    public int Close()
    {
        int depth = 1;
        for (int i = At; i < statement.Tokens.Count; i++)
        {
            depth += statement.Tokens[i].Is("(") ? 1 : statement.Tokens[i].Is(")") ? -1 : 0;
            if (depth == 0)
            {
                return i;
            }
        }

        throw Unexpected();
    }

    public void Move(int to) => At = to;

    public PgError Unexpected(Token? token = null)
    {
        Token? at = token ?? Peek;
        return at is { } t
            ? PgError.Syntax($"syntax error at or near \"{statement.Text[t.Start..t.End]}\"", statement.Offset + t.Start + 1)
            : PgError.Syntax("syntax error at end of input", statement.Offset + statement.Text.Length + 1);
    }
}
