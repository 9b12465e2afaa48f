using System.Collections.Frozen;
using LakeHolo.FlightServer.Postgres.Sessions;
using LakeHolo.FlightServer.Postgres.Sql;

namespace LakeHolo.FlightServer.Postgres.Catalog;

/// <summary>Tells statements about the catalog from queries of the lake, by the relations that their FROM clauses name.</summary>
internal static class CatalogDetector
{
    private static readonly FrozenSet<string> Relations = CatalogRelation.All.Where(r => r.Schema == "pg_catalog").Select(r => r.Name).ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string> OwnFunctions = CatalogRelation.Resource("Macros.sql").Where(l => l.StartsWith("CREATE MACRO ", StringComparison.Ordinal))
        .Select(l => l["CREATE MACRO ".Length..l.IndexOf('(', StringComparison.Ordinal)]).Where(f => f is not ("regexp_full_match" or "pg_size_pretty" or "json_build_object" or "array_upper" or "array_lower" or "array_remove")).ToFrozenSet(StringComparer.Ordinal);

    public static bool IsCatalog(SqlStatement statement)
    {
        IReadOnlyList<Token> tokens = statement.Tokens;
        if (!(tokens[0].Is("select") || tokens[0].Is("with") || tokens[0].Is("(") || tokens[0].Is("values")))
        {
            return false;
        }

        bool namesCatalog = false;
        bool namesOther = false;
        bool calls = false;
        bool inFrom = false;
        for (int i = 0; i < tokens.Count; i++)
        {
            Token t = tokens[i];
            if (t.IsName && i + 1 < tokens.Count && (t.Value is "pg_catalog" or "information_schema") && tokens[i + 1].Is("."))
            {
                calls |= tokens[i + 2].Value is "regclass" or "regtype" or "regproc" or "regprocedure";
                bool function = i + 3 < tokens.Count && tokens[i + 3].Is("(");
                calls |= function && IsOwn(tokens[i + 2].Value);
                namesCatalog |= !function && (t.Value == "information_schema" || Relations.Contains(tokens[i + 2].Value));
                i += 2;
                inFrom = false;
                continue;
            }

            calls |= i > 0 && (tokens[i - 1].Is("::") || tokens[i - 1].Is("as")) && t.Value is "regclass" or "regtype" or "regproc" or "regprocedure";
            calls |= t.Kind == TokenKind.Word && (i == 0 || !tokens[i - 1].Is(".")) && (SessionValues.IsKeyword(t.Value) || (i + 1 < tokens.Count && tokens[i + 1].Is("(") && IsOwn(t.Value)));
            if (t.Is("from") || t.Is("join"))
            {
                inFrom = true;
                continue;
            }

            if (inFrom && t.IsName && !t.Is("lateral") && !t.Is("only"))
            {
                bool call = i + 1 < tokens.Count && tokens[i + 1].Is("(");
                bool catalog = Relations.Contains(t.Value) && !(i + 1 < tokens.Count && tokens[i + 1].Is("."));
                namesCatalog |= catalog;
                namesOther |= !catalog && !call;
            }

            inFrom = inFrom && (t.Is("lateral") || t.Is("only"));
        }

        return namesCatalog || (calls && !namesOther);
    }

    private static bool IsOwn(string name) => OwnFunctions.Contains(name) || SessionValues.IsKnown(name);
}
