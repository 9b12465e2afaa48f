using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Readers.Tests.Cache;

public sealed class RowGroupViewTests : IDisposable
{
    // Eight row groups: of most columns each holds a part of the values only; one has no values, one NaN, and d is as mixed as can be.
    private const string Rows = """
        SELECT i AS id, (i // 2048 * 100 + hash(i) % 150)::INTEGER AS n, CASE WHEN i // 2048 = 3 THEN NULL WHEN i % 7 > 0 THEN chr((65 + i // 2048)::INTEGER) || 'é😀' || i END AS t,
          TIMESTAMP '1969-12-31 23:59:50' + INTERVAL (i) MILLISECOND AS ts, DATE '1970-01-01' + (i // 1000 - 3)::INTEGER AS day, ((i - 5000) / 100)::DECIMAL(12, 2) AS price,
          CASE WHEN i // 2048 = 2 THEN 'NaN'::DOUBLE WHEN i % 3 = 0 THEN NULL ELSE i::DOUBLE END AS x, (hash(i) % 1000)::BIGINT AS d, md5(i::VARCHAR) || md5((i + 1)::VARCHAR) AS digest
        FROM range(16_384) r(i)
        """;

    private static readonly Schema Table = new(
        [
            new Field("id", Int64Type.Default, true), new Field("n", Int32Type.Default, true), new Field("t", StringType.Default, true),
            new Field("ts", new TimestampType(TimeUnit.Microsecond, (string?)null), true), new Field("day", Date32Type.Default, true),
            new Field("price", new Decimal128Type(12, 2), true), new Field("x", DoubleType.Default, true), new Field("d", Int64Type.Default, true),
        ],
        null);

    private readonly TemporaryFolder _source = new();
    private readonly TemporaryFolder _cacheFolder = new();
    private readonly EngineDatabase _engine;
    private readonly RemoteFolder _remote;

