using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests.Postgres;

public sealed class LoginTests
{
    private static readonly Dictionary<string, string> Users = new() { ["ana"] = PasswordHash.Create("secret") };

    [Fact]
    public async Task A_user_of_the_server_logs_in_by_scram_with_the_hash_that_the_configuration_has()
    {
        await using PgServer server = PgServer.Start(o => o with { Users = Users });
        using PgWire wire = await server.LoginAsync("ana", "secret");
        Assert.Equal("1", await wire.TextAsync("select 1"));
        Assert.Equal("ana", wire.Status["session_authorization"]);
    }

    [Theory]
    [InlineData("ana", "wrong")]
    [InlineData("bob", "secret")]
    public async Task A_wrong_password_and_an_unknown_user_fail_alike(string user, string password)
    {
        await using PgServer server = PgServer.Start(o => o with { Users = Users });
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => server.LoginAsync(user, password));
        Assert.Equal($"28P01 password authentication failed for user \"{user}\"", error.Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Over_tls_a_user_logs_in_by_scram_or_by_the_password_itself(bool clearText)
    {
        using var certificates = new Certificates();
        (string certificate, string key) = certificates.Issue("server");
        await using PgServer server = PgServer.Start(o => o with { Users = Users, CertificatePath = certificate, KeyPath = key }, o => o with { ClearTextOverTls = clearText });
        using PgWire wire = await PgWire.OpenAsync(server.Address);
        Assert.Equal((byte)'S', await wire.AskForTlsAsync());
        await wire.EncryptAsync();
        await wire.StartAsync("ana");
        await wire.AuthenticateAsync("secret");
        Assert.Equal("100", await wire.TextAsync("select count(*) from orders"));
    }

    [Fact]
    public async Task Clients_that_never_say_who_they_are_are_bounded_in_number()
    {
        await using PgServer server = PgServer.Start(configure: o => o with { MaxConnections = 2 });
        using PgWire first = await server.LoginAsync();
        var silent = new List<PgWire>();
        try
        {
            for (int i = 0; i < 210; i++)
            {
                silent.Add(await PgWire.OpenAsync(server.Address));
            }

            int closed = 0;
            for (int i = silent.Count - 1; i >= silent.Count - 5; i--)
            {
                closed += await silent[i].IsClosedAsync() ? 1 : 0;
            }

            Assert.Equal(5, closed);
            Assert.Equal("1", await first.TextAsync("select 1"));
        }
        finally
        {
            silent.ForEach(s => s.Dispose());
        }
    }

    [Fact]
    public async Task An_unknown_database_is_refused_with_the_ones_there_are()
    {
        await using PgServer server = PgServer.Start();
        using PgWire wire = await PgWire.OpenAsync(server.Address);
        await wire.StartAsync("ana", "database", "nowhere");
        PgMessage error = await wire.ReadAsync();
        Assert.Equal(('E', "3D000"), (error.Type, error.Field('C')));
        Assert.Contains("lake", error.Field('H'), StringComparison.Ordinal);
        Assert.True(await wire.IsClosedAsync());
    }

    [Fact]
    public async Task An_address_that_others_can_reach_needs_users()
    {
        var error = Assert.Throws<LakeHolo.LakeCatalog.LakeException>(() => PgServer.Start(configure: o => o with { Listen = new System.Net.IPEndPoint(System.Net.IPAddress.Any, 0) }));
        Assert.Contains("there are no users", error.Message, StringComparison.Ordinal);
        await Task.CompletedTask;
    }
}
