using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Tests.Fakes;

namespace LakeHolo.Accelerator.Tests.Planning;

public sealed class ParameterTypeTests
{
    private const string Query = "SELECT CAST(? AS TIMESTAMPTZ), ?::TIME, ?::BOOLEAN, ? AS any_, name FROM t WHERE id = ? AND happened < ? AND price > ? AND name LIKE ? AND day = ?";

    [Fact]
    public async Task Markers_have_the_types_of_their_places()
        => Assert.Equal(["timestamp", "time64", "bool", "utf8", "int64", "timestamp", "utf8", "utf8", "date32"], await TypesAsync(Query, null));

    [Fact]
    public async Task The_JDBC_driver_is_told_times_in_milliseconds_without_a_zone()
    {
        await using FakeLake lake = await LakeAsync();
        lake.Session.Options["client_types"] = "jdbc";
        Schema schema = (await lake.Engine.PrepareAsync(lake.Session, Query, default)).ParameterSchema;
        foreach (int i in (int[])[0, 5])
        {
            var type = (TimestampType)schema.FieldsList[i].DataType;
            Assert.Equal((TimeUnit.Millisecond, null), (type.Unit, type.Timezone));
        }

        Assert.Equal(TimeUnit.Millisecond, ((Time32Type)schema.FieldsList[1].DataType).Unit);
    }

    [Fact]
    public async Task Results_for_the_JDBC_driver_have_no_unsigned_numbers_and_no_zones()
    {
        await using FakeLake lake = await LakeAsync();
        const string Sql = "SELECT 200::UTINYINT AS a, 60000::USMALLINT AS b, 4000000000::UINTEGER AS c, 18446744073709551615::UBIGINT AS d, [1::UINTEGER] AS e, TIMESTAMPTZ '2024-01-01 00:00:00+08' AS f";
        IPreparedQuery exact = await lake.Engine.PrepareAsync(lake.Session, Sql, default);
        Assert.Equal(["uint8", "uint16", "uint32", "uint64", "list", "timestamp"], exact.ResultSchema.FieldsList.Select(f => f.DataType.Name));
        lake.Session.Options["client_types"] = "jdbc";
        IPreparedQuery jdbc = await lake.Engine.PrepareAsync(lake.Session, Sql, default);
        Assert.Equal(["int16", "int32", "int64", "decimal128", "list", "timestamp"], jdbc.ResultSchema.FieldsList.Select(f => f.DataType.Name));
        Assert.Null(((TimestampType)jdbc.ResultSchema.FieldsList[5].DataType).Timezone);
        Assert.Equal(["18446744073709551615"], (await lake.QueryAsync("SELECT 18446744073709551615::UBIGINT AS d")).Select(d => d));
    }

    [Fact]
    public async Task A_transaction_sees_each_table_at_the_snapshot_of_its_first_statement()
    {
        await using FakeLake lake = await LakeAsync();
        QuerySession transaction = lake.Session.BeginTransaction();
        int before = lake.Loads;
        await RunAsync(transaction);
        await RunAsync(transaction);
        Assert.Equal(1, lake.Loads - before);
        transaction.EndTransaction();
        await RunAsync(transaction);
        Assert.Equal(2, lake.Loads - before);
        await RunAsync(lake.Session);
        Assert.Equal(3, lake.Loads - before);

        async Task RunAsync(QuerySession session)
        {
            IPreparedQuery query = await lake.Engine.PrepareAsync(session, "SELECT count(*) FROM t", default);
            await using IQueryResult result = await query.ExecuteAsync(session, null, 0, default);
        }
    }

    [Fact]
    public async Task Sessions_are_a_table()
    {
        await using FakeLake lake = await LakeAsync();
        QuerySession session = lake.Engine.OpenSession(new SessionIdentity("ana", "10.0.0.1", "some-client/1.2"));
        session.Options["tier"] = "lake";
        Assert.Equal(["ana|10.0.0.1|some-client/1.2|{\"tier\":\"lake\"}"], await lake.QueryAsync("SELECT user, client_address, client_name, options FROM lakeholo.sessions"));
        lake.Engine.CloseSession(session);
        Assert.Empty(await lake.QueryAsync("SELECT user FROM lakeholo.sessions"));
    }

    private static async Task<IEnumerable<string>> TypesAsync(string sql, string? clientTypes)
    {
        await using FakeLake lake = await LakeAsync();
        if (clientTypes is not null)
        {
            lake.Session.Options["client_types"] = clientTypes;
        }

        return (await lake.Engine.PrepareAsync(lake.Session, sql, default)).ParameterSchema.FieldsList.Select(f => f.DataType.Name);
    }

    private static async Task<FakeLake> LakeAsync()
    {
        var lake = new FakeLake();
        lake.AddTable("dwd", "t", "SELECT 1::BIGINT AS id, TIMESTAMP '2024-01-01' AS happened, 1.5::DECIMAL(12,2) AS price, 'x' AS name, DATE '2024-01-01' AS day");
        return await lake.StartAsync();
    }
}
