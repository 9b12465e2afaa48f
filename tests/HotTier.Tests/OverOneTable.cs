using Microsoft.Extensions.Time.Testing;

namespace LakeHolo.HotTier.Tests;

/// <summary>Tests over a lake that is not started yet, whose table <c>dwd.t</c> has one file: x from 0 to 999.</summary>
public abstract class OverOneTable : IAsyncLifetime
{
    /// <summary>1000|499500 at the beginning.</summary>
    protected const string Sums = "SELECT count(*), sum(x) FROM dwd.t";

    internal SmallLake Lake { get; } = new();

    /// <summary>A clock that stands still: noon of 2026-11-01.</summary>
    protected FakeTimeProvider Time { get; } = new(DateTimeOffset.Parse("2026-11-01T12:00:00Z"));

    public virtual ValueTask InitializeAsync()
    {
        Lake.Write("dwd/t/1.parquet", "SELECT i AS x FROM range(1000) t(i)");
        return ValueTask.CompletedTask;
    }

    public virtual async ValueTask DisposeAsync()
    {
        await Lake.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Holds that a query has these rows, and from which tiers they come.</summary>
    protected async Task AnswersAsync(string sql, string[] rows, string tiers)
    {
        (string[] actual, string actualTiers) = await Lake.AnswerAsync(sql);
        Assert.Equal(rows, actual);
        Assert.Equal(tiers, actualTiers);
    }
}
