using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Tests.Shared;
using Minio;
using Minio.DataModel.Args;

[assembly: AssemblyFixture(typeof(S3Server))]

namespace LakeHolo.Tests.Shared;

/// <summary>A real object store for the tests of one assembly (Ceph RADOS Gateway): started by the first test that wants a bucket, killed at the end.</summary>
public sealed class S3Server : IAsyncDisposable
{
    public const string AccessKey = "lakeadmin";
    public const string SecretKey = "lakesecret123";

    private readonly Lazy<Task> _started;
    private readonly string _folder = Directory.CreateTempSubdirectory("s3-").FullName; // short: the servers' sockets live in it
    private readonly int _port = FreePorts();
    private int _buckets;

    public S3Server() => _started = new Lazy<Task>(() => RunScriptAsync("s3-start.sh", _port.ToString(CultureInfo.InvariantCulture)));

    public Uri Endpoint => new($"http://127.0.0.1:{_port}");

    /// <summary>Options with short waits, so that a test of a fault ends soon.</summary>
    public S3Options Options => new()
    {
        Endpoint = $"http://127.0.0.1:{_port}",
        AccessKey = AccessKey,
        SecretKey = SecretKey,
        RetryDelay = TimeSpan.FromMilliseconds(5),
    };

    /// <summary>A second client, of another maker, that prepares and checks what ours reads and writes.</summary>
    public IMinioClient OtherClient => new MinioClient().WithEndpoint("127.0.0.1", _port).WithCredentials(AccessKey, SecretKey).Build();

    /// <summary>Makes an empty bucket, by the other client.</summary>
    public async Task<string> NewBucketAsync()
    {
        await _started.Value;
        string bucket = $"bucket{Interlocked.Increment(ref _buckets)}";
        using IMinioClient client = OtherClient;
        await client.MakeBucketAsync(new MakeBucketArgs().WithBucket(bucket));
        return bucket;
    }

    /// <summary>Writes an object, by the other client.</summary>
    public async Task PutAsync(string bucket, string key, byte[] content)
    {
        using IMinioClient client = OtherClient;
        using var stream = new MemoryStream(content);
        await client.PutObjectAsync(new PutObjectArgs().WithBucket(bucket).WithObject(key).WithStreamData(stream).WithObjectSize(content.Length));
    }

    /// <summary>Copies a folder into a bucket, by the other client.</summary>
    public async Task PutFolderAsync(string bucket, string prefix, string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            await PutAsync(bucket, prefix + Path.GetRelativePath(folder, file), await File.ReadAllBytesAsync(file));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_started.IsValueCreated)
        {
            await RunScriptAsync("s3-stop.sh", "KILL");
        }

        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Sends a signal to the process that answers requests: STOP, CONT, KILL. Only on a server of one's own.</summary>
    public void Signal(string signal)
    {
        string pid = File.ReadAllText(Path.Combine(_folder, "run", "client.rgw.pid")).Trim();
        using Process kill = Process.Start("kill", ["-" + signal, pid]);
        kill.WaitForExit();
    }

    private async Task RunScriptAsync(string script, string argument)
    {
        // The servers keep the output open: it goes to a file, for nobody would see the end of a pipe.
        string log = Path.Combine(Path.GetTempPath(), Path.GetFileName(_folder) + ".log");
        string path = Path.Combine(AppContext.BaseDirectory, "s3", script);
        using Process process = Process.Start(new ProcessStartInfo("bash")
        {
            ArgumentList = { "-c", $"exec bash '{path}' '{_folder}' {argument} > '{log}' 2>&1 < /dev/null" },
        })!;
        await process.WaitForExitAsync();
        string output = await File.ReadAllTextAsync(log);
        File.Delete(log);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{script} ended with {process.ExitCode} (is it installed? tests/s3/install.sh): {output}");
        }
    }

    private static int FreePorts()
    {
        while (true)
        {
            int first = Random.Shared.Next(20000, 32000);
            if (Enumerable.Range(first, 3).All(IsFree))
            {
                return first;
            }
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
