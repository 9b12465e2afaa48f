using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Bench.Harness;

/// <summary>Results as tables on the screen and as one JSON file a run.</summary>
internal static class Report
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new ShortNumbers() },
    };

    public static void PrintHeader(ISuite suite)
    {
        Console.WriteLine();
        Console.WriteLine($"{suite.Name}: {suite.Measures}");
        Console.WriteLine($"  {"",-34} {"ours",12} {"peer",12} {"unit",-8} {"ratio",7}  target");
    }

    public static void PrintRow(BenchRow row)
    {
        string more = string.Join(' ', row.More.Select(m => $"{m.Key}={Number(m.Value)}"));
        Console.WriteLine(
            $"  {row.Name,-34} {Number(row.Ours),12} {(row.Peer is { } p ? Number(p) : "-"),12} {row.Unit,-8} {(row.Ratio is { } r ? r.ToString("F3", CultureInfo.InvariantCulture) : "-"),7}  "
            + $"{row.Target}{row.Met switch { true => " met", false => " MISSED", null => string.Empty }} {row.PeerName} {more} {row.Note}".TrimEnd());
    }

    /// <summary>The machine and the versions, then every suite's rows.</summary>
    public static string Write(BenchOptions options, IReadOnlyList<(ISuite Suite, IReadOnlyList<BenchRow> Rows, string? Error)> suites)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        string path = Path.Combine(
            options.ResultsDirectory!, string.Create(CultureInfo.InvariantCulture, $"{now:yyyyMMdd-HHmmss}-{options.Commit}{(options.Quick ? "-quick" : string.Empty)}.json"));
        Directory.CreateDirectory(options.ResultsDirectory!);
        File.WriteAllText(path, JsonSerializer.Serialize(
            new
            {
                date = now,
                commit = options.Commit,
                options.Quick,
                options.Filter,
                machine = new
                {
                    processor = Processor(),
                    cores = Environment.ProcessorCount,
                    memoryGiB = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1L << 30),
                    system = System.Runtime.InteropServices.RuntimeInformation.OSDescription,
                },
                versions = new { dotnet = Environment.Version.ToString(), duckdb = EngineVersion.Text },
                settings = new { options.Threads, options.MemoryBytes, options.Runs },
                suites = suites.Select(s => new { s.Suite.Name, s.Suite.Measures, s.Error, s.Rows }),
            },
            Json) + "\n");
        return path;
    }

    private static string Number(double value) => Math.Abs(value) switch
    {
        >= 1000 => value.ToString("F0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("F1", CultureInfo.InvariantCulture),
        _ => value.ToString("0.###", CultureInfo.InvariantCulture),
    };

    private static string Processor() => File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? "unknown"
        : "unknown";

    /// <summary>Six digits say all that a measurement knows.</summary>
    private sealed class ShortNumbers : JsonConverter<double>
    {
        public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDouble();

        public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
        {
            if (double.IsFinite(value))
            {
                writer.WriteRawValue(value.ToString("G6", CultureInfo.InvariantCulture));
            }
            else
            {
                writer.WriteNullValue();
            }
        }
    }
}
