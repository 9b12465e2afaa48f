using Apache.Arrow;
using Grpc.Core;
using Grpc.Net.Client;
using LakeHolo.FlightServer.Client;
using LakeHolo.FlightServer.Protocol.Sql;
using LakeHolo.FlightServer.Tests.Harness;
using LakeHolo.LakeCatalog;
using LakeHolo.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace LakeHolo.FlightServer.Tests;

public sealed class TlsTests : IDisposable
{
    private readonly Certificates _certificates = new();

    public void Dispose() => _certificates.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rows_come_over_tls_to_clients_that_trust_the_certificate(bool selfSigned)
    {
        (string certificate, string key) = _certificates.Issue("server", selfSigned);
        var trust = new ClientTls(selfSigned ? certificate : _certificates.AuthorityPath);
        await using TestServer server = await ServeAsync(certificate, key);
        Assert.Equal("grpc+tls", server.Host.Address.Scheme);
        using var raw = new RawClient(server.Host.Address, trust);
        (_, List<RecordBatch> batches, _) = await raw.RunAsync(new CommandStatementQuery { Query = "SELECT * FROM range(100000)" });
        Assert.Equal(100_000, batches.Sum(b => b.Length));
        using FlightSqlClient client = await FlightSqlClient.ConnectAsync(server.Host.Address, null, null, null, trust);
        await using FlightAnswer answer = await client.ExecuteAsync("SELECT * FROM orders");
        Assert.Equal(100, await answer.ReadAsync().Select(b => b.Length).SumAsync());

        var options = new GrpcChannelOptions { HttpHandler = trust.CreateHandler(), DisposeHttpClient = true };
        using var channel = GrpcChannel.ForAddress($"https://{server.Host.Address.Authority}", options);
        var other = new Apache.Arrow.Flight.Client.FlightClient(channel);
        byte[] command = RawClient.Query("SELECT * FROM orders").Cmd.ToByteArray();
        Assert.NotEmpty((await other.GetInfo(Apache.Arrow.Flight.FlightDescriptor.CreateCommandDescriptor(command))).Endpoints);
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_refused_and_said_so()
    {
        (string certificate, string key) = _certificates.Issue("server", selfSigned: true);
        await using TestServer server = await ServeAsync(certificate, key);
        foreach (ClientTls? trust in new[] { null, new ClientTls(_certificates.AuthorityPath) })
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(() => FlightSqlClient.ConnectAsync(server.Host.Address, null, null, null, trust).AsTask());
            Assert.Equal((LakeErrorKind.StorageUnavailable, false), (e.Kind, e.IsTransient));
            Assert.Contains("certificate", e.Message, StringComparison.Ordinal);
            Assert.Contains("--tls-ca", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Plain_and_tls_ends_that_meet_are_told_what_is_wrong()
    {
        (string certificate, string key) = _certificates.Issue("server", selfSigned: true);
        await using TestServer tls = await ServeAsync(certificate, key);
        await using TestServer plain = await TestServer.StartAsync();
        LakeException toTls = await Assert.ThrowsAsync<LakeException>(() => FlightSqlClient.ConnectAsync(new Uri($"grpc://{tls.Host.Address.Authority}"), null, null, null).AsTask());
        LakeException toPlain = await Assert.ThrowsAsync<LakeException>(() => FlightSqlClient.ConnectAsync(new Uri($"grpc+tls://{plain.Host.Address.Authority}"), null, null, null).AsTask());
        Assert.Contains("grpc+tls://", toTls.Message, StringComparison.Ordinal);
        Assert.Contains("grpc://", toPlain.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Certificates_that_cannot_serve_are_named_at_start()
    {
        (string certificate, string key) = _certificates.Issue("server");
        (_, string otherKey) = _certificates.Issue("other");
        foreach ((string c, string k, string named) in new[] { (certificate, otherKey, certificate), (certificate, "/nowhere/key.pem", "/nowhere/key.pem"), (key, key, key), ("/nowhere/c.pem", key, "/nowhere/c.pem") })
        {
            LakeException e = await Assert.ThrowsAsync<LakeException>(() => ServeAsync(c, k));
            Assert.Equal(LakeErrorKind.QueryInvalid, e.Kind);
            Assert.Contains(named, e.Message, StringComparison.Ordinal);
        }

        Assert.Contains("belong together", (await Assert.ThrowsAsync<LakeException>(() => TestServer.StartAsync(o => o with { CertificatePath = certificate }))).Message, StringComparison.Ordinal);
        Assert.Throws<LakeException>(() => new ClientTls("/nowhere/ca.pem").CreateHandler());
    }

    [Fact]
    public async Task A_renewed_certificate_serves_from_the_next_connection_on_and_a_broken_one_does_not()
    {
        (string certificate, string key) = _certificates.Issue("server", selfSigned: true);
        await using TestServer server = await ServeAsync(certificate, key);
        string oldTrust = certificate + ".old";
        File.Copy(certificate, oldTrust);
        await ConnectAsync(server, oldTrust);

        _certificates.Issue("server", selfSigned: true);
        Touch(certificate, 1);
        await ConnectAsync(server, certificate);
        await Assert.ThrowsAsync<LakeException>(() => ConnectAsync(server, oldTrust));

        string newTrust = certificate + ".new";
        File.Copy(certificate, newTrust);
        await File.WriteAllTextAsync(key, "nonsense");
        Touch(key, 2);
        await ConnectAsync(server, newTrust);
    }

    [Fact]
    public async Task A_client_certificate_of_the_authority_logs_in_as_its_name_and_another_does_not()
    {
        (string certificate, string key) = _certificates.Issue("server");
        await using TestServer server = await TestServer.StartAsync(o => o with { CertificatePath = certificate, KeyPath = key, ClientAuthorityPath = _certificates.AuthorityPath });
        (string ana, string anaKey) = _certificates.Issue("ana", forClients: true);
        (string eve, string eveKey) = _certificates.Issue("eve", selfSigned: true, forClients: true);
        using (var raw = new RawClient(server.Host.Address, new ClientTls(_certificates.AuthorityPath, ana, anaKey)))
        {
            await raw.RunAsync(new CommandStatementQuery { Query = "SELECT 1" });
            Assert.Equal("ana", Assert.Single(server.Host.Sessions.All).User);
        }

        using var nobody = new RawClient(server.Host.Address, new ClientTls(_certificates.AuthorityPath));
        Assert.Equal(StatusCode.Unauthenticated, await StatementTests.StatusOf(() => nobody.InfoAsync(RawClient.Query("SELECT 1"))));
        using var forged = new RawClient(server.Host.Address, new ClientTls(_certificates.AuthorityPath, eve, eveKey));
        Assert.NotEqual(StatusCode.OK, await StatementTests.StatusOf(() => forged.InfoAsync(RawClient.Query("SELECT 1"))));
    }

    [Fact]
    public async Task Another_authority_of_clients_holds_from_the_next_connection_on()
    {
        using var others = new Certificates();
        (string certificate, string key) = _certificates.Issue("server");
        string authorities = certificate + ".clients";
        File.Copy(_certificates.AuthorityPath, authorities);
        await using TestServer server = await TestServer.StartAsync(o => o with { CertificatePath = certificate, KeyPath = key, ClientAuthorityPath = authorities });
        (string ana, string anaKey) = _certificates.Issue("ana", forClients: true);
        (string bob, string bobKey) = others.Issue("bob", forClients: true);
        Assert.Equal((true, false), (await IsInAsync(ana, anaKey), await IsInAsync(bob, bobKey)));
        File.Copy(others.AuthorityPath, authorities, overwrite: true);
        Touch(authorities, 1);
        Assert.Equal((false, true), (await IsInAsync(ana, anaKey), await IsInAsync(bob, bobKey)));

        async Task<bool> IsInAsync(string own, string ownKey)
        {
            using var raw = new RawClient(server.Host.Address, new ClientTls(_certificates.AuthorityPath, own, ownKey));
            return await StatementTests.StatusOf(() => raw.InfoAsync(RawClient.Query("SELECT 1"))) == StatusCode.OK;
        }
    }

    private static async Task ConnectAsync(TestServer server, string trust)
    {
        using FlightSqlClient client = await FlightSqlClient.ConnectAsync(server.Host.Address, null, null, null, new ClientTls(trust));
    }

    private static void Touch(string path, int minutes) => File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddMinutes(minutes));

    private static Task<TestServer> ServeAsync(string certificate, string key) => TestServer.StartAsync(o => o with { CertificatePath = certificate, KeyPath = key });
}
