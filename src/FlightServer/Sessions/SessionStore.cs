using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer.Sessions;

/// <summary>Logs clients in and finds their sessions again: by the bearer token that Handshake gave, or, for calls with a static token, with Basic credentials
/// or without any, by connection.</summary>
internal sealed class SessionStore(IQueryService service, FlightServerOptions options, StatementStore statements, TimeProvider time, ILogger<SessionStore> logger)
{
    private const int TokenBytes = 32;
    private const string Anonymous = "anonymous";

    /// <summary>A hash of nothing, so that an unknown user takes as long as a wrong password.</summary>
    private static readonly string NobodysHash = PasswordHash.Create(Convert.ToHexString(RandomNumberGenerator.GetBytes(TokenBytes)));

    private readonly ConcurrentDictionary<string, ClientSession> _sessions = new(StringComparer.Ordinal);

    public int Count => _sessions.Count;

    public ICollection<ClientSession> All => _sessions.Values;

    /// <summary>Handshake: checks the credentials, opens a session, gives its token.</summary>
    /// <exception cref="RpcException">UNAUTHENTICATED.</exception>
    public string Login(ServerCallContext context, (string User, string Password)? payload)
    {
        string? header = context.RequestHeaders.GetValue("authorization");
        string user;
        if (TryBearer(header, out string token))
        {
            if (_sessions.ContainsKey(Key(token)))
            {
                return token;
            }

            user = StaticTokenUser(token) ?? (options.RequiresLogin ? throw Refuse(context, "an unknown or expired bearer token") : Anonymous);
        }
        else
        {
            (string User, string Password)? credentials = TryBasic(header, out string name, out string password) ? (name, password) : payload;
            user = Check(context, credentials);
        }

        string minted = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenBytes));
        _sessions[Key(minted)] = Open(context, user);
        return minted;
    }

    /// <summary>The session of a call.</summary>
    /// <exception cref="RpcException">UNAUTHENTICATED.</exception>
    public ClientSession Find(ServerCallContext context)
    {
        string? header = context.RequestHeaders.GetValue("authorization");
        bool bearer = TryBearer(header, out string token);
        string connection = context.GetHttpContext().Connection.Id;
        if ((bearer && _sessions.TryGetValue(Key(token), out ClientSession? session)) || _sessions.TryGetValue(Key($"{connection}\n{header}"), out session))
        {
            session.LastUsed = time.GetUtcNow();
            Defaults(session, context);
            return session;
        }

        string user = bearer
            ? StaticTokenUser(token) ?? (options.RequiresLogin ? throw Refuse(context, "an unknown or expired bearer token") : Anonymous)
            : Check(context, TryBasic(header, out string name, out string password) ? (name, password) : null);
        return _sessions.GetOrAdd(Key($"{connection}\n{header}"), _ => Open(context, user));
    }

    public void Close(ClientSession session)
    {
        foreach (KeyValuePair<string, ClientSession> entry in _sessions.Where(e => ReferenceEquals(e.Value, session)))
        {
            _sessions.TryRemove(entry);
        }

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

    /// <summary>Ends what was idle for too long; called by the host's timer.</summary>
    public void Sweep()
    {
        DateTimeOffset now = time.GetUtcNow();
        foreach (ClientSession session in _sessions.Values)
        {
            if (now - session.LastUsed > options.IdleTimeout)
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
        foreach (string option in SessionOptions.Names)
        {
            if (context.RequestHeaders.GetValue(option) is { Length: > 0 } value && !session.Query.Options.ContainsKey(option))
            {
                SessionOptions.Check(option, value);
                session.Query.Options.TryAdd(option, value);
            }
        }
    }

    private static string Key(string secret) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(secret)));

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

    private string Check(ServerCallContext context, (string User, string Password)? credentials)
    {
        if (!options.RequiresLogin)
        {
            return credentials is { User.Length: > 0 } given ? given.User : Anonymous;
        }

        if (credentials is null && CertificateUser(context) is { } certified)
        {
            return certified;
        }

        if (credentials is not { } login)
        {
            throw Refuse(context, "no credentials");
        }

        // Tools that know only user and password send a token as the password of the user "token".
        if (login.User == "token" && StaticTokenUser(login.Password) is { } owner)
        {
            return owner;
        }

        bool known = options.Users.TryGetValue(login.User, out string? expected);
        return PasswordHash.Verify(login.Password, expected ?? NobodysHash) && known
            ? login.User
            : throw Refuse(context, "a wrong user name or password");
    }

    /// <summary>The common name of the client's certificate, which the handshake has checked.</summary>
    private static string? CertificateUser(ServerCallContext context) =>
        context.GetHttpContext().Connection.ClientCertificate?.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is { Length: > 0 } name ? name : null;

    private string? StaticTokenUser(string token)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        return options.Tokens.FirstOrDefault(t => CryptographicOperations.FixedTimeEquals(Convert.FromHexString(t.Value), hash)).Key;
    }

    private ClientSession Open(ServerCallContext context, string user)
    {
        if (_sessions.Count >= options.MaxSessions)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"{options.MaxSessions} sessions are open, the server's limit"));
        }

        string address = context.GetHttpContext().Connection.RemoteIpAddress?.ToString() ?? string.Empty;
        string client = context.RequestHeaders.GetValue("user-agent") ?? string.Empty;
        var session = new ClientSession(service.OpenSession(new SessionIdentity(user, address, client))) { LastUsed = time.GetUtcNow() };
        Defaults(session, context);
        if (client.Contains("grpc-java", StringComparison.Ordinal))
        {
            session.Query.Options.TryAdd("client_types", "jdbc");
        }

        Log.SessionOpened(logger, session.Query.Id, user, address, client);
        return session;
    }

    private RpcException Refuse(ServerCallContext context, string what)
    {
        Log.LoginRefused(logger, context.Peer, what);
        return new RpcException(new Status(StatusCode.Unauthenticated, $"Login needed: the call had {what}"));
    }
}
