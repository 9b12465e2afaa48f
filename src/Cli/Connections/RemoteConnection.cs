using LakeHolo.LakeCatalog;

namespace LakeHolo.Cli.Connections;

/// <summary>A running server, over Flight SQL.</summary>
internal static class RemoteConnection
{
    public static ValueTask<IConnection> OpenAsync(Uri server, string? user, string? password, string? token, CancellationToken cancellationToken)
    {
        _ = (user, password, token, cancellationToken);
        throw LakeException.StorageUnavailable($"No server answers at {server}; start one with 'lakeholo serve', or work alone with --lake LOCATION");
    }
}
