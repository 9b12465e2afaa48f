using System.Xml.Linq;

namespace LakeHolo.Architecture.Tests;

/// <summary>Holds the arrows of ARCHITECTURE.md: which project may know which.</summary>
public sealed class ProjectReferenceTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["LakeCatalog"] = [],
        ["Readers"] = ["LakeCatalog"],
        ["Accelerator"] = ["Readers"],
        ["HotTier"] = ["Accelerator"],
        ["FlightServer"] = ["HotTier"],
        ["Cli"] = ["FlightServer"],
    };

    /// <summary>Packages that stop at the project which owns them (and what is built on it cannot name them directly).</summary>
    private static readonly Dictionary<string, string[]> PackageOwners = new()
    {
        ["AWSSDK.S3"] = ["LakeCatalog"],
        ["AWSSDK.SecurityToken"] = ["LakeCatalog"],
        ["DuckDB.NET.Data.Full"] = ["Readers"],
        ["Grpc.AspNetCore"] = ["FlightServer"],
        ["System.CommandLine"] = ["Cli"],
        ["Spectre.Console"] = ["Cli"],
        ["YamlDotNet"] = ["Cli"],
    };

    private static readonly string Root = FindRoot();

    public static TheoryData<string> Projects => [.. Allowed.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_refers_only_to_the_one_below_it(string project)
        => Assert.Equal(Allowed[project], References(project, "ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r)));

    [Fact]
    public void No_project_in_src_is_unknown_here()
        => Assert.Equal(Allowed.Keys.Order(), Directory.GetDirectories(Path.Combine(Root, "src")).Select(d => Path.GetFileName(d)!).Order());

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_package_stops_at_the_project_that_owns_it(string project)
    {
        IEnumerable<string> foreign = References(project, "PackageReference")
            .Where(p => PackageOwners.TryGetValue(p, out string[]? owners) && !owners.Contains(project));
        Assert.Empty(foreign);
    }

    [Theory]
    [InlineData("./lakeholo demo")]
    [InlineData("./test")]
    public void The_readme_shows_both_commands(string command)
        => Assert.Contains(command, File.ReadAllText(Path.Combine(Root, "README.md")), StringComparison.Ordinal);

    [Fact]
    public void No_source_names_a_place_outside_the_project()
    {
        string[] forbidden = ["../sha" + "red", "/wo" + "rk/", "/ro" + "ot/"];
        string[] folders = ["src", "tests", "bench"];
        IEnumerable<string> hits =
            from folder in folders
            let path = Path.Combine(Root, folder)
            where Directory.Exists(path)
            from file in Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            where Path.GetExtension(file) is ".cs" or ".csproj" or ".md" or ".sh" or ".mjs" or ".js"
            where !file.Contains("/bin/", StringComparison.Ordinal) && !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/node_modules/", StringComparison.Ordinal)
            where forbidden.Any(f => File.ReadAllText(file).Contains(f, StringComparison.Ordinal))
            select file;
        Assert.Empty(hits);
    }

    private static string[] References(string project, string kind) =>
        [.. XDocument.Load(Path.Combine(Root, "src", project, project + ".csproj")).Descendants(kind).Select(r => r.Attribute("Include")!.Value)];

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "LakeHolo.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("LakeHolo.sln is not above the test's folder");
    }
}
