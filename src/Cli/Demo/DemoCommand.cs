using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Cli.Commands;
using LakeHolo.Cli.Connections;
using LakeHolo.FlightServer;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Cli.Demo;

/// <summary><c>lakeholo demo</c>: the main job on the sample lake, in one terminal, without network and questions.</summary>
internal static class DemoCommand
{
    private static readonly TimeSpan SyncInterval = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var sample = new Option<string?>("--sample") { Description = "The folder of the sample lake (default: sample-lake beside the program)", HelpName = "DIR" };
        var command = new Command("demo", """
            Show the main job on a scratch copy of the sample lake: discover, query over Flight SQL, promote, query again, follow updates

            Examples:
              lakeholo demo
            """);
        command.Options.Add(sample);
        command.SetAction((parsed, token) => Guard.RunAsync(() => RunAsync(SampleLake.Find(parsed.GetValue(sample)), token)));
        return command;
    }

    private static async Task RunAsync(SampleLake sample, CancellationToken cancellationToken)
    {
        string scratch = Directory.CreateTempSubdirectory("lakeholo-demo-").FullName;
        try
        {
            string lake = Path.Combine(scratch, "lake");
            sample.CopyLakeTo(lake);
            var options = new LakeOptions
            {
                Sources = [new LakeSource { Name = "shop", Root = new TableRoot(new LocalFolderStore(lake), string.Empty), SyncInterval = SyncInterval }],
                DataDirectory = Path.Combine(scratch, "data"),
                FolderColumns = new Dictionary<string, string>
                {
                    ["ods.legacy_catalog"] = "sku VARCHAR, product_id INTEGER, name VARCHAR, dept VARCHAR, weight_g INTEGER, discontinued BOOLEAN",
                },
            };
            await using LakeInstance instance = await LakeInstance.StartAsync(options, NullLoggerFactory.Instance, TimeProvider.System, cancellationToken: cancellationToken);
            instance.StartSync();
            var listen = new Uri(string.Create(CultureInfo.InvariantCulture, $"grpc://127.0.0.1:{FreePort()}"));
            await using FlightHost host = await ServeCommand.StartHostAsync(instance, new FlightServerOptions { Listen = listen }, NullLoggerFactory.Instance, cancellationToken);
            await using IConnection connection = await RemoteConnection.OpenAsync(listen, null, null, null, null, cancellationToken);
            await new DemoScript(sample, connection, lake, listen).PlayAsync(cancellationToken);
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
