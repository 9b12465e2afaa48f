using System.Text.Json.Serialization;

namespace LakeHolo.Accelerator.Sources;

/// <summary>What is promoted of a table, and how it is stored.</summary>
public sealed record PromotionSpec
{
    /// <summary>The whole table, in the lake's order.</summary>
    public static PromotionSpec Whole { get; } = new();

    /// <summary>Names of the columns; null for all, also those that are added later.</summary>
    public IReadOnlyList<string>? Columns { get; init; }

    /// <summary>A condition over partition columns; null for all partitions.</summary>
    public string? Where { get; init; }

    /// <summary>Only partitions of the last days, by the first partition column that holds dates; null for all.</summary>
    public int? LastDays { get; init; }

    /// <summary>Only the newest partitions, as many as take no more bytes in the lake than this; null for all.</summary>
    public long? BudgetBytes { get; init; }

    /// <summary>Sort keys: <c>column</c> or <c>column DESC</c>.</summary>
    public IReadOnlyList<string> OrderBy { get; init; } = [];

    /// <summary>Whether key columns are indexed for point lookups.</summary>
    public bool Lookup { get; init; }

    /// <summary>How old answers from the copy may be for statements that do not say; zero for newest.</summary>
    public TimeSpan MaxStaleness { get; init; }

    /// <summary>Whether only some partitions are held.</summary>
    [JsonIgnore]
    public bool IsPartOfRows => Where is not null || LastDays is not null || BudgetBytes is not null;
}
