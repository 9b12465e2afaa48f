using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Logins;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Telemetry;
using LakeHolo.LakeCatalog;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer.Sessions;

/// <summary>Logs clients in and finds their sessions again: by the bearer token that Handshake gave, or, for calls with a static token, with Basic credentials
/// or without any, by connection.</summary>
internal sealed class SessionStore(
    IQueryService service, FlightServerOptions options, LoginChecker logins, StatementStore statements, TimeProvider time, ILogger<SessionStore> logger)
{
    private const int TokenBytes = 32;
    private const int KeyChars = SHA256.HashSizeInBytes * 2;
    private const int MostOnStack = 512;
    private const string Anonymous = "anonymous";

    private static readonly Dictionary<string, string> OptionNames = SessionOptions.Names.ToDictionary(n => n, StringComparer.OrdinalIgnoreCase);

    private readonly ConcurrentDictionary<string, ClientSession> _sessions = new(StringComparer.Ordinal);

    public int Count => _sessions.Count;

    public ICollection<ClientSession> All => _sessions.Values;

    /// <summary>Handshake: checks the credentials, opens a session, gives its token.</summary>
    /// <exception cref="RpcException">UNAUTHENTICATED.</exception>
    public async ValueTask<string> LoginAsync(ServerCallContext context, (string User, string Password)? payload)
    {
        string? header = context.RequestHeaders.GetValue("authorization");
        if (TryBearer(header, out string token) && _sessions.TryGetValue(Key(token), out ClientSession? known) && !IsExpired(known))
        {
            return token;
        }

        KnownUser user = await CheckAsync(context, header, payload);
        string minted = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenBytes));
        ClientSession session = Open(context, user, Key(minted));
        _sessions[session.Key] = session;
        return minted;
    }

    /// <summary>The session of a call.</summary>
    /// <exception cref="RpcException">UNAUTHENTICATED.</exception>
    public async ValueTask<ClientSession> FindAsync(ServerCallContext context)
    {
        string? header = context.RequestHeaders.GetValue("authorization");
        string connection = context.GetHttpContext().Connection.Id;
        if (FindKnown(header, connection) is { } session)
        {
            if (IsExpired(session))
            {
                Close(session);
                throw Refuse(context, session.User, new LoginRefused("an expired token"));
            }

            session.LastUsed = time.GetUtcNow();
            Defaults(session, context);
            return session;
        }

        KnownUser user = await CheckAsync(context, header, null);
        ClientSession opened = Open(context, user, Key($"{connection}\n{header}"));
        ClientSession kept = _sessions.GetOrAdd(opened.Key, opened);
        if (!ReferenceEquals(kept, opened))
        {
            // Another call of the connection was first.
            service.CloseSession(opened.Query);
        }
        else if (context.GetHttpContext().Features.Get<IConnectionLifetimeFeature>() is { } lifetime)
        {
            lifetime.ConnectionClosed.Register(() => kept.LeftAt = time.GetUtcNow());
        }

        return kept;
    }

    public void Close(ClientSession session)
    {
        _sessions.TryRemove(new KeyValuePair<string, ClientSession>(session.Key, session));
        foreach (QuerySession transaction in session.Transactions.Values)
        {
            transaction.EndTransaction();
        }

        statements.CloseAll(session);
        service.CloseSession(session.Query);
    }

    /// <summary>Stops every statement; for the end of the server.</summary>
    public async ValueTask CloseAllAsync()
    {
        _sessions.Clear();
        await statements.EndAllAsync();
    }

    /// <summary>Ends what was idle for too long; called by the host's timer. A session of a connection that ended stays for as long as its results may be fetched,
    /// by another connection of the user.</summary>
    public void Sweep()
    {
        DateTimeOffset now = time.GetUtcNow();
        foreach (ClientSession session in _sessions.Values)
        {
            if (now - session.LastUsed > options.IdleTimeout || now - session.LeftAt > options.ResultTimeout || IsExpired(session))
            {
                Close(session);
            }
            else
            {
                statements.Sweep(session, now);
            }
        }
    }

    /// <summary>The JDBC driver sends connection properties that it does not know as headers.</summary>
    /// <exception cref="LakeException">QueryInvalid: a value that the option does not take.</exception>
    private static void Defaults(ClientSession session, ServerCallContext context)
    {
        foreach (Grpc.Core.Metadata.Entry header in context.RequestHeaders)
        {
            if (!header.IsBinary && header.Value.Length > 0 && OptionNames.TryGetValue(header.Key, out string? option) && !session.Query.Options.ContainsKey(option))
            {
                // Of one that is there twice the last counts.
                string value = context.RequestHeaders.GetValue(option)!;
                SessionOptions.Check(option, value);
                session.Query.Options.TryAdd(option, value);
            }
        }
    }

    private static string Key(string secret)
    {
        Span<char> key = stackalloc char[KeyChars];
        Key(secret, key);
        return new string(key);
    }

    private static void Key(ReadOnlySpan<char> secret, Span<char> key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        int most = Encoding.UTF8.GetMaxByteCount(secret.Length);
        Span<byte> bytes = most <= MostOnStack ? stackalloc byte[MostOnStack] : new byte[most];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(secret, bytes)], hash);
        Convert.TryToHexString(hash, key, out _);
    }

    /// <summary>The session that was opened by a token, or by the connection with these credentials.</summary>
    private ClientSession? FindKnown(string? header, string connection)
    {
        ConcurrentDictionary<string, ClientSession>.AlternateLookup<ReadOnlySpan<char>> sessions = _sessions.GetAlternateLookup<ReadOnlySpan<char>>();
        Span<char> key = stackalloc char[KeyChars];
        if (TryBearer(header, out string token))
        {
            Key(token, key);
            if (sessions.TryGetValue(key, out ClientSession? session))
            {
                return session;
            }
        }

        int length = connection.Length + 1 + (header?.Length ?? 0);
        Span<char> secret = length <= MostOnStack ? stackalloc char[MostOnStack] : new char[length];
        connection.CopyTo(secret);
        secret[connection.Length] = '\n';
        header?.CopyTo(secret[(connection.Length + 1)..]);
        Key(secret[..length], key);
        return sessions.TryGetValue(key, out ClientSession? found) ? found : null;
    }

    private static bool TryBearer(string? header, out string token)
    {
        bool found = header is not null && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase);
        token = found ? header!["Bearer ".Length..].Trim() : string.Empty;
        return found;
    }

    private static bool TryBasic(string? header, out string user, out string password)
    {
        (user, password) = (string.Empty, string.Empty);
        if (header is null || !header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        // Go clients send base64 without padding.
        string text = header["Basic ".Length..].Trim().TrimEnd('=');
        text = text.PadRight((text.Length + 3) / 4 * 4, '=');
        byte[] bytes = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, bytes, out int length))
        {
            return false;
        }

        string pair = Encoding.UTF8.GetString(bytes, 0, length);
        int colon = pair.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0)
        {
            return false;
        }

        (user, password) = (pair[..colon], pair[(colon + 1)..]);
        return true;
    }

    private async ValueTask<KnownUser> CheckAsync(ServerCallContext context, string? header, (string User, string Password)? payload)
    {
        bool isBearer = TryBearer(header, out string token);
        (string User, string Password)? credentials = isBearer ? null : TryBasic(header, out string name, out string password) ? (name, password) : payload;
        if (!options.RequiresLogin)
        {
            return KnownUser.Of(credentials is { User.Length: > 0 } given ? given.User : Anonymous);
        }

        string address = context.GetHttpContext().Connection.RemoteIpAddress?.ToString() ?? string.Empty;
        try
        {
            return isBearer ? await logins.TokenAsync(token, context.CancellationToken)
                : credentials is { } login ? await logins.PasswordAsync(login.User, login.Password, address, context.CancellationToken)
                : CertificateUser(context) is { } certified ? KnownUser.Of(certified)
                : throw new LoginRefused("no credentials");
        }
        catch (LoginRefused e)
        {
            throw Refuse(context, credentials?.User ?? "nobody", e);
        }
    }

    private bool IsExpired(ClientSession session) => session.Query.Identity.ExpiresAt <= time.GetUtcNow();

    /// <summary>The common name of the client's certificate, which the handshake has checked.</summary>
    private static string? CertificateUser(ServerCallContext context) =>
        context.GetHttpContext().Connection.ClientCertificate?.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is { Length: > 0 } name ? name : null;

    private ClientSession Open(ServerCallContext context, KnownUser user, string key)
    {
        if (_sessions.Count >= options.MaxSessions)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"{options.MaxSessions} sessions are open, the server's limit"));
        }

        string address = context.GetHttpContext().Connection.RemoteIpAddress?.ToString() ?? string.Empty;
        string client = context.RequestHeaders.GetValue("user-agent") ?? string.Empty;
        var identity = new SessionIdentity(user.User, address, client) { Roles = user.Roles, ExpiresAt = user.ExpiresAt };
        var session = new ClientSession(service.OpenSession(identity), key) { LastUsed = time.GetUtcNow() };
        Defaults(session, context);
        if (client.Contains("grpc-java", StringComparison.Ordinal))
        {
            session.Query.Options.TryAdd("client_types", "jdbc");
        }

        Log.SessionOpened(logger, session.Query.Id, Log.Line(user.User), address, Log.Line(client));
        return session;
    }

    private RpcException Refuse(ServerCallContext context, string user, LoginRefused refused)
    {
        LoginMetrics.AddRefused("flight");
        Log.LoginRefused(logger, Log.Line(user), context.Peer, Log.Line(refused.Detail));
        return new RpcException(new Status(StatusCode.Unauthenticated, $"Login needed: the call had {refused.Message}"));
    }
}
