using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Catalog;

/// <summary>The catalog's rows about one table of the lake.</summary>
internal sealed class TableRows(CatalogRows rows, CatalogContent content, LakeTableInfo table, int oid, int schema, string user)
{
    private const int Owner = 10;

    /// <summary>Adds them.</summary>
    /// <param name="isVisible">Its name alone says which it is.</param>
    /// <param name="indexOid">Gives an id for the index of a primary key.</param>
    public void Add(bool isVisible, Func<string, int> indexOid)
    {
        int[] key = [.. table.PrimaryKey.Select(k => table.Columns.ToList().FindIndex(c => c.Name == k) + 1)];
        bool hasKey = key.Length > 0 && !key.Contains(0);
        Class(oid, table.Name, "r", table.Columns.Count, hasKey);
        rows.Insert("pgx_visible", ("oid", oid), ("visible", isVisible));
        rows.Insert("pgx_sizes", ("oid", oid), ("size_bytes", Math.Max(0, table.Bytes)));
        Describe(oid, 0, string.Join(", ", new[] { table.Format is null ? null : $"{table.Format} table", table.Layer is null ? null : $"layer {table.Layer}" }.Where(p => p is not null)));
        rows.Insert("pg_tables", ("schemaname", table.Schema), ("tablename", table.Name), ("tableowner", user), ("hasindexes", hasKey), ("hasrules", false), ("hastriggers", false), ("rowsecurity", false));
        rows.Insert("infoschema.tables", ("table_catalog", content.Database), ("table_schema", table.Schema), ("table_name", table.Name), ("table_type", "BASE TABLE"), ("is_insertable_into", "NO"), ("is_typed", "NO"));
        rows.Insert("infoschema.table_privileges", ("grantor", user), ("grantee", user), ("table_catalog", content.Database), ("table_schema", table.Schema), ("table_name", table.Name), ("privilege_type", "SELECT"), ("is_grantable", "NO"), ("with_hierarchy", "YES"));
        for (int i = 0; i < table.Columns.Count; i++)
        {
            Column(table.Columns[i], i + 1, hasKey && key.Contains(i + 1));
        }

        if (hasKey)
        {
            Key(key, indexOid);
        }
    }

    private void Class(int id, string name, string kind, int columns, bool hasIndex) =>
        rows.Insert("pg_class", ("oid", id), ("relname", name), ("relnamespace", schema), ("reltype", 0), ("reloftype", 0), ("relowner", Owner), ("relam", kind == "r" ? 2 : 403), ("relfilenode", id), ("reltablespace", 0),
            ("relpages", Math.Max(0, table.Bytes) / 8192), ("reltuples", table.Rows), ("relallvisible", 0), ("reltoastrelid", 0), ("relhasindex", hasIndex), ("relisshared", false), ("relpersistence", "p"), ("relkind", kind),
            ("relnatts", columns), ("relchecks", 0), ("relhasrules", false), ("relhastriggers", false), ("relhassubclass", false), ("relrowsecurity", false), ("relforcerowsecurity", false), ("relispopulated", true),
            ("relreplident", "d"), ("relispartition", false), ("relrewrite", 0), ("relfrozenxid", 0), ("relminmxid", 0), ("tableoid", 1259));

