using Apache.Arrow;
using LakeHolo.FlightServer.Client;

namespace LakeHolo.Cli.Connections;

/// <summary>A running server, over Flight SQL.</summary>
internal sealed class RemoteConnection : IConnection
{
    private readonly FlightSqlClient _client;

    private RemoteConnection(FlightSqlClient client) => _client = client;

    public string Description => _client.Server.ToString().TrimEnd('/');

    public static async ValueTask<IConnection> OpenAsync(Uri server, string? user, string? password, string? token, ClientTls? tls, CancellationToken cancellationToken)
        => new RemoteConnection(await FlightSqlClient.ConnectAsync(server, user, password, token, tls, cancellationToken));

    public async ValueTask<IAnswer> ExecuteAsync(string sql, CancellationToken cancellationToken) => new Answer(await _client.ExecuteAsync(sql, cancellationToken));

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private sealed class Answer(FlightAnswer answer) : IAnswer
    {
        public Schema Schema => answer.Schema;

        public ReadOnlyMemory<byte> AppMetadata => answer.AppMetadata;

        public IAsyncEnumerable<RecordBatch> ReadAsync(CancellationToken cancellationToken) => answer.ReadAsync(cancellationToken);

        public ValueTask DisposeAsync() => answer.DisposeAsync();
    }
}
