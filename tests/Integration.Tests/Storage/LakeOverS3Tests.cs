using System.Globalization;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Minio.DataModel.Args;

namespace LakeHolo.Integration.Tests.Storage;

/// <summary>A whole LakeHolo over a bucket: what a statement takes from it, its bounds, and what happens when the store fails.</summary>
public sealed class LakeOverS3Tests : IDisposable
{
    private const int FileCount = 4;
    private const int RowGroups = 5; // in each file

    private const string Question = "SELECT count(*), sum(id), min(name), max(name) FROM db.events WHERE id >= 380000";
    private const string Expected = "20000|7799990000|name 0|name 999";

    private readonly S3Server _server;
    private readonly TemporaryFolder _local = new();
    private readonly TemporaryFolder _data = new();

    public LakeOverS3Tests(S3Server server)
    {
        _server = server;
        using var engine = new EngineDatabase(new EngineOptions { Threads = 2, AllowedDirectories = [_local.Path] });
        using DuckDBConnection connection = engine.OpenConnection();
        for (int i = 0; i < FileCount; i++)
        {
            EngineDatabase.Execute(connection, $"""
                COPY (SELECT i AS id, 'name ' || (i * 7919 % 1000) AS name, md5(i::VARCHAR) AS digest FROM range({i * 100_000}, {(i + 1) * 100_000}) r(i))
                TO {SqlText.Literal(_local.File($"{i}.parquet"))} (FORMAT parquet, ROW_GROUP_SIZE 20480)
                """);
        }
    }

    public void Dispose()
    {
        _local.Dispose();
        _data.Dispose();
    }

    [Fact]
    public async Task Explain_lake_tells_what_came_from_storage_and_what_from_the_cache()
    {
        string bucket = await UploadAsync(_server);
        await using LakeInstance lake = await StartAsync(bucket, _server.Options, "explain");
        QuerySession session = Session(lake);

        string[][] first = await RowsAsync(lake, session, "EXPLAIN LAKE " + Question);
        string[][] second = await RowsAsync(lake, session, "EXPLAIN LAKE " + Question);

        // table, step, files, row_groups, bytes, requests, ms, detail
        string[] Step(string[][] rows, string step) => Assert.Single(rows, r => r[1] == step);
        Assert.Equal("lake.db.events", Step(first, "snapshot")[0]);
        Assert.Equal("4", Step(first, "snapshot")[2]);
        Assert.Equal(FileCount * RowGroups, Number(Step(first, "row groups")[3]));
        Assert.Equal("2", Step(first, "row groups after statistics")[3]); // 380,000 lies in the last but one
        // The footers were fetched for the schema; of the chunks only those of the two row groups are, which lie side by side in each.
        long needed = BytesOf(3, "row_group_id >= 3 AND path_in_schema IN ('id', 'name')");
        Assert.InRange(Number(Step(first, "from storage")[4]), needed, needed * 11 / 10);
        Assert.Equal("2", Step(first, "from storage")[5]);
        Assert.Equal(("0", "0"), (Step(second, "from storage")[4], Step(second, "from storage")[5]));
        Assert.InRange(Number(Step(second, "from the disk cache")[4]), Number(Step(first, "from storage")[4]) / 2, long.MaxValue);
        Assert.Equal(["metadata", "planning", "fetching", "merging", "engine", "sending", "all"], first.Where(r => r[0] == "NULL").Select(r => r[1]));

        string[] logged = Assert.Single(await RowsAsync(
            lake, session, "SELECT fetched_bytes, requests > 0, cached_bytes FROM lakeholo.query_log WHERE sql LIKE 'EXPLAIN LAKE%' ORDER BY id LIMIT 1"));
        Assert.Equal(Number(Step(first, "fetching")[4]), Number(logged[0]));
        Assert.Equal("1", logged[1]);
    }

