using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer;

/// <summary>The server's certificate from its files. Renewed files serve from the next connection on; files that are wrong then are logged, and the old certificate goes on.</summary>
internal sealed class ServerCertificate
{
    private readonly string _certificatePath;
    private readonly string _keyPath;
    private readonly string? _clientAuthorityPath;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private Loaded _loaded;

    /// <summary>Loads the files.</summary>
    /// <exception cref="LakeException">QueryInvalid, naming the file and the fault.</exception>
    public ServerCertificate(FlightServerOptions options, ILogger logger)
    {
        _certificatePath = options.CertificatePath!;
        _keyPath = options.KeyPath!;
        _clientAuthorityPath = options.ClientAuthorityPath;
        _logger = logger;
        _loaded = Load();
    }

    /// <summary>What a connection is served with.</summary>
    public SslServerAuthenticationOptions ForConnection()
    {
        Loaded current = Current();
        var options = new SslServerAuthenticationOptions { ServerCertificateContext = current.Context };
        if (current.ClientAuthorities is { } authorities)
        {
            // Clients without a certificate may log in otherwise; one that is shown has to be good.
            options.ClientCertificateRequired = true;
            options.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is null || IsIssuedBy(authorities, (X509Certificate2)certificate);
        }

        return options;
    }

    private static bool IsIssuedBy(X509Certificate2Collection authorities, X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.2")); // client authentication
        return chain.Build(certificate);
    }

    private Loaded Current()
    {
        lock (_gate)
        {
            if (Stamp() != _loaded.Stamp)
            {
                try
                {
                    _loaded = Load();
                    Log.CertificateReloaded(_logger, _certificatePath);
                }
                catch (LakeException e)
                {
                    Log.CertificateRejected(_logger, e.Message);
                    _loaded = _loaded with { Stamp = Stamp() };
                }
            }

            return _loaded;
        }
    }

    private (DateTime, DateTime, DateTime) Stamp() => (
        File.GetLastWriteTimeUtc(_certificatePath), File.GetLastWriteTimeUtc(_keyPath), _clientAuthorityPath is null ? default : File.GetLastWriteTimeUtc(_clientAuthorityPath));

    private Loaded Load()
    {
        (DateTime, DateTime, DateTime) stamp = Stamp();
        string at = _certificatePath;
        try
        {
            var chain = new X509Certificate2Collection();
            chain.ImportFromPemFile(_certificatePath);
            using X509Certificate2 pem = X509Certificate2.CreateFromPemFile(_certificatePath, _keyPath);

            // A key that lives only in memory does not serve on every platform; one from PKCS#12 does.
            X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
            at = _clientAuthorityPath ?? at;
            X509Certificate2Collection? authorities = _clientAuthorityPath is null ? null : [];
            authorities?.ImportFromPemFile(_clientAuthorityPath!);
            if (authorities?.Count == 0)
            {
                throw LakeException.QueryInvalid($"tls: {_clientAuthorityPath} holds no certificate");
            }

            return new Loaded(stamp, SslStreamCertificateContext.Create(certificate, chain, offline: true), authorities);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw LakeException.QueryInvalid($"tls: {at} and its key {_keyPath} are not a PEM certificate and its matching unencrypted key: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LakeException.QueryInvalid($"tls: cannot read the certificate {_certificatePath}, its key {_keyPath} or the client authority: {e.Message}", e);
        }
    }

    private sealed record Loaded((DateTime, DateTime, DateTime) Stamp, SslStreamCertificateContext Context, X509Certificate2Collection? ClientAuthorities);
}
