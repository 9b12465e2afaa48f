using LakeHolo.Accelerator;
using LakeHolo.Accelerator.Access;
using LakeHolo.Cli.Configuration;
using LakeHolo.FlightServer;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Cli.Tests.Configuration;

public sealed class LakeConfigurationTests : IDisposable
{
    private static readonly Dictionary<string, string> None = [];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Flags_win_over_variables_and_variables_over_the_file()
    {
        string file = Write("""
            engine:
              threads: 1
              memory: 1GiB
            cache.size: 5MB
            """);
        var environment = new Dictionary<string, string> { ["LAKEHOLO_ENGINE_THREADS"] = "2", ["LAKEHOLO_ENGINE_MEMORY"] = "2GiB", ["PATH"] = "/bin" };
        LakeConfiguration configuration = LakeConfiguration.Load(file, environment, new Dictionary<string, string> { ["engine.threads"] = "3" }, []);
        Assert.Equal(3, configuration.Threads);
        Assert.Equal(2L << 30, configuration.MemoryBytes);
        Assert.Equal(5_000_000, configuration.CacheBytes);
    }

    [Fact]
    public void Roles_and_their_grants_are_read()
    {
        string file = Write("""
            users:
              - { name: ana, password_hash: "x", roles: [analyst, operator] }
            roles:
              - name: analyst
                tables:
                  - { name: dwd.people, filter: "region = 'EU'", masks: { ssn: "'***'" } }
                  - { layer: dws }
              - { name: operator, admin: true }
            """);
        LakeConfiguration configuration = LakeConfiguration.Load(file, None, None, []);
        Assert.Equal(["analyst", "operator"], configuration.Users.Single().Roles);
        Assert.Equal([("analyst", false), ("operator", true)], configuration.Roles.Select(r => (r.Name, r.IsAdmin)));
        Assert.Equal(
            [("dwd.people", null, "region = 'EU'", "'***'"), (null, "dws", null, null)],
            configuration.Roles[0].Grants.Select(g => (g.Tables, g.Layer, g.Filter, g.Masks.GetValueOrDefault("ssn"))));
    }

    [Fact]
    public void Token_issuers_limits_and_telemetry_are_read()
    {
        string file = Write("""
            users:
              - { name: ana, password_hash: "x", limits: { rows: 1000000, memory: 2GiB } }
              - { name: robot, token_hash: "ab", token_expires: 2027-01-31 }
            roles:
              - { name: analyst, limits: { concurrent_statements: 4, bytes: 1GB, time: 30s } }
            issuers:
              - { issuer: "https://login.test/", audience: [lakeholo, lake], jwks: keys.json, algorithms: RS256, user_claim: email, roles_claim: groups, role_names: { analysts: analyst } }
            telemetry: { otlp_endpoint: "http://127.0.0.1:4318", protocol: http/protobuf }
            """);
        LakeConfiguration configuration = LakeConfiguration.Load(file, None, None, []);
        Assert.Equal(new UserLimits { Rows = 1_000_000, MemoryBytes = 2L << 30 }, configuration.Users[0].Limits);
        Assert.Equal(("ab", new DateTimeOffset(2027, 1, 31, 0, 0, 0, TimeSpan.Zero)), (configuration.Users[1].TokenHash, configuration.Users[1].TokenExpires));
        Assert.Equal(new UserLimits { ConcurrentStatements = 4, Bytes = 1_000_000_000, Time = TimeSpan.FromSeconds(30) }, configuration.Roles[0].Limits);
        TokenIssuer issuer = Assert.Single(configuration.Issuers);
        Assert.Equal(("https://login.test/", "keys.json", "email", "groups"), (issuer.Issuer, issuer.KeySet, issuer.UserClaim, issuer.RolesClaim));
        Assert.Equal(["lakeholo", "lake"], issuer.Audiences);
        Assert.Equal(["RS256"], issuer.Algorithms);
        Assert.Equal("analyst", issuer.RoleNames["analysts"]);
        Assert.Equal((4318, true), (configuration.Telemetry.Endpoint!.Port, configuration.Telemetry.OverHttp));
    }

