using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Client;

/// <summary>TLS of a client beyond what the machine trusts.</summary>
/// <param name="AuthorityPath">PEM file of the authorities (or the self-signed certificate) that the server's certificate is checked against, or null.</param>
/// <param name="CertificatePath">PEM file of the client's own certificate, or null.</param>
/// <param name="KeyPath">PEM file of its key.</param>
public sealed record ClientTls(string? AuthorityPath, string? CertificatePath = null, string? KeyPath = null)
{
    internal SocketsHttpHandler CreateHandler()
    {
        var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true };
        try
        {
            if (AuthorityPath is not null)
            {
                var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
                policy.CustomTrustStore.ImportFromPemFile(AuthorityPath);
                handler.SslOptions.CertificateChainPolicy = policy;
            }

            if (CertificatePath is not null)
            {
                using X509Certificate2 pem = X509Certificate2.CreateFromPemFile(CertificatePath, KeyPath);
                handler.SslOptions.ClientCertificates = [X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null)];
            }

            return handler;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            handler.Dispose();
            throw LakeException.QueryInvalid($"The certificates for the connection cannot be read ({string.Join(", ", new[] { AuthorityPath, CertificatePath, KeyPath }.OfType<string>())}): {e.Message}", e);
        }
    }
}
