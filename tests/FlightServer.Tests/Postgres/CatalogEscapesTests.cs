using LakeHolo.Tests.Shared;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>Statements about the catalog run in an engine of their own: it reaches no file, changes nothing and can be stopped.</summary>
public sealed class CatalogEscapesTests
{
    [Fact]
    public async Task No_statement_about_the_catalog_reaches_a_file_or_changes_anything()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("secret.csv"), "a,b\nsecret,2\n");
        string path = folder.File("secret.csv");
        await using PgShop server = await PgShop.StartAsync();
        using PgWire wire = await server.LoginAsync();
        foreach (string sql in new[]
        {
            $"SELECT c.oid, t.content FROM pg_class c, read_text('{path}') t", $"SELECT * FROM pg_class, read_csv('{path}')", $"SELECT * FROM pg_class, '{path}'", $"SELECT * FROM pg_class, glob('{folder.Path}/*')",
            $"SELECT (SELECT max(content) FROM read_blob('{path}')) FROM pg_class", $"WITH x AS (SELECT * FROM read_text('{path}')) SELECT * FROM x, pg_class", $"SELECT * FROM pg_class, query('SELECT * FROM read_text(''{path}'')')",
            $"SELECT * FROM pg_class, parquet_metadata('{path}')", $"COPY (SELECT oid FROM pg_class) TO '{folder.File("written")}'", "SELECT 1 FROM pg_class; ATTACH '/tmp/x.db'", "SELECT 1 FROM pg_class; INSERT INTO pg_class VALUES (1)",
            "SELECT 1 FROM pg_class; SET enable_external_access = true", "SELECT 1 FROM pg_class; INSTALL httpfs", "SELECT 1 FROM pg_class; DROP TABLE pg_class",
        })
        {
            List<PgMessage> answers = await wire.QueryAsync(sql);
            Assert.True(answers.Any(m => m.Type == 'E') && !answers.Any(m => m.Type == 'D' && m.Row.Contains("secret", StringComparison.Ordinal)), sql + string.Join(' ', answers.Where(m => m.Type is 'D' or 'E').Take(1).Select(m => m.Text)));
        }

        Assert.Equal(["secret.csv"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
        Assert.NotEqual("0", await wire.TextAsync("SELECT count(*) FROM pg_class"));
    }

    [Theory]
    [InlineData("57014", "SELECT count(*) FROM pg_class a, range(100000000000) b")]
    [InlineData("57014", "SELECT c.i FROM pg_class a, range(100000000000) c(i) WHERE c.i < 0")]
    public async Task A_statement_about_the_catalog_ends_with_its_timeout(string state, string sql)
    {
        await using PgShop server = await PgShop.StartAsync();
        using PgWire wire = await server.LoginAsync();
        await wire.QueryAsync("SET statement_timeout = '200ms'");
        // All statements about the catalog end after a minute: that must not be what ends it.
        PgMessage error = (await wire.QueryAsync(sql).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).First(m => m.Type == 'E');
        Assert.True(state == error.Field('C'), error.Field('M'));
        await wire.QueryAsync("RESET statement_timeout");
        Assert.Equal("1", await wire.TextAsync("SELECT 1 FROM pg_class LIMIT 1"));
    }
}
