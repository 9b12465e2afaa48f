using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>How a row is put on the wire: a DataRow message, or a line of COPY.</summary>
internal interface IRowFormat
{
    void Write(WireWriter writer, ColumnWriter[] columns, int row);
}

/// <summary>The rows of a running statement, read once from front to back, over several FETCHes or Executes.</summary>
internal sealed class RowSource : IAsyncDisposable
{
    private readonly IAsyncEnumerator<RecordBatch> _batches;
    private readonly IAsyncDisposable? _owner;
    private readonly CancellationTokenSource _stop = new();
    private readonly WriterContext _context;
    private RecordBatch? _batch;
    private ColumnWriter[] _writers = [];
    private int _row;
    private bool _disposed;

    public RowSource(IReadOnlyList<PgColumn> columns, IAsyncEnumerable<RecordBatch> batches, IAsyncDisposable? owner, WriterContext context)
    {
        Columns = columns;
        _batches = batches.GetAsyncEnumerator(_stop.Token);
        _owner = owner;
        _context = context;
    }

    public IReadOnlyList<PgColumn> Columns { get; }

    /// <summary>All rows were read.</summary>
    public bool Ended { get; private set; }

    /// <summary>Rows of text that are there already.</summary>
    public static RowSource OfText(IReadOnlyList<PgColumn> columns, IEnumerable<IReadOnlyList<string?>> rows)
    {
        var builders = columns.Select(_ => new StringArray.Builder()).ToArray();
        int count = 0;
        foreach (IReadOnlyList<string?> row in rows)
        {
            for (int i = 0; i < builders.Length; i++)
            {
                builders[i].Append(row[i]);
            }

            count++;
        }

        var schema = new Schema([.. columns.Select(c => new Field(c.Name, StringType.Default, nullable: true))], null);
        var batch = new RecordBatch(schema, builders.Select(b => b.Build()), count);
        return new RowSource(columns, Once(batch), null, new WriterContext(TimeZoneInfo.Utc));
    }

    /// <summary>Writes up to a number of rows, sending what is full.</summary>
    /// <returns>How many there were.</returns>
    public async ValueTask<long> WriteAsync(WireWriter writer, IRowFormat format, long limit, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration stop = cancellationToken.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), _stop);
        long written = 0;
        while (written < limit && await HasRowAsync())
        {
            int end = _row + (int)Math.Min(_batch!.Length - _row, limit - written);
            int start = _row;
            while (_row < end && !writer.IsFull)
            {
                format.Write(writer, _writers, _row++);
            }

            written += _row - start;
            if (writer.IsFull)
            {
                cancellationToken.ThrowIfCancellationRequested();
                await writer.FlushAsync();
            }
        }

        return written;
    }

    /// <summary>Passes over rows.</summary>
    public async ValueTask<long> SkipAsync(long limit, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration stop = cancellationToken.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), _stop);
        long skipped = 0;
        while (skipped < limit && await HasRowAsync())
        {
            int count = (int)Math.Min(_batch!.Length - _row, limit - skipped);
            _row += count;
            skipped += count;
        }

        return skipped;
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        Ended = true;
        await _stop.CancelAsync();
        _batch?.Dispose();
        await _batches.DisposeAsync();
        if (_owner is not null)
        {
            await _owner.DisposeAsync();
        }

        _stop.Dispose();
    }

    private async ValueTask<bool> HasRowAsync()
    {
        while (!Ended && (_batch is null || _row >= _batch.Length))
        {
            _batch?.Dispose();
            _batch = null;
            if (!await _batches.MoveNextAsync())
            {
                // What the statement held (a slot, files) is given back before the client says another word.
                await DisposeAsync();
                return false;
            }

            _batch = _batches.Current;
            _row = 0;
            _writers = [.. Columns.Select((c, i) => ColumnWriter.Create(_batch.Column(i), c.Type, _context))];
        }

        return !Ended;
    }

    private static async IAsyncEnumerable<RecordBatch> Once(RecordBatch batch)
    {
        await Task.CompletedTask;
        yield return batch;
    }
}
