using Apache.Arrow;
using Google.Protobuf;
using LakeHolo.FlightServer.Metadata;
using LakeHolo.FlightServer.Protocol;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Tests;

public sealed class MetadataTests
{
    private static readonly IMessage[] Commands =
    [
        new CommandGetCatalogs(), new CommandGetDbSchemas(), new CommandGetTables(), new CommandGetTables { IncludeSchema = true }, new CommandGetTableTypes(),
        new CommandGetPrimaryKeys { Table = "orders" }, new CommandGetExportedKeys { Table = "orders" }, new CommandGetImportedKeys { Table = "orders" },
        new CommandGetCrossReference { PkTable = "orders", FkTable = "orders" }, new CommandGetSqlInfo(), new CommandGetXdbcTypeInfo(),
    ];

    [Fact]
    public async Task Every_metadata_command_has_one_schema_in_info_schema_and_rows()
    {
        await using TestServer server = await TestServer.StartAsync();
        foreach (IMessage command in Commands)
        {
            FlightInfo info = await server.Client.InfoAsync(RawClient.Descriptor(command));
            (Schema schema, _, List<FlightData> messages) = await server.Client.ReadAsync(info.Endpoint[0].Ticket);
            Assert.Equal(info.Schema.ToByteArray()[8..], messages[0].DataHeader.ToByteArray());
            Assert.True(WireSchema.SameColumns(schema, await server.Client.SchemaAsync(RawClient.Descriptor(command))), command.Descriptor.Name);
        }
    }

    [Fact]
    public async Task Tables_are_filtered_by_pattern_and_type_and_sorted()
    {
        await using TestServer server = await TestServer.StartAsync();
        Assert.Equal(["orders", "ordersX", "sales_daily"], await Names(server, new CommandGetTables()));
        Assert.Equal(["orders", "ordersX"], await Names(server, new CommandGetTables { DbSchemaFilterPattern = "dw_", TableNameFilterPattern = "ord%" }));
        Assert.Equal(["sales_daily"], await Names(server, new CommandGetTables { TableNameFilterPattern = "sales\\_daily" }));
        Assert.Equal(["ordersX"], await Names(server, new CommandGetTables { TableTypes = { "VIEW" } }));
        Assert.Equal(["orders", "sales_daily"], await Names(server, new CommandGetTables { TableTypes = { "BASE TABLE" } }));
        Assert.Empty(await Names(server, new CommandGetTables { Catalog = "" }));
        Assert.Empty(await Names(server, new CommandGetTables { TableNameFilterPattern = "" }));
    }

    [Fact]
    public async Task Table_schemas_decode_to_the_columns()
    {
        await using TestServer server = await TestServer.StartAsync();
        (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(new CommandGetTables { IncludeSchema = true, TableNameFilterPattern = "orders" });
        Schema schema = EncodedSchema.Decode(((BinaryArray)batches[0].Column(4)).GetBytes(0).ToArray());
        Assert.Equal(["order_id", "customer"], schema.FieldsList.Select(f => f.Name));
        Assert.Equal("orders", schema.FieldsList[0].Metadata["ARROW:FLIGHT:SQL:TABLE_NAME"]);
    }

    [Fact]
    public async Task Primary_keys_are_numbered_from_one()
    {
        await using TestServer server = await TestServer.StartAsync();
        (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(new CommandGetPrimaryKeys { DbSchema = "dwd", Table = "orders" });
        Assert.Equal("order_id", ((StringArray)batches[0].Column(3)).GetString(0));
        Assert.Equal(1, ((Int32Array)batches[0].Column(4)).GetValue(0));
    }

    [Theory]
    [InlineData(0u, 0)]
    [InlineData(3u, 1)]
    [InlineData(8u, 3)]
    [InlineData(100u, 3)]
    [InlineData(503u, 2)]
    [InlineData(508u, 4)]
    [InlineData(541u, 2)]
    [InlineData(562u, 2)]
    [InlineData(564u, 3)]
    public async Task Sql_info_codes_use_the_child_that_drivers_cast(uint code, int child)
    {
        await using TestServer server = await TestServer.StartAsync();
        (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(new CommandGetSqlInfo { Info = { code, code, 9999 } });
        Assert.Equal(1, batches[0].Length);
        Assert.Equal(code, ((UInt32Array)batches[0].Column(0)).GetValue(0));
        Assert.Equal(child, ((UnionArray)batches[0].Column(1)).TypeIds[0]);
    }

    [Fact]
    public async Task Sql_info_never_has_a_code_that_breaks_the_jdbc_driver()
    {
        await using TestServer server = await TestServer.StartAsync();
        (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(new CommandGetSqlInfo());
        Assert.All((UInt32Array)batches[0].Column(0), code => Assert.True(code < 577));
    }

    [Theory]
    [InlineData("a%", "abc", true)]
    [InlineData("%c%e", "abcde", true)]
    [InlineData("a\\%", "a%", true)]
    [InlineData("a\\%", "ab", false)]
    [InlineData("", "a", false)]
    [InlineData("", "", true)]
    [InlineData("A", "a", false)]
    [InlineData("%%%%%%%%%%%%%%%%%%%%%%%%b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false)]
    public void Patterns_match_as_the_protocol_says(string pattern, string text, bool expected) => Assert.Equal(expected, LikePattern.Matches(pattern, text));

    private static async Task<string[]> Names(TestServer server, CommandGetTables command)
    {
        (_, List<RecordBatch> batches, _) = await server.Client.RunAsync(command);
        return [.. batches.SelectMany(b => (IEnumerable<string>)(StringArray)b.Column(2))];
    }
}
