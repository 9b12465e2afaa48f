using DuckDB.NET.Data;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.FlightServer.Tests.Harness;

/// <summary>A server over a real instance: the tables that the recorded clients asked, as folders of Parquet files.</summary>
internal sealed class ShopServer : IAsyncDisposable
{
    private const string Orders = """
        SELECT range::BIGINT AS order_id, 'customer ' || range % 7 AS customer, (range * 1.25)::DECIMAL(12,2) AS amount, range % 2 = 0 AS paid, (range / 3)::DOUBLE AS weight,
            DATE '2024-01-01' + range::INTEGER AS order_date, TIMESTAMP '2024-01-01 10:00:00' + INTERVAL 1 HOUR * range AS created_at,
            TIMESTAMPTZ '2024-01-01 10:00:00+00' + INTERVAL 1 MINUTE * range AS updated_at, range::SMALLINT AS small, range::UTINYINT AS tiny, ['a', NULL] AS tags,
            {'city': 'B', 'zip': range} AS address, ('\x00' || range)::BLOB AS payload FROM range(100)
        """;

    private readonly TemporaryFolder _folder = new();

    public LakeInstance Instance { get; private set; } = null!;

    public FlightHost Host { get; private set; } = null!;

    public RawClient Client { get; private set; } = null!;

    public static async Task<ShopServer> StartAsync(Func<FlightServerOptions, FlightServerOptions>? configure = null, Func<LakeOptions, LakeOptions>? lake = null, TimeProvider? time = null)
    {
        var server = new ShopServer();
        server.Write("dwd", "orders", Orders);
        server.Write("dwd", "products", "SELECT range::INTEGER AS product_id, 'p' || range AS name FROM range(10)");
        server.Write("dws", "sales_daily", "SELECT DATE '2024-01-01' + range::INTEGER AS day, (range * 10)::DECIMAL(18,2) AS total FROM range(5)");
        var options = new LakeOptions
        {
            Sources = [new LakeSource { Name = "lake", Root = new TableRoot(new LocalFolderStore(server._folder.File("lake")), string.Empty) }],
            DataDirectory = server._folder.File("data"),
        };
        server.Instance = await LakeInstance.StartAsync(lake?.Invoke(options) ?? options, NullLoggerFactory.Instance, time ?? TimeProvider.System);
        var flight = new FlightServerOptions { Listen = new Uri("grpc://127.0.0.1:0") };
        server.Host = await FlightHost.StartAsync(server.Instance.Engine, configure?.Invoke(flight) ?? flight, NullLoggerFactory.Instance, time ?? TimeProvider.System, default);
        server.Client = new RawClient(server.Host.Address);
        return server;
    }

    /// <summary>Writes one file of a table; the same name again adds nothing but replaces it.</summary>
    public void Write(string schema, string table, string select, string file = "data")
    {
        string folder = Path.Combine(_folder.File("lake"), schema, table);
        Directory.CreateDirectory(folder);
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SET TimeZone = 'UTC'; COPY ({select}) TO '{folder}/{file}.parquet'";
        command.ExecuteNonQuery();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Host.DisposeAsync();
        await Instance.DisposeAsync();
        _folder.Dispose();
    }
}
