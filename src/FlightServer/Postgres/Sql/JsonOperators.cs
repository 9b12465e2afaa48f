using System.Globalization;
using System.Text;
using System.Text.Json;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sql;

/// <summary>PostgreSQL's operators of json: <c>-&gt;</c>, <c>-&gt;&gt;</c>, <c>#&gt;</c>, <c>#&gt;&gt;</c>, and <c>@&gt;</c> with a constant. In the engine the first two are weaker than comparisons, and a name may be a path.</summary>
internal static class JsonOperators
{
    /// <summary>Numbers in paths that are read in both ways: of an array and of an object.</summary>
    private const int MaxNumbers = 4;

    private const int MaxElements = 100;

    /// <summary>Length of the left side of <c>@&gt;</c> in the engine's words times that of the right one, each value of which repeats it.</summary>
    private const long MaxContained = 1 << 24;

    private static readonly string[] Operators = ["->", "->>", "#>", "#>>", "@>"];

    /// <summary>Whether a statement may have such operators.</summary>
    public static bool AreIn(IReadOnlyList<Token> tokens) => tokens.Any(t => t.Kind == TokenKind.Symbol && Operators.Contains(t.Value));

    /// <summary>The text in the place of an operand that begins at a token and the operators that follow it; null where none follow.</summary>
    /// <exception cref="PgError">0A000: an operator whose right side is not told.</exception>
    public static (int End, string Text)? Replacement(SqlStatement statement, int at, Func<string, string> rewrite)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        if (at > 0 && (tokens[at - 1].Is(".") || tokens[at - 1].Is("::")))
        {
            return null;
        }

        int end = tokens[at].Is("end") || tokens[at].Is("lambda") ? -1 : Patterns.OperandEnd(tokens, at);
        if (end < 0 || end >= tokens.Count || !IsOperator(tokens[end]) || IsContainment(tokens, end) == false)
        {
            return null;
        }

        string text = rewrite(statement.Text[tokens[at].Start..tokens[end - 1].End]);
        text = tokens[at].Kind == TokenKind.Text && end == at + 1 ? $"CAST({text} AS JSON)" : text;
        while (end < tokens.Count && IsOperator(tokens[end]))
        {
            string op = tokens[end].Value;
            bool isText = op.EndsWith(">>", StringComparison.Ordinal);
            bool isNegative = tokens[end + 1 < tokens.Count ? end + 1 : end].Is("-");
            int right = end + (isNegative ? 2 : 1);
            if (right >= tokens.Count)
            {
                return null;
            }

            Token key = tokens[right];
            int after = key.Kind == TokenKind.Number ? right + 1 : Patterns.OperandEnd(tokens, right);
            bool isConstant = after == right + 1 || (key.Kind == TokenKind.Text && after > right);
            if (op is "->" or "->>" && key.Kind is TokenKind.Text or TokenKind.Parameter && after > right + 1 && !(tokens[after - 1].Is("text") || tokens[after - 1].Is("varchar")))
            {
                throw Refused(statement, end, $"{op} is not supported with a cast to another type than text on its right"); // A number there is a place, not a name.
            }

            if (op == "@>")
            {
                if (IsContainment(tokens, end) != true)
                {
                    return null;
                }

                if ((long)text.Length * key.Value.Length > MaxContained)
                {
                    throw Refused(statement, end, "@> is not supported with so large a json on both sides");
                }

                using JsonDocument document = JsonDocument.Parse(key.Value);
                return (after, $"(CASE WHEN {text} IS NULL THEN NULL ELSE coalesce({Contains(text, document.RootElement, true, 0)}, FALSE) END)");
            }

            if (op is "#>" or "#>>")
            {
                text = Path(text, Elements(statement, right, out after), isText);
            }
            else if (isConstant && key.Kind == TokenKind.Number && int.TryParse(key.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            {
                text = $"{Function(isText)}({text}, '{Index(isNegative ? -index : index)}')";
            }
            else if (isConstant && key.Kind == TokenKind.Text && !isNegative)
            {
                text = $"{Function(isText)}({text}, {SqlText.Literal(Name(key.Value))})";
            }
            else if (key.Kind == TokenKind.Parameter && after > right && !isNegative)
            {
                text = $"{Function(isText)}({text}, '$.\"' || replace(replace(CAST({statement.Text[key.Start..tokens[after - 1].End]} AS VARCHAR), '\\', '\\\\'), '\"', '\\\"') || '\"')";
            }
            else if (op == "->")
            {
                return null; // The arrow of a lambda, or the engine's own.
            }
            else
            {
                throw Refused(statement, end, $"{op} is supported with a constant name or number, or a parameter, on its right");
            }

            end = after;
            text = Habits.Bounded(text, tokens[end - 1].End - tokens[at].Start);
        }

        return (end, text);
    }

    /// <summary>Refuses operators of jsonb whose texts the engine would take: equality, and what joins or takes out.</summary>
    /// <exception cref="PgError">0A000.</exception>
    public static void Refuse(SqlStatement statement, int at)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        if (tokens[at].Kind != TokenKind.Symbol || !(tokens[at].Value is "=" or "<>" or "!=" or "||" or "-"))
        {
            return;
        }

        int end = Patterns.OperandEnd(tokens, at + 1);
        if ((at > 1 && tokens[at - 1].Is("jsonb") && tokens[at - 2].Is("::")) || (end > 1 && tokens[end - 1].Is("jsonb") && tokens[end - 2].Is("::")))
        {
            throw Refused(statement, at, $"the operator {tokens[at].Value} of jsonb is not supported");
        }
    }

