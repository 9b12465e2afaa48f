using Apache.Arrow;

namespace LakeHolo.Cli.Output;

/// <summary>Writes the rows of one statement in some format.</summary>
internal interface IRowWriter : IAsyncDisposable
{
    /// <summary>Called once, before any batch.</summary>
    ValueTask BeginAsync(Schema schema);

    /// <summary>Called for each batch, which stays the caller's.</summary>
    ValueTask WriteAsync(RecordBatch batch, CancellationToken cancellationToken);

    /// <summary>Called once after the last batch, if nothing failed.</summary>
    ValueTask EndAsync();
}
