using System.Diagnostics;
using System.Globalization;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>The backslash commands of the real psql show lake tables with comments, keys, layer and format, and nothing where a lake has nothing.</summary>
public sealed class PsqlTests
{
    [Fact]
    public async Task Backslash_commands_describe_the_lake()
    {
        await using PgServer server = PgServer.Start();
        RecordedCatalog.Fill(server.Service);
        string copied = Path.GetTempFileName();
        var wrong = new List<string>();
        foreach ((string command, string expected) in new[]
        {
            (@"\l", "|ana|UTF8|"),
            (@"\dn", "dwd|ana\ndws|ana\npublic|ana\n"),
            (@"\dn+", "dwd|ana||layer dwd\n"),
            (@"\dt", "dwd|orders|table|ana\ndwd|products|table|ana\ndws|sales_daily|table|ana\n"),
            (@"\dt+ dwd.*", "dwd|orders|table|ana|permanent|heap|4096 bytes|delta table, layer dwd\ndwd|products|table|ana|permanent|heap|1024 bytes|paimon table, layer dwd\n"),
            (@"\d dwd.products", "sku|text||not null|\n"),
            (@"\d+ dwd.orders", "order_id|bigint||not null||plain|||\n"),
            (@"\d+ dwd.orders", "amount|numeric(12,2)||||main|||with tax\n"),
            (@"\d+ dwd.orders", "nums|integer[]||||extended|||\n"),
            (@"\d+ dwd.orders", "\"orders_pkey\" PRIMARY KEY, btree (order_id)\n"),
            (@"\d dwd.products", "\"products_pkey\" PRIMARY KEY, btree (sku, region)\n"),
            (@"\di", "dwd|orders_pkey|index|ana|orders\n"),
            (@"\du", "ana||{}\n"),
            (@"\d *.nothing", "Did not find any relation named \"*.nothing\".\n"),
            (@"\dv", "Did not find any relations.\n"),
            (@"\df", "(0 rows)\n"),
            (@"\dT", "(0 rows)\n"),
            (@"\dx", "(0 rows)\n"),
            (@"\dp dwd.orders", "dwd|orders|table|||\n"),
            ($@"\copy (SELECT 1 AS a, 'x,y' AS b) TO '{copied}' CSV HEADER", "COPY 1\n"),
        })
        {
            string actual = await PsqlAsync(server, "-c", command);
            if (!actual.Contains(expected, StringComparison.Ordinal))
            {
                wrong.Add($"{command}\n{expected}{actual}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.Equal("a,b\n1,\"x,y\"\n", await File.ReadAllTextAsync(copied));
        File.Delete(copied);
        Assert.Contains("a|1\nb|\n", await PsqlAsync(server, "-c", @"\x", "-c", "SELECT 1 AS a, NULL AS b"), StringComparison.Ordinal);
    }

    private static async Task<string> PsqlAsync(PgServer server, params string[] arguments)
    {
        string port = server.Address.Port.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo("psql", ["-X", "-A", "-h", "127.0.0.1", "-p", port, "-U", "ana", "-d", "lake", .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return output + await errors;
    }
}
