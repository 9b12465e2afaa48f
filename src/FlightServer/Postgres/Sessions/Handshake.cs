using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Logins;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.FlightServer.Telemetry;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>A connection from its first byte: encryption, cancel requests, start-up, login; then its session.</summary>
internal sealed class Handshake(PostgresServices services, Socket socket, int processId, int connections)
{
    private const int CancelRequest = 80_877_102;
    private const int SslRequest = 80_877_103;
    private const int GssRequest = 80_877_104;
    private const int MajorVersion = 3;

    private Stream _stream = Stream.Null;
    private WireReader _reader = new(Stream.Null);
    private WireWriter _writer = new(Stream.Null, TimeSpan.Zero);
    private bool _isEncrypted;

    /// <summary>Until the connection ends; throws nothing.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            socket.NoDelay = true;
            KeepAlive();
            Use(new NetworkStream(socket, ownsSocket: true));
            await ConnectAsync(stopping);
        }
        catch (PgError e)
        {
            await LastWordAsync(e);
        }
        catch (OperationCanceledException)
        {
            await LastWordAsync(stopping.IsCancellationRequested
                ? new PgError("57P01", "terminating connection due to administrator command") { IsFatal = true }
                : new PgError("08006", "login took too long") { IsFatal = true });
        }
        catch (Exception e) when (e is IOException or SocketException or AuthenticationException or ObjectDisposedException)
        {
            // The client left, or cannot speak TLS.
        }
        catch (Exception e)
        {
            string id = Guid.NewGuid().ToString("N")[..8];
            Log.CallFailed(services.Logger, e, "PostgreSQL connection", id);
            await LastWordAsync(new PgError("XX000", $"internal error {id}") { IsFatal = true });
        }
        finally
        {
            await CloseAsync();
        }
    }

    private async Task ConnectAsync(CancellationToken stopping)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        patience.CancelAfter(services.Options.LoginTimeout);
        byte[] first = new byte[2];
        int peeked = await socket.ReceiveAsync(first, SocketFlags.Peek, patience.Token);
        if (peeked == 2 && first[0] == 0x16 && first[1] == 0x03)
        {
            await EncryptAsync(patience.Token);
        }

        if (await StartupAsync(patience.Token) is not { } settings)
        {
            return;
        }

        await using PgSession session = await LoginAsync(settings, patience.Token);
        var running = new RunningQuery(processId, stopping);
        services.Running[processId] = running;
        try
        {
            Welcome(session, running);
            await new PgConnection(_reader, _writer, session, services.Options, running).RunAsync(stopping);
        }
        finally
        {
            services.Running.TryRemove(processId, out _);
            services.Queries.CloseSession(session.Query);
        }
    }

    /// <summary>Reads up to the start-up message; null when the connection was for something else.</summary>
    private async ValueTask<Dictionary<string, string>?> StartupAsync(CancellationToken cancellationToken)
    {
        // Each question may come once; a client that goes on asking is none.
        for (int questions = 0; questions < 4; questions++)
        {
            if (await _reader.ReadStartupAsync(cancellationToken) is not { } message)
            {
                return null;
            }

            var body = new MessageBody(message);
            int code = body.Int32();
            switch (code)
            {
                case SslRequest when services.Certificate is not null && !_isEncrypted:
                    // Anything that was sent before the handshake would pass for encrypted.
                    if (_reader.Buffered > 0)
                    {
                        throw PgError.Protocol("received unencrypted data after SSL request");
                    }

                    await _stream.WriteAsync("S"u8.ToArray(), cancellationToken);
                    await EncryptAsync(cancellationToken);
                    break;
                case SslRequest or GssRequest:
                    await _stream.WriteAsync("N"u8.ToArray(), cancellationToken);
                    break;
                case CancelRequest:
                    int process = body.Int32();
                    int secret = body.Int32();
                    if (!services.Running.TryGetValue(process, out RunningQuery? running) || !running.Cancel(secret))
                    {
                        Log.CancelRefused(services.Logger, socket.RemoteEndPoint?.ToString() ?? string.Empty, process);
                    }

                    return null;
                default:
                    return Settings(code, body);
            }
        }

        throw PgError.Protocol("too many requests before the start-up message");
    }

    private Dictionary<string, string> Settings(int code, MessageBody body)
    {
        if (code >> 16 != MajorVersion)
        {
            throw new PgError("0A000", $"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: server supports 3.0") { IsFatal = true };
        }

        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var unknown = new List<string>();
        while (!body.IsEmpty)
        {
            string name = body.String();
            if (name.Length == 0)
            {
                break;
            }

            string value = body.String();
            if (name.StartsWith("_pq_.", StringComparison.Ordinal))
            {
                unknown.Add(name);
            }
            else
            {
                settings[name] = value;
            }
        }

        if ((code & 0xFFFF) > 0 || unknown.Count > 0)
        {
            _writer.Begin('v');
            _writer.Int32(MajorVersion << 16);
            _writer.Int32(unknown.Count);
            unknown.ForEach(_writer.String);
            _writer.End();
        }

        return settings;
    }

    private async ValueTask<PgSession> LoginAsync(Dictionary<string, string> settings, CancellationToken cancellationToken)
    {
        if (!settings.Remove("user", out string? user) || user.Length == 0)
        {
            throw new PgError("28000", "no PostgreSQL user name specified in startup packet") { IsFatal = true };
        }

        if (connections > services.Options.MaxConnections)
        {
            throw new PgError("53300", "sorry, too many clients already") { IsFatal = true };
        }

        if (settings.Remove("replication", out string? replication) && replication is not ("false" or "off" or "no" or "0"))
        {
            throw new PgError("0A000", "replication is not supported") { IsFatal = true };
        }

        string asked = settings.Remove("database", out string? database) && database.Length > 0 ? database : user;
        try
        {
            string address = (socket.RemoteEndPoint as IPEndPoint)?.Address.ToString() ?? string.Empty;
            string? certified = (_stream as SslStream)?.RemoteCertificate is X509Certificate2 shown ? shown.GetNameInfo(X509NameType.SimpleName, forIssuer: false) : null;
            KnownUser known = await services.Login.CheckAsync(_reader, _writer, user, new ClientLink(address, _isEncrypted, certified), cancellationToken);
            string owner = known.User;
            string client = settings.GetValueOrDefault("application_name", "postgresql");
            QuerySession query = services.Queries.OpenSession(new SessionIdentity(owner, address, client) { Roles = known.Roles, ExpiresAt = known.ExpiresAt });
            try
            {
                string source = await Databases.FindAsync(services.Queries, query, asked, user, cancellationToken);
                query.Options["catalog"] = source;
                Log.SessionOpened(services.Logger, query.Id, Log.Line(owner), address, Log.Line(client));
                var session = new PgSession(query, services.Builder, processId, source, services.Options, services.Time);
                StartupSettings.Apply(session.Settings, settings, owner);
                return session;
            }
            catch
            {
                services.Queries.CloseSession(query);
                throw;
            }
        }
        catch (LoginRefused e)
        {
            LoginMetrics.AddRefused("postgres");
            Log.LoginRefused(services.Logger, Log.Line(user), socket.RemoteEndPoint?.ToString() ?? string.Empty, Log.Line(e.Detail));
            throw new PgError("28P01", $"password authentication failed for user \"{user}\"", e) { IsFatal = true };
        }
        catch (PgError e) when (e.SqlState is "28P01" or "28000")
        {
            LoginMetrics.AddRefused("postgres");
            Log.LoginRefused(services.Logger, Log.Line(user), socket.RemoteEndPoint?.ToString() ?? string.Empty, e.Message);
            throw;
        }
    }

    private void Welcome(PgSession session, RunningQuery running)
    {
        _writer.Begin('R');
        _writer.Int32(0);
        _writer.End();
        session.Settings.TakeChanged();
        foreach (Setting setting in Setting.All.Values.Where(s => s.IsReported))
        {
            Messages.ParameterStatus(_writer, setting.Name, session.Settings.Get(setting.Name)!);
        }

        _writer.Begin('K');
        _writer.Int32(running.ProcessId);
        _writer.Int32(running.Secret);
        _writer.End();
    }

    private async ValueTask EncryptAsync(CancellationToken cancellationToken)
    {
        if (services.Certificate is null)
        {
            throw PgError.Protocol("the server does not speak TLS");
        }

        var encrypted = new SslStream(_stream, leaveInnerStreamOpen: false);
        SslServerAuthenticationOptions options = services.Certificate.ForConnection();
        options.ApplicationProtocols = [new SslApplicationProtocol("postgresql")];
        await encrypted.AuthenticateAsServerAsync(options, cancellationToken);
        Use(encrypted);
        _isEncrypted = true;
    }

    private void Use(Stream stream)
    {
        _stream = stream;
        _reader = new WireReader(stream);
        _writer = new WireWriter(stream, services.Options.WriteTimeout);
    }

    /// <summary>Half-open connections are found within two minutes.</summary>
    private void KeepAlive()
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 60);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 15);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 4);
    }

    private async ValueTask LastWordAsync(PgError error)
    {
        try
        {
            Messages.Error(_writer, error.IsFatal ? error : new PgError(error.SqlState, error.Message) { IsFatal = true });
            await _writer.FlushAsync();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // It left already.
        }
    }

    private async ValueTask CloseAsync()
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is closed already.
        }

        await _stream.DisposeAsync();
        socket.Dispose();
    }
}
