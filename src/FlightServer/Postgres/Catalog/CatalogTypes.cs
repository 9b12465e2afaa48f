using System.Collections.Frozen;
using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;

namespace LakeHolo.FlightServer.Postgres.Catalog;

/// <summary>Types that the catalog's columns and functions have in PostgreSQL where the engine knows only text and integers.</summary>
internal static class CatalogTypes
{
    private static readonly FrozenDictionary<string, string> Functions = new Dictionary<string, string>
    {
        ["pg_get_userbyid"] = "name",
        ["current_schema"] = "name",
        ["current_database"] = "name",
        ["current_user"] = "name",
        ["session_user"] = "name",
        ["user"] = "name",
        ["current_catalog"] = "name",
        ["pg_encoding_to_char"] = "name",
        ["pg_backend_pid"] = "int4",
        ["to_regclass"] = "regclass",
        ["to_regtype"] = "regtype",
        ["pg_regclass"] = "regclass",
        ["pg_regtype"] = "regtype",
        ["pg_regproc"] = "regproc",
        ["current_schemas"] = "name[]",
        ["pg_advisory_unlock_all"] = "void",
    }.ToFrozenDictionary();

    private static readonly CatalogRelation[] Ordered = [.. CatalogRelation.All.OrderBy(r => r.Schema == "pg_catalog" ? r.Kind == "r" ? 0 : 1 : 2)];

    /// <summary>The columns of a catalog statement's result.</summary>
    public static IReadOnlyList<PgColumn> Apply(SqlStatement statement, IReadOnlyList<PgColumn> columns)
    {
        IReadOnlyList<SelectItem?> items = SelectItems.Align(statement, columns.Count);
        Dictionary<string, PgType?> known = Known(statement);
        return [.. columns.Select((c, i) => c with { Type = Better(c, items[i], known), Name = items[i]?.Name ?? c.Name })];
    }

    private static PgType Better(PgColumn column, SelectItem? item, Dictionary<string, PgType?> known)
    {
        PgType? wanted = item is null ? known.GetValueOrDefault(column.Name) : Type(item, known);
        return wanted is not null && Fits(column.Type, wanted) ? wanted : column.Type;
    }

    /// <summary>The type of an item; null where the engine's is right.</summary>
    private static PgType? Type(SelectItem item, Dictionary<string, PgType?> known)
    {
        if (item.Cast is { } cast)
        {
            return PgType.Find(cast);
        }

        if (item is { Function: { } function, Column: { } argument })
        {
            PgType? type = known.GetValueOrDefault(argument);
            return function is "coalesce" or "nullif" ? type : type is { ArrayOid: > 0 } ? type.Array : null;
        }

        return item.Function is { } other ? Functions.TryGetValue(other, out string? name) ? PgType.Find(name) : null : item.Column is { } column ? known.GetValueOrDefault(column) : null;
    }

    /// <summary>Types by the names of columns: what subqueries call so, then the columns of the relations that the statement names, then those of all others.</summary>
    private static Dictionary<string, PgType?> Known(SqlStatement statement)
    {
        HashSet<string> words = [.. statement.Tokens.Where(t => t.IsName).Select(t => t.Value)];
        var known = new Dictionary<string, PgType?>(StringComparer.OrdinalIgnoreCase);
        foreach (CatalogRelation relation in Ordered.OrderBy(r => words.Contains(r.Name) ? 0 : 1))
        {
            foreach ((string name, string type, _) in relation.Columns)
            {
                if (PgType.Find(CatalogRelation.BaseType(type)) is { } found)
                {
                    known.TryAdd(name, found);
                }
            }
        }

        foreach ((string name, bool isSeries) in SelectItems.Listed(statement))
        {
            known[name] = isSeries ? PgType.Int4 : null;
        }

        // A name that stands for another one needs that one's type first; a number beside a column of the same name is what that is compared with.
        SelectItem[] inner = [.. SelectItems.Inner(statement).Where(i => !i.IsNumber || !known.ContainsKey(i.Name))];
        for (int round = 0; round < 2; round++)
        {
            foreach (IGrouping<string, SelectItem> named in inner.GroupBy(i => i.Name, StringComparer.OrdinalIgnoreCase))
            {
                PgType?[] types = [.. named.Select(i => Type(i, known)).Distinct()];
                if (types.Length == 1)
                {
                    known[named.Key] = types[0];
                }
            }
        }

        return known;
    }

