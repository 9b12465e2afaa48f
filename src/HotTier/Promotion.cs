namespace LakeHolo.HotTier;

/// <summary>What was asked to be promoted of a table.</summary>
public sealed record Promotion
{
    /// <summary>The whole table, in the lake's order.</summary>
    public static Promotion Whole { get; } = new();
}
