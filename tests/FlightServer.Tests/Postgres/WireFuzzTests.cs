using System.Net.Sockets;
using System.Security.Cryptography;
using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>Bytes that no client sends: the connection may end, the server may not, and nothing is left behind.</summary>
public sealed class WireFuzzTests
{
    [Fact]
    public async Task Damaged_messages_and_lengths_hurt_nobody_else()
    {
        await using PgServer server = PgServer.Start();
        using PgWire other = await server.LoginAsync();
        var random = new Random(Fuzz.NewSeed());
        byte[][] seeds =
        [
            [.. "Q"u8, .. PgWire.Untyped(PgWire.Zero("SELECT order_id, customer FROM orders LIMIT 3"))],
            [.. "P"u8, .. PgWire.Untyped([.. PgWire.Zero("n"), .. PgWire.Zero("SELECT $1::int, $2"), .. PgWire.Short(2), .. PgWire.Int(23), .. PgWire.Int(25)])],
            [.. "B"u8, .. PgWire.Untyped([.. PgWire.Zero(""), .. PgWire.Zero("n"), .. PgWire.Short(1), .. PgWire.Short(1), .. PgWire.Short(2), .. PgWire.Int(4), 0, 0, 0, 7, .. PgWire.Int(-1), .. PgWire.Short(0)])],
            [.. "D"u8, .. PgWire.Untyped([(byte)'S', .. PgWire.Zero("n")])],
            [.. "E"u8, .. PgWire.Untyped([.. PgWire.Zero(""), .. PgWire.Int(2)])],
            [.. "C"u8, .. PgWire.Untyped([(byte)'P', .. PgWire.Zero("")])],
            [.. "S"u8, .. PgWire.Untyped([])],
            [.. "Q"u8, .. PgWire.Untyped(PgWire.Zero("COPY (SELECT 1, 'x') TO STDOUT (FORMAT csv, HEADER)"))],
            [.. "Q"u8, .. PgWire.Untyped(PgWire.Zero("SELECT relname::regclass, '{1,2}'::int[] FROM pg_catalog.pg_class WHERE oid = ANY('{1}')"))],
        ];
        foreach (int round in Fuzz.Rounds(300))
        {
            using PgWire wire = round % 3 == 0 ? await PgWire.OpenAsync(server.Address) : await server.LoginAsync();
            byte[] bytes = [.. Enumerable.Range(0, 1 + random.Next(4)).SelectMany(_ => Fuzz.Mutate(seeds[random.Next(seeds.Length)], random))];
            try
            {
                await wire.SendRawAsync(bytes);
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // It was thrown out before it had sent all.
            }
        }

        Assert.Equal("100", await other.TextAsync("select count(*) from orders"));
        await Eventually.TrueAsync(() => server.Host.ConnectionCount == 1 && server.Service.OpenResults == 0);
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(-1)]
    [InlineData(3)]
    public async Task A_length_that_cannot_be_ends_the_connection(int length)
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await server.LoginAsync();
        await wire.SendRawAsync([(byte)'Q', .. PgWire.Int(length), .. RandomNumberGenerator.GetBytes(64)]);
        Assert.Equal("08P01", (await wire.ReadAsync()).Field('C'));
        Assert.True(await wire.IsClosedAsync());
    }
}
