using System.Text.Json;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Cli.Demo;

/// <summary>The sample lake beside the program: its tables, questions, answers and updates.</summary>
internal sealed class SampleLake
{
    private readonly string _home;

    private SampleLake(string home) => _home = home;

    /// <summary>Its steps of updates, in order.</summary>
    public IReadOnlyList<string> Steps => [.. Directory.GetDirectories(Path.Combine(_home, "updates", "steps")).Order(StringComparer.Ordinal)];

    /// <summary>Finds it: a given folder, or <c>sample-lake</c> beside or above the program.</summary>
    public static SampleLake Find(string? given)
    {
        if (given is not null)
        {
            return Directory.Exists(Path.Combine(given, "lake"))
                ? new SampleLake(given)
                : throw LakeException.NotFound("There is no sample lake here: a folder with lake/, queries/, expected/ and updates/ was expected", given);
        }

        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            string candidate = Path.Combine(folder, "sample-lake");
            if (Directory.Exists(Path.Combine(candidate, "lake")))
            {
                return new SampleLake(candidate);
            }
        }

        throw LakeException.NotFound("The folder sample-lake was not found beside the program; name it with --sample DIR");
    }

    /// <summary>Questions by name: the first line says them in words, the rest in SQL.</summary>
    public IReadOnlyList<(string Name, string Question, string Sql)> Queries() =>
    [
        .. Directory.GetFiles(Path.Combine(_home, "queries"), "*.sql").Order(StringComparer.Ordinal).Select(file =>
        {
            string[] lines = File.ReadAllLines(file);
            return (Path.GetFileNameWithoutExtension(file), lines[0].TrimStart('-', ' '), string.Join('\n', lines[1..]).Trim().TrimEnd(';'));
        }),
    ];

    /// <summary>The answer of a question, as sorted lines of text.</summary>
    public Task<List<string>> ExpectedAsync(string query, CancellationToken cancellationToken)
        => AnswerText.OfParquetAsync(Path.Combine(_home, "expected", query + ".parquet"), cancellationToken);

    /// <summary>Copies the tables.</summary>
    public void CopyLakeTo(string target) => CopyFolder(Path.Combine(_home, "lake"), target);

    /// <summary>Plays a step onto a copy as a writer would: data files first, then the commits, then what a cleaner removed.</summary>
    public static void Play(string step, string lake)
    {
        string add = Path.Combine(step, "add");
        string[] files = Directory.Exists(add) ? Directory.GetFiles(add, "*", SearchOption.AllDirectories) : [];
        foreach (string file in files.OrderBy(f => CommitRank(f[add.Length..])).ThenBy(f => f, StringComparer.Ordinal))
        {
            string target = lake + file[add.Length..];
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            string hidden = Path.Combine(Path.GetDirectoryName(target)!, "." + Path.GetFileName(target) + ".copying");
            File.Copy(file, hidden, overwrite: true);
            File.Move(hidden, target, overwrite: true);
        }

        string removed = Path.Combine(step, "remove.txt");
        foreach (string line in File.Exists(removed) ? File.ReadAllLines(removed).Where(l => l.Length > 0) : [])
        {
            File.Delete(Path.Combine(lake, line));
        }
    }

    /// <summary>What a step did, and the rows of each table that it touched.</summary>
    public static (string What, IReadOnlyList<(string Table, long Rows)> Touched) Describe(string step)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(step, "tables.json")));
        return (document.RootElement.GetProperty("what").GetString()!,
            [.. document.RootElement.GetProperty("touched").EnumerateObject().Select(t => (t.Name, t.Value.GetProperty("rows").GetInt64()))]);
    }

    private static int CommitRank(string path)
    {
        bool metadata = path.Contains("/.hoodie/metadata/", StringComparison.Ordinal);
        bool commit = path.Contains("/_delta_log/", StringComparison.Ordinal) || path.Contains("/snapshot/", StringComparison.Ordinal) || path.Contains("/.hoodie/", StringComparison.Ordinal);
        return metadata ? 1 : commit ? 2 : 0;
    }

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(to + directory[from.Length..]);
        }

        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, to + file[from.Length..]);
        }
    }
}
