using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Execution;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Planning;

/// <summary>An engine of its own that holds empty tables of the right schemas: it parses and binds statements, tells their result schema, and what
/// each scan of them needs, before any file is opened. It can reach no file at all.</summary>
internal sealed class PlanningEngine : IDisposable
{
    // Without these, an empty table folds to an empty result and the plan says nothing of its scans.
    private const string Setting = "SET disabled_optimizers = 'statistics_propagation,empty_result_pullup,compressed_materialization,late_materialization'";

    private const int MaxResultSchemas = 1_000;

    private readonly EngineDatabase _database = new(new EngineOptions { Threads = 1, MemoryLimitBytes = 256L << 20 }, Setting);
    private readonly ConcurrentBag<DuckDBConnection> _idle = [];
    private readonly ConcurrentDictionary<string, Schema> _resultSchemas = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Lazy<bool>> _tables = new(StringComparer.Ordinal);
    private readonly ConditionalWeakTable<Schema, string> _names = [];

    /// <summary>Whether it answers, as <see cref="EngineDatabase.IsUsable"/>.</summary>
    public bool IsUsable() => _database.IsUsable();

    /// <summary>Runs something on a connection of this engine.</summary>
    public T With<T>(Func<DuckDBConnection, T> use)
    {
        if (!_idle.TryTake(out DuckDBConnection? connection))
        {
            connection = _database.OpenConnection();
        }

        try
        {
            return use(connection);
        }
        finally
        {
            _idle.Add(connection);
        }
    }

    /// <summary>The name of an empty table with a schema; made when it is first needed.</summary>
    /// <param name="connection">A connection of this engine.</param>
    /// <param name="schema">Its columns.</param>
    /// <param name="occurrence">Which reference to such a table in one statement, from 0, so that the plan tells them apart.</param>
    public string EmptyTable(DuckDBConnection connection, Schema schema, int occurrence)
    {
        // A schema is kept as long as its snapshot or copy, and asked for with each statement.
        string stem = _names.GetValue(schema, static s => $"p{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ColumnsOf(s))).AsSpan(0, 12))}_");
        string name = stem + occurrence.ToString(CultureInfo.InvariantCulture);
        _ = _tables.GetOrAdd(name, static (n, made) => new Lazy<bool>(() =>
        {
            EngineDatabase.Execute(made.connection, $"CREATE TABLE IF NOT EXISTS {n} ({ColumnsOf(made.schema)})");
            return true;
        }), (connection, schema)).Value;
        return name;
    }

    /// <summary>Result columns (name and engine type) of a statement over this engine's tables.</summary>
    /// <exception cref="LakeException">QueryInvalid with the engine's message.</exception>
    public static IReadOnlyList<(string Name, string Type)> Describe(DuckDBConnection connection, string sql, IReadOnlyList<object?> parameters)
    {
        return [.. Texts(connection, "DESCRIBE " + sql, parameters).Select(r => (r[0]!, r[1]!))];
    }

    /// <summary>The Arrow schema that the engine gives for result columns.</summary>
    public Schema ArrowSchema(DuckDBConnection connection, IReadOnlyList<(string Name, string Type)> columns)
    {
        string sql = $"SELECT {string.Join(", ", columns.Select(c => $"CAST(NULL AS {c.Type}) AS {SqlText.Identifier(c.Name)}"))} WHERE false";
        if (_resultSchemas.TryGetValue(sql, out Schema? known))
        {
            return known;
        }

        if (_resultSchemas.Count >= MaxResultSchemas)
        {
            _resultSchemas.Clear();
        }

        if (columns.FirstOrDefault(c => IsUnnamed(c.Type)) is { Name: not null } unnamed)
        {
            throw LakeException.FeatureUnsupported($"The column {unnamed.Name} is a row whose fields have no names, {unnamed.Type}: name them (struct_pack(a := …)), or cast it to VARCHAR");
        }

        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using Apache.Arrow.Ipc.IArrowArrayStream stream = command.ExecuteArrowStream();
        return _resultSchemas[sql] = stream.Schema;
    }

