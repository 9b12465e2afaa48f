namespace LakeHolo.Bench.Harness;

/// <summary>One result: a value of ours, most often beside a peer's in the same unit, and what was aimed at.</summary>
internal sealed record BenchRow(string Name)
{
    /// <summary>Our value.</summary>
    public required double Ours { get; init; }

    /// <summary>The peer's value.</summary>
    public double? Peer { get; init; }

    /// <summary>Who the peer is.</summary>
    public string? PeerName { get; init; }

    /// <summary>Unit of both values; UCUM where there is one.</summary>
    public string Unit { get; init; } = "ms";

    /// <summary>Ours / peer.</summary>
    public double? Ratio => Peer is > 0 ? Ours / Peer : null;

    /// <summary>The ratio should not be above this.</summary>
    public double? MaxRatio { get; init; }

    /// <summary>The ratio should not be below this (rates).</summary>
    public double? MinRatio { get; init; }

    /// <summary>Our value should not be above this.</summary>
    public double? Max { get; init; }

    /// <summary>Our value should not be below this (rates).</summary>
    public double? Min { get; init; }

    /// <summary>Other peers' values, spread, counts.</summary>
    public IReadOnlyDictionary<string, double> More { get; init; } = new Dictionary<string, double>();

    /// <summary>What else a reader has to know.</summary>
    public string? Note { get; init; }

    /// <summary>Whether every target is met; null without one.</summary>
    public bool? Met => MaxRatio is null && MinRatio is null && Max is null && Min is null
        ? null
        : !(Ratio > MaxRatio) && !(Ratio < MinRatio) && !(Ours > Max) && !(Ours < Min);

    /// <summary>The targets as text.</summary>
    public string Target => string.Join(
        ' ',
        new[] { Text("ratio <=", MaxRatio), Text("ratio >=", MinRatio), Text("<=", Max), Text(">=", Min) }.Where(t => t.Length > 0));

    private static string Text(string sign, double? value) => value is { } v ? FormattableString.Invariant($"{sign} {v}") : string.Empty;
}
