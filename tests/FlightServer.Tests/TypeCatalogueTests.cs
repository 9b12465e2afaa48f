using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Ipc;
using DuckDB.NET.Data;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Net.Client;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Wire;
using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests;

/// <summary>Every type of the engine, read by three clients: one that knows only the proto, Apache.Arrow.Flight's own, and one of another maker in Rust. What each of them gets is
/// what the engine gives as an Arrow stream in the process.</summary>
public sealed class TypeCatalogueTests
{
    /// <summary>Type, two values, and the type that clients are given where it is another.</summary>
    private static readonly (string Type, string First, string Last, string? Told)[] Catalogue =
    [
        ("BOOLEAN", "true", "false", null), ("TINYINT", "-128", "127", null), ("SMALLINT", "-32768", "32767", null), ("INTEGER", "-2147483648", "2147483647", null),
        ("BIGINT", "-9223372036854775808", "9223372036854775807", null), ("HUGEINT", "-170141183460469231731687303715884105727", "0", null),
        ("UTINYINT", "0", "255", null), ("USMALLINT", "0", "65535", null), ("UINTEGER", "0", "4294967295", null), ("UBIGINT", "0", "18446744073709551615", null),
        ("UHUGEINT", "0", "5", null), ("FLOAT", "'-Infinity'", "'NaN'", null), ("DOUBLE", "'-0.0'", "1.7976931348623157e308", null),
        ("DECIMAL(4,1)", "-999.9", "999.9", null), ("DECIMAL(9,2)", "-1.25", "9999999.99", null), ("DECIMAL(18,6)", "0.000001", "-1", null),
        ("DECIMAL(38,10)", "'9999999999999999999999999999.9999999999'", "-1", null),
        ("DATE", "'0001-01-01'", "'9999-12-31'", null), ("TIME", "'00:00:00'", "'23:59:59.999999'", null), ("TIME_NS", "'01:02:03.000000004'", "'23:59:59.999999999'", null),
        ("TIMETZ", "'01:02:03+08'", "'23:59:59-05:30'", "VARCHAR"),
        ("TIMESTAMP", "'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", null), ("TIMESTAMP_S", "'1969-12-31 23:59:59'", "'2026-01-01 00:00:00'", null),
        ("TIMESTAMP_MS", "'1969-12-31 23:59:59.999'", "'2026-01-01 00:00:00'", null), ("TIMESTAMP_NS", "'1969-12-31 23:59:59.999999999'", "'2262-01-01 00:00:00'", null),
        ("TIMESTAMPTZ", "'1970-01-01 00:00:00+08'", "'9999-12-31 23:59:59.999999+00'", null), ("INTERVAL", "'-1 month 2 days 3 microseconds'", "'1000 years'", null),
        ("VARCHAR", "'héllo 😀'", "''", null), ("JSON", """'{"a": [1, null]}'""", "'1'", null), ("BLOB", @"'\x00\xFF'", "''", null), ("BIT", "'0101'", "'1'", "VARCHAR"),
        ("UUID", "'00000000-0000-0000-0000-000000000001'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", null),
        ("ENUM('a', 'bc')", "'bc'", "'a'", "VARCHAR"), ("INTEGER[]", "[1, NULL, 3]", "[]", null), ("INTEGER[2]", "[1, NULL]", "[3, 4]", null), ("VARCHAR[][]", "[['x', NULL], NULL, []]", "[]", null),
        ("STRUCT(a INTEGER, b VARCHAR[])", "{'a': 1, 'b': ['x']}", "{'a': NULL, 'b': NULL}", null), ("MAP(VARCHAR, INTEGER)", "MAP {'k': 1, 'l': NULL}", "MAP {}", null),
        ("UNION(n INTEGER, s VARCHAR)", "union_value(n := 1)", "union_value(s := 'x')", null),
        ("STRUCT(m MAP(VARCHAR, STRUCT(z DECIMAL(10,2)[]))[], t TIMESTAMPTZ)", "{'m': [MAP {'k': {'z': [1.25, NULL]}}], 't': '1970-01-01 00:00:00+00'}", "{'m': [], 't': NULL}", null),
        ("\"NULL\"", "NULL", "NULL", "INTEGER"), ("VARIANT", "42", "'x'", "JSON"), ("BIGNUM", "'123456789012345678901234567890123456789012'", "-1", null),
        ("GEOMETRY", "'POINT (1 2)'", "'POINT (3 4)'", null),
    ];

