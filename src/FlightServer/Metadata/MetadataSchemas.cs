using Apache.Arrow;
using Apache.Arrow.Types;

namespace LakeHolo.FlightServer.Metadata;

/// <summary>The schemas of the metadata commands: drivers compare them whole, so names, order, types and nullability are exactly these.</summary>
internal static class MetadataSchemas
{
    public static readonly Schema Catalogs = Of(Text("catalog_name", false));

    public static readonly Schema DbSchemas = Of(Text("catalog_name", true), Text("db_schema_name", false));

    public static readonly Schema Tables = Of(Text("catalog_name", true), Text("db_schema_name", true), Text("table_name", false), Text("table_type", false));

    public static readonly Schema TablesWithSchema = Of([.. Tables.FieldsList, new Field("table_schema", BinaryType.Default, false)]);

    public static readonly Schema TableTypes = Of(Text("table_type", false));

    public static readonly Schema PrimaryKeys = Of(
        Text("catalog_name", true), Text("db_schema_name", true), Text("table_name", false), Text("column_name", false),
        new Field("key_sequence", Int32Type.Default, false), Text("key_name", true));

    public static readonly Schema ForeignKeys = Of(
        Text("pk_catalog_name", true), Text("pk_db_schema_name", true), Text("pk_table_name", false), Text("pk_column_name", false),
        Text("fk_catalog_name", true), Text("fk_db_schema_name", true), Text("fk_table_name", false), Text("fk_column_name", false),
        new Field("key_sequence", Int32Type.Default, false), Text("fk_key_name", true), Text("pk_key_name", true),
        new Field("update_rule", UInt8Type.Default, false), new Field("delete_rule", UInt8Type.Default, false));

    public static readonly Schema XdbcTypeInfo = Of(
        Text("type_name", false), Int("data_type", false), Int("column_size", true), Text("literal_prefix", true), Text("literal_suffix", true),
        new Field("create_params", new ListType(new Field("item", StringType.Default, false)), true), Int("nullable", false), Bool("case_sensitive", false), Int("searchable", false),
        Bool("unsigned_attribute", true), Bool("fixed_prec_scale", false), Bool("auto_increment", true), Text("local_type_name", true), Int("minimum_scale", true),
        Int("maximum_scale", true), Int("sql_data_type", false), Int("datetime_subcode", true), Int("num_prec_radix", true), Int("interval_precision", true));

    private static Schema Of(params Field[] fields) => new(fields, null);

    private static Field Text(string name, bool nullable) => new(name, StringType.Default, nullable);

    private static Field Int(string name, bool nullable) => new(name, Int32Type.Default, nullable);

    private static Field Bool(string name, bool nullable) => new(name, BooleanType.Default, nullable);
}
