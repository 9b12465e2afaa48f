using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;
using LakeHolo.FlightServer.Postgres.Sessions;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Catalog;

/// <summary>PostgreSQL's catalog of one content, in an engine of its own that reaches no file.</summary>
internal sealed class CatalogDatabase : IDisposable
{
    /// <summary>The first object id of users' objects.</summary>
    private const int FirstOid = 16_384;

    private const int OidRange = 1 << 30;

    private const int Owner = 10;

    // What it holds is small: who needs longer asks for something else.
    private static readonly TimeSpan MaxDuration = TimeSpan.FromMinutes(1);

    private readonly EngineDatabase _engine = new(new EngineOptions { Threads = 1, MemoryLimitBytes = 256L << 20 });
    private readonly HashSet<int> _oids = [];
    private readonly Dictionary<long, string> _names = [];

    public CatalogDatabase(CatalogContent content, string user)
    {
        Content = content;
        using DuckDBConnection connection = _engine.OpenConnection();
        var sql = new StringBuilder("CREATE SCHEMA infoschema;\n");
        foreach (CatalogRelation relation in CatalogRelation.All.Where(r => !r.Name.StartsWith("_pg_", StringComparison.Ordinal)))
        {
            string schema = relation.Schema == "pg_catalog" ? "main" : "infoschema";
            IEnumerable<string> columns = relation.Columns.Select(c => $"{SqlText.Identifier(c.Name)} {CatalogRelation.EngineType(c.Type)}");
            sql.Append(CultureInfo.InvariantCulture, $"CREATE TABLE {schema}.{SqlText.Identifier(relation.Name)} ({string.Join(", ", columns)}{(relation.Name == "pg_type" ? ", typnick VARCHAR" : string.Empty)}{(relation.Schema == "pg_catalog" && relation.Kind == "r" ? ", tableoid BIGINT" : string.Empty)});\n");
        }

        sql.Append("CREATE TABLE pgx_visible(oid BIGINT, visible BOOLEAN); CREATE TABLE pgx_definitions(oid BIGINT, definition VARCHAR, columns VARCHAR[]); CREATE TABLE pgx_sizes(oid BIGINT, size_bytes BIGINT);\n");
        EngineDatabase.Execute(connection, sql.ToString());
        foreach (string macro in string.Join('\n', CatalogRelation.Resource("Macros.sql")).Split(";\n"))
        {
            EngineDatabase.Execute(connection, macro.TrimEnd(';', '\n'));
        }

        EngineDatabase.Execute(connection, CatalogRows.Static(_names) + Fill(content, user));
    }

    public CatalogContent Content { get; }

    /// <summary>Only before anybody has it: statements that were prepared keep their database as long as they live.</summary>
    public void Dispose() => _engine.Dispose();

    /// <summary>A name for an object id, as regclass and its like print it.</summary>
    public string NameOf(PgType type, long oid) => oid == 0 ? "-" : _names.GetValueOrDefault(oid, oid.ToString(CultureInfo.InvariantCulture));

    /// <summary>Result schema, the engine's types of columns, and those of parameters.</summary>
    public (Schema Schema, IReadOnlyList<string> Types, IReadOnlyList<string> Parameters) Describe(string sql, int parameters)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        IReadOnlyList<string> inferred = Accelerator.Planning.ParameterTypes.Infer(connection, sql, parameters);
        var types = new List<string>();
        using (DuckDBCommand describe = Command(connection, "DESCRIBE " + sql, new object?[parameters]))
        using (DuckDBDataReader reader = describe.ExecuteReader())
        {
            while (reader.Read())
            {
                types.Add(reader.GetString(1));
            }
        }