    [Fact]
    public void The_catalogue_has_every_type_of_the_engine()
    {
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = "SELECT DISTINCT logical_type FROM duckdb_types() WHERE schema_name = 'main' OR schema_name IS NULL ORDER BY 1";
        using DuckDBDataReader reader = command.ExecuteReader();
        // Values of TYPE name types; a table cannot have a column of it.
        var known = Catalogue.Select(c => c.Type.Split('(', '[')[0].Trim('"')).Concat(["LIST", "ARRAY", "TIME WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE", "TYPE"]).ToHashSet();
        var missing = new List<string>();
        while (reader.Read())
        {
            if (!known.Contains(reader.GetString(0)))
            {
                missing.Add(reader.GetString(0));
            }
        }

        Assert.Empty(missing);
    }

    [Fact]
    public async Task Three_clients_read_every_type_as_the_engine_gives_it()
    {
        await using ShopServer server = await ShopServer.StartAsync();
        using var folder = new TemporaryFolder();
        Dictionary<string, string> errors = await RunRustClientAsync(server.Host.Address.Port, folder.Path, Catalogue.Select((c, i) => ($"t{i}", Sql(c.Type, c.First, c.Last))));
        using GrpcChannel channel = GrpcChannel.ForAddress($"http://{server.Host.Address.Authority}");
        var other = new Apache.Arrow.Flight.Client.FlightClient(channel);
        var wrong = new List<string>();
        for (int i = 0; i < Catalogue.Length; i++)
        {
            (string type, string first, string last, string? told) = Catalogue[i];
            string sql = Sql(type, first, last);
            string expected = Direct(told is null ? sql : $"SELECT CAST(v AS {told}) AS v FROM ({sql})");
            wrong.AddRange(new[]
            {
                await DifferenceAsync(type, "raw", expected, () => RawAsync(server, sql)),
                await DifferenceAsync(type, "Apache.Arrow.Flight", expected, () => ArrowFlightAsync(other, sql)),
                await DifferenceAsync(type, "Rust", expected, () => errors.TryGetValue($"t{i}", out string? error) ? throw new InvalidOperationException(error) : FileAsync(folder.File($"t{i}.arrow"))),
            }.OfType<string>());
        }

        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
    }

    private static string Sql(string type, string first, string last) =>
        $"SELECT v FROM (VALUES (1, CAST({first} AS {type})), (2, NULL), (3, CAST({last} AS {type}))) t(i, v) ORDER BY i";

    private static async Task<string?> DifferenceAsync(string type, string client, string expected, Func<Task<string>> read)
    {
        try
        {
            string got = await read();
            return got == expected ? null : $"{type} by {client}: {got}, not {expected}";
        }
        catch (Exception e)
        {
            return $"{type} by {client}: {e.Message}";
        }
    }

    private static string Direct(string sql)
    {
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = "SET TimeZone = 'UTC'; SET arrow_lossless_conversion = false; " + sql;
        using IArrowArrayStream stream = command.ExecuteArrowStream();
        using RecordBatch batch = stream.ReadNextRecordBatchAsync().AsTask().GetAwaiter().GetResult();
        return Text(batch);
    }

    private static async Task<string> RawAsync(ShopServer server, string sql)
    {
        (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(new CommandStatementQuery { Query = sql });
        return Text(Assert.Single(batches));
    }

    private static async Task<string> ArrowFlightAsync(Apache.Arrow.Flight.Client.FlightClient client, string sql)
    {
        byte[] command = Any.Pack(new CommandStatementQuery { Query = sql }).ToByteArray();
        Apache.Arrow.Flight.FlightInfo info = await client.GetInfo(Apache.Arrow.Flight.FlightDescriptor.CreateCommandDescriptor(command));
        using Apache.Arrow.Flight.Client.FlightRecordBatchStreamingCall call = client.GetStream(info.Endpoints[0].Ticket);
        return Text(Assert.Single(await call.ResponseStream.ToListAsync()));
    }

    private static async Task<string> FileAsync(string path)
    {
        await using FileStream input = File.OpenRead(path);
        using var reader = new ArrowFileReader(input);
        var batches = new List<RecordBatch>();
        while (await reader.ReadNextRecordBatchAsync() is { } batch)
        {
            batches.Add(batch);
        }

        return Text([.. batches]);
    }

    private static string Text(params RecordBatch[] batches) => $"{batches[0].Schema.FieldsList[0].DataType.Name} {string.Join(" ", StatementTests.Texts(batches))}";

    private static async Task<Dictionary<string, string>> RunRustClientAsync(int port, string folder, IEnumerable<(string Name, string Sql)> statements)
    {
        string script = Path.Combine(Path.GetDirectoryName(SampleLake.Home)!, "tests", "clients", "query.js");
        var start = new ProcessStartInfo("node", [script, port.ToString(CultureInfo.InvariantCulture), folder]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> problems = process.StandardError.ReadToEndAsync();
        foreach ((string name, string sql) in statements)
        {
            await process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(new { name, sql }));
        }

        process.StandardInput.Close();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await problems);
        return (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)
            .ToDictionary(e => e.GetProperty("name").GetString()!, e => e.GetProperty("error").GetString()!);
    }
}