    /// <summary>Refuses <c>-&gt;</c> and <c>-&gt;&gt;</c> with a parameter that the client declares to be a number: there it is a place in an array, here it would be a name.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="declared">Types of parameters, from 0; null for one that is not told.</param>
    /// <exception cref="PgError">0A000.</exception>
    public static void Refuse(SqlStatement statement, IReadOnlyList<PgType?> declared)
    {
        for (int i = 0; i + 1 < statement.Tokens.Count; i++)
        {
            if ((statement.Tokens[i].Is("->") || statement.Tokens[i].Is("->>")) && statement.Tokens[i + 1].Kind == TokenKind.Parameter
                && Markers.Number(statement.Tokens[i + 1]) is var number && number <= declared.Count && declared[number - 1] is { } type && type.Name is not ("text" or "varchar"))
            {
                throw Refused(statement, i, $"{statement.Tokens[i].Value} with a parameter of type {type.Name} is not supported; one of type text is");
            }
        }
    }

    /// <summary>What is at a path; a number in it is a place in an array, or a name in an object.</summary>
    public static string Path(string json, IReadOnlyList<string> elements, bool isText)
    {
        int numbers = elements.Count(e => int.TryParse(e, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _));
        if (numbers > MaxNumbers || elements.Count > MaxElements)
        {
            throw PgError.Unsupported($"paths of json with more than {MaxElements} elements, or {MaxNumbers} numbers, are not supported");
        }

        string text = json;
        for (int i = 0; i < elements.Count; i++)
        {
            string name = SqlText.Literal(Name(elements[i]));
            text = int.TryParse(elements[i], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
                ? $"coalesce(json_extract({text}, '{Index(number)}'), json_extract({text}, {name}))"
                : $"json_extract({text}, {name})";
        }

        return isText ? $"json_extract_string({text}, '$')" : text;
    }

    private static bool IsOperator(Token token) => token.Kind == TokenKind.Symbol && Operators.Contains(token.Value);

    /// <summary>Of <c>@&gt;</c>: whether its right side is a constant json; null for other operators. Of lists it is the engine's.</summary>
    private static bool? IsContainment(IReadOnlyList<Token> tokens, int at)
    {
        if (!tokens[at].Is("@>"))
        {
            return null;
        }

        if (at + 1 >= tokens.Count || tokens[at + 1].Kind != TokenKind.Text)
        {
            return false;
        }

        try
        {
            using var document = JsonDocument.Parse(tokens[at + 1].Value);
            return document.RootElement.ValueKind != JsonValueKind.Object || document.RootElement.EnumerateObject().Any() || (at + 2 < tokens.Count && tokens[at + 2].Is("::"));
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A condition: a json contains another.</summary>
    private static string Contains(string json, JsonElement part, bool isTop, int depth)
    {
        switch (part.ValueKind)
        {
            case JsonValueKind.Object:
                return "(" + string.Join(" AND ", part.EnumerateObject().Select(p => Contains($"json_extract({json}, {SqlText.Literal(Name(p.Name))})", p.Value, false, depth)).Prepend($"json_type({json}) = 'OBJECT'")) + ")";
            case JsonValueKind.Array:
                string variable = string.Create(CultureInfo.InvariantCulture, $"lakeholo_{depth}");
                return "(" + string.Join(" AND ", part.EnumerateArray().Select(e => $"len(list_filter(json_extract({json}, '$[*]'), lambda {variable}: coalesce({Contains(variable, e, false, depth + 1)}, FALSE))) > 0").Prepend($"json_type({json}) = 'ARRAY'")) + ")";
            case JsonValueKind.String:
                return Scalar(json, $"json_type({{0}}) = 'VARCHAR' AND json_extract_string({{0}}, '$') = {SqlText.Literal(part.GetString()!).Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal)}", isTop, depth);
            case JsonValueKind.Number:
                return part.GetRawText().Count(char.IsAsciiDigit) <= 15
                    ? Scalar(json, $"json_type({{0}}) IN ('UBIGINT', 'BIGINT', 'DOUBLE') AND TRY_CAST({{0}} AS DOUBLE) = {part.GetRawText()}", isTop, depth)
                    : throw PgError.Unsupported("@> is supported with numbers of 15 digits at most");
            default:
                return Scalar(json, $"json_type({{0}}) IN ('NULL', 'BOOLEAN') AND CAST({{0}} AS VARCHAR) = '{part.GetRawText()}'", isTop, depth);
        }
    }

    // An array contains a value that is one of its elements, at the top alone.
    private static string Scalar(string json, string condition, bool isTop, int depth)
    {
        string Of(string operand) => string.Format(CultureInfo.InvariantCulture, condition, operand);
        string variable = string.Create(CultureInfo.InvariantCulture, $"lakeholo_{depth}");
        return isTop ? $"(({Of(json)}) OR (json_type({json}) = 'ARRAY' AND len(list_filter(json_extract({json}, '$[*]'), lambda {variable}: coalesce({Of(variable)}, FALSE))) > 0))" : $"({Of(json)})";
    }

    /// <summary>The elements of a constant path: <c>'{a,0}'</c> or <c>array['a', '0']</c>.</summary>
    private static List<string> Elements(SqlStatement statement, int at, out int after)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        after = Patterns.OperandEnd(tokens, at);
        if (tokens[at].Kind == TokenKind.Text && tokens[at].Value is ['{', .., '}'] written && after > at)
        {
            string inner = written[1..^1];
            return inner.Trim().Length == 0 ? [] : [.. inner.Split(',').Select(e => e.Trim() is ['"', .., '"'] quoted ? quoted[1..^1] : e.Trim())];
        }

        if (tokens[at].Is("array") && at + 1 < tokens.Count && tokens[at + 1].Is("["))
        {
            var elements = new List<string>();
            for (int i = at + 2; i < tokens.Count && (tokens[i].Kind == TokenKind.Text || tokens[i].Is(",")); i++)
            {
                after = i + 2;
                if (tokens[i].Kind == TokenKind.Text)
                {
                    elements.Add(tokens[i].Value);
                }
            }

            if (after - 1 < tokens.Count && elements.Count > 0 && tokens[after - 1].Is("]"))
            {
                return elements;
            }
        }

        throw Refused(statement, at, "#> and #>> are supported with constant paths only");
    }

    private static string Function(bool isText) => isText ? "json_extract_string" : "json_extract";

    private static string Index(int index) => index < 0 ? string.Create(CultureInfo.InvariantCulture, $"$[#{index}]") : string.Create(CultureInfo.InvariantCulture, $"$[{index}]");

    private static string Name(string name) => new StringBuilder("$.\"").Append(name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"').ToString();

    private static PgError Refused(SqlStatement statement, int at, string what) => new("0A000", what) { Position = statement.Offset + statement.Tokens[at].Start + 1 };
}
