using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>What is rewritten in each other costs no more than its length, or is refused.</summary>
public sealed class HostileHabitsTests
{
    private static readonly DateTime Now = new(2024, 1, 2, 3, 4, 5, DateTimeKind.Utc);

    [Theory(Timeout = 60_000)]
    [InlineData("coalesce(", ")")]
    [InlineData("array_length(", ", 1)")]
    [InlineData("left(", ", 2)")]
    [InlineData("json_nothing(", ")")]
    [InlineData("round(", "::numeric, 2)")]
    public async Task Calls_in_calls_are_looked_at_once(string open, string close)
    {
        string sql = $"select {Times(open, 150)}x{Times(close, 150)} -> 'a' from t";
        Assert.Contains("json_extract", await RewriteAsync(sql, TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("select x -> 'a', ", "(1), ", "1", "")]
    [InlineData("select x ->> 'a' = y from t where ", "a = (b) and ", "b", "")]
    [InlineData("select ", "null, ", "1", "")]
    public async Task Long_statements_are_read_once(string before, string open, string inside, string close)
    {
        string sql = before + Times(open, 100_000) + inside + Times(close, 100_000);
        Assert.True((await RewriteAsync(sql, TestContext.Current.CancellationToken)).Length >= sql.Length);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("json_typeof(", "x", ")", 900)]
    [InlineData("(", "x", ")", 100_000)]
    [InlineData("array[", "x -> 'a'", "", 100_000)]
    [InlineData("json_array_length(", "x", ")", 30)]
    [InlineData("width_bucket(", "x", ", 0, 10, 5)", 30)]
    [InlineData("(1 between symmetric ", "0", " and 2)", 30)]
    [InlineData("", "x", " #> '{1,2,3,4}'", 30)]
    public async Task What_would_grow_without_end_is_refused(string open, string inside, string close, int times)
    {
        PgError error = await Assert.ThrowsAsync<PgError>(() => RewriteAsync($"select {Times(open, times)}{inside}{Times(close, times)}", TestContext.Current.CancellationToken));
        Assert.Equal("54001", error.SqlState);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("select x #> '{{{0}}}'")]
    [InlineData("select x -> 'a' @> '[{0}]'")]
    public async Task Large_paths_and_values_are_refused(string sql)
    {
        string many = string.Join(',', Enumerable.Repeat("123456", 500_000));
        PgError error = await Assert.ThrowsAsync<PgError>(() => RewriteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, sql, many), TestContext.Current.CancellationToken));
        Assert.Equal("0A000", error.SqlState);
    }

    [Fact(Timeout = 60_000)]
    public async Task Patterns_in_patterns_of_a_catalog_statement_are_refused()
    {
        await using PgShop shop = await PgShop.StartAsync();
        using PgWire wire = await shop.LoginAsync();
        string sql = $"select 1 from pg_class where {Times("relname ~ (", 2_000)}'a'{Times(")", 2_000)}";
        Assert.Equal("54001", (await wire.QueryAsync(sql).WaitAsync(TestContext.Current.CancellationToken)).First(m => m.Type == 'E').Field('C'));
    }

    [Theory(Timeout = 120_000)]
    [InlineData("(", "1", ")")]
    [InlineData("not ", "true", "")]
    [InlineData("", "1", "::text")]
    [InlineData("array[", "1", "]")]
    [InlineData("case when true then ", "1", " end")]
    [InlineData("coalesce(", "1", ")")]
    [InlineData("(select ", "1", ")")]
    public async Task Deep_statements_end_in_an_answer(string open, string inside, string close)
    {
        await using PgShop shop = await PgShop.StartAsync();
        using PgWire wire = await shop.LoginAsync();
        string sql = $"select {Times(open, 20_000)}{inside}{Times(close, 20_000)}";
        Assert.Contains(await wire.QueryAsync(sql).WaitAsync(TestContext.Current.CancellationToken), m => m.Type is 'E' or 'C');
        Assert.Contains(await wire.QueryAsync("select 1").WaitAsync(TestContext.Current.CancellationToken), m => m.Type == 'D');
    }

    [Fact]
    public async Task Statements_that_lack_a_token_are_rewritten_or_refused()
    {
        string recorded = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Postgres", "recorded", "habits.txt"), TestContext.Current.CancellationToken);
        var failed = new List<string>();
        foreach (string sql in recorded.Split("\n;;\n", StringSplitOptions.RemoveEmptyEntries).Select(b => b.Split("\n=> ")[0]))
        {
            SqlStatement statement = SqlStatement.Split(sql)[0];
            foreach (Token token in statement.Tokens)
            {
                foreach (string broken in new[] { statement.Text[..token.Start], statement.Text.Remove(token.Start, token.Length), statement.Text.Insert(token.Start, ") "), statement.Text[..token.Start] + ")" })
                {
                    try
                    {
                        foreach (SqlStatement one in SqlStatement.Split(broken))
                        {
                            Habits.Rewrite(one, Now);
                            _ = SelectItems.Align(one, 1);
                        }
                    }
                    catch (PgError)
                    {
                        // Refused.
                    }
                    catch (Exception e)
                    {
                        failed.Add($"{e.GetType().Name} {e.StackTrace!.Split('\n').First(l => l.Contains("LakeHolo", StringComparison.Ordinal)).Trim()}: {broken}");
                    }
                }
            }
        }

        Assert.True(failed.Count == 0, $"{failed.Count}:\n{string.Join('\n', failed.DistinctBy(f => f[..Math.Min(f.Length, 150)]).Take(40))}");
    }

    [Fact]
    public void A_place_in_a_json_array_is_not_taken_for_a_name()
    {
        SqlStatement statement = SqlStatement.Split("select x -> $1 from t")[0];
        JsonOperators.Refuse(statement, [PgType.Text]);
        JsonOperators.Refuse(statement, [null]);
        Assert.Equal("0A000", Assert.Throws<PgError>(() => JsonOperators.Refuse(statement, [PgType.Int4])).SqlState);
    }

    private static Task<string> RewriteAsync(string sql, CancellationToken ended) => Task.Run(() => Habits.Rewrite(SqlStatement.Split(sql)[0], Now).Text, ended).WaitAsync(ended);

    private static string Times(string text, int times) => string.Concat(Enumerable.Repeat(text, times));
}
