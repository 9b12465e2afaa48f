using Apache.Arrow;
using Apache.Arrow.Types;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Wire;
using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests;

/// <summary>Bytes that no client sends, and clients that leave at any moment.</summary>
public sealed class FuzzTests
{
    private static readonly StatusCode[] Refusals =
    [
        StatusCode.OK, StatusCode.InvalidArgument, StatusCode.NotFound, StatusCode.Unimplemented, StatusCode.ResourceExhausted, StatusCode.Cancelled,
    ];

    [Fact]
    public async Task Damaged_tickets_commands_and_actions_are_refused_and_open_nothing()
    {
        await using TestServer server = await TestServer.StartAsync();
        var random = new Random(20261125);
        FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT * FROM orders"));
        ActionCreatePreparedStatementResult prepared = await server.Client.PrepareAsync("SELECT ?");
        byte[][] seeds =
        [
            info.Endpoint[0].Ticket.Ticket_.ToByteArray(), RawClient.Query("SELECT 1").Cmd.ToByteArray(), Any.Pack(new CommandGetTables { Catalog = "lake", IncludeSchema = true }).ToByteArray(),
            Any.Pack(new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle }).ToByteArray(), Any.Pack(new CommandGetSqlInfo { Info = { 1, 2 } }).ToByteArray(),
            Any.Pack(new ActionCreatePreparedStatementRequest { Query = "SELECT 1" }).ToByteArray(), new CancelFlightInfoRequest { Info = info }.ToByteArray(),
        ];
        string[] actions = ["CreatePreparedStatement", "ClosePreparedStatement", "CancelFlightInfo", "CancelQuery", "RenewFlightEndpoint", "SetSessionOptions", "BeginTransaction", "EndTransaction", "Nonsense"];
        for (int i = 0; i < 600; i++)
        {
            byte[] bytes = Damage(seeds[random.Next(seeds.Length)], random);
            StatusCode status = (i % 3) switch
            {
                0 => await StatementTests.StatusOf(() => server.Client.ReadAsync(new Ticket { Ticket_ = ByteString.CopyFrom(bytes) })),
                1 => await StatementTests.StatusOf(() => server.Client.InfoAsync(new FlightDescriptor { Type = FlightDescriptor.Types.DescriptorType.Cmd, Cmd = ByteString.CopyFrom(bytes) })),
                _ => await StatementTests.StatusOf(() => server.Client.ActAsync(actions[random.Next(actions.Length)], ByteString.CopyFrom(bytes))),
            };
            Assert.True(Refusals.Contains(status), $"{i}: {status} for {Convert.ToHexString(bytes)}");
        }

        await server.Client.ActAsync("CloseSession", ByteString.Empty);
        await Eventually.TrueAsync(() => server.Host.Statements.ResultCount == 0 && server.Host.Statements.PreparedCount == 0 && server.Service.OpenResults == 0);
    }

    [Fact]
    public async Task Damaged_parameter_batches_are_refused()
    {
        await using TestServer server = await TestServer.StartAsync();
        var random = new Random(9);
        ActionCreatePreparedStatementResult prepared = await server.Client.PrepareAsync("SELECT ?");
        var command = new CommandPreparedStatementQuery { PreparedStatementHandle = prepared.PreparedStatementHandle };
        var schema = new Schema([new Apache.Arrow.Field("0", StringType.Default, true)], null);
        using var batch = new RecordBatch(schema, [new StringArray.Builder().Append("a").AppendNull().Append("long enough").Build()], 3);
        byte[] header = new BatchEncoder().Encode([new RowRange(batch, 0, 3)]).Header.ToArray();
        for (int i = 0; i < 200; i++)
        {
            StatusCode status = await StatementTests.StatusOf(() => server.Client.PutRawAsync(command, schema, Damage(header, random)));
            Assert.True(Refusals.Contains(status), $"{i}: {status}");
        }
    }

    [Fact]
    public async Task Thousands_of_clients_that_leave_at_any_moment_leave_nothing_behind()
    {
        await using TestServer server = await TestServer.StartAsync();
        var random = new Random(7);
        int[] moments = [.. Enumerable.Range(0, 2_000).Select(_ => random.Next(6))];
        await Parallel.ForEachAsync(moments, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (moment, _) =>
        {
            using var leave = new CancellationTokenSource();
            try
            {
                FlightInfo info = await server.Client.InfoAsync(RawClient.Query("SELECT range AS a FROM range(10000000)"));
                using AsyncServerStreamingCall<FlightData> call = server.Client.Get(info.Endpoint[0].Ticket, leave.Token);
                for (int i = 0; i < moment - 1; i++)
                {
                    await call.ResponseStream.MoveNext(default);
                }

                if (moment == 5)
                {
                    await server.Client.ActAsync("CancelFlightInfo", new CancelFlightInfoRequest { Info = info }.ToByteString());
                }

                await leave.CancelAsync();
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Cancelled or StatusCode.NotFound or StatusCode.ResourceExhausted)
            {
                // It left, or there were too many at once.
            }
        });

        // A result whose call never reached the server waits for its reader until its time is over: the session's end frees it.
        await server.Client.ActAsync("CloseSession", ByteString.Empty);
        await Eventually.TrueAsync(() => server.Service.OpenResults == 0 && server.Host.Statements.ResultCount == 0);
        Assert.Equal(0, server.Host.Sessions.Count);
        (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(new CommandStatementQuery { Query = "SELECT * FROM orders" });
        Assert.Equal(100, batches.Sum(b => b.Length));
    }

    private static byte[] Damage(byte[] seed, Random random)
    {
        byte[] bytes = [.. seed];
        switch (random.Next(4))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2:
                bytes.AsSpan(random.Next(bytes.Length)).Fill((byte)random.Next(256));
                return bytes;
            default:
                random.NextBytes(bytes);
                return bytes;
        }
    }
}
