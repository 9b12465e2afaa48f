using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Cli.Output;

namespace LakeHolo.Cli.Tests.Output;

public sealed class ReadProgressTests
{
    [Fact]
    public void Rows_bytes_and_rows_a_second_are_told() => Assert.Equal("1,200,000 rows, 24.0 MB, 400,000 rows/s", ReadProgress.Text(1_200_000, 24_000_000, TimeSpan.FromSeconds(3)));

    [Fact]
    public void Nothing_is_written_before_the_interval_or_without_a_terminal()
    {
        var written = new StringWriter();
        using RecordBatch batch = new(new Schema([new Field("a", Int64Type.Default, true)], null), [new Int64Array.Builder().Append(1).Build()], 1);
        using (var progress = new ReadProgress(written, new StandingClock()))
        {
            progress.Add(batch);
        }

        using (var unwatched = new ReadProgress(null, TimeProvider.System))
        {
            unwatched.Add(batch);
        }

        Assert.Empty(written.ToString());
    }

    [Fact]
    public void A_long_read_rewrites_one_line_and_clears_it_at_the_end()
    {
        var written = new StringWriter();
        var clock = new StandingClock();
        using RecordBatch batch = new(new Schema([new Field("a", Int64Type.Default, true)], null), [new Int64Array.Builder().Append(1).Build()], 1);
        using (var progress = new ReadProgress(written, clock))
        {
            clock.Ticks = TimeSpan.FromSeconds(1).Ticks;
            progress.Add(batch);
        }

        Assert.StartsWith("\r\u001b[K1 rows, ", written.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("\r\u001b[K", written.ToString(), StringComparison.Ordinal);
    }

    private sealed class StandingClock : TimeProvider
    {
        public long Ticks { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Ticks;
    }
}
