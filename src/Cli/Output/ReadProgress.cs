using System.Globalization;
using Apache.Arrow;

namespace LakeHolo.Cli.Output;

/// <summary>While an answer is written to a file or a pipe: rows, bytes and rows a second on standard error, when a person is watching.</summary>
internal sealed class ReadProgress(TextWriter? watched, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    private readonly long _started = time.GetTimestamp();
    private long _shown = time.GetTimestamp();
    private bool _hasShown;
    private long _rows;
    private long _bytes;

    /// <summary>Begins to watch; nothing is written when standard error is no terminal, or when the rows go there too.</summary>
    public static ReadProgress Start(bool rowsGoToTerminal) => new(Console.IsErrorRedirected || rowsGoToTerminal ? null : Console.Error, TimeProvider.System);

    public void Add(RecordBatch batch)
    {
        _rows += batch.Length;
        _bytes += batch.Arrays.Sum(a => Size(a.Data));
        if (watched is not null && time.GetElapsedTime(_shown) >= Interval)
        {
            _shown = time.GetTimestamp();
            _hasShown = true;
            watched.Write("\r\u001b[K" + Text(_rows, _bytes, time.GetElapsedTime(_started)));
        }
    }

    public void Dispose()
    {
        if (_hasShown)
        {
            watched!.Write("\r\u001b[K");
        }
    }

    /// <summary><c>1,200,000 rows, 24.0 MB, 400,000 rows/s</c>.</summary>
    public static string Text(long rows, long bytes, TimeSpan elapsed) =>
        string.Create(CultureInfo.InvariantCulture, $"{rows:#,0} rows, {bytes / 1e6:#,0.0} MB, {rows / Math.Max(elapsed.TotalSeconds, 0.001):#,0} rows/s");

    private static long Size(ArrayData data) => data.Buffers.Sum(b => (long)b.Length) + (data.Children?.Sum(Size) ?? 0);
}
