using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Grpc.Core;
using LakeHolo.Accelerator.Sessions;
using Microsoft.AspNetCore.Http;

namespace LakeHolo.FlightServer.Sessions;

/// <summary>Who is connected. A session belongs to a bearer token; without users, a client that never logged in has one for its connection.</summary>
internal sealed class SessionRegistry(IQueryService queries, FlightServerOptions options, TimeProvider time)
{
    private const string Bearer = "Bearer";
    private const string Basic = "Basic";

    /// <summary>Hashing is slow on purpose: a name and password that were right are known by their digest for the process's life.</summary>
    private readonly ConcurrentDictionary<string, bool> _verified = new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, ClientSession> _byToken = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ClientSession> _byConnection = new(StringComparer.Ordinal);

    /// <summary>Logs a client in by its credentials, or anonymously where there are no users.</summary>
    /// <returns>The bearer token.</returns>
    /// <exception cref="RpcException">Unauthenticated.</exception>
    public string Login(ServerCallContext context)
    {
        AuthenticationHeaderValue? credentials = Credentials(context);
        if (credentials?.Scheme == Bearer && credentials.Parameter is { } token && _byToken.ContainsKey(token))
        {
            return token;
        }

        string user = Authenticate(credentials);
        string issued = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        _byToken[issued] = Open(user, context);
        return issued;
    }

    /// <summary>The session of a call.</summary>
    /// <exception cref="RpcException">Unauthenticated.</exception>
    public ClientSession Of(ServerCallContext context)
    {
        Sweep();
        AuthenticationHeaderValue? credentials = Credentials(context);
        if (credentials?.Scheme == Bearer && credentials.Parameter is { } token)
        {
            if (_byToken.TryGetValue(token, out ClientSession? session))
            {
                session.LastUsed = time.GetUtcNow();
                return session;
            }

            if (options.Users.Count > 0)
            {
                throw new RpcException(new Status(StatusCode.Unauthenticated, "The bearer token is unknown or has expired; log in again"));
            }
        }

        // Without a token: the credentials of the call, or the connection where everybody is let in.
        string user = Authenticate(credentials?.Scheme == Bearer ? null : credentials);
        string key = $"{context.GetHttpContext().Connection.Id}/{user}";
        ClientSession own = _byConnection.GetOrAdd(key, _ => Open(user, context));
        own.LastUsed = time.GetUtcNow();
        return own;
    }

    /// <summary>Ends a session.</summary>
    public void Close(ClientSession session)
    {
        foreach (ConcurrentDictionary<string, ClientSession> sessions in new[] { _byToken, _byConnection })
        {
            foreach ((string key, ClientSession _) in sessions.Where(s => s.Value == session))
            {
                sessions.TryRemove(key, out _);
            }
        }
    }

    private ClientSession Open(string user, ServerCallContext context)
    {
        HttpContext http = context.GetHttpContext();
        string agent = context.RequestHeaders.GetValue("user-agent") ?? string.Empty;
        return new ClientSession(queries.OpenSession(new SessionIdentity(user, http.Connection.RemoteIpAddress?.ToString() ?? "local", agent)), time.GetUtcNow());
    }

    private string Authenticate(AuthenticationHeaderValue? credentials)
    {
        if (options.Users.Count == 0)
        {
            return credentials?.Scheme == Basic && TryDecode(credentials.Parameter, out string name, out _) && name.Length > 0 ? name : "anonymous";
        }

        if (credentials?.Scheme == Basic && TryDecode(credentials.Parameter, out string user, out string password)
            && options.Users.TryGetValue(user, out string? hash) && Verify(user, password, hash))
        {
            return user;
        }

        throw new RpcException(new Status(StatusCode.Unauthenticated, "No or wrong credentials; log in with user and password"));
    }

    private bool Verify(string user, string password, string hash)
    {
        string digest = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{hash}\0{user}\0{password}")));
        if (_verified.ContainsKey(digest))
        {
            return true;
        }

        if (!PasswordHash.Verify(password, hash))
        {
            return false;
        }

        _verified[digest] = true;
        return true;
    }

    private static bool TryDecode(string? parameter, out string user, out string password)
    {
        (user, password) = (string.Empty, string.Empty);
        if (parameter is null)
        {
            return false;
        }

        try
        {
            // Some clients leave the padding out.
            string padded = parameter.TrimEnd('=') + new string('=', -parameter.TrimEnd('=').Length & 3);
            string text = Encoding.UTF8.GetString(Convert.FromBase64String(padded));
            int colon = text.IndexOf(':', StringComparison.Ordinal);
            (user, password) = colon < 0 ? (text, string.Empty) : (text[..colon], text[(colon + 1)..]);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static AuthenticationHeaderValue? Credentials(ServerCallContext context) =>
        AuthenticationHeaderValue.TryParse(context.RequestHeaders.GetValue("authorization"), out AuthenticationHeaderValue? value)
            ? new AuthenticationHeaderValue(value.Scheme.Equals(Bearer, StringComparison.OrdinalIgnoreCase) ? Bearer : value.Scheme.Equals(Basic, StringComparison.OrdinalIgnoreCase) ? Basic : value.Scheme, value.Parameter)
            : null;

    private void Sweep()
    {
        DateTimeOffset oldest = time.GetUtcNow() - options.IdleTimeout;
        foreach (ConcurrentDictionary<string, ClientSession> sessions in new[] { _byToken, _byConnection })
        {
            foreach ((string key, ClientSession _) in sessions.Where(s => s.Value.LastUsed < oldest))
            {
                sessions.TryRemove(key, out _);
            }
        }
    }
}

/// <summary>A client's session and when it was last used.</summary>
internal sealed class ClientSession(QuerySession session, DateTimeOffset now)
{
    public QuerySession Session { get; } = session;

    public DateTimeOffset LastUsed { get; set; } = now;

    public string User => Session.Identity.User;
}
