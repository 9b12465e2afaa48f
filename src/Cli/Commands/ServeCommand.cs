using System.Buffers.Text;
using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Cli.Configuration;
using LakeHolo.FlightServer;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;

namespace LakeHolo.Cli.Commands;

/// <summary><c>lakeholo serve</c> and <c>lakeholo hash-password</c>.</summary>
internal static class ServeCommand
{
    private const int TokenBytes = 32;

    public static IEnumerable<Command> Create(Globals globals)
    {
        var serve = new Command("serve", """
            Serve lakes over Arrow Flight SQL until interrupted

            Examples:
              lakeholo serve --lake /data/lake
              lakeholo serve --lake shop=s3://bucket/shop --s3-endpoint http://127.0.0.1:9000 --listen grpc://127.0.0.1:31337
              lakeholo serve --config lakeholo.yaml
            """);
        globals.AddTo(serve, settingsInHelp: true);
        serve.SetAction((parsed, token) => Guard.RunAsync(() => RunAsync(globals.Configure(parsed), token)));
        yield return serve;

        var hash = new Command("hash-password", """
            Read a password from standard input and print its hash for the users of lakeholo.yaml

            Examples:
              lakeholo hash-password < password.txt
            """);
        hash.SetAction((_, token) => Guard.RunAsync(async () =>
        {
            string? password = await Console.In.ReadLineAsync(token);
            Console.WriteLine(PasswordHash.Create(string.IsNullOrEmpty(password) ? throw LakeException.QueryInvalid("There is no password on standard input") : password));
        }));
        yield return hash;

        var token = new Command("new-token", """
            Print a new bearer token, and its hash for the token_hash of a user in lakeholo.yaml

            Examples:
              lakeholo new-token
            """);
        token.SetAction((_, _) => Guard.RunAsync(() =>
        {
            string secret = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenBytes));
            Console.WriteLine($"token      {secret}\ntoken_hash {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)))}");
            return Task.CompletedTask;
        }));
        yield return token;
    }

    /// <summary>Starts the server of an instance.</summary>
    public static ValueTask<FlightHost> StartHostAsync(LakeInstance instance, FlightServerOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
        => FlightHost.StartAsync(instance.Engine, options, loggers, cancellationToken);

    private static async Task RunAsync(LakeConfiguration configuration, CancellationToken cancellationToken)
    {
        if (configuration.Sources.Count == 0)
        {
            throw LakeException.QueryInvalid("There is nothing to serve: give --lake LOCATION, or sources in lakeholo.yaml");
        }

        using ILoggerFactory loggers = LoggerFactory.Create(b => b.AddSimpleConsole(c => c.SingleLine = true).SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning).AddFilter("Grpc", LogLevel.Warning));
        Task stopped = StoppedAsync(cancellationToken);
        while (!await ServeAsync(configuration, loggers, stopped, cancellationToken))
        {
            Console.WriteLine("The engine failed: connections are closed, and everything is opened anew");
        }
    }

    /// <summary>Serves until it is told to stop, or until the engine is lost.</summary>
    /// <returns>Whether it was told to stop.</returns>
    private static async Task<bool> ServeAsync(LakeConfiguration configuration, ILoggerFactory loggers, Task stopped, CancellationToken cancellationToken)
    {
        await using LakeInstance instance = await Globals.OpenAsync(configuration.ToLakeOptions(), loggers, cancellationToken);
        var options = new FlightServerOptions
        {
            Listen = configuration.Listen,
            Users = configuration.Users.Where(u => u.PasswordHash.Length > 0).ToDictionary(u => u.Name, u => u.PasswordHash),
            Tokens = configuration.Users.Where(u => u.TokenHash is not null).ToDictionary(u => u.Name, u => u.TokenHash!),
            TokenExpiry = configuration.Users.Where(u => u.TokenExpires is not null).ToDictionary(u => u.Name, u => u.TokenExpires!.Value),
            Issuers = configuration.Issuers,
            Insecure = configuration.Insecure,
            Monitoring = configuration.Monitoring,
            CertificatePath = configuration.TlsCertificate,
            KeyPath = configuration.TlsKey,
            ClientAuthorityPath = configuration.TlsClientAuthority,
        };
        using OtlpExport? export = OtlpExport.Start(configuration.Telemetry);
        await using FlightHost host = await StartHostAsync(instance, options, loggers, cancellationToken);
        await using PostgresHost? postgres = PostgresEndpoint.Start(instance.Engine, configuration, options, loggers);
        instance.StartSync();
        foreach (LakeSource source in instance.Catalog.Sources)
        {
            int tables = instance.Catalog.Tables.Count(t => t.Table.Source == source.Name);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{source.Name}: {tables} tables at {source.Root.Location}"));
        }

        Console.WriteLine($"Serving Flight SQL on {configuration.Listen}; stop with Ctrl-C");
        return await Task.WhenAny(stopped, instance.EngineLost) == stopped;
    }

    private static async Task StoppedAsync(CancellationToken cancellationToken)
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c =>
        {
            c.Cancel = true;
            stopped.TrySetResult();
        });
        using CancellationTokenRegistration interrupt = cancellationToken.Register(() => stopped.TrySetResult());
        await stopped.Task;
    }
}