    /// <summary>A type is taken only for values that the engine keeps alike.</summary>
    private static bool Fits(PgType engine, PgType wanted)
    {
        if (engine.Element is { } element)
        {
            return wanted.Element is { } other ? Fits(element, other) : wanted == PgType.Int2Vector || wanted == PgType.OidVector;
        }

        bool text = wanted == PgType.ObjectName || wanted == PgType.Char || wanted == PgType.VarChar || wanted == PgType.NodeTree || wanted == PgType.Text || wanted == PgType.AclItem || wanted == PgType.Void;
        bool integer = wanted == PgType.ObjectId || wanted == PgType.RegClass || wanted == PgType.RegProc || wanted == PgType.RegType || wanted == PgType.Xid
            || wanted == PgType.Int2 || wanted == PgType.Int4 || wanted == PgType.Int8;
        return engine == PgType.Text ? text : engine == PgType.Int8 || engine == PgType.Int4 || engine == PgType.Int2 ? integer || wanted == PgType.Void : engine == wanted;
    }
}

/// <summary>A relation of PostgreSQL's own catalog.</summary>
internal sealed record CatalogRelation(string Schema, string Name, int Oid, string Kind, IReadOnlyList<(string Name, string Type, bool NotNull)> Columns)
{
    public static IReadOnlyList<CatalogRelation> All { get; } = [.. Resource("Relations.txt").Select(Parse)];

    public static IEnumerable<string> Resource(string name)
    {
        using Stream stream = typeof(CatalogRelation).Assembly.GetManifestResourceStream("LakeHolo.FlightServer.Postgres.Catalog." + name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>The type beneath the domains of information_schema.</summary>
    public static string BaseType(string type) => type switch
    {
        "sql_identifier" => "name",
        "character_data" or "yes_or_no" => "varchar",
        "cardinal_number" => "int4",
        "time_stamp" => "timestamptz",
        "\"char\"" => "char",
        "\"char\"[]" => "char[]",
        "anyarray" => "text[]",
        _ => type.Replace('_', ' ') is "timestamp with time zone" or "double precision" or "double precision[]" ? type.Replace('_', ' ') : type,
    };

    /// <summary>What the engine keeps such values as.</summary>
    public static string EngineType(string type)
    {
        string known = BaseType(type);
        if (known.EndsWith("[]", StringComparison.Ordinal))
        {
            return EngineType(known[..^2]) + "[]";
        }

        return known switch
        {
            "oid" or "xid" or "regproc" or "regtype" or "regclass" or "bigint" => "BIGINT",
            "smallint" => "SMALLINT",
            "integer" or "int4" => "INTEGER",
            "boolean" => "BOOLEAN",
            "real" => "FLOAT",
            "double precision" => "DOUBLE",
            "timestamptz" or "timestamp with time zone" => "TIMESTAMPTZ",
            "interval" => "INTERVAL",
            "numeric" => "DECIMAL(38,6)",
            "bytea" => "BLOB",
            "int2vector" => "SMALLINT[]",
            "oidvector" => "BIGINT[]",
            _ => "VARCHAR",
        };
    }

    private static CatalogRelation Parse(string line)
    {
        string[] parts = line.Split(' ');
        return new CatalogRelation(parts[0], parts[1], int.Parse(parts[2], System.Globalization.CultureInfo.InvariantCulture), parts[3], [.. parts.Skip(4).Select(p =>
        {
            int colon = p.IndexOf(':', StringComparison.Ordinal);
            return (p[..colon], p[(colon + 1)..].TrimEnd('!'), p.EndsWith('!'));
        })]);
    }
}
