using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;

namespace LakeHolo.Cli.Connections;

/// <summary>An instance inside this process.</summary>
internal sealed class LocalConnection(LakeInstance instance, string description, bool ownsInstance) : IConnection
{
    private readonly QuerySession _session = instance.Engine.OpenSession(new SessionIdentity(Environment.UserName, "local", "lakeholo"));

    public string Description => description;

    public async ValueTask<IAnswer> ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        IPreparedQuery prepared = await instance.Engine.PrepareAsync(_session, sql, cancellationToken);
        return new Answer(await prepared.ExecuteAsync(_session, null, 0, cancellationToken));
    }

    public ValueTask DisposeAsync() => ownsInstance ? instance.DisposeAsync() : ValueTask.CompletedTask;

    private sealed class Answer(IQueryResult result) : IAnswer
    {
        public Schema Schema => result.Schema;

        public ReadOnlyMemory<byte> AppMetadata => result.AppMetadata;

        public IAsyncEnumerable<RecordBatch> ReadAsync(CancellationToken cancellationToken) => result.ReadBatchesAsync(cancellationToken);

        public ValueTask DisposeAsync() => result.DisposeAsync();
    }
}
