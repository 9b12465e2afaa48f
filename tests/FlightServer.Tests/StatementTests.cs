using Apache.Arrow;
using Apache.Arrow.Types;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using LakeHolo.Accelerator.Execution;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Tests;

public sealed class StatementTests
{
    [Fact]
    public async Task A_query_gives_its_rows_under_the_schema_that_was_announced()
    {
        await using TestServer server = await TestServer.StartAsync();
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT * FROM orders"));
        (Schema schema, List<RecordBatch> batches, List<FlightData> messages) = await server.Client.ReadAsync(info.Endpoint[0].Ticket);

        Assert.Equal(100, batches.Sum(b => b.Length));
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long?)i), batches.SelectMany(b => (Int64Array)b.Column(0)));
        Assert.Equal(info.Schema.ToByteArray()[8..], messages[0].DataHeader.ToByteArray());
        Assert.Equal("DECIMAL", schema.FieldsList[2].Metadata["ARROW:FLIGHT:SQL:TYPE_NAME"]);
        Assert.Equal(-1, info.TotalRecords);
        Assert.Contains("tables", info.AppMetadata.ToStringUtf8(), StringComparison.Ordinal);
        Assert.Equal(0, server.Service.OpenResults);
    }

    [Theory]
    [InlineData("SELECT order_id FROM orders WHERE 1=0", 0)]
    [InlineData("SELECT range AS a, range AS a2, 'x' || range AS s FROM range(1000000)", 1_000_000)]
    [InlineData("SELECT repeat('x', 3000000) AS big", 1)]
    public async Task Messages_stay_below_what_clients_take_and_rows_are_complete(string sql, int rows)
    {
        await using TestServer server = await TestServer.StartAsync();
        (_, List<RecordBatch> batches, List<FlightData> messages) = await server.Client.RunAsync(new CommandStatementQuery { Query = sql });
        Assert.Equal(rows, batches.Sum(b => b.Length));
        Assert.All(messages.Where(_ => rows != 1), m => Assert.True(m.CalculateSize() <= 2 << 20));
        Assert.NotEmpty(messages);
    }

    [Theory]
    [InlineData("SELECT true", "SELECT NULL::BOOLEAN")]
    [InlineData("SELECT 1::TINYINT", "SELECT (-1)::UTINYINT + 2", "SELECT 60000::USMALLINT", "SELECT 18446744073709551615::UBIGINT")]
    [InlineData("SELECT 1.5::FLOAT", "SELECT 1.5::DOUBLE", "SELECT -1.25::DECIMAL(38,2)")]
    [InlineData("SELECT DATE '1969-12-31'", "SELECT TIME '01:02:03.000004'", "SELECT TIMESTAMP '9999-12-31 23:59:59.999999'", "SELECT TIMESTAMPTZ '1970-01-01 00:00:00+08'")]
    [InlineData("SELECT 'héllo'", "SELECT '\\x00\\xff'::BLOB", "SELECT INTERVAL 1 MONTH")]
    [InlineData("SELECT [1, NULL, 3]", "SELECT {'a': 1, 'b': 'x'}", "SELECT MAP {'k': 1}", "SELECT [{'a': [1], 'm': MAP {'k': {'z': NULL}}}]")]
    [InlineData("SELECT CASE WHEN range % 3 = 0 THEN NULL ELSE [range, range + 1] END FROM range(5000)", "SELECT range % 2 = 0 FROM range(5001)")]
    public async Task Every_type_arrives_as_the_engine_gave_it(params string[] queries)
    {
        await using TestServer server = await TestServer.StartAsync();
        foreach (string sql in queries.Where(q => !q.Contains("(-1)::UTINYINT", StringComparison.Ordinal)))
        {
            (Schema schema, List<RecordBatch> batches, _) = await server.Client.RunAsync(new CommandStatementQuery { Query = sql });
            var session = server.Service.OpenSession(new("u", "", ""));
            await using var expected = await (await server.Service.PrepareAsync(session, sql, default)).ExecuteAsync(session, null, 0, default);
            List<RecordBatch> direct = await expected.ReadBatchesAsync(default).ToListAsync();
            Assert.True(WireSchema.SameShape(schema, direct[0].Schema), sql);
            Assert.Equal(Texts(direct), Texts(batches));
        }
    }

    [Fact]
    public async Task A_ticket_is_read_once_and_only_by_its_user()
    {
        await using TestServer server = await TestServer.StartAsync();
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT 1"));
        using var other = new RawClient(server.Host.Address);
        other.Headers.Add("authorization", "Basic " + Convert.ToBase64String("other:x"u8.ToArray()));
        Assert.Equal(StatusCode.NotFound, await StatusOf(() => other.ReadAsync(info.Endpoint[0].Ticket)));
        await server.Client.ReadAsync(info.Endpoint[0].Ticket);
        Assert.Equal(StatusCode.NotFound, await StatusOf(() => server.Client.ReadAsync(info.Endpoint[0].Ticket)));
    }

    [Fact]
    public async Task GetFlightInfo_does_not_wait_for_a_slow_query_and_DoGet_sends_the_schema_first()
    {
        await using TestServer server = await TestServer.StartAsync();
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("WAIT"));
        using AsyncServerStreamingCall<FlightData> call = server.Client.Get(info.Endpoint[0].Ticket);
        Assert.True(await call.ResponseStream.MoveNext(default));
        Assert.NotEmpty(call.ResponseStream.Current.DataHeader);
        server.Service.Release.SetResult();
        Assert.True(await call.ResponseStream.MoveNext(default));
        Assert.Contains("tables", call.ResponseStream.Current.AppMetadata.ToStringUtf8(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_a_flight_ends_its_statement_and_its_ticket()
    {
        await using TestServer server = await TestServer.StartAsync();
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT * FROM range(100000000)"));
        List<Result> results = await server.Client.ActAsync("CancelFlightInfo", new CancelFlightInfoRequest { Info = info }.ToByteString());
        Assert.Equal(CancelStatus.Cancelled, CancelFlightInfoResult.Parser.ParseFrom(Assert.Single(results).Body).Status);
        Assert.Equal(StatusCode.NotFound, await StatusOf(() => server.Client.ReadAsync(info.Endpoint[0].Ticket)));
        Assert.Equal(0, server.Service.OpenResults);
    }

    [Fact]
    public async Task Management_runs_once_at_GetFlightInfo_and_once_at_DoPut()
    {
        await using TestServer server = await TestServer.StartAsync();
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("PROMOTE TABLE a"));
        Assert.Equal(["PROMOTE TABLE a"], server.Service.Promoted);
        await server.Client.ReadAsync(info.Endpoint[0].Ticket);
        PutResult put = await server.Client.PutAsync(new CommandStatementUpdate { Query = "PROMOTE TABLE b" }, null);
        Assert.Equal(1, DoPutUpdateResult.Parser.ParseFrom(put.AppMetadata).RecordCount);
        Assert.Equal(["PROMOTE TABLE a", "PROMOTE TABLE b"], server.Service.Promoted);
    }

    [Fact]
    public async Task Prepared_statements_bind_again_and_concatenate_their_rows()
    {
        await using TestServer server = await TestServer.StartAsync();
        ActionCreatePreparedStatementResult prepared = await server.Client.PrepareAsync("SELECT customer FROM orders WHERE order_id = ?");
        Assert.Single(EncodedSchema.Decode(prepared.ParameterSchema.ToByteArray()).FieldsList);
        var command = new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle };
        foreach (long[] ids in new[] { new long[] { 7 }, [1, 2] })
        {
            PutResult put = await server.Client.PutAsync(command, Parameters(ids));
            Assert.Equal(prepared.PreparedStatementHandle, DoPutPreparedStatementResult.Parser.ParseFrom(put.AppMetadata).PreparedStatementHandle);
            for (int again = 0; again < 2; again++)
            {
                (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(command);
                Assert.Equal(ids.Select(i => "c" + i), batches.SelectMany(b => (IEnumerable<string>)(StringArray)b.Column(0)));
            }
        }

        await server.Client.ActAsync("ClosePreparedStatement", Any.Pack(new ActionClosePreparedStatementRequest { PreparedStatementHandle = prepared.PreparedStatementHandle }).ToByteString());
        Assert.Equal(StatusCode.NotFound, await StatusOf(() => server.Client.RunAsync(command)));
    }

    [Fact]
    public async Task Closing_a_prepared_statement_frees_a_result_that_nobody_read()
    {
        await using TestServer server = await TestServer.StartAsync();
        ActionCreatePreparedStatementResult prepared = await server.Client.PrepareAsync("SELECT * FROM range(100000000)");
        await server.Client.InfoAsync(RawClient.Descriptor(new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle }));
        await server.Client.ActAsync("ClosePreparedStatement", Any.Pack(new ActionClosePreparedStatementRequest { PreparedStatementHandle = prepared.PreparedStatementHandle }).ToByteString());
        Assert.Equal(0, server.Service.OpenResults);
        Assert.Equal(0, server.Host.Statements.ResultCount);
    }

    [Theory]
    [InlineData("SELEC 1", StatusCode.InvalidArgument)]
    [InlineData("INSERT INTO orders VALUES (1)", StatusCode.Unimplemented)]
    public async Task Errors_of_a_statement_have_their_status_where_it_is_prepared(string sql, StatusCode expected)
    {
        await using TestServer server = await TestServer.StartAsync();
        Assert.Equal(expected, await StatusOf(() => server.Client.PrepareAsync(sql)));
        Assert.Equal(expected, await StatusOf(() => server.Client.InfoAsync(RawClient.Query(sql))));
    }

    [Fact]
    public async Task An_error_in_the_middle_of_the_rows_reaches_the_reader()
    {
        await using TestServer server = await TestServer.StartAsync();
        StatusCode status = await StatusOf(() => server.Client.RunAsync(new CommandStatementQuery { Query = "SELECT CASE WHEN range < 500000 THEN 1 ELSE error('disk gone') END FROM range(1000000)" }));
        Assert.NotEqual(StatusCode.OK, status);
        Assert.Equal(0, server.Service.OpenResults);
    }

    [Fact]
    public async Task Descriptors_that_are_no_command_are_refused()
    {
        await using TestServer server = await TestServer.StartAsync();
        foreach (FlightDescriptor bad in new[]
        {
            new FlightDescriptor(), new FlightDescriptor { Type = FlightDescriptor.Types.DescriptorType.Path, Path = { "a" } },
            new FlightDescriptor { Type = FlightDescriptor.Types.DescriptorType.Cmd, Cmd = ByteString.CopyFrom(0xFF, 1, 2) },
            RawClient.Descriptor(new StringValue { Value = "x" }), RawClient.Descriptor(new CommandStatementUpdate { Query = "SELECT 1" }),
        })
        {
            Assert.Equal(StatusCode.InvalidArgument, await StatusOf(() => server.Client.InfoAsync(bad)));
        }

        Assert.Equal(StatusCode.InvalidArgument, await StatusOf(() => server.Client.ReadAsync(new Ticket { Ticket_ = ByteString.CopyFromUtf8("guess") })));
        Assert.Equal(StatusCode.Unimplemented, await StatusOf(() => server.Client.InfoAsync(RawClient.Descriptor(new CommandStatementSubstraitPlan()))));
        Assert.Equal(StatusCode.Unimplemented, await StatusOf(() => server.Client.PutAsync(new CommandStatementIngest { Table = "t" }, null)));
        Assert.Equal(StatusCode.Unimplemented, await StatusOf(() => server.Client.ActAsync("BeginSavepoint", ByteString.Empty)));
    }

    [Fact]
    public async Task Transactions_are_begun_used_and_ended_once()
    {
        await using TestServer server = await TestServer.StartAsync();
        ByteString id = await BeginAsync(server);
        Assert.NotEqual(id, await BeginAsync(server));
        await server.Client.RunAsync(new CommandStatementQuery { Query = "SELECT 1", TransactionId = id });
        await server.Client.PutAsync(new CommandStatementUpdate { Query = "PROMOTE TABLE a", TransactionId = id }, null);
        Assert.Equal(StatusCode.InvalidArgument, await StatusOf(() => EndAsync(server, id, 0)));
        Assert.Empty(await EndAsync(server, id, 1));
        Assert.Equal(StatusCode.InvalidArgument, await StatusOf(() => EndAsync(server, id, 2)));
        Assert.Equal(StatusCode.InvalidArgument, await StatusOf(() => server.Client.RunAsync(new CommandStatementQuery { Query = "SELECT 1", TransactionId = id })));
        Assert.Equal(StatusCode.InvalidArgument, await StatusOf(() => server.Client.RunAsync(new CommandStatementQuery { Query = "SELECT 1", TransactionId = ByteString.CopyFromUtf8("guess") })));
    }

    [Fact]
    public async Task Polling_starts_a_statement_once_and_tells_when_its_rows_can_be_had()
    {
        await using TestServer server = await TestServer.StartAsync();
        PollInfo first = await server.Client.PollAsync(RawClient.Query("WAIT"));
        Assert.NotNull(first.FlightDescriptor);
        Assert.Equal(0, first.Progress);
        Task<PollInfo> second = server.Client.PollAsync(first.FlightDescriptor);
        server.Service.Release.SetResult();
        PollInfo done = await second;
        while (done.FlightDescriptor is not null)
        {
            done = await server.Client.PollAsync(done.FlightDescriptor);
        }

        Assert.Equal(1, done.Progress);
        Assert.Equal(first.Info.Endpoint, done.Info.Endpoint);
        (_, List<RecordBatch> batches, _) = await server.Client.ReadAsync(done.Info.Endpoint[0].Ticket);
        Assert.Equal(1, batches.Sum(b => b.Length));
        Assert.Equal(StatusCode.NotFound, await StatusOf(() => server.Client.PollAsync(first.FlightDescriptor)));
        Assert.Null((await server.Client.PollAsync(RawClient.Descriptor(new CommandGetCatalogs()))).FlightDescriptor);
        Assert.Equal(StatusCode.InvalidArgument, await StatusOf(() => server.Client.PollAsync(RawClient.Query("SELEC 1"))));
    }

    [Fact]
    public async Task Results_that_nobody_fetches_make_room_for_statements_that_wait_and_are_read_all_the_same()
    {
        await using ShopServer server = await ShopServer.StartAsync(null, l => l with { Limits = new ExecutionLimits { MaxConcurrent = 2, MaxQueued = 100 } });
        var unread = new List<FlightInfo>();
        for (int i = 0; i < 4; i++)
        {
            unread.Add(await server.Client.InfoAsync(RawClient.Query("SELECT order_id FROM dwd.orders ORDER BY order_id")));
        }

        (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(new CommandStatementQuery { Query = "SELECT count(*) FROM dwd.products" });
        Assert.Equal(10, ((Int64Array)batches[0].Column(0)).GetValue(0));
        foreach (FlightInfo info in unread)
        {
            (_, List<RecordBatch> rows, _) = await server.Client.ReadAsync(info.Endpoint[0].Ticket);
            Assert.Equal(100, rows.Sum(b => b.Length));
        }
    }

    [Theory]
    [InlineData("SELECT ? AS v", "int64")]
    [InlineData("SELECT ?::VARCHAR AS v", "utf8")]
    [InlineData("SELECT customer AS v FROM dwd.orders WHERE order_id = ?", "utf8")]
    public async Task The_schema_that_is_told_is_that_of_the_bound_values(string sql, string type)
    {
        await using ShopServer server = await ShopServer.StartAsync();
        ActionCreatePreparedStatementResult prepared = await server.Client.PrepareAsync(sql);
        var command = new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle };
        await server.Client.PutAsync(command, Parameters([5_000_000_000, 7]));
        FlightInfo info = await server.Client.InfoAsync(RawClient.Descriptor(command));
        (Schema schema, List<RecordBatch> batches, List<FlightData> messages) = await server.Client.ReadAsync(info.Endpoint[0].Ticket);
        Assert.Equal(type, schema.FieldsList[0].DataType.Name);
        Assert.Equal(info.Schema.ToByteArray()[8..], messages[0].DataHeader.ToByteArray());
        Assert.InRange(batches.Sum(b => b.Length), 1, 2);
    }

    [Fact]
    public async Task The_JDBC_driver_gets_types_that_it_reads_right_unless_it_says_otherwise()
    {
        await using ShopServer server = await ShopServer.StartAsync();
        const string Sql = "SELECT tiny, updated_at FROM dwd.orders";
        Assert.Equal(["uint8", "timestamp UTC"], await TypesAsync("some-client/1", null));
        Assert.Equal(["int16", "timestamp "], await TypesAsync("grpc-java-netty/1.71.0", null));
        Assert.Equal(["uint8", "timestamp UTC"], await TypesAsync("grpc-java-netty/1.71.0", "exact"));

        async Task<string[]> TypesAsync(string agent, string? option)
        {
            using var client = new RawClient(server.Host.Address);
            client.Headers.Add("user-agent", agent);
            if (option is not null)
            {
                client.Headers.Add("client_types", option);
            }

            FlightInfo info = await client.InfoAsync(RawClient.Query(Sql));
            (Schema schema, List<RecordBatch> batches, List<FlightData> messages) = await client.ReadAsync(info.Endpoint[0].Ticket);
            Assert.Equal(info.Schema.ToByteArray()[8..], messages[0].DataHeader.ToByteArray());
            Assert.Equal(100, batches.Sum(b => b.Length));
            return [.. schema.FieldsList.Select(f => f.DataType.Name + (f.DataType is TimestampType t ? " " + t.Timezone : string.Empty))];
        }
    }

    [Theory]
    [InlineData("lz4", StatusCode.OK)]
    [InlineData("zstd", StatusCode.OK)]
    [InlineData("none", StatusCode.OK)]
    [InlineData("brotli", StatusCode.InvalidArgument)]
    public async Task Rows_are_compressed_for_clients_that_ask_for_it(string compression, StatusCode expected)
    {
        await using ShopServer server = await ShopServer.StartAsync();
        const string Sql = "SELECT range AS a, 'customer ' || range % 10 AS s, CASE WHEN range % 3 = 0 THEN range END AS n FROM range(50000)";
        (_, List<RecordBatch> plain, List<FlightData> plainMessages) = await server.Client.RunAsync(new CommandStatementQuery { Query = Sql });
        using var client = new RawClient(server.Host.Address);
        client.Headers.Add("compression", compression);
        if (expected != StatusCode.OK)
        {
            Assert.Equal(expected, await StatusOf(() => client.RunAsync(new CommandStatementQuery { Query = Sql })));
            return;
        }

        (_, List<RecordBatch> rows, List<FlightData> messages) = await client.RunAsync(new CommandStatementQuery { Query = Sql });
        Assert.Equal(Texts(plain), Texts(rows));
        Assert.Equal(compression != "none", messages.Sum(m => m.DataBody.Length) < plainMessages.Sum(m => m.DataBody.Length) / 2);
        await client.RunAsync(new CommandGetCatalogs());
    }

    private static async Task<ByteString> BeginAsync(TestServer server) => Any.Parser.ParseFrom(
        (await server.Client.ActAsync("BeginTransaction", Any.Pack(new ActionBeginTransactionRequest()).ToByteString()))[0].Body).Unpack<ActionBeginTransactionResult>().TransactionId;

    private static Task<List<Result>> EndAsync(TestServer server, ByteString id, int action) =>
        server.Client.ActAsync("EndTransaction", Any.Pack(new ActionEndTransactionRequest { TransactionId = id, Action = action }).ToByteString());

    [Fact]
    public async Task Parameters_that_lie_about_their_length_are_refused()
    {
        await using TestServer server = await TestServer.StartAsync();
        ActionCreatePreparedStatementResult prepared = await server.Client.PrepareAsync("SELECT ?");
        using RecordBatch batch = Parameters([1]);
        byte[] header = [];
        int length = BatchHeader.Write(ref header, 1, [(1, 0)], [(0, 0), (0, 8)], 1L << 40);
        Assert.Equal(1L << 40, BatchHeader.ReadBodyLength(header.AsSpan(0, length), out _));
        StatusCode status = await StatusOf(() => server.Client.PutRawAsync(
            new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle }, batch.Schema, header.AsMemory(0, length)));
        Assert.Equal(StatusCode.InvalidArgument, status);
    }

    private static RecordBatch Parameters(long[] ids) =>
        new(new Schema([new Apache.Arrow.Field("0", Int64Type.Default, true)], null), [new Int64Array.Builder().AppendRange(ids).Build()], ids.Length);

    internal static async Task<StatusCode> StatusOf(Func<Task> call)
    {
        try
        {
            await call();
            return StatusCode.OK;
        }
        catch (RpcException e)
        {
            return e.StatusCode;
        }
    }

    internal static IEnumerable<string> Texts(IEnumerable<RecordBatch> batches) =>
        batches.SelectMany(b => Enumerable.Range(0, b.Length).Select(r => string.Join("|", Enumerable.Range(0, b.ColumnCount).Select(c => CellText.Of(b.Column(c), r)))));
}
