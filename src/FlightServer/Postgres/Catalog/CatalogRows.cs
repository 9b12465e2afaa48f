using System.Globalization;
using System.Text;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Catalog;

/// <summary>Collects rows of catalog tables as statements of the engine.</summary>
internal sealed class CatalogRows
{
    private const int Nick = 18;

    private readonly StringBuilder _sql = new();

    public void Insert(string table, params ReadOnlySpan<(string Column, object? Value)> values)
    {
        _sql.Append("INSERT INTO ").Append(table).Append(" (");
        for (int i = 0; i < values.Length; i++)
        {
            _sql.Append(i == 0 ? string.Empty : ", ").Append(values[i].Column);
        }

        _sql.Append(") VALUES (");
        for (int i = 0; i < values.Length; i++)
        {
            _sql.Append(i == 0 ? string.Empty : ", ").Append(Literal(values[i].Value));
        }

        _sql.Append(");\n");
    }

    public override string ToString() => _sql.ToString();

    /// <summary>What every PostgreSQL 15 has: types, their functions, its own relations.</summary>
    /// <param name="names">Takes the names by object id.</param>
    public static string Static(Dictionary<long, string> names)
    {
        var rows = new CatalogRows();
        rows.Insert("pg_namespace", ("oid", 11), ("nspname", "pg_catalog"), ("nspowner", 10), ("tableoid", 2615));
        rows.Insert("pg_namespace", ("oid", 13207), ("nspname", "information_schema"), ("nspowner", 10), ("tableoid", 2615));
        rows.Insert("pg_am", ("oid", 2), ("amname", "heap"), ("amhandler", 3), ("amtype", "t"), ("tableoid", 2601));
        rows.Insert("pg_am", ("oid", 403), ("amname", "btree"), ("amhandler", 330), ("amtype", "i"), ("tableoid", 2601));
        rows.Insert("pg_tablespace", ("oid", 1663), ("spcname", "pg_default"), ("spcowner", 10), ("tableoid", 1213));
        rows.Insert("pg_collation", ("oid", 100), ("collname", "default"), ("collnamespace", 11), ("collowner", 10), ("collprovider", "d"), ("collisdeterministic", true), ("collencoding", -1), ("tableoid", 3456));
        rows.Insert("pg_language", ("oid", 12), ("lanname", "internal"), ("lanowner", 10), ("lanispl", false), ("lanpltrusted", false), ("tableoid", 2612));
        rows.Insert("infoschema.character_sets", ("character_set_name", "UTF8"), ("character_repertoire", "UCS"), ("form_of_use", "UTF8"), ("default_collate_name", "C.UTF-8"));
        foreach (string line in CatalogRelation.Resource("Functions.txt"))
        {
            string[] f = line.Split(' ');
            names[Number(f[0])] = f[1];
            rows.Insert("pg_proc", ("oid", Number(f[0])), ("proname", f[1]), ("pronamespace", 11), ("proowner", 10), ("prolang", 12), ("prokind", "f"), ("prorettype", Number(f[2])), ("pronargs", Number(f[3])),
                ("proretset", false), ("proisstrict", true), ("provolatile", "i"), ("proargtypes", f.Skip(4).Select(Number).ToArray()), ("tableoid", 1255));
        }

        foreach (string line in CatalogRelation.Resource("Types.txt"))
        {
            string[] t = line.Split(' ');
            names.TryAdd(Number(t[0]), NickOf(t[1]));
            rows.Insert("pg_type", ("oid", Number(t[0])), ("typname", t[1]), ("typnamespace", 11), ("typowner", 10), ("typlen", Number(t[2])), ("typbyval", t[3] == "t"), ("typtype", t[4]), ("typcategory", t[5]),
                ("typispreferred", t[6] == "t"), ("typisdefined", true), ("typdelim", t[7]), ("typrelid", 0), ("typsubscript", 0), ("typelem", Number(t[8])), ("typarray", Number(t[9])), ("typinput", Number(t[10])),
                ("typoutput", Number(t[11])), ("typreceive", Number(t[12])), ("typsend", Number(t[13])), ("typmodin", 0), ("typmodout", 0), ("typanalyze", 0), ("typalign", t[14]), ("typstorage", t[15]),
                ("typnotnull", false), ("typbasetype", Number(t[Nick])), ("typtypmod", -1), ("typndims", 0), ("typcollation", Number(t[16])), ("typnick", NickOf(t[1])), ("tableoid", 1247));
        }

        foreach (CatalogRelation r in CatalogRelation.All)
        {
            names[r.Oid] = r.Name;
            Relation(rows, r);
        }

        return rows.ToString();
    }

