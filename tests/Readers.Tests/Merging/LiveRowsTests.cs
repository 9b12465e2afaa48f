using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Merging;

namespace LakeHolo.Readers.Tests.Merging;

/// <summary>Rows that memory of ours lets through, against a model that walks them.</summary>
public sealed class LiveRowsTests : IDisposable
{
    private const int FileRows = 9_000; // several of the engine's chunks

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-live-");
    private readonly EngineDatabase _engine;

    public LiveRowsTests() => _engine = new EngineDatabase(new EngineOptions { Threads = 2, AllowedDirectories = [_folder.FullName] });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Rows_whose_keys_are_in_a_set_of_their_file_are_left_out(int parts)
    {
        var random = new Random(parts);
        long?[][][] files = [.. Enumerable.Range(0, 3).Select(_ => Enumerable.Range(0, FileRows).Select(_ => Key(random, parts)).ToArray())];
        string[] names = [.. Enumerable.Range(0, parts).Select(p => $"k{p}")];
        string list = SqlText.LiteralList(files.Select((f, i) => Write(i, names, f)));
        // The second file has no set; the first one's begins small and grows.
        KeySet?[] sets = [new KeySet(parts, 1), null, new KeySet(parts, FileRows)];
        var keys = new Dictionary<(int, string), int>();
        foreach (int file in (int[])[0, 2])
        {
            foreach (long?[] key in files[file].Concat(files[1]).Where(k => !k.Contains(null) && random.Next(3) == 0))
            {
                keys.TryAdd((file, Text(key)), sets[file]!.Count);
                Assert.Equal(keys[(file, Text(key))], sets[file]!.Add([.. key.Select(k => k!.Value)]));
            }
        }

        var leases = new List<IAsyncDisposable>();
        string? condition = LiveRows.Keys(_engine, sets, names, "r", leases);
        List<string> actual = Read($"SELECT concat_ws('/', file_index, {string.Join(", ", names.Select(n => $"coalesce({n}::VARCHAR, '-')"))}) FROM read_parquet({list}) r WHERE {condition}");
        List<string> expected = [.. files.SelectMany((f, i) => f.Where(k => !keys.ContainsKey((i, Text(k)))).Select(k => $"{i}/{Text(k)}"))];
        Assert.Equal(expected.Order(StringComparer.Ordinal), actual.Order(StringComparer.Ordinal));
        Assert.NotEqual(3 * FileRows, actual.Count);
        Assert.Single(leases);
        await leases[0].DisposeAsync();
        Assert.Contains("not present", Assert.ThrowsAny<Exception>(() => Read($"SELECT k0::VARCHAR FROM read_parquet({list}) r WHERE {condition}")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_at_positions_in_a_set_of_their_file_are_left_out()
    {
        var random = new Random(7);
        string list = SqlText.LiteralList(Enumerable.Range(0, 3).Select(i => Write(i, ["k0"], [.. Enumerable.Range(0, FileRows).Select(n => (long?[])[n])])));
        PositionSet?[] sets = [new PositionSet(), null, new PositionSet()];
        var dead = new HashSet<(int, long)>();
        for (int i = 0; i < 2_000; i++)
        {
            (int file, long position) = (random.Next(2) * 2, random.Next(FileRows / 2));
            Assert.Equal(dead.Add((file, position)), sets[file]!.Add(position));
        }

        var leases = new List<IAsyncDisposable>();
        List<string> actual = Read($"SELECT concat(file_index, '/', k0) FROM read_parquet({list}) r WHERE k0 % 7 <> 3 AND {LiveRows.Positions(_engine, sets, "r", leases)}");
        List<string> expected = [.. Enumerable.Range(0, 3).SelectMany(f => Enumerable.Range(0, FileRows).Where(n => n % 7 != 3 && !dead.Contains((f, n))).Select(n => $"{f}/{n}"))];
        Assert.Equal(expected.Order(StringComparer.Ordinal), actual.Order(StringComparer.Ordinal));
        Assert.Null(LiveRows.Positions(_engine, [null, null], "r", leases));
    }

    [Fact]
    public void What_finds_no_room_is_refused_and_room_comes_back()
    {
        Assert.False(LiveRows.TryReserve(long.MaxValue / 2));
        Assert.True(LiveRows.TryReserve(1000));
        Assert.True(LiveRows.TryReserve(-1000));
    }

    [Fact]
    public void Numbers_come_in_chunks_until_one_is_missing()
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        long sum = 0;
        unsafe
        {
            Assert.True(EngineNumbers.TryRead(connection, "SELECT i, -i FROM range(5000) AS r(i)", Take));
            Assert.Equal(4999L * 2500 * 3, sum);
            Assert.False(EngineNumbers.TryRead(connection, "SELECT i, CASE WHEN i <> 70 THEN i END FROM range(100) AS r(i)", Take));

            void Take(long** columns, int rows)
            {
                for (int row = 0; row < rows; row++)
                {
                    sum += columns[0][row] - (2 * columns[1][row]);
                }
            }
        }

        unsafe
        {
            Assert.Contains("too few", Assert.ThrowsAny<DuckDBException>(() => EngineNumbers.TryRead(connection, "SELECT error('too few')::BIGINT", (_, _) => { })).Message, StringComparison.Ordinal);
        }
    }

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Delete(recursive: true);
    }

    private static long?[] Key(Random random, int parts)
        => [.. Enumerable.Range(0, parts).Select(p => random.Next(60) == 0 ? (long?)null : p == 0 ? random.Next(3_000) - 500 : random.Next(20) == 0 ? long.MinValue + random.Next(3) : random.Next(3))];

    private static string Text(long?[] key) => string.Join("/", key.Select(k => k?.ToString(CultureInfo.InvariantCulture) ?? "-"));

    private string Write(int number, string[] names, long?[][] rows)
    {
        string path = Path.Combine(_folder.FullName, $"{names.Length}-{number}.parquet");
        using DuckDBConnection connection = _engine.OpenConnection();
        // Without an order the engine writes its chunks as its threads come to them.
        string values = string.Join(", ", rows.Select((r, n) => $"({n}, " + string.Join(", ", r.Select(v => v is null ? "NULL" : v == long.MinValue ? "(-9223372036854775807 - 1)" : v.Value.ToString(CultureInfo.InvariantCulture))) + ")"));
        EngineDatabase.Execute(
            connection,
            $"COPY (SELECT {string.Join(", ", names.Select(n => n + "::BIGINT AS " + n))} FROM (VALUES {values}) v(n, {string.Join(", ", names)}) ORDER BY n) TO {SqlText.Literal(path)} (FORMAT parquet, ROW_GROUP_SIZE 4096)");
        return path;
    }

    private List<string> Read(string sql)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0));
        }

        return rows;
    }
}
