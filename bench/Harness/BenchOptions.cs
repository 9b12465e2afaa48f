namespace LakeHolo.Bench.Harness;

/// <summary>What the command line says.</summary>
internal sealed record BenchOptions
{
    public bool Quick { get; private init; }

    public bool List { get; private init; }

    public IReadOnlyList<string> Suites { get; private init; } = [];

    public string? Filter { get; private init; }

    public string? LakeDirectory { get; private init; }

    public string DataDirectory { get; private init; } = Path.Combine(Path.GetTempPath(), "lakeholo-bench");

    public string? ResultsDirectory { get; private init; }

    /// <summary>Where engines of other makers are installed.</summary>
    public string? ClientsDirectory { get; private init; }

    /// <summary>Where the scripts are that start an object store.</summary>
    public string? ObjectStoreScripts { get; private init; }

    public string Commit { get; private init; } = "unknown";

    /// <summary>Timed runs of each contender; never fewer than five.</summary>
    public int Runs { get; private init; } = 5;

    /// <summary>Threads of ours and of each peer.</summary>
    public int Threads { get; } = Environment.ProcessorCount;

    /// <summary>Memory limit of ours and of each peer.</summary>
    public long MemoryBytes { get; } = 4L << 30;

    /// <exception cref="ArgumentException">An unknown word, or one that is missing.</exception>
    public static BenchOptions Parse(string[] arguments)
    {
        var options = new BenchOptions();
        var words = new Queue<string>(arguments);
        string Value(string name) => words.TryDequeue(out string? value) ? value : throw new ArgumentException($"{name} needs a value");
        while (words.TryDequeue(out string? word))
        {
            switch (word)
            {
                case "--quick":
                    options = options with { Quick = true };
                    break;
                case "--list":
                    options = options with { List = true };
                    break;
                case "--suite":
                    var names = new List<string>(options.Suites);
                    while (words.TryPeek(out string? name) && !name.StartsWith("--", StringComparison.Ordinal))
                    {
                        names.Add(words.Dequeue());
                    }

                    options = options with { Suites = names };
                    break;
                case "--filter":
                    options = options with { Filter = Value(word) };
                    break;
                case "--lake":
                    options = options with { LakeDirectory = Path.GetFullPath(Value(word)) };
                    break;
                case "--data":
                    options = options with { DataDirectory = Path.GetFullPath(Value(word)) };
                    break;
                case "--results":
                    options = options with { ResultsDirectory = Value(word) };
                    break;
                case "--clients":
                    options = options with { ClientsDirectory = Path.GetFullPath(Value(word)) };
                    break;
                case "--object-store":
                    options = options with { ObjectStoreScripts = Path.GetFullPath(Value(word)) };
                    break;
                case "--commit":
                    options = options with { Commit = Value(word) };
                    break;
                case "--runs":
                    options = options with { Runs = Math.Max(5, int.Parse(Value(word), System.Globalization.CultureInfo.InvariantCulture)) };
                    break;
                default:
                    throw new ArgumentException($"Unknown argument {word}; known are --quick, --suite NAME…, --filter WORD, --lake DIR, --data DIR, --runs N, --list");
            }
        }

        return options;
    }
}
