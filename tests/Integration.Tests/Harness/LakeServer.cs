using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests.Harness;

/// <summary>A server in a process of its own, as a user starts it; its state outlives a kill and is there at the next start.</summary>
internal sealed class LakeServer : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(1);

    private readonly TemporaryFolder _folder = new();
    private readonly StringBuilder _log = new();
    private readonly string[] _settings;
    private Process? _process;

    /// <summary>Prepares a server; nothing runs yet.</summary>
    /// <param name="location">The lake.</param>
    /// <param name="settings">More lines of its lakeholo.yaml.</param>
    public LakeServer(string location, params string[] settings)
    {
        Location = location;
        _settings = settings;
    }

    public string Location { get; }

    public int Port { get; private set; }

    /// <summary>Of the running process.</summary>
    public int ProcessId => _process!.Id;

    /// <summary>How clients connect: grpc or grpc+tls.</summary>
    public string Scheme { get; init; } = "grpc";

    public string Url => $"{Scheme}://127.0.0.1:{Port}";

    public string DataDirectory => _folder.File("data");

    /// <summary>What the server wrote so far.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    /// <summary>Starts the process; returns when it says that it serves.</summary>
    /// <returns>How long that took.</returns>
    public async Task<TimeSpan> StartAsync()
    {
        Port = FreePort();
        string configuration = _folder.File("lakeholo.yaml");
        await File.WriteAllLinesAsync(configuration,
        [
            "sources:", $"  - {{ name: shop, location: \"{Location}\" }}", $"data_dir: {DataDirectory}", $"listen: {Url}", "sync.interval: 1s",
            "folder_columns: { ods.legacy_catalog: \"sku VARCHAR, product_id INTEGER, name VARCHAR, dept VARCHAR, weight_g INTEGER, discontinued BOOLEAN\" }",
            .. _settings,
        ]);
        long started = Stopwatch.GetTimestamp();
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _process = new Process { StartInfo = CommandLine.Lakeholo(["serve", "--config", configuration]), EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Read(line.Data, ready);
        _process.ErrorDataReceived += (_, line) => Read(line.Data, ready);
        _process.Exited += (_, _) => ready.TrySetException(new InvalidOperationException("The server ended"));
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        try
        {
            await ready.Task.WaitAsync(StartLimit);
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException)
        {
            throw new InvalidOperationException($"{e.Message}; it wrote:\n{Log}", e);
        }

        return Stopwatch.GetElapsedTime(started);
    }

    /// <summary>Ends the process as the kernel would: no handler runs.</summary>
    public async Task KillAsync()
    {
        if (_process is { HasExited: false } process)
        {
            process.Kill();
            await process.WaitForExitAsync();
        }

        _process?.Dispose();
        _process = null;
    }

    /// <summary>Asks the process to stop, as Ctrl-C and service managers do.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> StopAsync()
    {
        Process process = _process!;
        using Process signal = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await signal.WaitForExitAsync();
        await process.WaitForExitAsync().WaitAsync(StartLimit);
        return process.ExitCode;
    }

    /// <summary>Runs the command line against this server.</summary>
    public Task<Outcome> RunAsync(string command, params string[] arguments) => CommandLine.LakeholoAsync([command, .. arguments, "--server", Url]);

    /// <summary>The lines of a query's CSV, without the header.</summary>
    public async Task<string[]> RowsAsync(string sql)
    {
        Outcome outcome = await RunAsync("query", sql, "--format", "csv");
        Assert.True(outcome.ExitCode == 0, $"{sql}\n{outcome.Errors}");
        return outcome.Output.TrimEnd('\n').Split('\n')[1..];
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _folder.Dispose();
    }

    /// <summary>A port that nobody listens on.</summary>
    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private void Read(string? line, TaskCompletionSource ready)
    {
        if (line is null)
        {
            return;
        }

        lock (_log)
        {
            _log.AppendLine(line);
        }

        // Its last word at a start: every door is open then.
        if (line.StartsWith("Serving Flight SQL on", StringComparison.Ordinal))
        {
            ready.TrySetResult();
        }
    }
}
