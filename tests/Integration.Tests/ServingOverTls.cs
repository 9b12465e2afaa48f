using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Integration.Tests;

/// <summary>A server with a certificate of its own, as a process, and clients that trust it or not.</summary>
public sealed class ServingOverTls : IAsyncLifetime
{
    private readonly Certificates _certificates = new();
    private LakeServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        (string certificate, string key) = _certificates.Issue("server");
        _server = new LakeServer(SampleLake.Lake, $"tls: {{ certificate: \"{certificate}\", key: \"{key}\" }}") { Scheme = "grpc+tls" };
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _certificates.Dispose();
    }

    [Fact]
    public async Task The_command_line_reads_over_tls_when_it_trusts_the_certificate_and_says_why_when_not()
    {
        Outcome trusted = await _server.RunAsync("query", "SELECT count(*) AS n FROM dwd.products", "--format", "json", "--tls-ca", _certificates.AuthorityPath);
        Assert.True(trusted.ExitCode == 0, trusted.Errors);
        Assert.Equal("{\"n\":240}\n", trusted.Output);
        Outcome untrusted = await _server.RunAsync("query", "SELECT 1");
        Assert.Equal(5, untrusted.ExitCode);
        Assert.Contains("--tls-ca", untrusted.Errors, StringComparison.Ordinal);
    }
}