    [Fact]
    public void Roles_that_are_not_there_and_grants_of_nothing_are_faults()
    {
        string file = Write("""
            users:
              - { name: ana, password_hash: "x", roles: [analist] }
            roles:
              - { name: analyst, admin: perhaps, tables: [{ filter: "true" }] }
            """);
        IReadOnlyList<string> faults = Assert.Throws<ConfigurationException>(() => LakeConfiguration.Load(file, None, None, [])).Faults;
        Assert.Contains(faults, f => f.Contains("there is no role analist; did you mean analyst?", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.Contains("admin: expected true or false", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.Contains("either name", StringComparison.Ordinal));
    }

    [Fact]
    public void Lists_and_every_kind_of_value_are_read()
    {
        string file = Write("""
            sources:
              - name: shop
                location: /data/shop
                sync_interval: 1m
              - { name: archive, location: "s3://bucket/archive", sync_cron: "0 * * * *" }
            users:
              - { name: ana, password_hash: "secret-hash" }
            layers:
              - { schema: "mart_*", layer: ads }
            folder_columns:
              ods.legacy_catalog: sku VARCHAR, product_id INTEGER
            listen: grpc://0.0.0.0:4000
            s3: { endpoint: "http://127.0.0.1:9000", path_style: yes, request_timeout: 500ms }
            sync: { interval: 5s }
            """);
        LakeConfiguration configuration = LakeConfiguration.Load(file, None, None, []);
        Assert.Equal(
            [new SourceConfiguration("shop", "/data/shop", TimeSpan.FromMinutes(1), null), new SourceConfiguration("archive", "s3://bucket/archive", null, "0 * * * *")],
            configuration.Sources);
        Assert.Equal(new UserConfiguration("ana", "secret-hash"), Assert.Single(configuration.Users));
        Assert.Equal("ads", Assert.Single(configuration.Layers).Layer);
        Assert.Equal("sku VARCHAR, product_id INTEGER", configuration.FolderColumns["ODS.legacy_catalog"]);
        Assert.Equal(4000, configuration.Listen.Port);
        Assert.Equal(TimeSpan.FromSeconds(5), configuration.SyncInterval);
        Assert.Equal(TimeSpan.FromMilliseconds(500), configuration.S3.RequestTimeout);
        Assert.True(configuration.S3.PathStyle);
    }

    [Fact]
    public void All_faults_are_reported_at_once_with_their_place_and_the_nearest_known_name()
    {
        string file = Write("""
            engine: { thread: 2, memory: lots }
            cache.size: 10 apples
            sources:
              - { name: shop, locaton: /data }
            sync_cron: hourly
            """);
        var environment = new Dictionary<string, string> { ["LAKEHOLO_ENGINE_TREADS"] = "2", ["LAKEHOLO_INSECURE"] = "perhaps" };
        var flags = new Dictionary<string, string> { ["listen"] = "localhost" };
        IReadOnlyList<string> faults = Assert.Throws<ConfigurationException>(() => LakeConfiguration.Load(file, environment, flags, [])).Faults;
        string all = string.Join('\n', faults);
        Assert.Contains($"{file}:1: there is no setting engine.thread; did you mean engine.threads?", all, StringComparison.Ordinal);
        Assert.Contains("engine.memory: expected a size such as 512MB or 8GiB, not 'lots'", all, StringComparison.Ordinal);
        Assert.Contains("cache.size: expected a size", all, StringComparison.Ordinal);
        Assert.Contains("there is no key locaton here; did you mean location?", all, StringComparison.Ordinal);
        Assert.Contains("location is missing", all, StringComparison.Ordinal);
        Assert.Contains("there is no setting sync_cron; did you mean sync.cron?", all, StringComparison.Ordinal);
        Assert.Contains("LAKEHOLO_ENGINE_TREADS: there is no such setting; did you mean LAKEHOLO_ENGINE_THREADS?", all, StringComparison.Ordinal);
        Assert.Contains("LAKEHOLO_INSECURE: expected true or false", all, StringComparison.Ordinal);
        Assert.Contains("--listen: expected grpc://host:port", all, StringComparison.Ordinal);
        Assert.Equal(9, faults.Count);
    }

    [Theory]
    [InlineData("tls: { certificate: a.pem }", "tls.certificate and tls.key belong together")]
    [InlineData("listen: grpc+tls://127.0.0.1:1", "needs tls.certificate and tls.key")]
    [InlineData("sources: [{ name: a, location: /a }, { name: A, location: /b }]", "is given twice")]
    [InlineData("sources: /data", "expected a list of entries")]
    [InlineData("- a", "expected a mapping of settings")]
    [InlineData("engine: [1]", "engine")]
    [InlineData("a: b: c", ":1:")]
    [InlineData("sync.cron: every day", "expected a cron expression")]
    [InlineData("users: [{ name: a, password_hash: x }, { name: a, password_hash: y }]", "the name a is given twice")]
    [InlineData("users: [{ name: a, token_hash: x, token_expires: soon }]", "token_expires: expected a day")]
    [InlineData("users: [{ name: a, password_hash: x, limits: { row: 5 } }]", "there is no limit row; did you mean rows?")]
    [InlineData("roles: [{ name: a, limits: { memory: lots } }]", "memory: expected a size")]
    [InlineData("roles: [{ name: a, limits: { time: 0s } }]", "time: expected a duration")]
    [InlineData("roles: [{ name: a, limits: 5 }]", "limits: expected concurrent_statements")]
    [InlineData("issuers: [{ issuer: a, audience: b }]", "jwks is missing")]
    [InlineData("issuers: [{ issuer: a, audience: b, jwks: c, role_names: { x: nobody } }]", "there is no role nobody")]
    [InlineData("telemetry: { protocol: udp }", "expected grpc or http/protobuf")]
    [InlineData("limits.queued_statements: -1", "expected a whole number from 0")]
    [InlineData("folder_columns: { a.b: \"x INT, y UUID\" }", "folder_columns.a.b: the type 'UUID' is not known; expected one of STRING")]
    [InlineData("folder_columns: { a.b: \"x\" }", "folder_columns.a.b: 'x' is not a column: a name and a type are expected")]
    public void What_does_not_hold_together_is_a_fault(string yaml, string expected)
    {
        IReadOnlyList<string> faults = Assert.Throws<ConfigurationException>(() => LakeConfiguration.Load(Write(yaml), None, None, [])).Faults;
        Assert.Contains(expected, string.Join('\n', faults), StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_that_is_wrong_is_not_repeated()
    {
        var configuration = new LakeConfiguration();
        var faults = new List<string>();
        var setting = new Setting("x.secret", "", "", (_, _) => throw new FormatException("expected another")) { IsSecret = true };
        configuration.Set(setting, "hunter2", "x.secret", faults);
        Assert.Equal("x.secret: expected another", Assert.Single(faults));
    }

    [Fact]
    public void An_empty_file_and_a_missing_one_are_told_apart()
    {
        Assert.Equal(31337, LakeConfiguration.Load(Write(string.Empty), None, None, []).Listen.Port);
        Assert.Throws<ConfigurationException>(() => LakeConfiguration.Load(_folder.File("missing.yaml"), None, None, []));
    }

    [Theory]
    [InlineData("/data/my lake", "my_lake", "/data/my lake")]
    [InlineData("shop=/data/lake", "shop", "/data/lake")]
    [InlineData("s3://bucket/a=b/", "a_b", "s3://bucket/a=b/")]
    [InlineData(".", "lake", ".")]
    public void A_lake_is_named_after_its_last_folder_unless_it_has_a_name(string text, string name, string location)
    {
        SourceConfiguration source = LakeConfiguration.ParseLake(text);
        Assert.Equal((name, location), (source.Name, source.Location));
    }

    [Fact]
    public async Task Options_for_the_engine_carry_every_value()
    {
        string file = Write("""
            engine: { threads: 2, memory: 1GiB, spill: 2GiB }
            limits: { concurrent_statements: 3, queued_statements: 4, statement_timeout: 5s }
            hot.concurrent_builds: 6
            sync.interval: 7s
            """);
        var environment = new Dictionary<string, string> { ["LAKEHOLO_DATA_DIR"] = _folder.File("data") };
        LakeOptions options = LakeConfiguration.Load(file, environment, None, ["shop=" + _folder.Path]).ToLakeOptions();
        Assert.Equal((2, 1L << 30, 2L << 30), (options.Engine.Threads, options.Engine.MemoryLimitBytes, options.Engine.MaxSpillBytes));
        Assert.Equal((3, 4, TimeSpan.FromSeconds(5)), (options.Limits.MaxConcurrent, options.Limits.MaxQueued, options.Limits.StatementTimeout));
        Assert.Equal(6, options.MaxConcurrentBuilds);
        Assert.Equal(_folder.File("data"), options.DataDirectory);
        Assert.Equal(("shop", TimeSpan.FromSeconds(7)), (options.Sources[0].Name, options.Sources[0].SyncInterval));
        await options.Sources[0].Root.Store.DisposeAsync();
    }

    [Fact]
    public void Every_setting_has_a_flag_a_variable_and_a_help_of_its_own()
    {
        Assert.Equal(Setting.All.Count, Setting.All.Select(s => s.Flag).Distinct().Count());
        Assert.Equal(Setting.All.Count, Setting.All.Select(s => s.Variable).Distinct().Count());
        Assert.All(Setting.All, s => Assert.NotEmpty(s.Help));
    }

    private string Write(string yaml)
    {
        string path = _folder.File("lakeholo.yaml");
        File.WriteAllText(path, yaml);
        return path;
    }
}
