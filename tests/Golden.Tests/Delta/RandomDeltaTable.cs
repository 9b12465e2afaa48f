using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>A table of all plain types and values that are hard to prune by, with partitions, deletion vectors and statistics as writers make them (times and texts cut, floating numbers without
/// NaN); its rows stand in the engine's table <c>expected</c>, those of its first version in <c>expected0</c>.</summary>
internal sealed class RandomDeltaTable : IDisposable
{
    /// <summary>Names and types; those that begin with p are partition columns.</summary>
    public static readonly (string Name, string Delta, string Sql)[] Columns =
    [
        ("id", "long", "BIGINT"), ("i", "integer", "INTEGER"), ("l", "long", "BIGINT"), ("s", "short", "SMALLINT"), ("b", "byte", "TINYINT"), ("f", "float", "FLOAT"), ("d", "double", "DOUBLE"),
        ("c", "decimal(9,2)", "DECIMAL(9,2)"), ("e", "decimal(30,5)", "DECIMAL(30,5)"), ("t", "string", "VARCHAR"), ("ts", "timestamp", "TIMESTAMPTZ"), ("tn", "timestamp_ntz", "TIMESTAMP"),
        ("dt", "date", "DATE"), ("o", "boolean", "BOOLEAN"),
        ("st", """{"type":"struct","fields":[{"name":"x","type":"integer","nullable":true,"metadata":{}},{"name":"t","type":"string","nullable":true,"metadata":{}}]}""", "STRUCT(x INTEGER, t VARCHAR)"),
        ("n", "integer", "INTEGER"), ("pf", "float", "FLOAT"), ("pd", "double", "DOUBLE"), ("pt", "string", "VARCHAR"), ("pdt", "date", "DATE"), ("pts", "timestamp", "TIMESTAMPTZ"),
        ("ptn", "timestamp_ntz", "TIMESTAMP"), ("pc", "decimal(9,2)", "DECIMAL(9,2)"), ("po", "boolean", "BOOLEAN"), ("ps", "short", "SMALLINT"),
    ];

    private const int Files = 12;

    private readonly Random _random;
    private readonly Dictionary<string, string[]> _pools = [];

    public RandomDeltaTable(Random random)
    {
        _random = random;
        using DuckDBConnection connection = Made.Engine.OpenConnection();
        EngineDatabase.Execute(connection, $"CREATE TABLE expected ({string.Join(", ", Columns.Select(c => $"{c.Name} {c.Sql}"))}, file INTEGER, pos BIGINT)");
        string[] partitionColumns = [.. Columns.Where(c => IsPartition(c.Name)).Select(c => c.Name)];
        var adds = new List<string>();
        long id = 0;
        for (int file = 0; file < Files; file++)
        {
            Dictionary<string, string> constants = partitionColumns.ToDictionary(p => p, p => Value(Columns.First(c => c.Name == p).Sql, null) is var value && value == "''" ? "NULL" : value); // an empty text is NULL (protocol, "Partition Value Serialization")
            long center = random.NextInt64(-300, 300);
            int rows = random.Next(1, 30);
            for (int pos = 0; pos < rows; pos++)
            {
                IEnumerable<string> values = Columns.Select(c => c.Name == "id" ? $"{id}" : constants.TryGetValue(c.Name, out string? constant) ? constant : Value(c.Sql, center));
                EngineDatabase.Execute(connection, $"INSERT INTO expected VALUES ({string.Join(", ", values)}, {file}, {pos})");
                id++;
            }

            string stored = string.Join(", ", Columns.Where(c => !IsPartition(c.Name)).Select(c => c.Name));
            long size = Made.WriteFile($"{file}.parquet", $"SELECT {stored} FROM expected WHERE file = {file} ORDER BY pos", $"FORMAT parquet, ROW_GROUP_SIZE 2048");
            string? statistics = random.Next(8) == 0 ? null : Statistics(connection, file);
            var values2 = new Dictionary<string, string?>(StringComparer.Ordinal);
            foreach (string column in partitionColumns)
            {
                values2[column] = Text(connection, $"SELECT {PartitionText(column)} FROM expected WHERE file = {file} LIMIT 1");
            }

            adds.Add(HandMadeTable.Add($"{file}.parquet", size, statistics, values2));
        }

        string schema = HandMadeTable.Schema([.. Columns.Select(c => $"{c.Name} {c.Delta}")]);
        Made.Commit(0, [.. HandMadeTable.CreateWith(["deletionVectors", "timestampNtz"], schema, partitionColumns), .. adds.Take(Files - 2)]);
        var actions = new List<string>(adds.Skip(Files - 2));
        EngineDatabase.Execute(connection, $"CREATE TABLE expected0 AS SELECT * FROM expected WHERE file < {Files - 2}");
        for (int file = 0; file < 4; file++)
        {
            long rows = long.Parse(Text(connection, $"SELECT count(*) FROM expected WHERE file = {file}")!, CultureInfo.InvariantCulture);
            ushort[] dead = [.. Enumerable.Range(0, (int)rows).Where(_ => random.Next(3) == 0).Select(i => (ushort)i)];
            if (dead.Length == 0)
            {
                continue;
            }

            JsonNode add = JsonNode.Parse(adds[file])!;
            add["add"]!["deletionVector"] = Inline(dead);
            if (add["add"]!["stats"]?.GetValue<string>() is { } told)
            {
                JsonObject wide = JsonNode.Parse(told)!.AsObject();
                wide["tightBounds"] = false;
                add["add"]!["stats"] = wide.ToJsonString();
            }

            actions.Add(HandMadeTable.Remove($"{file}.parquet"));
            actions.Add(add.ToJsonString());
            EngineDatabase.Execute(connection, $"DELETE FROM expected WHERE file = {file} AND pos IN ({string.Join(", ", dead)})");
        }

        Made.Commit(1, [.. actions]);
        foreach (string table in new[] { "expected", "expected0" })
        {
            EngineDatabase.Execute(connection, $"ALTER TABLE {table} DROP file");
            EngineDatabase.Execute(connection, $"ALTER TABLE {table} DROP pos");
        }

        foreach ((string name, _, _) in Columns.Where(c => c.Name != "st"))
        {
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"SELECT DISTINCT {name}::VARCHAR FROM expected WHERE {name} IS NOT NULL ORDER BY 1";
            using DuckDBDataReader reader = command.ExecuteReader();
            var values = new List<string>();
            while (reader.Read())
            {
                values.Add(reader.GetString(0));
            }

            _pools[name] = values.Count == 0 ? ["1"] : [.. values];
        }
    }

    public HandMadeTable Made { get; } = new("facts");

    public static bool IsPartition(string name) => name is "n" || (name[0] == 'p' && name.Length > 1);

    /// <summary>A value that a column has, as text.</summary>
    public string Known(string column) => _pools[column][_random.Next(_pools[column].Length)];

    public void Dispose() => Made.Dispose();

    private string Value(string type, long? center)
    {
        if (_random.Next(9) == 0)
        {
            return "NULL";
        }

        long small = (center ?? 0) + _random.Next(-6, 7);
        bool odd = _random.Next(6) == 0;
        return type switch
        {
            "TINYINT" => $"({(odd ? Pick("-128", "127", "0") : $"{small % 128}")})",
            "SMALLINT" => $"({(odd ? Pick("-32768", "32767") : $"{small}")})",
            "INTEGER" => $"({(odd ? Pick("-2147483648", "2147483647", "0") : $"{small}")})",
            "BIGINT" => odd ? $"('{Pick("-9223372036854775808", "9223372036854775807", "9007199254740993", "0")}'::BIGINT)" : $"({small})",
            "FLOAT" or "DOUBLE" => odd ? $"'{Pick("NaN", "-0.0", "0.0", "Infinity", "-Infinity", "1e-30", "16777217")}'::{type}" : $"({small} / 10)::{type}",
            "DECIMAL(9,2)" => $"({small} / 100 + {_random.Next(3)})::DECIMAL(9,2)",
            "DECIMAL(30,5)" => odd ? $"'{Pick("-1234567890123456789012345.12345", "1234567890123456789012345.54321", "0.00001")}'::DECIMAL(30,5)" : $"({small} / 1000)::DECIMAL(30,5)",
            "VARCHAR" => odd
                ? $"'{Pick("optional: x", "optional: Dynamic Filter (t)", "a\nb", "it''s", "", "é", "\U0001F600", "\uFFFD", "A", "Ab", "%", "a_b", "null", "NULL", "1", "2024-01-01", "x", "\"q\"", "a\\b", "€", "ab%", "true")}'"
                : _random.Next(4) == 0 ? $"'{new string((char)('a' + (Math.Abs(small) % 26)), 40)}{small}'" : $"'{(char)('a' + (Math.Abs(small) % 26))}{small}'",
            "TIMESTAMPTZ" or "TIMESTAMP" => odd
                ? $"'{Pick("1969-12-31 23:59:59.999999", "1970-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "1883-11-18 12:03:58", "2024-03-31 01:30:00")}'::{type}"
                : $"('2024-03-10 01:00:00'::TIMESTAMP + to_microseconds({small} * 3600000123))::{type}",
            "DATE" => odd ? $"'{Pick("0001-01-01", "9999-12-31", "1582-10-15", "1970-01-01", "1899-12-31")}'::DATE" : $"(DATE '2024-03-10' + ({small})::INTEGER)",
            "BOOLEAN" => Pick("true", "false"),
            _ => $"{{x: {Value("INTEGER", center)}, t: {Value("VARCHAR", center)}}}",
        };
    }

    private string Pick(params string[] of) => of[_random.Next(of.Length)];

    private static string Statistics(DuckDBConnection connection, int file)
    {
        var least = new List<string>();
        var greatest = new List<string>();
        var nulls = new List<string>();
        foreach ((string name, _, string type) in Columns.Where(c => !IsPartition(c.Name)))
        {
            if (name == "st")
            {
                least.Add("'st', json_object('x', min(st.x), 't', min(st.t[:32]))");
                greatest.Add("'st', json_object('x', max(st.x), 't', max(st.t[:32] || CASE WHEN length(st.t) > 32 THEN chr(1114111) ELSE '' END))");
                nulls.Add("'st', json_object('x', count(*) - count(st.x), 't', count(*) - count(st.t))");
                continue;
            }

            nulls.Add($"'{name}', count(*) - count({name})");
            (string low, string high) = type switch
            {
                "FLOAT" or "DOUBLE" => ($"min({name}) FILTER (NOT isnan({name}) AND NOT isinf({name}))", $"max({name}) FILTER (NOT isnan({name}) AND NOT isinf({name}))"),
                "VARCHAR" => ($"min({name}[:32])", $"max({name}[:32] || CASE WHEN length({name}) > 32 THEN chr(1114111) ELSE '' END)"),
                "TIMESTAMPTZ" => ($"strftime(min({name}), '%Y-%m-%dT%H:%M:%S.%gZ')", $"strftime(max({name}), '%Y-%m-%dT%H:%M:%S.%gZ')"),
                "TIMESTAMP" => ($"strftime(min({name}), '%Y-%m-%dT%H:%M:%S.%g')", $"strftime(max({name}), '%Y-%m-%dT%H:%M:%S.%g')"),
                "DATE" => ($"min({name})::VARCHAR", $"max({name})::VARCHAR"),
                "BOOLEAN" => ("NULL", "NULL"),
                _ => ($"min({name})", $"max({name})"),
            };
            // Of a column with an infinite value a writer cannot tell the bound in JSON: it leaves both out.
            string known = type is "FLOAT" or "DOUBLE" ? $"CASE WHEN NOT bool_or(isinf({name})) THEN {{0}} END" : "{0}";
            least.Add($"'{name}', {string.Format(CultureInfo.InvariantCulture, known, low)}");
            greatest.Add($"'{name}', {string.Format(CultureInfo.InvariantCulture, known, high)}");
        }

        return Text(connection, $"""
            SELECT json_object('numRecords', count(*), 'minValues', json_object({string.Join(", ", least)}), 'maxValues', json_object({string.Join(", ", greatest)}),
            'nullCount', json_object({string.Join(", ", nulls)}))::VARCHAR FROM expected WHERE file = {file}
            """)!;
    }

    private static string PartitionText(string column) => column switch
    {
        "pts" => "strftime(pts, '%Y-%m-%dT%H:%M:%S.%fZ')",
        "ptn" => "strftime(ptn, '%Y-%m-%d %H:%M:%S.%f')",
        "pf" or "pd" => $"replace(replace({column}::VARCHAR, 'inf', 'Infinity'), 'nan', 'NaN')",
        _ => column + "::VARCHAR",
    };

    private static string? Text(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        object? value = command.ExecuteScalar();
        return value is null or DBNull ? null : Convert.ToString(value, CultureInfo.InvariantCulture);
    }

    // One bitmap with one array container, as the protocol's "Deletion Vector Format" has it, in Z85.
    private static JsonObject Inline(ushort[] positions)
    {
        byte[] bytes = new byte[4 + 8 + 4 + 8 + 4 + 4 + (2 * positions.Length)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, 1681511377);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(4), 1);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), 12346);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(26), (ushort)(positions.Length - 1));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(28), 16);
        for (int i = 0; i < positions.Length; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(32 + (2 * i)), positions[i]);
        }

        const string Alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
        byte[] padded = [.. bytes, .. new byte[(4 - (bytes.Length % 4)) % 4]];
        var text = new StringBuilder();
        for (int at = 0; at < padded.Length; at += 4)
        {
            uint word = BinaryPrimitives.ReadUInt32BigEndian(padded.AsSpan(at));
            text.Append([.. new[] { 52200625u, 614125u, 7225u, 85u, 1u }.Select(power => Alphabet[(int)(word / power % 85)])]);
        }

        return new JsonObject { ["storageType"] = "i", ["pathOrInlineDv"] = text.ToString(), ["sizeInBytes"] = bytes.Length, ["cardinality"] = positions.Length };
    }
}
