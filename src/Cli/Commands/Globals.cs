using System.Collections;
using System.CommandLine;
using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Cli.Configuration;
using LakeHolo.Cli.Connections;
using LakeHolo.Cli.Output;
using LakeHolo.FlightServer.Client;
using LakeHolo.HotTier;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.Cli.Commands;

/// <summary>The options that say where statements go, and how a local instance is set up.</summary>
internal sealed class Globals
{
    public const string DefaultServer = "grpc://127.0.0.1:31337";

    private readonly Dictionary<string, Option<string?>> _settings = [];

    public Option<string[]> Lakes { get; } = new("--lake", "-l")
    {
        Description = "Work alone on this location, without a server: /data/lake, s3://bucket/prefix, or name=location; may be repeated",
        HelpName = "LOCATION",
    };

    public Option<string?> Server { get; } = new("--server", "-s")
    {
        Description = $"The server to talk to (default {DefaultServer}; LAKEHOLO_SERVER)",
        HelpName = "URL",
    };

    public Option<string?> User { get; } = new("--user", "-u")
    {
        Description = "User of the server (LAKEHOLO_USER; the password comes from LAKEHOLO_PASSWORD, a bearer token from LAKEHOLO_TOKEN)",
    };

    public Option<string?> TlsAuthority { get; } = new("--tls-ca")
    {
        Description = "PEM file of the authority that the server's certificate is checked against, for one of your own (LAKEHOLO_TLS_CA)",
        HelpName = "FILE",
    };

    public Option<string?> ClientCertificate { get; } = new("--client-certificate")
    {
        Description = "PEM file of a client certificate to log in with (LAKEHOLO_CLIENT_CERTIFICATE)",
        HelpName = "FILE",
    };

    public Option<string?> ClientKey { get; } = new("--client-key")
    {
        Description = "PEM file of its key (LAKEHOLO_CLIENT_KEY)",
        HelpName = "FILE",
    };

    public Option<string?> ConfigurationPath { get; } = new("--config", "-c")
    {
        Description = "Configuration file (default: lakeholo.yaml in the working folder; LAKEHOLO_CONFIG)",
        HelpName = "FILE",
    };

    /// <summary>Adds the options to a command that runs statements; settings of a local instance stay out of its help.</summary>
    public void AddTo(Command command, bool settingsInHelp)
    {
        command.Options.Add(Lakes);
        command.Options.Add(ConfigurationPath);
        foreach (Setting setting in Setting.All.Where(s => !s.IsSecret))
        {
            if (!_settings.TryGetValue(setting.Key + settingsInHelp, out Option<string?>? option))
            {
                option = new Option<string?>(setting.Flag)
                {
                    Description = $"{setting.Help} ({(setting.Default.Length == 0 ? string.Empty : $"default {setting.Default}; ")}{setting.Variable})",
                    Hidden = !settingsInHelp,
                    HelpName = "VALUE",
                };
                _settings[setting.Key + settingsInHelp] = option;
            }

            command.Options.Add(option);
        }

        if (!settingsInHelp)
        {
            command.Options.Add(Server);
            command.Options.Add(User);
            command.Options.Add(TlsAuthority);
            command.Options.Add(ClientCertificate);
            command.Options.Add(ClientKey);
        }
    }

    /// <summary>The configuration of a command line.</summary>
    /// <exception cref="ConfigurationException">All faults.</exception>
    public LakeConfiguration Configure(ParseResult parsed)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            environment[(string)entry.Key] = (string?)entry.Value ?? string.Empty;
        }

        var flags = new Dictionary<string, string>();
        foreach (Setting setting in Setting.All)
        {
            foreach (string suffix in (string[])["True", "False"])
            {
                if (_settings.TryGetValue(setting.Key + suffix, out Option<string?>? option) && parsed.GetResult(option) is not null && parsed.GetValue(option) is { } value)
                {
                    flags[setting.Key] = value;
                }
            }
        }

        string[] lakes = parsed.GetValue(Lakes) is { Length: > 0 } given ? given : environment.TryGetValue("LAKEHOLO_LAKE", out string? lake) ? [lake] : [];
        return LakeConfiguration.Load(parsed.GetValue(ConfigurationPath) ?? environment.GetValueOrDefault("LAKEHOLO_CONFIG"), environment, flags, lakes);
    }

    /// <summary>Connects: to a local instance when a lake is given, else to a server.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="onlyReads">The command changes no hot copy: while a server has the data folder, it reads the lake with a folder of its own.</param>
    /// <param name="cancellationToken">Cancels connecting.</param>
    public async ValueTask<IConnection> ConnectAsync(ParseResult parsed, bool onlyReads, CancellationToken cancellationToken)
    {
        bool alone = parsed.GetValue(Lakes) is { Length: > 0 } || Environment.GetEnvironmentVariable("LAKEHOLO_LAKE") is { Length: > 0 };
        if (alone)
        {
            LakeConfiguration configuration = Configure(parsed);
            LakeOptions options = configuration.ToLakeOptions();
            string? scratch = null;
            if (onlyReads && LakeInstance.IsInUse(options.DataDirectory))
            {
                await Console.Error.WriteLineAsync($"lakeholo: another process uses {options.DataDirectory}: reading the lake without its hot copies and cache");
                scratch = Directory.CreateTempSubdirectory("lakeholo-").FullName;
                options = options with { DataDirectory = scratch };
            }

            LakeInstance instance = await OpenAsync(options, NullLoggerFactory.Instance, cancellationToken);
            return new LocalConnection(instance, string.Join(", ", configuration.Sources.Select(s => s.Location)), ownsInstance: true, scratch);
        }

        string server = parsed.GetValue(Server) ?? Environment.GetEnvironmentVariable("LAKEHOLO_SERVER") ?? DefaultServer;
        if (!Uri.TryCreate(server, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("grpc" or "grpc+tls"))
        {
            throw LakeException.QueryInvalid($"--server: expected grpc://host:port or grpc+tls://host:port, not '{server}'");
        }

        return await RemoteConnection.OpenAsync(
            uri, parsed.GetValue(User) ?? Environment.GetEnvironmentVariable("LAKEHOLO_USER"), Environment.GetEnvironmentVariable("LAKEHOLO_PASSWORD"),
            Environment.GetEnvironmentVariable("LAKEHOLO_TOKEN"), Tls(parsed), cancellationToken);
    }

    /// <summary>Opens an instance; while its first sync runs, a person who watches sees how far it is.</summary>
    public static async ValueTask<LakeInstance> OpenAsync(LakeOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        CatalogService? catalog = null;
        await using StatusLine progress = StatusLine.OfSyncs(() => catalog);
        return await LakeInstance.StartAsync(options, loggers, TimeProvider.System, c => catalog = c, cancellationToken);
    }

    private ClientTls? Tls(ParseResult parsed)
    {
        string? authority = parsed.GetValue(TlsAuthority) ?? Environment.GetEnvironmentVariable("LAKEHOLO_TLS_CA");
        string? certificate = parsed.GetValue(ClientCertificate) ?? Environment.GetEnvironmentVariable("LAKEHOLO_CLIENT_CERTIFICATE");
        string? key = parsed.GetValue(ClientKey) ?? Environment.GetEnvironmentVariable("LAKEHOLO_CLIENT_KEY");
        return certificate is null != key is null
            ? throw LakeException.QueryInvalid("--client-certificate and --client-key belong together: only one is given")
            : authority is null && certificate is null ? null : new ClientTls(authority, certificate, key);
    }
}