    private void Column(LakeColumnInfo column, int number, bool isKey)
    {
        (PgType type, int modifier) = column.Pg;
        bool required = !column.IsNullable || isKey;
        CatalogRows.Attribute(rows, oid, number, column.Name, type, modifier, required);
        if (column.Comment is not null)
        {
            Describe(oid, number, column.Comment);
        }

        bool isNumber = type == PgType.Numeric && modifier > 0;
        int? precision = isNumber ? (modifier - 4) >> 16 : type.Name switch { "int2" => 16, "int4" => 32, "int8" => 64, "float4" => 24, "float8" => 53, _ => null };
        int? scale = isNumber ? (modifier - 4) & 0xFFFF : type.Name is "int2" or "int4" or "int8" ? 0 : null;
        rows.Insert("infoschema.columns", ("table_catalog", content.Database), ("table_schema", table.Schema), ("table_name", table.Name), ("column_name", column.Name), ("ordinal_position", number),
            ("is_nullable", required ? "NO" : "YES"), ("data_type", type.Element is null ? CatalogRows.NickOf(type.Name) : "ARRAY"), ("numeric_precision", precision),
            ("numeric_precision_radix", precision is null ? null : isNumber ? 10 : 2), ("numeric_scale", scale), ("datetime_precision", type.Name is "timestamp" or "timestamptz" or "time" ? 6 : type.Name == "date" ? 0 : null),
            ("udt_catalog", content.Database), ("udt_schema", "pg_catalog"), ("udt_name", type.Name), ("dtd_identifier", number.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            ("is_self_referencing", "NO"), ("is_identity", "NO"), ("is_generated", "NEVER"), ("is_updatable", "NO"));
    }

    private void Key(int[] key, Func<string, int> indexOid)
    {
        string name = table.Name + "_pkey";
        int index = indexOid(table.Schema + "." + name);
        int constraint = indexOid("constraint " + table.Schema + "." + name);
        string columns = string.Join(", ", table.PrimaryKey.Select(Quoted));
        Class(index, name, "i", key.Length, hasIndex: false);
        rows.Insert("pg_index", ("indexrelid", index), ("indrelid", oid), ("indnatts", key.Length), ("indnkeyatts", key.Length), ("indisunique", true), ("indnullsnotdistinct", false), ("indisprimary", true), ("indisexclusion", false),
            ("indimmediate", true), ("indisclustered", false), ("indisvalid", true), ("indcheckxmin", false), ("indisready", true), ("indislive", true), ("indisreplident", false), ("indkey", key),
            ("indoption", new int[key.Length]), ("indclass", new int[key.Length]), ("indcollation", new int[key.Length]), ("tableoid", 2610));
        rows.Insert("pg_constraint", ("oid", constraint), ("conname", name), ("connamespace", schema), ("contype", "p"), ("condeferrable", false), ("condeferred", false), ("convalidated", true), ("conrelid", oid), ("contypid", 0),
            ("conindid", index), ("conparentid", 0), ("confrelid", 0), ("confupdtype", " "), ("confdeltype", " "), ("confmatchtype", " "), ("conislocal", true), ("coninhcount", 0), ("connoinherit", true), ("conkey", key), ("tableoid", 2606));
        rows.Insert("pgx_definitions", ("oid", index), ("definition", $"CREATE UNIQUE INDEX {Quoted(name)} ON {Quoted(table.Schema)}.{Quoted(table.Name)} USING btree ({columns})"), ("columns", table.PrimaryKey.Select(Quoted).ToArray()));
        rows.Insert("pgx_definitions", ("oid", constraint), ("definition", $"PRIMARY KEY ({columns})"));
        rows.Insert("pgx_visible", ("oid", index), ("visible", true));
        rows.Insert("pg_indexes", ("schemaname", table.Schema), ("tablename", table.Name), ("indexname", name));
        rows.Insert("infoschema.table_constraints", ("constraint_catalog", content.Database), ("constraint_schema", table.Schema), ("constraint_name", name), ("table_catalog", content.Database), ("table_schema", table.Schema),
            ("table_name", table.Name), ("constraint_type", "PRIMARY KEY"), ("is_deferrable", "NO"), ("initially_deferred", "NO"), ("enforced", "YES"));
        for (int i = 0; i < key.Length; i++)
        {
            LakeColumnInfo column = table.Columns[key[i] - 1];
            CatalogRows.Attribute(rows, index, i + 1, column.Name, column.Pg.Type, column.Pg.Modifier, notNull: false);
            rows.Insert("infoschema.key_column_usage", ("constraint_catalog", content.Database), ("constraint_schema", table.Schema), ("constraint_name", name), ("table_catalog", content.Database), ("table_schema", table.Schema),
                ("table_name", table.Name), ("column_name", column.Name), ("ordinal_position", i + 1));
        }
    }

    private void Describe(int id, int column, string text)
    {
        if (text.Length > 0)
        {
            rows.Insert("pg_description", ("objoid", id), ("classoid", 1259), ("objsubid", column), ("description", text), ("tableoid", 2609));
        }
    }

    private static string Quoted(string name) => name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_') && !char.IsAsciiDigit(name[0]) ? name : SqlText.Identifier(name);
}
