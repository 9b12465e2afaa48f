namespace LakeHolo.Tests.Shared;

/// <summary>The folder sample-lake/: its questions, its answers, and the updates that are played onto a copy of its lake.</summary>
internal static class SampleLake
{
    public static string Home { get; } = FindHome();

    public static string Lake => Path.Combine(Home, "lake");

    public static IReadOnlyList<string> QueryNames { get; } =
        [.. Directory.GetFiles(Path.Combine(Home, "queries"), "*.sql").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal)];

    public static int StepCount => Directory.GetDirectories(Path.Combine(Home, "updates", "steps")).Length;

    public static string Query(string name) => File.ReadAllText(Path.Combine(Home, "queries", name + ".sql"));

    public static string Answer(string query) => Path.Combine(Home, "expected", query + ".parquet");

    public static string Step(int number) => Path.Combine(Home, "updates", "steps", number.ToString("D3", System.Globalization.CultureInfo.InvariantCulture));

    public static void CopyTo(string folder) => CopyFolder(Lake, folder);

    public static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = to + file[from.Length..];
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    /// <summary>Plays a step as its writers would: data first, each file whole at once, then the commits, then what a cleaner takes.</summary>
    public static void Play(int number, string lake)
    {
        string add = Path.Combine(Step(number), "add");
        if (Directory.Exists(add))
        {
            foreach (string file in Directory.EnumerateFiles(add, "*", SearchOption.AllDirectories).OrderBy(f => Rank(f[add.Length..])).ThenBy(f => f, StringComparer.Ordinal))
            {
                string target = lake + file[add.Length..];
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                string coming = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("N"));
                File.Copy(file, coming);
                File.Move(coming, target, overwrite: true);
            }
        }

        string removed = Path.Combine(Step(number), "remove.txt");
        foreach (string line in File.Exists(removed) ? File.ReadAllLines(removed).Where(l => l.Length > 0) : [])
        {
            File.Delete(Path.Combine(lake, line));
        }
    }

    private static int Rank(string path) => path switch
    {
        _ when path.Contains("/_delta_log/_sidecars/", StringComparison.Ordinal) => 0,
        _ when path.Contains("/.hoodie/metadata/.hoodie/", StringComparison.Ordinal) => 2,
        _ when path.Contains("/.hoodie/metadata/", StringComparison.Ordinal) => 1,
        _ when path.Contains("/.hoodie/", StringComparison.Ordinal) || path.Contains("/_delta_log/", StringComparison.Ordinal) || path.Contains("/snapshot/", StringComparison.Ordinal) => 3,
        _ => 0,
    };

    private static string FindHome()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "LakeHolo.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return Path.Combine(folder ?? throw new DirectoryNotFoundException("The test does not run inside the project"), "sample-lake");
    }
}
