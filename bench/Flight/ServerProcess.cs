using System.Diagnostics;
using System.Globalization;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Bench.Harness;
using LakeHolo.FlightServer;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Bench.Flight;

/// <summary>A Flight SQL server in a process of its own, so that its processor time and memory are its alone.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    /// <summary>The word on the command line that makes this program the server.</summary>
    public const string Word = "serve-for-bench";

    private readonly Process _process;
    private readonly string _data;

    private ServerProcess(Process process, Uri address, string data)
    {
        _process = process;
        Address = address;
        _data = data;
    }

    public Uri Address { get; }

    /// <summary>Processor time of all its threads since it started.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Resident memory in bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Starts one over a folder of tables.</summary>
    /// <param name="bench">Threads.</param>
    /// <param name="location">The lake.</param>
    /// <param name="memoryBytes">The engine's limit.</param>
    public static async Task<ServerProcess> StartAsync(BenchContext bench, string location, long memoryBytes)
    {
        string data = bench.Data.NewTemporary("server");
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (string argument in (string[])[Environment.GetCommandLineArgs()[0], Word, location, data, Number(bench.Options.Threads), Number(memoryBytes)])
        {
            start.ArgumentList.Add(argument);
        }

        Process process = Process.Start(start)!;
        string address = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The server did not start");
        return new ServerProcess(process, new Uri(address), data);
    }

    /// <summary>What the process does: serves until its input ends.</summary>
    public static async Task ServeAsync(string[] arguments)
    {
        var options = new LakeOptions
        {
            Sources = [new LakeSource { Name = "lake", Root = ObjectStores.Open(arguments[0], new StorageOptions()) }],
            DataDirectory = arguments[1],
            Engine = new EngineOptions { Threads = (int)Number(arguments[2]), MemoryLimitBytes = Number(arguments[3]) },
            Limits = new ExecutionLimits { MaxConcurrent = 64, MaxQueued = 2_000 },
        };
        await using LakeInstance instance = await LakeInstance.StartAsync(options, NullLoggerFactory.Instance, TimeProvider.System);
        await using FlightHost host = await FlightHost.StartAsync(instance.Engine, new FlightServerOptions { Listen = new Uri("grpc://127.0.0.1:0") }, NullLoggerFactory.Instance);
        Console.WriteLine(host.Address);
        await InputEnd.WaitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
