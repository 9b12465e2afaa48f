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

namespace LakeHolo.Integration.Tests.Storage;

/// <summary>Whole statements over a real object store whose files are under way while the engine runs.</summary>
public sealed class StatementsOverS3Tests(S3Server server) : IDisposable
{
    private const int FileCount = 5;
    private const int Rows = 500_000;

    private static readonly (string Sql, string Answer)[] Questions =
    [
        ("SELECT count(*) AS n, sum(id)::BIGINT AS s, max(name) AS m FROM s.t WHERE name <> ''", $"{Rows}|{(long)Rows * (Rows - 1) / 2}|name 999"),
        ("SELECT count(*) AS n, sum(a.id)::BIGINT AS s, max(b.name) AS m FROM s.t a JOIN s.t b ON a.id = b.id + 1", $"{Rows - 1}|{(long)Rows * (Rows - 1) / 2}|name 999"),
    ];

    private readonly TemporaryFolder _local = new();

    public void Dispose() => _local.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_the_network_does_an_answer_is_exact_or_an_error(int seed)
    {
        string bucket = await UploadAsync();
        var random = new Random(seed);
        await using var proxy = new FaultProxy(server.Endpoint);
        int answers = 0;
        for (int round = 0; round < 6; round++)
        {
            await using var store = new S3ObjectStore(bucket, server.Options with { Endpoint = proxy.Address, MaxAttempts = 2, RequestTimeout = TimeSpan.FromMilliseconds(500) });
            using var data = new TemporaryFolder();
            await using LakeInstance lake = await StartAsync(store, data);
            for (int i = 0; i < 30; i++)
            {
                // Most pass: what is lost is to be lost in the middle.
                FaultKind kind = random.Next(4) > 0 ? FaultKind.Pass : (FaultKind)random.Next(Enum.GetValues<FaultKind>().Length);
                proxy.Enqueue(new Fault(kind, AfterBytes: random.Next(20_000), Delay: TimeSpan.FromMilliseconds(random.Next(2))));
            }

            foreach ((string sql, string expected) in Questions)
            {
                try
                {
                    Assert.Equal(expected, await AnswerAsync(lake, sql));
                    answers++;
                }
                catch (LakeException e)
                {
                    Assert.Equal((LakeErrorKind.StorageUnavailable, true), (e.Kind, e.IsTransient));
                }
            }
        }

        Assert.NotEqual(0, answers);
    }

    [Fact]
    public async Task Behind_a_slow_bucket_nobody_else_waits_and_the_log_tells_what_was_fetched()
    {
        string bucket = await UploadAsync();
        await using var proxy = new FaultProxy(server.Endpoint);
        await using var store = new S3ObjectStore(bucket, server.Options with { Endpoint = proxy.Address });
        using var data = new TemporaryFolder();
        await using LakeInstance lake = await StartAsync(store, data);
        proxy.Otherwise = new Fault(FaultKind.Throttle, Delay: TimeSpan.FromMilliseconds(20));

        Task<string> slow = AnswerAsync(lake, Questions[0].Sql);
        await Eventually.TrueAsync(() => lake.Engine.Log.Entries.Any(e => e.State == "running" && e.Tables.Count > 0));
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("49999995000000", await AnswerAsync(lake, "SELECT sum(i)::BIGINT AS s FROM range(10_000_000) r(i)"));
        }

        Assert.False(slow.IsCompleted);
        proxy.Otherwise = Fault.None;
        Assert.Equal(Questions[0].Answer, await slow);
        long fetched = lake.Engine.Log.Entries.First(e => e.Sql == Questions[0].Sql).Tables.Sum(t => t.FetchedBytes);
        Assert.InRange(fetched, 1_000_000, new DirectoryInfo(_local.Path).GetFiles("*", SearchOption.AllDirectories).Sum(f => f.Length));
    }

    private async Task<string> UploadAsync()
    {
        using var writer = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_local.Path] });
        using DuckDBConnection connection = writer.OpenConnection();
        Directory.CreateDirectory(_local.File("s/t"));
        for (int i = 0; i < FileCount; i++)
        {
            EngineDatabase.Execute(connection, $"""
                COPY (SELECT i AS id, 'name ' || (i * 7919 % 1000) AS name, md5(i::VARCHAR) AS digest FROM range({i * Rows / FileCount}, {(i + 1) * Rows / FileCount}) r(i))
                TO {SqlText.Literal(_local.File($"s/t/{i}.parquet"))} (FORMAT parquet, ROW_GROUP_SIZE 20480)
                """);
        }

        string bucket = await server.NewBucketAsync();
        await server.PutFolderAsync(bucket, "", _local.Path);
        return bucket;
    }

    private static ValueTask<LakeInstance> StartAsync(S3ObjectStore store, TemporaryFolder data) => LakeInstance.StartAsync(
        new LakeOptions
        {
            Sources = [new LakeSource { Name = "lake", Root = new TableRoot(store, string.Empty) }],
            DataDirectory = data.Path,
            Engine = new EngineOptions { Threads = 2 },
        },
        NullLoggerFactory.Instance, TimeProvider.System);

    private static async Task<string> AnswerAsync(LakeInstance lake, string sql)
    {
        QuerySession session = lake.Engine.OpenSession(new SessionIdentity("test", "local", "xunit"));
        IPreparedQuery prepared = await lake.Engine.PrepareAsync(session, sql, default);
        await using IQueryResult result = await prepared.ExecuteAsync(session, null, 0, default);
        string answer = string.Empty;
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                answer += string.Join('|', batch.Arrays.Select(a => a is StringArray texts ? texts.GetString(0) : ((Int64Array)a).GetValue(0)!.Value.ToString(CultureInfo.InvariantCulture)));
            }
        }

        return answer;
    }
}
