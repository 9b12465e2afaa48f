using LakeHolo.Accelerator.Tests.Fakes;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Tests.Sql;

public sealed class Escapes_from_the_sandbox_are_refused
{
    public static TheoryData<string> Escapes =>
    [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'x.parquet'",
        "SELECT * FROM \"/etc/passwd.csv\"",
        "FROM 'https://example.invalid/x.parquet'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_csv_auto('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_parquet('x.parquet')",
        "SELECT * FROM parquet_scan('x.parquet')",
        "SELECT * FROM read_json('x.json')",
        "SELECT * FROM read_json_auto('x.json')",
        "SELECT * FROM read_ndjson_objects('x.json')",
        "SELECT * FROM main.read_csv('/etc/passwd')",
        "SELECT * FROM system.main.read_csv('/etc/passwd')",
        "SELECT * FROM glob('/**')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM parquet_metadata('x.parquet')",
        "SELECT * FROM parquet_schema('x.parquet')",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('d.t')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_databases()",
        "SELECT * FROM duckdb_tables()",
        "SELECT * FROM duckdb_extensions()",
        "SELECT * FROM pragma_storage_info('t')",
        "SELECT * FROM pragma_database_size()",
        "SELECT * FROM seq_scan('t')",
        "SELECT * FROM arrow_scan(1, 2, 3)",
        "SELECT * FROM json_execute_serialized_sql('{}')",
        "SELECT * FROM sql_auto_complete('SEL')",
        "SELECT * FROM which_secret('s3://x', 's3')",
        "SELECT * FROM enable_logging('QueryLog')",
        "SELECT * FROM checkpoint()",
        "SELECT * FROM (SELECT * FROM read_csv('/etc/passwd'))",
        "WITH x AS (SELECT * FROM read_csv('/etc/passwd')) SELECT * FROM x",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))",
        "SELECT a FROM d.t WHERE a IN (SELECT size FROM read_blob('/etc/passwd'))",
        "SELECT getenv('HOME')",
        "SELECT current_setting('temp_directory')",
        "SELECT getvariable('x')",
        "SELECT nextval('s')",
        "SELECT write_log('x')",
        "SELECT system.main.getenv('HOME')",
        "SELECT list_transform([1], x -> getenv('HOME'))",
        "SELECT json_serialize_plan('SELECT 1')",
        "SELECT * FROM memory.main.sqlite_master",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pg_catalog.pg_tables",
        "SELECT * FROM system.information_schema.tables_x",
        "SELECT * FROM hot_1.copy_rows",
        "COPY d.t TO '/tmp/x.csv'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "COPY d.t FROM '/etc/passwd'",
        "ATTACH '/tmp/x.duckdb'",
        "ATTACH ':memory:' AS y",
        "DETACH memory",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '/tmp/evil.so'",
        "PRAGMA database_list",
        "PRAGMA enable_profiling",
        "SET enable_external_access = true",
        "SET threads = 64",
        "SET memory_limit = '100GB'",
        "SET temp_directory = '/tmp'",
        "RESET enable_external_access",
        "EXPORT DATABASE '/tmp/x'",
        "IMPORT DATABASE '/tmp/x'",
        "CREATE TABLE x AS SELECT 1",
        "CREATE VIEW x AS SELECT 1",
        "CREATE SECRET s (TYPE s3)",
        "CREATE MACRO m(a) AS a",
        "INSERT INTO d.t VALUES (1)",
        "UPDATE d.t SET a = 1",
        "DELETE FROM d.t",
        "DROP TABLE d.t",
        "ALTER TABLE d.t ADD COLUMN z INT",
        "CALL pragma_version()",
        "EXECUTE p",
        "PREPARE p AS SELECT 1",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN; SELECT 1",
        "SELECT 1; ATTACH '/tmp/x.duckdb'",
        "EXPLAIN ANALYZE SELECT * FROM read_csv('/etc/passwd')",
        "EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'",
        "SHOW DATABASES",
        "FROM (SHOW ALL TABLES)",
        "DESCRIBE SELECT * FROM read_csv('/etc/passwd')",
        "SUMMARIZE SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM d.t AT (VERSION => (SELECT max(size) FROM read_blob('/etc/passwd')))",
    ];

    [Theory]
    [MemberData(nameof(Escapes))]
    public async Task By_the_syntax_tree_before_anything_runs(string sql)
    {
        await using FakeLake lake = new();
        lake.AddTable("d", "t", "SELECT 1 AS a");
        await lake.StartAsync();
        LakeException refusal = await Assert.ThrowsAsync<LakeException>(() => lake.QueryAsync(sql));
        Assert.True(refusal.Kind is LakeErrorKind.QueryInvalid or LakeErrorKind.NotFound, refusal.Message);
        Assert.DoesNotContain("cannot be parsed", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(lake.Requests);
    }

    // The engine's tree has it as Infinity, which is no JSON.
    [Theory]
    [InlineData("SELECT 1e999")]
    [InlineData("SELECT a FROM d.t WHERE a > -1e400")]
    public async Task Numbers_that_are_none_are_an_error_of_the_statement(string sql)
    {
        await using var lake = new FakeLake();
        lake.AddTable("d", "t", "SELECT 1 AS a");
        await lake.StartAsync();
        Assert.Equal(LakeErrorKind.QueryInvalid, (await Assert.ThrowsAsync<LakeException>(() => lake.QueryAsync(sql))).Kind);
    }

    [Theory]
    [InlineData("SELECT * FROM read_text('/etc/passwd')")]
    [InlineData("COPY (SELECT 1) TO '/tmp/lakeholo-escape.csv'")]
    [InlineData("ATTACH '/tmp/lakeholo-escape.duckdb'")]
    [InlineData("INSTALL httpfs")]
    [InlineData("LOAD httpfs")]
    [InlineData("SET enable_external_access = true")]
    [InlineData("SET lock_configuration = false")]
    [InlineData("SET allowed_directories = ['/']")]
    public void By_the_engines_own_locks_beneath(string sql)
    {
        using var engine = new Readers.Engine.EngineDatabase(new Readers.Engine.EngineOptions());
        using DuckDB.NET.Data.DuckDBConnection connection = engine.OpenConnection();
        Assert.ThrowsAny<DuckDB.NET.Data.DuckDBException>(() => Readers.Engine.EngineDatabase.Execute(connection, sql));
    }
}