        using DuckDBCommand command = Command(connection, $"SELECT * FROM ({sql}) LIMIT 0", new object?[parameters]);
        using IArrowArrayStream stream = command.ExecuteArrowStream();
        return (stream.Schema, types, inferred);
    }

    /// <summary>Runs a statement.</summary>
    /// <exception cref="DuckDBException">Also when it was interrupted, by the token or because it took too long.</exception>
    public async IAsyncEnumerable<RecordBatch> ReadAsync(string sql, IReadOnlyList<object?> parameters, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(MaxDuration);
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = Command(connection, sql, parameters);
        using var interrupt = new EngineInterrupt(command, limit.Token);
        using IArrowArrayStream stream = await Task.Run(command.ExecuteArrowStream);
        while (await stream.ReadNextRecordBatchAsync(cancellationToken) is { } batch)
        {
            yield return batch;
        }
    }

    private static DuckDBCommand Command(DuckDBConnection connection, string sql, IReadOnlyList<object?> parameters)
    {
        DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (object? value in parameters)
        {
            command.Parameters.Add(new DuckDBParameter(value ?? DBNull.Value));
        }

        return command;
    }

    /// <summary>An id that follows from the name, so that it is the same in every connection and after a restart.</summary>
    private int Oid(string kind, string name)
    {
        uint hash = 2_166_136_261;
        foreach (byte b in Encoding.UTF8.GetBytes(kind + "\0" + name))
        {
            hash = (hash ^ b) * 16_777_619;
        }

        int oid = FirstOid + (int)(hash % OidRange);
        while (!_oids.Add(oid))
        {
            oid++;
        }

        _names[oid] = name;
        return oid;
    }

    private string Fill(CatalogContent content, string user)
    {
        var rows = new CatalogRows();
        rows.Insert("pg_roles", ("oid", Owner), ("rolname", user), ("rolsuper", false), ("rolinherit", true), ("rolcreaterole", false), ("rolcreatedb", false), ("rolcanlogin", true), ("rolreplication", false), ("rolconnlimit", -1), ("rolbypassrls", false));
        rows.Insert("pg_authid", ("oid", Owner), ("rolname", user), ("rolsuper", false), ("rolinherit", true), ("rolcanlogin", true), ("rolconnlimit", -1));
        rows.Insert("pg_user", ("usename", user), ("usesysid", Owner), ("usecreatedb", false), ("usesuper", false), ("userepl", false), ("usebypassrls", false), ("passwd", "********"));
        foreach (string database in content.Databases)
        {
            rows.Insert("pg_database", ("oid", Oid("database", database)), ("datname", database), ("datdba", Owner), ("encoding", 6), ("datlocprovider", "c"), ("datistemplate", false), ("datallowconn", true),
                ("datconnlimit", -1), ("datfrozenxid", 722), ("datminmxid", 1), ("dattablespace", 1663), ("datcollate", "C.UTF-8"), ("datctype", "C.UTF-8"), ("tableoid", 1262));
        }

        foreach (Setting setting in Setting.All.Values)
        {
            rows.Insert("pg_settings", ("name", setting.Name), ("setting", setting.Default), ("category", "Settings"), ("short_desc", setting.Name), ("context", setting.Check is null ? "internal" : "user"),
                ("vartype", "string"), ("source", "default"), ("boot_val", setting.Default), ("reset_val", setting.Default), ("pending_restart", false));
        }

        Dictionary<string, int> schemas = new(StringComparer.Ordinal);
        foreach (string schema in content.Tables.Select(t => t.Schema).Append("public").Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            schemas[schema] = schema == "public" ? 2200 : Oid("schema", schema);
            rows.Insert("pg_namespace", ("oid", schemas[schema]), ("nspname", schema), ("nspowner", Owner), ("tableoid", 2615));
            rows.Insert("infoschema.schemata", ("catalog_name", content.Database), ("schema_name", schema), ("schema_owner", user));
            LakeTableInfo? layered = content.Tables.FirstOrDefault(t => t.Schema == schema && t.Layer is not null);
            if (layered is not null)
            {
                rows.Insert("pg_description", ("objoid", schemas[schema]), ("classoid", 2615), ("objsubid", 0), ("description", $"layer {layered.Layer}"), ("tableoid", 2609));
            }
        }

        Dictionary<string, int> named = content.Tables.GroupBy(t => t.Name, StringComparer.OrdinalIgnoreCase).ToDictionary(g => g.Key, g => g.Count(), StringComparer.OrdinalIgnoreCase);
        foreach (LakeTableInfo table in content.Tables)
        {
            new TableRows(rows, content, table, Oid("table", table.Schema + "." + table.Name), schemas[table.Schema], user).Add(named[table.Name] == 1, key => Oid("index", key));
        }

        return rows.ToString();
    }
}
