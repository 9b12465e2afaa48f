using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Bench.Harness;

/// <summary>A real object store on this machine (Ceph RADOS Gateway over memory), with one bucket.</summary>
internal sealed class ObjectStorePeer : IAsyncDisposable
{
    private const string Bucket = "bench";
    private const string Key = "lakeadmin";
    private const string Secret = "lakesecret123";

    private readonly string _scripts;
    private readonly string _folder;
    private readonly S3ObjectStore _store;

    private ObjectStorePeer(string scripts, string folder, S3Options options)
    {
        _scripts = scripts;
        _folder = folder;
        Options = options;
        _store = new S3ObjectStore(Bucket, options);
    }

    /// <summary>How clients get there.</summary>
    public S3Options Options { get; }

    /// <summary>The bucket as a store.</summary>
    public IObjectStore Store => _store;

    /// <summary>The bucket by another way.</summary>
    public static IObjectStore Open(S3Options options) => new S3ObjectStore(Bucket, options);

    /// <summary>The location of a prefix.</summary>
    public static string Location(string prefix) => $"s3://{Bucket}/{prefix}";

    /// <summary>Starts one and makes the bucket; null where it is not installed.</summary>
    public static async Task<ObjectStorePeer?> TryStartAsync(BenchContext bench)
    {
        if (bench.Options.ObjectStoreScripts is not { } scripts)
        {
            return null;
        }

        string folder = Directory.CreateTempSubdirectory("s3-").FullName; // short: the servers' sockets live in it
        int port = FreePort();
        var options = new S3Options { Endpoint = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"), AccessKey = Key, SecretKey = Secret };
        if (await RunAsync(scripts, "s3-start.sh", folder, port.ToString(CultureInfo.InvariantCulture)) != 0)
        {
            bench.Say("no object store: it does not start");
            return null;
        }

        using var client = new AmazonS3Client(new BasicAWSCredentials(Key, Secret), new AmazonS3Config { ServiceURL = options.Endpoint, ForcePathStyle = true });
        await client.PutBucketAsync(new PutBucketRequest { BucketName = Bucket });
        return new ObjectStorePeer(scripts, folder, options);
    }

    /// <summary>Copies a folder into the bucket.</summary>
    public async Task UploadAsync(string folder, string prefix)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            await _store.PutAsync(prefix + Path.GetRelativePath(folder, file), await File.ReadAllBytesAsync(file), PutCondition.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        await RunAsync(_scripts, "s3-stop.sh", _folder, "KILL");
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<int> RunAsync(string scripts, string script, string folder, string argument)
    {
        // The servers keep the output open: nobody would see the end of a pipe.
        using Process process = Process.Start("bash", ["-c", $"exec bash '{Path.Combine(scripts, script)}' '{folder}' {argument} > /dev/null 2>&1 < /dev/null"]);
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
