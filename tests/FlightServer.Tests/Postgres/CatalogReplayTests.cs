using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;

namespace LakeHolo.FlightServer.Tests.Postgres;

public sealed class CatalogReplayTests
{
    /// <summary>Statements about a view and a function that are not there: their names are errors when they run.</summary>
    private static readonly HashSet<int> NamesNotThere =
    [
        55, 57,
    ];

    [Fact]
    public async Task Every_recorded_statement_has_the_columns_and_types_of_PostgreSQL()
    {
        await using PgServer server = PgServer.Start();
        RecordedCatalog.Fill(server.Service);
        using PgWire wire = await server.LoginAsync();
        var wrong = new List<string>();
        foreach ((int number, string sql) in RecordedCatalog.Statements)
        {
            if (!RecordedCatalog.Results.TryGetValue(number, out (string Name, string Type)[]? expected) || expected.Length == 0)
            {
                continue;
            }

            // Several statements can only be sent as they are; the recorded columns are those of the one that has rows.
            bool isOne = SqlStatement.Split(sql).Count == 1;
            List<PgMessage> answers = isOne ? await wire.Parse(sql).Describe('S').Sync().RoundTripAsync() : await wire.QueryAsync(sql);
            PgMessage? described = answers.Any(m => m.Type == 'E') ? null : answers.FirstOrDefault(m => m.Type == 'T');
            string problem;
            if (described is null)
            {
                problem = answers.FirstOrDefault(m => m.Type == 'E')?.Field('M') ?? "no columns";
            }
            else
            {
                (string, string)[] actual = [.. described.Columns().Select(c => (c.Name, Spelled(PgType.Find(c.Oid)?.Name ?? $"{c.Oid}")))];
                problem = actual.SequenceEqual(expected) ? string.Empty : $"{string.Join(' ', actual.Except(expected))} instead of {string.Join(' ', expected.Except(actual))}";
                if (problem.Length == 0 && isOne && !sql.Contains('$', StringComparison.Ordinal))
                {
                    problem = (await wire.Bind().Execute().Sync().RoundTripAsync()).FirstOrDefault(m => m.Type == 'E')?.Field('M') ?? string.Empty;
                    problem = NamesNotThere.Contains(number) ? problem.Contains("does not exist", StringComparison.Ordinal) ? string.Empty : "no error" : problem;
                }
            }

            if (problem.Length > 0)
            {
                wrong.Add($"{number}: {problem.Split('\n')[0]}");
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} differ:\n{string.Join('\n', wrong)}");
    }

    private static string Spelled(string type) => type.StartsWith('_') ? Spelled(type[1..]) + "[]" : type == "char" ? "\"char\"" : type;
}
