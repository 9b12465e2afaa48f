using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.HotTier;

namespace LakeHolo.Cli.Connections;

/// <summary>An instance inside this process.</summary>
/// <param name="instance">The instance.</param>
/// <param name="description">What the user is connected to.</param>
/// <param name="ownsInstance">It ends with the connection.</param>
/// <param name="scratch">A folder that goes with it.</param>
internal sealed class LocalConnection(LakeInstance instance, string description, bool ownsInstance, string? scratch = null) : IConnection
{
    private readonly QuerySession _session = instance.Engine.OpenSession(new SessionIdentity(Environment.UserName, "local", "lakeholo"));

    public string Description => description;

    public async ValueTask<IAnswer> ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        IPreparedQuery prepared = await instance.Engine.PrepareAsync(_session, sql, cancellationToken);
        return new Answer(await prepared.ExecuteAsync(_session, null, 0, cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        if (ownsInstance)
        {
            await instance.DisposeAsync();
        }

        if (scratch is not null)
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private sealed class Answer(IQueryResult result) : IAnswer
    {
        public Schema Schema => result.Schema;

        public ReadOnlyMemory<byte> AppMetadata => result.AppMetadata;

        public IAsyncEnumerable<RecordBatch> ReadAsync(CancellationToken cancellationToken) => result.ReadBatchesAsync(cancellationToken);

        public ValueTask DisposeAsync() => result.DisposeAsync();
    }
}