    // Fields are written as "name" type; what has no name begins with a type.
    private static bool IsUnnamed(string type)
    {
        for (int at = type.IndexOf("STRUCT(", StringComparison.Ordinal); at >= 0; at = type.IndexOf("STRUCT(", at + 1, StringComparison.Ordinal))
        {
            string first = type[(at + "STRUCT(".Length)..];
            int end = first.IndexOfAny([',', ')', '(', '[']);
            string piece = first[..(end < 0 ? first.Length : end)];
            if (!first.StartsWith('"') && (!piece.Contains(' ', StringComparison.Ordinal) || piece is "TIMESTAMP WITH TIME ZONE" or "TIME WITH TIME ZONE"))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What each table of this engine has to give for a statement: columns and pushed-down filters, by table name.</summary>
    /// <param name="connection">A connection of this engine.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="parameters">The values of its markers: filters are pushed down as constants, so that a prepared lookup prunes as a written one does.</param>
    public static IReadOnlyDictionary<string, ScanNeeds> Needs(
        DuckDBConnection connection, string sql, IReadOnlyList<object?> parameters)
    {
        var needs = new Dictionary<string, ScanNeeds>(StringComparer.Ordinal);
        foreach (string?[] row in Texts(connection, "EXPLAIN (FORMAT JSON) " + sql, parameters))
        {
            Collect(JsonNode.Parse(row[1]!, null, new System.Text.Json.JsonDocumentOptions { MaxDepth = 2000 }), null, null, needs);
        }

        return needs;
    }

    public void Dispose()
    {
        foreach (DuckDBConnection connection in _idle)
        {
            connection.Dispose();
        }

        _database.Dispose();
    }

    private static string ColumnsOf(Schema schema) => string.Join(", ", schema.FieldsList.Select(f => $"{SqlText.Identifier(f.Name)} {SqlText.TypeOf(f)}"));

    /// <summary>The first two columns of a DESCRIBE or an EXPLAIN.</summary>
    /// <exception cref="LakeException">QueryInvalid: the engine's message without the excerpt of a text that the user did not write, also for a parameter that does not fit its place.</exception>
    private static List<string?[]> Texts(DuckDBConnection connection, string sql, IReadOnlyList<object?> parameters)
    {
        try
        {
            if (parameters.Count > 0 && BoundValues.AreBindable(parameters))
            {
                return EngineConnection.Texts(connection, sql, parameters);
            }

            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = sql;
            foreach (object? value in parameters)
            {
                command.Parameters.Add(new DuckDBParameter(value ?? DBNull.Value));
            }

            using DuckDBDataReader reader = command.ExecuteReader();
            var rows = new List<string?[]>();
            while (reader.Read())
            {
                rows.Add([reader.GetString(0), reader.GetString(1)]);
            }

            return rows;
        }
        catch (Exception e) when (e is DuckDBException or EngineException)
        {
            int excerpt = e.Message.IndexOf("\n\nLINE ", StringComparison.Ordinal);
            throw EngineDatabase.FailureInside(e) ?? LakeException.QueryInvalid(excerpt < 0 ? e.Message : e.Message[..excerpt], e);
        }
    }

    // filterAbove and topAbove: what a FILTER right above a scan asks for, and the first sort key of a TOP_N on the way down to it.
    private static void Collect(JsonNode? node, string? filterAbove, string? topAbove, Dictionary<string, ScanNeeds> needs)
    {
        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array)
            {
                Collect(item, filterAbove, topAbove, needs);
            }

            return;
        }

        if (node is not JsonObject o)
        {
            return;
        }

        string name = o["name"]?.GetValue<string>().Trim() ?? string.Empty;
        JsonNode? info = o["extra_info"];
        if (name == "SEQ_SCAN" && info?["Table"] is JsonNode table)
        {
            string[] filters = [.. Texts(info["Filters"]), .. filterAbove is null ? System.Array.Empty<string>() : [filterAbove]];
            string key = table.GetValue<string>().Split('.')[^1];
            // A common table expression that is expanded twice scans one reference twice: both need their columns, and neither's filter holds for both.
            // An entry that is no column makes the reader take all.
            needs[key] = needs.TryGetValue(key, out ScanNeeds? other)
                ? new ScanNeeds([.. other.Projections, .. Texts(info["Projections"]), .. other.Filters.Count + filters.Length == 0 ? System.Array.Empty<string>() : ["*"]], [], null)
                : new ScanNeeds(Texts(info["Projections"]), [.. filters.Where(f => DynamicColumn(f) is null)], OrderOf(filters, topAbove));
            return;
        }

        string? top = name switch { "TOP_N" => Texts(info?["Order By"]).FirstOrDefault(), "PROJECTION" or "FILTER" => topAbove, _ => null };
        // A text of several lines is a list of them.
        Collect(o["children"], name == "FILTER" && Texts(info?["Expression"]) is { Length: > 0 } lines ? string.Join('\n', lines) : null, top, needs);
    }

    private static ScanOrder? OrderOf(string[] filters, string? topKey) =>
        topKey is not null && filters.Select(DynamicColumn).FirstOrDefault(c => c is not null) is { } column
            ? new ScanOrder(column, topKey.Contains(" DESC", StringComparison.Ordinal))
            : null;

    /// <summary>The engine passes what a TOP_N (or a join) knows by now down to a scan, as a filter that names the scan's column; null for other filters.</summary>
    private static string? DynamicColumn(string filter)
    {
        const string Prefix = "optional: Dynamic Filter (";
        return filter.StartsWith(Prefix, StringComparison.Ordinal) && filter.EndsWith(')') ? filter[Prefix.Length..^1] : null;
    }

    private static string[] Texts(JsonNode? node) => node switch
    {
        JsonArray array => [.. array.Select(a => a!.GetValue<string>())],
        JsonValue value when value.GetValue<string>() is { Length: > 0 } text => [text],
        _ => [],
    };
}

/// <summary>What a scan has to give, in the engine's words.</summary>
/// <param name="Projections">Columns, or fields of struct columns.</param>
/// <param name="Filters">Conditions that the scan's rows fulfil.</param>
/// <param name="Order">Which rows are wanted first; null if it does not matter.</param>
internal sealed record ScanNeeds(IReadOnlyList<string> Projections, IReadOnlyList<string> Filters, ScanOrder? Order);