    [Fact]
    public async Task Files_with_deleted_positions_come_with_all_row_groups_and_others_with_the_needed_ones()
    {
        string bucket = await _server.NewBucketAsync();
        using var table = new TemporaryFolder();
        Directory.CreateDirectory(table.File("_delta_log"));
        File.Copy(_local.File("0.parquet"), table.File("0.parquet"));
        File.Copy(_local.File("1.parquet"), table.File("1.parquet"));
        static string Column(int id, string name, string physical, string type) =>
            $$$"""{\"name\":\"{{{name}}}\",\"type\":\"{{{type}}}\",\"nullable\":true,\"metadata\":{\"delta.columnMapping.id\":{{{id}}},\"delta.columnMapping.physicalName\":\"{{{physical}}}\"}}""";
        string Add(int file, string more) => string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"add":{"path":"{{{file}}}.parquet","partitionValues":{},"size":{{{new FileInfo(_local.File($"{file}.parquet")).Length}}},"modificationTime":0,"dataChange":true{{{more}}}}}""");
        const string Features = """["columnMapping","deletionVectors"]""";
        File.WriteAllLines(table.File("_delta_log/00000000000000000000.json"),
        [
            $$$"""{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":{{{Features}}},"writerFeatures":{{{Features}}}}}""",
            $$$"""{"metaData":{"id":"t","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{{{Column(1, "key", "id", "long")}}},{{{Column(2, "id", "name", "string")}}}]}","""
                + """ "partitionColumns":[],"configuration":{"delta.columnMapping.mode":"name","delta.columnMapping.maxColumnId":"2","delta.enableDeletionVectors":"true"}}}""",
            Add(0, ""),
            // Positions 3, 4, 7, 11, 18 and 29 (the protocol's own example).
            Add(1, ""","deletionVector":{"storageType":"i","pathOrInlineDv":"^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L","sizeInBytes":44,"cardinality":6}"""),
        ]);
        await _server.PutFolderAsync(bucket, "db/mapped/", table.Path);
        await using LakeInstance lake = await StartAsync(bucket, _server.Options, "mapped");
        QuerySession session = Session(lake);

        string[][] explained = await RowsAsync(lake, session, "EXPLAIN LAKE SELECT count(*), min(key), max(id) FROM db.mapped WHERE key >= 90000 AND key < 100030");
        string[] answer = Assert.Single(await RowsAsync(lake, session, "SELECT count(*), min(key), max(id) FROM db.mapped WHERE key >= 90000 AND key < 100030"));
        string[] last = Assert.Single(await RowsAsync(lake, session, "SELECT count(*), min(key), max(key) FROM db.mapped WHERE key >= 199000"));

        string[] Step(string step) => Assert.Single(explained, r => r[1] == step);
        Assert.Equal(["10024", "90000", "name 999"], answer);
        Assert.Equal(["1000", "199000", "199999"], last);
        Assert.Equal("10", Step("row groups")[3]);
        long needed = BytesOf(0, "row_group_id = 4 AND path_in_schema IN ('id', 'name')") + BytesOf(1, "path_in_schema IN ('id', 'name')");
        Assert.InRange(Number(Step("from storage")[4]), needed, (needed * 11 / 10) + (2 * 64 << 10) + 2000); // footers and the log
    }

    [Fact]
    public async Task A_statement_that_would_take_more_than_its_bound_is_stopped_before_it_does_and_told_what_it_needs()
    {
        string bucket = await UploadAsync(_server);
        await using LakeInstance lake = await StartAsync(bucket, _server.Options, "bounds");
        QuerySession session = Session(lake);
        await RowsAsync(lake, session, "SET max_lake_bytes = '1MiB'");

        LakeException refused = await Assert.ThrowsAsync<LakeException>(() => RowsAsync(lake, session, "SELECT max(digest) FROM db.events"));

        Assert.Equal(LakeErrorKind.ResourcesExhausted, refused.Kind);
        Assert.Contains("max_lake_bytes = 1048576", refused.Message, StringComparison.Ordinal);
        long needed = Number(refused.Message.Split(' ')[3]);
        string[] taken = Assert.Single(await RowsAsync(lake, session, "SELECT max(fetched_bytes) FROM lakeholo.query_log"));
        Assert.InRange(Number(taken[0]), 0, 1 << 20);

        await RowsAsync(lake, session, string.Create(CultureInfo.InvariantCulture, $"SET max_lake_bytes = {needed}"));
        Assert.Single(await RowsAsync(lake, session, "SELECT max(digest) FROM db.events"));

        await RowsAsync(lake, session, "SET max_lake_requests = 1");
        refused = await Assert.ThrowsAsync<LakeException>(() => RowsAsync(lake, session, "SELECT max(name) FROM db.events"));
        Assert.Contains("max_lake_requests = 1", refused.Message, StringComparison.Ordinal);
        await RowsAsync(lake, session, "RESET max_lake_requests");
        Assert.Single(await RowsAsync(lake, session, "SELECT max(name) FROM db.events"));
    }

    [Fact]
    public async Task A_file_that_was_rewritten_or_removed_meanwhile_is_looked_for_in_the_newest_listing_or_named()
    {
        string bucket = await UploadAsync(_server);
        await using LakeInstance lake = await StartAsync(bucket, _server.Options, "changing");
        QuerySession session = Session(lake);
        Assert.Equal(Expected, await AskAsync(lake, session));

        // Another file under an old name: the listing of the statement's start is the newest.
        await _server.PutAsync(bucket, "db/events/0.parquet", await File.ReadAllBytesAsync(_local.File("3.parquet")));
        Assert.Equal("40000|15599980000|name 0|name 999", await AskAsync(lake, session));

        // What the last sync saw is gone: the statement may not look again, so the file is named.
        await RowsAsync(lake, session, "SET freshness = 'synced'");
        await _server.OtherClient.RemoveObjectAsync(new RemoveObjectArgs().WithBucket(bucket).WithObject("db/events/1.parquet"));
        LakeException gone = await Assert.ThrowsAsync<LakeException>(() => RowsAsync(lake, session, "SELECT max(digest) FROM db.events"));
        Assert.Equal(LakeErrorKind.NotFound, gone.Kind);
        Assert.Contains("1.parquet", gone.Path, StringComparison.Ordinal);
        await RowsAsync(lake, session, "RESET freshness");
        Assert.Equal("40000|15599980000|name 0|name 999", await AskAsync(lake, session));
    }

    [Fact]
    public async Task A_store_that_stops_or_dies_is_an_error_in_bounded_time_and_the_answer_is_exact_when_it_goes_on()
    {
        await using var server = new S3Server();
        string bucket = await UploadAsync(server);
        S3Options options = server.Options with { MaxAttempts = 2, RequestTimeout = TimeSpan.FromMilliseconds(500) };
        await using LakeInstance lake = await StartAsync(bucket, options, "stopping");
        QuerySession session = Session(lake);

        server.Signal("STOP");
        LakeException stopped = await Assert.ThrowsAsync<LakeException>(() => AskAsync(lake, session));
        server.Signal("CONT");
        string answer = await AskAsync(lake, session);
        server.Signal("KILL");
        LakeException dead = await Assert.ThrowsAsync<LakeException>(() => RowsAsync(lake, session, "SELECT max(digest) FROM db.events"));
        await RowsAsync(lake, session, "SET freshness = 'synced'");

        Assert.Equal((LakeErrorKind.StorageUnavailable, true), (stopped.Kind, stopped.IsTransient));
        Assert.Equal((LakeErrorKind.StorageUnavailable, true), (dead.Kind, dead.IsTransient));
        Assert.Equal(Expected, answer);
        Assert.Equal(Expected, await AskAsync(lake, session)); // from the cache, without the store
    }

    private long BytesOf(int file, string condition)
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_local.Path] });
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        string path = SqlText.Literal(_local.File(string.Create(CultureInfo.InvariantCulture, $"{file}.parquet")));
        command.CommandText = $"SELECT sum(total_compressed_size)::BIGINT FROM parquet_metadata({path}) WHERE {condition}";
        return (long)command.ExecuteScalar()!;
    }

    private async Task<string> UploadAsync(S3Server server)
    {
        string bucket = await server.NewBucketAsync();
        await server.PutFolderAsync(bucket, "db/events/", _local.Path);
        return bucket;
    }

    private async Task<LakeInstance> StartAsync(string bucket, S3Options options, string data) => await LakeInstance.StartAsync(
        new LakeOptions
        {
            Sources = [new LakeSource { Name = "lake", Root = ObjectStores.Open($"s3://{bucket}", new StorageOptions { S3 = options }) }],
            DataDirectory = _data.File(data),
        },
        NullLoggerFactory.Instance,
        TimeProvider.System);

    private static QuerySession Session(LakeInstance lake) => lake.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));

    private static async Task<string> AskAsync(LakeInstance lake, QuerySession session) => string.Join('|', Assert.Single(await RowsAsync(lake, session, Question)));

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static async Task<string[][]> RowsAsync(LakeInstance lake, QuerySession session, string sql)
    {
        IPreparedQuery prepared = await lake.Engine.PrepareAsync(session, sql, default);
        await using IQueryResult result = await prepared.ExecuteAsync(session, null, 0, default);
        var rows = new List<string[]>();
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                rows.AddRange(Enumerable.Range(0, batch.Length).Select(r => Enumerable.Range(0, batch.ColumnCount).Select(c => Cell(batch.Column(c), r)).ToArray()));
            }
        }

        return [.. rows];
    }

    private static string Cell(IArrowArray array, int row) => array.IsNull(row) ? "NULL" : array switch
    {
        StringArray a => a.GetString(row),
        BooleanArray a => a.GetValue(row)!.Value ? "1" : "0",
        Int32Array a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        Int64Array a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        DoubleArray a => a.GetValue(row)!.Value.ToString(CultureInfo.InvariantCulture),
        Decimal128Array a => a.GetString(row),
        _ => array.GetType().Name,
    };
}
