using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Whatever is asked of a Delta table, the answer is that of the engine over the same rows: whatever files are pruned, whatever the log answers, from the lake and from a hot copy, the
/// first time and when the text comes again.</summary>
public sealed class DeltaRandomQueryTests
{
    private const int Statements = 100;

    [Fact]
    public async Task Any_statement_has_the_answer_of_the_rows_themselves()
    {
        int seed = Fuzz.NewSeed();
        foreach (int round in Fuzz.Rounds(3))
        {
            var random = new Random(seed + round);
            using var table = new RandomDeltaTable(random);
            await using OneTableLake lake = await OneTableLake.StartAsync(table.Made);
            await lake.ManageAsync("PROMOTE TABLE facts");
            var statements = new RandomStatements(random, table);
            for (int i = 0; i < Statements; i++)
            {
                string sql = statements.Next();
                string[] expected = Expected(table, sql);
                foreach (string tier in new[] { "lake", "auto", "auto", "auto" })
                {
                    await lake.ManageAsync($"SET tier = '{tier}'");
                    string[] found = await FoundAsync(lake, sql);
                    Assert.True(expected.SequenceEqual(found), $"{Where(seed + round, i, tier)}: {sql}\nhas {Some(expected)}\nnot {Some(found)}");
                }
            }
        }
    }

    private static string Where(int seed, int number, string tier) => string.Create(CultureInfo.InvariantCulture, $"statement {number} of the table of seed {seed}, {tier}");

    private static string Some(string[] rows) => $"{rows.Length}: {string.Join(" ", rows.Take(20))}";

    private static string[] Expected(RandomDeltaTable table, string sql)
    {
        try
        {
            return table.Made.Rows(sql.Replace("facts AS b AT (VERSION => 0)", "expected0 b", StringComparison.Ordinal).Replace("facts", "expected", StringComparison.Ordinal));
        }
        catch (DuckDBException)
        {
            return ["an error"];
        }
    }

    private static async Task<string[]> FoundAsync(OneTableLake lake, string sql)
    {
        try
        {
            return await lake.RowsAsync(sql);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.QueryInvalid)
        {
            return ["an error"];
        }
    }
}
