using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>The suites, in the order in which they run.</summary>
internal static class SuiteList
{
    public static IReadOnlyList<ISuite> All { get; } =
    [
        new OverheadSuite(),
    ];
}