    /// <summary>A type's name as format_type prints it.</summary>
    public static string NickOf(string name) => name.StartsWith('_') ? NickOf(name[1..]) + "[]" : name switch
    {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "varchar" => "character varying",
        "bpchar" => "character",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        "varbit" => "bit varying",
        "char" => "\"char\"",
        _ => name,
    };

    private static void Relation(CatalogRows rows, CatalogRelation r)
    {
        rows.Insert("pg_class", ("oid", r.Oid), ("relname", r.Name), ("relnamespace", r.Schema == "pg_catalog" ? 11 : 13207), ("reltype", 0), ("reloftype", 0), ("relowner", 10), ("relam", r.Kind == "r" ? 2 : 0), ("relfilenode", 0),
            ("reltablespace", 0), ("relpages", 0), ("reltuples", -1), ("relallvisible", 0), ("reltoastrelid", 0), ("relhasindex", false), ("relisshared", false), ("relpersistence", "p"), ("relkind", r.Kind),
            ("relnatts", r.Columns.Count), ("relchecks", 0), ("relhasrules", r.Kind == "v"), ("relhastriggers", false), ("relhassubclass", false), ("relrowsecurity", false), ("relforcerowsecurity", false),
            ("relispopulated", true), ("relreplident", "n"), ("relispartition", false), ("relrewrite", 0), ("relfrozenxid", 0), ("relminmxid", 0), ("tableoid", 1259));
        rows.Insert("pgx_visible", ("oid", r.Oid), ("visible", r.Schema == "pg_catalog"));
        for (int i = 0; i < r.Columns.Count; i++)
        {
            PgType type = PgType.Find(CatalogRelation.BaseType(r.Columns[i].Type)) ?? PgType.Text;
            Attribute(rows, r.Oid, i + 1, r.Columns[i].Name, type, -1, r.Columns[i].NotNull);
        }
    }

    public static void Attribute(CatalogRows rows, int relation, int number, string name, PgType type, int modifier, bool notNull) =>
        rows.Insert("pg_attribute", ("attrelid", relation), ("attname", name), ("atttypid", type.Oid), ("attstattarget", -1), ("attlen", (int)type.Length), ("attnum", number), ("attndims", type.Element is null ? 0 : 1), ("attcacheoff", -1),
            ("atttypmod", modifier), ("attbyval", type.Length is > 0 and <= 8), ("attalign", "i"), ("attstorage", type == PgType.Numeric ? "m" : type.Length < 0 ? "x" : "p"), ("attcompression", string.Empty), ("attnotnull", notNull), ("atthasdef", false), ("atthasmissing", false), ("attidentity", string.Empty),
            ("attgenerated", string.Empty), ("attisdropped", false), ("attislocal", true), ("attinhcount", 0), ("attcollation", type == PgType.Text || type == PgType.VarChar ? 100 : 0), ("tableoid", 1249));

    private static int Number(string text) => unchecked((int)long.Parse(text, CultureInfo.InvariantCulture));

    private static string Literal(object? value) => value switch
    {
        null => "NULL",
        bool b => b ? "true" : "false",
        string s => SqlText.Literal(s),
        int[] list => "[" + string.Join(", ", list) + "]",
        string[] list => SqlText.LiteralList(list),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
