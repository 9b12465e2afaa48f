using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.Engine;

/// <summary>A type as the engine's DESCRIBE spells it, taken apart.</summary>
/// <param name="Name">Scalar type with its arguments, or STRUCT, LIST, MAP.</param>
/// <param name="Children">Struct fields by name; the item of a list; key and value of a map.</param>
internal sealed record EngineType(string Name, IReadOnlyList<(string Name, EngineType Type)> Children)
{
    private const int MaxDepth = 64;

    /// <summary>Parses a type's text.</summary>
    public static EngineType Parse(string text)
    {
        int position = 0;
        EngineType type = Parse(text, ref position, 0);
        return position == text.Length ? type : throw Broken(text);
    }

    private static EngineType Parse(string text, ref int position, int depth)
    {
        if (depth > MaxDepth)
        {
            throw Broken(text);
        }

        EngineType type;
        if (Skip(text, ref position, "STRUCT("))
        {
            type = new EngineType("STRUCT", Fields(text, ref position, depth));
        }
        else if (Skip(text, ref position, "MAP("))
        {
            EngineType key = Parse(text, ref position, depth + 1);
            Expect(text, ref position, ", ");
            EngineType value = Parse(text, ref position, depth + 1);
            Expect(text, ref position, ")");
            type = new EngineType("MAP", [("key", key), ("value", value)]);
        }
        else
        {
            int start = position;
            int parentheses = 0;
            while (position < text.Length && (parentheses > 0 || text[position] is not (',' or ')' or '[')))
            {
                parentheses += text[position] == '(' ? 1 : text[position] == ')' ? -1 : 0;
                position++;
            }

            type = new EngineType(text[start..position], []);
        }

        while (Skip(text, ref position, "[]"))
        {
            type = new EngineType("LIST", [("item", type)]);
        }

        return type;
    }

    private static List<(string, EngineType)> Fields(string text, ref int position, int depth)
    {
        var fields = new List<(string, EngineType)>();
        do
        {
            string name = FieldName(text, ref position);
            Expect(text, ref position, " ");
            fields.Add((name, Parse(text, ref position, depth + 1)));
        }
        while (Skip(text, ref position, ", "));
        Expect(text, ref position, ")");
        return fields;
    }

    private static string FieldName(string text, ref int position)
    {
        if (!Skip(text, ref position, "\""))
        {
            int end = text.IndexOf(' ', position);
            string name = end < 0 ? throw Broken(text) : text[position..end];
            position = end;
            return name;
        }

        int start = position;
        while (position < text.Length && (text[position] != '"' || (position + 1 < text.Length && text[position + 1] == '"')))
        {
            position += text[position] == '"' ? 2 : 1;
        }

        string quoted = text[start..Math.Min(position, text.Length)].Replace("\"\"", "\"", StringComparison.Ordinal);
        Expect(text, ref position, "\"");
        return quoted;
    }

    private static bool Skip(string text, ref int position, string token)
    {
        if (string.CompareOrdinal(text, position, token, 0, token.Length) != 0)
        {
            return false;
        }

        position += token.Length;
        return true;
    }

    private static void Expect(string text, ref int position, string token)
    {
        if (!Skip(text, ref position, token))
        {
            throw Broken(text);
        }
    }

    private static LakeException Broken(string text) => new(LakeErrorKind.Internal, $"The engine's type '{text}' is not understood");
}
