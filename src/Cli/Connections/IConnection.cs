using Apache.Arrow;

namespace LakeHolo.Cli.Connections;

/// <summary>Where statements go: a running server, or an instance inside this process.</summary>
internal interface IConnection : IAsyncDisposable
{
    /// <summary>What the user is connected to, for messages.</summary>
    string Description { get; }

    /// <summary>Runs one statement.</summary>
    ValueTask<IAnswer> ExecuteAsync(string sql, CancellationToken cancellationToken);
}

/// <summary>The rows of a statement.</summary>
internal interface IAnswer : IAsyncDisposable
{
    Schema Schema { get; }

    /// <summary>JSON: which tier, snapshot and age each table had; empty if there is none.</summary>
    ReadOnlyMemory<byte> AppMetadata { get; }

    /// <summary>Batches as they come; the caller disposes each.</summary>
    IAsyncEnumerable<RecordBatch> ReadAsync(CancellationToken cancellationToken);
}
