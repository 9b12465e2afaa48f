using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>The options of COPY: <c>WITH (FORMAT csv, HEADER)</c> and the older <c>WITH CSV HEADER</c>.</summary>
internal static class CopyOptionsReader
{
    public static CopyOptions Read(TokenCursor tokens)
    {
        tokens.Skip("with");
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        var quoted = new List<string>();
        bool quotesAll = false;
        bool parenthesised = tokens.Skip("(");
        while (!tokens.AtEnd && !(parenthesised && tokens.Skip(")")))
        {
            tokens.Skip(",");
            string name = tokens.Name();
            switch (name)
            {
                case "csv" or "binary" or "text" when !parenthesised:
                    given["format"] = name;
                    break;
                case "force" when !parenthesised:
                    tokens.Expect("quote");
                    Names(tokens, quoted, ref quotesAll, parenthesised);
                    break;
                case "force_quote":
                    Names(tokens, quoted, ref quotesAll, parenthesised);
                    break;
                case "header" when tokens.Peek is not { } next || next.Is(",") || next.Is(")") || !parenthesised:
                    given["header"] = "true";
                    break;
                case "format" or "delimiter" or "null" or "header" or "quote" or "escape" or "encoding":
                    tokens.Skip("as");
                    given[name] = tokens.Take().Value;
                    break;
                case "delimiters":
                    tokens.Skip("as");
                    given["delimiter"] = tokens.Take().Value;
                    break;
                default:
                    throw PgError.Syntax($"option \"{name}\" not recognized");
            }
        }

        tokens.End();
        return Checked(given, quoted, quotesAll);
    }

    private static void Names(TokenCursor tokens, List<string> names, ref bool all, bool parenthesised)
    {
        if (tokens.Skip("*"))
        {
            all = true;
            return;
        }

        bool inner = parenthesised && tokens.Skip("(");
        do
        {
            names.Add(tokens.Name());
        }
        while (tokens.Skip(","));
        if (inner)
        {
            tokens.Expect(")");
        }
    }

    private static CopyOptions Checked(Dictionary<string, string> given, List<string> quoted, bool quotesAll)
    {
        string format = given.GetValueOrDefault("format", "text").ToLowerInvariant();
        if (format is not ("text" or "csv" or "binary"))
        {
            throw new PgError("22023", $"COPY format \"{format}\" not recognized");
        }

        if (given.TryGetValue("encoding", out string? encoding) && !encoding.Replace("-", string.Empty, StringComparison.Ordinal).Equals("UTF8", StringComparison.OrdinalIgnoreCase))
        {
            throw new PgError("22023", "COPY encodes in UTF8 only");
        }

        bool csv = format == "csv";
        char quote = One(given, "quote", '"');
        return new CopyOptions
        {
            Format = format,
            Delimiter = One(given, "delimiter", csv ? ',' : '\t'),
            Null = given.GetValueOrDefault("null", csv ? string.Empty : "\\N"),
            Quote = quote,
            Escape = One(given, "escape", quote),
            Header = given.TryGetValue("header", out string? header) && header.ToLowerInvariant() is "true" or "on" or "1" or "match",
            Quoted = quoted,
            QuotesAll = quotesAll,
        };
    }

    private static char One(Dictionary<string, string> given, string name, char otherwise)
    {
        string text = given.GetValueOrDefault(name, otherwise.ToString());
        return text.Length == 1 && text[0] < 128 ? text[0] : throw new PgError("0A000", $"COPY {name} must be a single one-byte character");
    }
}
