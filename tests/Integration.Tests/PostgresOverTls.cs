using System.Diagnostics;
using System.Globalization;
using LakeHolo.FlightServer;
using LakeHolo.Integration.Tests.Harness;
using LakeHolo.Tests.Shared;
using Npgsql;

namespace LakeHolo.Integration.Tests;

/// <summary>PostgreSQL clients over TLS, with passwords by SCRAM: who checks the certificate is let in by the right one only.</summary>
public sealed class PostgresOverTls : IAsyncLifetime
{
    private const string User = "ana";
    private const string Password = "pass word ü";

    private readonly Certificates _certificates = new();
    private readonly Certificates _others = new();
    private readonly string _port = LakeServer.FreePort().ToString(CultureInfo.InvariantCulture);
    private LakeServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        (string certificate, string key) = _certificates.Issue("server");
        _server = new LakeServer(
            SampleLake.Lake, $"postgres.listen: \"127.0.0.1:{_port}\"", $"tls: {{ certificate: \"{certificate}\", key: \"{key}\" }}",
            $"users: [ {{ name: {User}, password_hash: \"{PasswordHash.Create(Password)}\" }} ]")
        { Scheme = "grpc+tls" };
        await _server.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _certificates.Dispose();
        _others.Dispose();
    }

    [Fact]
    public async Task Psql_checks_the_certificate_as_it_is_told_and_cancels_by_its_own_connection()
    {
        string trusted = $"sslmode=verify-full sslrootcert={_certificates.AuthorityPath}";
        string told = (await PsqlAsync(trusted, @"\conninfo" + "\n", Password, "SELECT count(*) FROM dwd.products")).Answer();
        Assert.Contains("SSL connection (protocol: TLSv1.3", told, StringComparison.Ordinal);
        Assert.EndsWith("240\n", told, StringComparison.Ordinal);
        Assert.Equal("240\n", (await PsqlAsync("sslmode=require", null, Password, "SELECT count(*) FROM dwd.products")).Answer());
        Outcome other = await PsqlAsync($"sslmode=verify-full sslrootcert={_others.AuthorityPath}", null, Password, "SELECT 1");
        Assert.Equal(2, other.ExitCode);
        Assert.Contains("SSL error", other.Errors, StringComparison.Ordinal);
        Outcome wrong = await PsqlAsync(trusted, null, "wrong", "SELECT 1");
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("password authentication failed for user \"ana\"", wrong.Errors, StringComparison.Ordinal);

        using Process psql = Process.Start(Psql(trusted, Password, "-c", "SELECT count(*) FROM range(100000000000) a, range(1000) b"))!;
        psql.StandardInput.Close();
        Task<string> errors = psql.StandardError.ReadToEndAsync();
        Task ended = psql.WaitForExitAsync();

        // Before that psql does not catch the signal, and one that comes before the statement runs is for nothing, as with PostgreSQL.
        await Eventually.TrueAsync(async () => ended.IsCompleted
            || (await PsqlAsync(trusted, null, Password, "SELECT count(*) FROM lakeholo.query_log WHERE state = 'running' AND starts_with(sql, 'SELECT count(*) FROM range(1')")).Answer() == "1\n");
        for (int i = 0; i < 30 && !ended.IsCompleted; i++)
        {
            using Process signal = Process.Start("kill", ["-INT", psql.Id.ToString(CultureInfo.InvariantCulture)]);
            await signal.WaitForExitAsync();
            await Task.WhenAny(ended, Task.Delay(2000));
        }

        await ended.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Contains("canceling statement due to user request", await errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Odbc_reads_over_tls_that_it_checks()
    {
        using (OdbcConnection odbc = new(Odbc($"SSLmode=verify-full;pqopt={{sslrootcert={_certificates.AuthorityPath}}};", Password)))
        {
            Assert.Equal("240", odbc.Read(s => OdbcConnection.SQLExecDirect(s, "SELECT count(*) FROM dwd.products", -3)).Rows[0][0]);
        }

        Assert.Contains("SSL error", OdbcConnection.Refused(Odbc($"SSLmode=verify-full;pqopt={{sslrootcert={_others.AuthorityPath}}};", Password)), StringComparison.Ordinal);
        Assert.Contains("password authentication failed", OdbcConnection.Refused(Odbc("SSLmode=require;", "wrong")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Npgsql_and_node_read_over_tls_that_they_check()
    {
        string connection = $"Host=127.0.0.1;Port={_port};Username={User};Password={Password};Database=shop;Timeout=60;SSL Mode=VerifyFull;Pooling=false;Root Certificate=";
        await using (NpgsqlConnection trusted = new(connection + _certificates.AuthorityPath))
        {
            await trusted.OpenAsync();
            await using var count = new NpgsqlCommand("SELECT count(*) FROM dwd.products", trusted);
            Assert.Equal(240L, await count.ExecuteScalarAsync());
        }

        await using (NpgsqlConnection other = new(connection + _others.AuthorityPath))
        {
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => other.OpenAsync());
        }

        Outcome node = await CommandLine.RunAsync(CommandLine.Of("node", Path.Combine(RustClient.ClientsFolder(), "postgres-tls.js"), _port, User, Password, "shop", _certificates.AuthorityPath), null);
        Assert.True(node.ExitCode == 0, node.Errors);
        Assert.Equal(
            """
            {"name":"trusted","value":240}
            {"name":"not trusted","error":"UNABLE_TO_VERIFY_LEAF_SIGNATURE"}
            {"name":"wrong password","error":"28P01"}

            """,
            node.Output);
    }

    private string Odbc(string options, string password) => $"Driver=PostgreSQL Unicode;Servername=127.0.0.1;Port={_port};Database=shop;UID={User};PWD={password};{options}";

    private Task<Outcome> PsqlAsync(string options, string? input, string password, string sql) =>
        CommandLine.RunAsync(Psql(options, password, input is null ? ["-c", sql] : []), input is null ? null : input + sql + ";\n");

    private ProcessStartInfo Psql(string options, string password, params string[] arguments)
    {
        ProcessStartInfo start = CommandLine.Of("psql", ["-X", "-A", "-t", "-q", .. arguments, $"host=127.0.0.1 port={_port} user={User} dbname=shop {options}"]);
        start.Environment["PGPASSWORD"] = password;
        return start;
    }
}
