namespace LakeHolo.Bench.Harness;

/// <summary>The times of each contender, in milliseconds.</summary>
internal sealed class TimedRuns(IReadOnlyDictionary<string, IReadOnlyList<double>> times)
{
    public Times this[string contender] => new(times[contender]);

    public IEnumerable<string> Contenders => times.Keys;

    /// <summary>Times of one contender.</summary>
    internal readonly record struct Times(IReadOnlyList<double> Milliseconds)
    {
        public double Median
        {
            get
            {
                double[] sorted = [.. Milliseconds.Order()];
                return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
            }
        }

        public double Best => Milliseconds.Min();

        public double Percentile(double share)
        {
            double[] sorted = [.. Milliseconds.Order()];
            return sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
        }
    }
}
