using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LakeHolo.FlightServer.Postgres.Types;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>recorded/habits.txt: statements as clients and tools of PostgreSQL write them, what PostgreSQL 15 answered over the same rows (tests/clients/habits.js prints it), and behind <c>&lt;&gt;</c> the reason
/// and our answer where it is another. The list is closed: a difference that is new or gone fails.</summary>
public sealed class RecordedHabitsTests
{
    [Fact]
    public async Task Statements_have_the_names_types_and_rows_that_PostgreSQL_gives_or_differ_as_listed()
    {
        await using PgShop shop = await PgShop.StartAsync();
        using PgWire wire = await shop.LoginAsync();
        string[] blocks = (await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Postgres", "recorded", "habits.txt"))).Split("\n;;\n", StringSplitOptions.RemoveEmptyEntries);
        var wrong = new List<string>();
        int differ = 0;
        foreach (string block in blocks)
        {
            string[] parts = block.Split("\n=> ");
            string sql = string.Join('\n', parts[0].Split('\n').Where(l => !l.StartsWith("# ", StringComparison.Ordinal)));
            string[] answers = parts[1].Split("\n<> ");
            string[]? listed = answers.Length > 1 ? answers[1].Split('\n', 2) : null;
            string actual = Answer(await wire.QueryAsync(sql));
            string expected = listed?[1] ?? answers[0];
            differ += listed is null ? 0 : 1;
            if (actual != expected || (listed is not null && listed[1] == answers[0]))
            {
                wrong.Add($"{sql}\n  {actual}\n  {expected}{(listed is null ? string.Empty : " (" + listed[0] + ")")}");
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} differ:\n{string.Join('\n', wrong)}");
        Assert.True(blocks.Length > 300 && differ < blocks.Length / 3, $"{differ} of {blocks.Length} differ");
    }

    private static string Answer(List<PgMessage> messages)
    {
        if (messages.Find(m => m.Type == 'E') is { } error)
        {
            return "ERROR " + error.Field('C');
        }

        (string Name, string Type)[] columns = [.. messages.Find(m => m.Type == 'T')!.Columns().Select(c => (c.Name, PgType.Find(c.Oid)?.Name.Replace("jsonb", "json", StringComparison.Ordinal) ?? $"{c.Oid}"))];
        IEnumerable<string> rows = messages.Where(m => m.Type == 'D')
            .Select(m => string.Join('|', m.Values().Select((v, i) => v is null ? "∅" : columns[i].Type == "json" ? Sorted(Encoding.UTF8.GetString(v)) : Encoding.UTF8.GetString(v))));
        return string.Join('\n', rows.Prepend(string.Join('|', columns.Select(c => $"{c.Name} {c.Type}"))));
    }

    /// <summary>A json whatever blanks, order of names and zeros it was written with; of a name that is there twice the last counts.</summary>
    private static string Sorted(string json)
    {
        using var document = JsonDocument.Parse(json);
        return Sort(document.RootElement)?.ToJsonString(Plain) ?? "null";
    }

    private static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static JsonNode? Sort(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => new JsonObject(element.EnumerateObject().GroupBy(p => p.Name).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => KeyValuePair.Create(g.Key, Sort(g.Last().Value)))),
        JsonValueKind.Array => new JsonArray([.. element.EnumerateArray().Select(Sort)]),
        JsonValueKind.Number => JsonValue.Create(element.GetDouble()),
        JsonValueKind.String => JsonValue.Create(element.GetString()),
        JsonValueKind.True or JsonValueKind.False => JsonValue.Create(element.GetBoolean()),
        _ => null,
    };
}