    public RowGroupViewTests()
    {
        _engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_source.Path, _cacheFolder.Path] });
        _remote = new RemoteFolder(_source.Path);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _source.Dispose();
        _cacheFolder.Dispose();
    }

    [Theory]
    [InlineData("ROW_GROUP_SIZE 2048")]
    [InlineData("ROW_GROUP_SIZE 2048, COMPRESSION zstd, PARQUET_VERSION v2")]
    public async Task Whatever_the_condition_the_answer_is_that_of_the_whole_file_and_holes_are_never_read(string options)
    {
        Write(options);
        var random = new Random(11);
        int views = 0;
        for (int round = 0; round < 40; round++)
        {
            (ScanFilter filter, string sql) = Condition(random, depth: 2);
            using DiskCache cache = NewCache(part: round);
            await using FileLease lease = await cache.OpenAsync([FileOf(filter)], [.. Table.FieldsList.Select(f => f.Name)]);
            string path = lease.LocalPaths[0];
            views += IsView(path) ? 1 : 0;
            Poison(path);

            string question = $"SELECT count(*), count(t), sum(id), sum(n), min(t), max(ts), min(day), sum(price), count(x), sum(hash(x)), sum(d) FROM {{0}} WHERE {sql}";
            Assert.Equal(sql + Line(Ask(question, _source.File("t.parquet"))), sql + Line(Ask(question, path)));
        }

        Assert.InRange(views, 10, 39); // conditions that leave out half of the file, and others
    }

    [Fact]
    public async Task Only_the_needed_row_groups_are_fetched_each_once_and_whole_columns_when_most_of_them_were_asked_for()
    {
        Write("ROW_GROUP_SIZE 2048, COMPRESSION uncompressed");
        long[] sizes = [.. Ask("SELECT total_compressed_size FROM parquet_metadata('{0}') WHERE path_in_schema = 'digest' ORDER BY row_group_id", _source.File("t.parquet"), quoted: false)
            .Select(r => Convert.ToInt64(r[0], CultureInfo.InvariantCulture))];
        using DiskCache cache = NewCache();

        async Task<(long Requests, long Bytes, bool IsView, long LeftOut)> OpenAsync(long from, long to)
        {
            CacheCounts before = cache.Counts;
            await using FileLease lease = await cache.OpenAsync([FileOf(Between("id", from, to))], ["id", "digest"]);
            string question = $"SELECT count(*), max(digest) FROM {{0}} WHERE id BETWEEN {from} AND {to}";
            Assert.Equal(Ask(question, _source.File("t.parquet")), Ask(question, lease.LocalPaths[0]));
            return (cache.Counts.Requests - before.Requests, cache.Counts.FetchedBytes - before.FetchedBytes, IsView(lease.LocalPaths[0]), lease.RowGroupsLeftOut);
        }

        var first = await OpenAsync(2500, 2600);
        var again = await OpenAsync(2700, 3000);
        var other = await OpenAsync(4100, 4200);
        var none = await OpenAsync(20_000, 20_001);
        var several = await OpenAsync(2048, 8000);
        var most = await OpenAsync(0, 12_000);
        var after = await OpenAsync(2500, 2600);

        // The file's version with its footer, and the two chunks.
        Assert.Equal((3, true, 7), (first.Requests, first.IsView, first.LeftOut));
        Assert.InRange(first.Bytes, sizes[1], (sizes[1] * 5 / 4) + (64 << 10));
        Assert.Equal((0, 0, true, 7), again);
        Assert.Equal((2, true, 7), (other.Requests, other.IsView, other.LeftOut));
        Assert.InRange(other.Bytes, sizes[2], (sizes[2] * 5 / 4) + (64 << 10));
        Assert.Equal((0, 0, true, 8), none);
        Assert.Equal((true, 5), (several.IsView, several.LeftOut));
        Assert.InRange(several.Bytes, sizes[3], (sizes[3] * 5 / 4) + (64 << 10)); // of three row groups two were there
        Assert.Equal((false, 0), (most.IsView, most.LeftOut));
        Assert.Equal((0, 0, false, 0), after);
        Assert.InRange(cache.Counts.FetchedBytes, sizes.Sum(), (sizes.Sum() * 5 / 4) + (64 << 10)); // nothing twice
    }

    [Fact]
    public async Task Columns_that_come_later_go_into_the_same_view()
    {
        Write("ROW_GROUP_SIZE 2048");
        using DiskCache cache = NewCache();
        CacheableFile file = FileOf(Between("id", 0, 100));
        await using FileLease one = await cache.OpenAsync([file], ["id"]);
        await using FileLease two = await cache.OpenAsync([file], ["ID", "t"]);
        long fetched = cache.Counts.FetchedBytes;
        await using FileLease three = await cache.OpenAsync([file], ["t"]);

        Assert.Equal(one.LocalPaths, two.LocalPaths);
        Assert.Equal(one.LocalPaths, three.LocalPaths);
        Assert.Equal(fetched, cache.Counts.FetchedBytes);
        Assert.Equal(Ask("SELECT count(*), max(t) FROM {0} WHERE id <= 100", _source.File("t.parquet")), Ask("SELECT count(*), max(t) FROM {0} WHERE id <= 100", one.LocalPaths[0]));
    }

    [Fact]
    public async Task A_restart_makes_views_anew_from_what_was_fetched_and_notices_what_was_torn()
    {
        Write("ROW_GROUP_SIZE 2048, COMPRESSION uncompressed");
        string path;
        using (DiskCache cache = NewCache())
        {
            await using FileLease lease = await cache.OpenAsync([FileOf(Between("id", 0, 100))], ["digest"]);
            path = lease.LocalPaths[0];
        }

        File.WriteAllBytes(path, new byte[1000]); // as a power cut may leave it
        using (DiskCache cache = NewCache())
        {
            Assert.False(File.Exists(path));
            await using FileLease lease = await cache.OpenAsync([FileOf(Between("id", 0, 100))], ["digest"]);
            Assert.Equal((path, 0L), (lease.LocalPaths[0], cache.Counts.FetchedBytes));
        }

        string sparse = Assert.Single(Directory.GetFiles(Path.GetDirectoryName(path)!, "ranges-*.parquet"));
        Segment torn = SegmentMap.TryRead(sparse + CacheIndex.CompanionSuffix, new FileInfo(sparse).Length)!.OrderBy(s => s.Offset).First();
        using (FileStream stream = File.OpenWrite(sparse))
        {
            stream.Position = torn.Offset + (torn.Length / 2);
            stream.Write(new byte[4096]);
        }

        using (DiskCache cache = NewCache())
        {
            await using FileLease lease = await cache.OpenAsync([FileOf(Between("id", 0, 100))], ["digest"]);
            Assert.Equal(torn.Length, cache.Counts.FetchedBytes);
            Assert.Equal(
                Ask("SELECT max(digest), min(digest) FROM {0} WHERE id < 2048", _source.File("t.parquet")), Ask("SELECT max(digest), min(digest) FROM {0}", lease.LocalPaths[0]));
        }
    }

    [Fact]
    public async Task A_failure_while_a_view_is_filled_leaves_nothing_that_could_be_read()
    {
        Write("ROW_GROUP_SIZE 2048, COMPRESSION uncompressed");
        using DiskCache cache = NewCache();
        int reads = 0;
        _remote.BeforeRead = _ => Interlocked.Increment(ref reads) == 2 ? throw LakeException.StorageUnavailable("down") : Task.CompletedTask;
        await Assert.ThrowsAsync<LakeException>(() => cache.OpenAsync([FileOf(Between("id", 2500, 2600))], ["digest", "t"]).AsTask());
        _remote.BeforeRead = null;

        await using FileLease lease = await cache.OpenAsync([FileOf(Between("id", 2500, 2600))], ["digest", "t"]);

        Assert.True(IsView(lease.LocalPaths[0]));
        Assert.Equal(
            Ask("SELECT max(digest), max(t) FROM {0} WHERE id // 2048 = 1", _source.File("t.parquet")), Ask("SELECT max(digest), max(t) FROM {0}", lease.LocalPaths[0]));
    }

    [Fact]
    public async Task Many_at_once_with_a_small_budget_get_exact_answers()
    {
        Write("ROW_GROUP_SIZE 2048");
        long size = new FileInfo(_source.File("t.parquet")).Length;
        string[] names = ["t.parquet", "u.parquet", "v.parquet", "w.parquet"];
        foreach (string name in names[1..])
        {
            File.Copy(_source.File("t.parquet"), _source.File(name));
        }

        long[] expected = [.. Enumerable.Range(0, 8).Select(g => Convert.ToInt64(
            Ask($"SELECT sum(hash(digest) // 1000000000)::BIGINT FROM {{0}} WHERE id // 2048 = {g}", _source.File("t.parquet"))[0][0], CultureInfo.InvariantCulture))];
        using DiskCache cache = NewCache(budgetBytes: size * 11 / 4); // room for two files with a view, not for all
        await Parallel.ForAsync(0, 60, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (i, token) =>
        {
            int group = new Random(i).Next(8);
            CacheableFile file = FileOf(Between("id", group * 2048, (group * 2048) + 2047)) with { Key = names[i % 4] };
            await using FileLease lease = await cache.OpenAsync([file], ["id", "digest"], token);
            Assert.Equal(expected[group], Convert.ToInt64(
                Ask($"SELECT sum(hash(digest) // 1000000000)::BIGINT FROM {{0}} WHERE id // 2048 = {group}", lease.LocalPaths[0])[0][0], CultureInfo.InvariantCulture));
        });

        Assert.InRange(cache.Counts.EvictedBytes, 1, long.MaxValue);
        Assert.InRange(cache.Counts.SizeBytes, 1, size * 11 / 4);
    }

    [Fact]
    public void A_views_footer_differs_in_the_row_groups_alone()
    {
        Write("ROW_GROUP_SIZE 2048, FIELD_IDS {id: 7, t: 9}, KV_METADATA {note: 'é', empty: ''}, PARQUET_VERSION v2");
        byte[] file = File.ReadAllBytes(_source.File("t.parquet"));
        byte[] footer = file[^(int)ParquetLayout.FooterBytes(file.AsSpan(^8..), file.Length)!.Value..];
        ParquetLayout layout = ParquetLayout.Parse(footer, file.Length);
        foreach (int[] kept in (int[][])[[], [0], [1, 3, 7], [0, 1, 2, 3, 4, 5, 6, 7]])
        {
            bool[] needed = [.. Enumerable.Range(0, 8).Select(kept.Contains)];
            byte[] rewritten = RowGroupView.FooterOf(footer, layout.RowGroups, needed);
            File.WriteAllBytes(_source.File("v.parquet"), [.. file[..^footer.Length], .. rewritten]);

            foreach (string question in (string[])["SELECT * EXCLUDE file_name FROM parquet_schema('{0}')", "SELECT decode(key), decode(value) FROM parquet_kv_metadata('{0}')"])
            {
                Assert.Equal(Ask(question, _source.File("t.parquet"), quoted: false), Ask(question, _source.File("v.parquet"), quoted: false));
            }

            string list = string.Join(", ", kept.Append(-1));
            Assert.Equal(
                Ask($"SELECT * EXCLUDE (file_name, row_group_id) REPLACE (key_value_metadata::VARCHAR AS key_value_metadata) FROM parquet_metadata('{{0}}') WHERE row_group_id IN ({list})", _source.File("t.parquet"), quoted: false),
                Ask("SELECT * EXCLUDE (file_name, row_group_id) REPLACE (key_value_metadata::VARCHAR AS key_value_metadata) FROM parquet_metadata('{0}')", _source.File("v.parquet"), quoted: false));
            Assert.Equal([[kept.Length * 2048L]], Ask("SELECT num_rows FROM parquet_file_metadata('{0}')", _source.File("v.parquet"), quoted: false));
            Assert.Equal([[kept.Length * 2048L]], Ask("SELECT count(*) FROM {0}", _source.File("v.parquet")));
            if (kept.Length == 8)
            {
                Assert.Equal(footer, rewritten);
            }
        }
    }

    private static ScanFilter.And Between(string column, long from, long to) => new(
        [new ScanFilter.Compare(column, ScanComparison.GreaterOrEqual, new ScanLiteral(from)), new ScanFilter.Compare(column, ScanComparison.LessOrEqual, new ScanLiteral(to))]);

    private static (ScanFilter Filter, string Sql) Condition(Random random, int depth)
    {
        if (depth > 0 && random.Next(3) == 0)
        {
            bool isAnd = random.Next(3) > 0;
            (ScanFilter Filter, string Sql)[] parts = [Condition(random, depth - 1), Condition(random, depth - 1)];
            return (isAnd ? new ScanFilter.And([.. parts.Select(p => p.Filter)]) : new ScanFilter.Or([.. parts.Select(p => p.Filter)]),
                $"({parts[0].Sql} {(isAnd ? "AND" : "OR")} {parts[1].Sql})");
        }

        (string column, object value, string sql) = Literal(random);
        switch (random.Next(8))
        {
            case 0 when value is string text:
                string prefix = text[..random.Next(1, 3)];
                return (new ScanFilter.StartsWith(column, prefix), $"starts_with({column}, {SqlText.Literal(prefix)})");
            case 1:
                return (new ScanFilter.IsNull(column), $"{column} IS NULL");
            case 2:
                return (new ScanFilter.In(column, [new ScanLiteral(value)]), $"{column} IN ({sql})");
            case 3:
                return (new ScanFilter.Not(new ScanFilter.Compare(column, ScanComparison.Less, new ScanLiteral(value))), $"NOT ({column} < {sql})");
            default:
                var comparison = (ScanComparison)random.Next(6);
                return (new ScanFilter.Compare(column, comparison, new ScanLiteral(value)), $"{column} {(string[])["=", "<>", "<", "<=", ">", ">="] switch { var o => o[(int)comparison] }} {sql}");
        }
    }

    private static (string Column, object Value, string Sql) Literal(Random random)
    {
        long row = random.Next(-100, 16_500);
        string number = row.ToString(CultureInfo.InvariantCulture);
        switch (random.Next(8))
        {
            case 0:
                return ("n", row / 20, (row / 20).ToString(CultureInfo.InvariantCulture));
            case 1:
                string text = $"{(char)('A' + random.Next(9))}é😀{row}";
                return ("t", text, SqlText.Literal(text));
            case 2:
                long micros = -10_000_000 + (row * 1000);
                return ("ts", new ScanTimestamp(micros), $"make_timestamp({micros.ToString(CultureInfo.InvariantCulture)})");
            case 3:
                DateOnly day = new DateOnly(1970, 1, 1).AddDays((int)(row / 1000) - 3);
                return ("day", day, $"DATE '{day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}'");
            case 4:
                decimal price = (row - 5000) / 100m;
                return ("price", price, price.ToString(CultureInfo.InvariantCulture) + "::DECIMAL(12, 2)");
            case 5:
                return ("x", (double)row, number + "::DOUBLE");
            case 6:
                return ("d", row % 1000, (row % 1000).ToString(CultureInfo.InvariantCulture));
            default:
                return ("id", row, number);
        }
    }

    private static string Line(List<object[]> rows) => ": " + string.Join('|', rows[0].Select(v => Convert.ToString(v, CultureInfo.InvariantCulture)));

    private static bool IsView(string path) => Path.GetFileName(path).StartsWith(CacheNames.ViewPrefix, StringComparison.Ordinal);

    // Fills what a view does not name with noise.
    private static void Poison(string path)
    {
        if (!IsView(path))
        {
            return;
        }

        byte[] file = File.ReadAllBytes(path);
        ParquetLayout layout = ParquetLayout.Parse(file.AsSpan(^(int)ParquetLayout.FooterBytes(file.AsSpan(^8..), file.Length)!.Value..), file.Length);
        Segment[] named = [.. layout.RangesOf([.. Table.FieldsList.Select(f => f.Name)]).Select(r => new Segment(r.Offset, r.Length, 0))];
        var random = new Random(7);
        foreach (ByteRange hole in Ranges.Missing([new ByteRange(0, file.Length)], named))
        {
            random.NextBytes(file.AsSpan((int)hole.Offset, (int)hole.Length));
        }

        File.WriteAllBytes(path, file);
    }

    private DiskCache NewCache(long budgetBytes = 1L << 30, int part = 0) =>
        new(new DiskCacheOptions { Directory = _cacheFolder.File($"cache{part}"), BudgetBytes = budgetBytes });

    private CacheableFile FileOf(ScanFilter filter) => new(_remote, "t.parquet", -1)
    {
        Needed = RowGroupCondition.TryCreate(filter, name => (name, Table.GetFieldByName(name))),
    };

    private void Write(string options)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY ({Rows}) TO {SqlText.Literal(_source.File("t.parquet"))} (FORMAT parquet, {options})");
    }

    private List<object[]> Ask(string question, string path, bool quoted = true)
    {
        using DuckDBConnection connection = _engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = question.Replace("{0}", quoted ? $"read_parquet({SqlText.Literal(path)}, can_have_nan = true)" : path, StringComparison.Ordinal);
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<object[]>();
        while (reader.Read())
        {
            object[] row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }

        return rows;
    }
}
