using System.Globalization;
using System.Text;
using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;
using Npgsql;
using NpgsqlTypes;

namespace LakeHolo.Integration.Tests;

/// <summary>What PostgreSQL's clients send and get, against what PostgreSQL 15 gives: statements as tools write them, and values of every type there and back.</summary>
public sealed class PostgresValues : IAsyncLifetime
{
    private const string User = "ana";

    private readonly string _port = LakeServer.FreePort().ToString(CultureInfo.InvariantCulture);
    private LakeServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = new LakeServer(SampleLake.Lake, $"postgres.listen: \"127.0.0.1:{_port}\"");
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync() => await _server.DisposeAsync();

    /// <summary>recorded/bi-tools.txt: a statement as Tableau, Power BI, Superset, Metabase, Grafana, DBeaver or a user writes it, and what psql showed of PostgreSQL 15's answer over the same rows.</summary>
    [Fact]
    public async Task Statements_of_tools_have_the_columns_and_rows_of_PostgreSQL()
    {
        string file = Path.Combine(Path.GetDirectoryName(SampleLake.Home)!, "tests", "Integration.Tests", "recorded", "bi-tools.txt");
        (string Sql, string Answer)[] recorded =
        [
            .. (await File.ReadAllTextAsync(file)).TrimEnd('\n').Split("\n;;\n").Select(s => s.Split("\n=>\n")).Select(s => (s[0], s[1])),
        ];
        var script = new StringBuilder();
        for (int i = 0; i < recorded.Length; i++)
        {
            script.Append(CultureInfo.InvariantCulture, $"\\echo ### {i}\n{recorded[i].Sql};\n");
        }

        string[] arguments = ["-X", "-q", "-A", "-h", "127.0.0.1", "-p", _port, "-U", User, "-d", "shop", "-f", "-"];
        Outcome outcome = await CommandLine.RunAsync(CommandLine.Of("psql", arguments), script.ToString());
        var wrong = new List<string>();
        string[] answers = outcome.Output.Split("### ")[1..];
        Assert.Equal(recorded.Length, answers.Length);
        for (int i = 0; i < recorded.Length; i++)
        {
            string answer = answers[i][(answers[i].IndexOf('\n', StringComparison.Ordinal) + 1)..].TrimEnd('\n');
            if (answer != recorded[i].Answer)
            {
                wrong.Add($"{recorded[i].Sql}\n  {answer}\n  {recorded[i].Answer}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong) + "\n" + outcome.Errors);
    }

    [Fact]
    public async Task Values_of_every_type_come_back_as_they_were_sent_in_binary()
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create($"Host=127.0.0.1;Port={_port};Username={User};Database=shop;Timeout=120;Command Timeout=120");
        await using NpgsqlConnection connection = await source.OpenConnectionAsync();
        var utc = new DateTime(2024, 2, 29, 23, 59, 59, 999, DateTimeKind.Utc);
        DateTime local = DateTime.SpecifyKind(utc.AddTicks(9990), DateTimeKind.Unspecified);
        (string Type, NpgsqlDbType Db, object[] Values)[] types =
        [
            ("int2", NpgsqlDbType.Smallint, [short.MinValue, (short)0, short.MaxValue]),
            ("int4", NpgsqlDbType.Integer, [int.MinValue, -1, int.MaxValue]),
            ("int8", NpgsqlDbType.Bigint, [long.MinValue, 0L, long.MaxValue]),
            ("float4", NpgsqlDbType.Real, [float.MinValue, 0.1f, float.NaN, float.PositiveInfinity]),
            ("float8", NpgsqlDbType.Double, [double.Epsilon, 0.1, double.NaN, double.NegativeInfinity]),
            ("numeric(20,6)", NpgsqlDbType.Numeric, [0m, -0.000001m, 12345678901234.567891m]),
            ("bool", NpgsqlDbType.Boolean, [true, false]),
            ("text", NpgsqlDbType.Text, [string.Empty, "it's \"q\" \\ {}, NULL", "ä€𝄞\n\t"]),
            ("varchar", NpgsqlDbType.Varchar, ["x ", "NULL"]),
            ("bytea", NpgsqlDbType.Bytea, [System.Array.Empty<byte>(), new byte[] { 0, 255, (byte)'\\', (byte)'x' }]),
            ("date", NpgsqlDbType.Date, [new DateOnly(1, 1, 1), new DateOnly(1969, 12, 31), new DateOnly(9999, 12, 31)]),
            ("time", NpgsqlDbType.Time, [TimeOnly.MinValue, new TimeOnly(23, 59, 59, 999, 999)]),
            ("timestamp", NpgsqlDbType.Timestamp, [local, new DateTime(1, 1, 1, 0, 0, 0, DateTimeKind.Unspecified).AddDays(1), new DateTime(1969, 12, 31, 23, 59, 59, DateTimeKind.Unspecified)]),
            ("timestamptz", NpgsqlDbType.TimestampTz, [utc, DateTime.UnixEpoch]),
            ("interval", NpgsqlDbType.Interval, [new NpgsqlInterval(14, -3, 4_000_005), new NpgsqlInterval(0, 0, -1)]),
            ("uuid", NpgsqlDbType.Uuid, [Guid.Empty, Guid.Parse("ffffffff-ffff-4fff-bfff-ffffffffffff"), Guid.Parse("00000000-0000-0000-0000-000000000007")]),
            ("json", NpgsqlDbType.Json, ["{\"a\": [1, null, \"x\"]}", "[]"]),
            ("jsonb", NpgsqlDbType.Jsonb, ["{\"a\": 1}"]),
        ];
        var wrong = new List<string>();
        foreach ((string type, NpgsqlDbType db, object[] values) in types)
        {
            foreach (object value in values.Append(DBNull.Value))
            {
                await EchoAsync(connection, $"SELECT $1::{type}", db, value, wrong);
            }

            if (db is not (NpgsqlDbType.Json or NpgsqlDbType.Jsonb))
            {
                System.Array list = System.Array.CreateInstance(values[0].GetType(), values.Length);
                values.CopyTo(list, 0);
                await EchoAsync(connection, $"SELECT $1::{type.Replace("(20,6)", string.Empty, StringComparison.Ordinal)}[]", NpgsqlDbType.Array | db, list, wrong);
                await EchoAsync(connection, $"SELECT $1::{type}[]", NpgsqlDbType.Array | db, System.Array.CreateInstance(values[0].GetType(), 0), wrong);
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>recorded/node-values.txt is what PostgreSQL 15 answers.</summary>
    [Fact]
    public async Task Values_of_every_type_come_back_as_PostgreSQL_writes_them_in_text()
    {
        string recorded = await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(SampleLake.Home)!, "tests", "Integration.Tests", "recorded", "node-values.txt"));
        Outcome outcome = await CommandLine.RunAsync(CommandLine.Of("node", Path.Combine(RustClient.ClientsFolder(), "postgres-values.js"), _port, User, "shop"), null);
        Assert.True(outcome.ExitCode == 0, outcome.Errors);
        Assert.Equal(recorded.Split('\n'), outcome.Output.Split('\n'));
    }

    private static async Task EchoAsync(NpgsqlConnection connection, string sql, NpgsqlDbType db, object value, List<string> wrong)
    {
        foreach (bool isPrepared in new[] { false, true })
        {
            await using var echo = new NpgsqlCommand(sql, connection);
            echo.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = db, Value = value });
            try
            {
                if (isPrepared)
                {
                    await echo.PrepareAsync();
                }

                await using NpgsqlDataReader reader = await echo.ExecuteReaderAsync();
                await reader.ReadAsync();
                object back = value switch
                {
                    DateOnly => reader.GetFieldValue<DateOnly>(0),
                    TimeOnly => reader.GetFieldValue<TimeOnly>(0),
                    NpgsqlInterval => reader.GetFieldValue<NpgsqlInterval>(0),
                    DateOnly[] => reader.GetFieldValue<DateOnly[]>(0),
                    TimeOnly[] => reader.GetFieldValue<TimeOnly[]>(0),
                    NpgsqlInterval[] => reader.GetFieldValue<NpgsqlInterval[]>(0),
                    _ => reader.GetValue(0),
                };
                if (!Same(value, back))
                {
                    wrong.Add($"{sql}: {Text(value)} came back as {Text(back)}");
                }
            }
            catch (Exception e) when (e is NpgsqlException or InvalidCastException or OverflowException)
            {
                wrong.Add($"{sql}: {Text(value)}: {e.Message}");
            }
        }
    }

    private static bool Same(object one, object other) => one is System.Array a && other is System.Array b
        ? a.Length == b.Length && a.Cast<object?>().SequenceEqual(b.Cast<object?>(), EqualityComparer<object?>.Create((x, y) => x is byte[] left && y is byte[] right ? left.AsSpan().SequenceEqual(right) : Equals(x, y)))
        : Equals(one, other);

    private static string Text(object value) => value is System.Array array ? "{" + string.Join(", ", array.Cast<object?>().Select(v => v is byte[] b ? Convert.ToHexString(b) : Convert.ToString(v, CultureInfo.InvariantCulture))) + "}"
        : value is DateTime t ? t.ToString("O", CultureInfo.InvariantCulture) : Convert.ToString(value, CultureInfo.InvariantCulture)!;
}
