using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer.Logins;

/// <summary>Says who a login is: by a password, by a token of the configuration, by one of another issuer.</summary>
internal sealed class LoginChecker : IDisposable
{
    /// <summary>The user whose password is a token, for tools that know only users and passwords.</summary>
    public const string TokenUser = "token";

    // A hash takes a core for a tenth of a second: those who guess must not take all of them.
    private readonly SemaphoreSlim _hashing = new(Math.Max(1, Environment.ProcessorCount / 2));
    private readonly FlightServerOptions _options;
    private readonly TimeProvider _time;
    private readonly TokenVerifier _tokens;

    /// <summary>A hash of nothing, with the work of the others, so that an unknown user takes as long as a wrong password.</summary>
    private readonly string _nobodysHash;

    /// <exception cref="LakeCatalog.LakeException">QueryInvalid: keys of an issuer cannot be read.</exception>
    public LoginChecker(FlightServerOptions options, TimeProvider time, ILogger logger)
    {
        _options = options;
        _time = time;
        _tokens = new TokenVerifier(options.Issuers, time, logger);
        Throttle = new LoginThrottle(time);
        _nobodysHash = options.Users.Values.FirstOrDefault() is { } other ? PasswordHash.Unknown(other) : string.Empty;
    }

    /// <summary>Slows down who guesses.</summary>
    public LoginThrottle Throttle { get; }

    /// <summary>Whether some token may be the password of <see cref="TokenUser"/>.</summary>
    public bool TakesTokens => _options.Tokens.Count > 0 || _options.Issuers.Count > 0;

    /// <summary>Who has a password, or, as the user <c>token</c>, a token.</summary>
    /// <exception cref="LoginRefused">It is wrong.</exception>
    public async ValueTask<KnownUser> PasswordAsync(string user, string password, string address, CancellationToken cancellationToken)
    {
        if (user == TokenUser && TakesTokens && _tokens.Knows(password))
        {
            return await _tokens.VerifyAsync(password, cancellationToken);
        }

        await Throttle.EnterAsync(user, address, cancellationToken);
        KnownUser? found = user == TokenUser && TakesTokens ? StaticToken(password) : await IsPasswordAsync(user, password, cancellationToken) ? KnownUser.Of(user) : null;
        if (found is null)
        {
            Throttle.Failed(user, address);
            throw new LoginRefused("a wrong user name or password");
        }

        Throttle.Succeeded(user, address);
        return found;
    }

    /// <summary>Whose bearer token it is.</summary>
    /// <exception cref="LoginRefused">Nobody's, or it has expired.</exception>
    public async ValueTask<KnownUser> TokenAsync(string token, CancellationToken cancellationToken) =>
        _tokens.Knows(token) ? await _tokens.VerifyAsync(token, cancellationToken) : StaticToken(token) ?? throw new LoginRefused("an unknown or expired bearer token");

    /// <summary>Whether a password of a user's own is one of another issuer's tokens for that user.</summary>
    public async ValueTask<KnownUser?> TokenOfAsync(string user, string password, CancellationToken cancellationToken) =>
        !_tokens.Knows(password) ? null
        : await _tokens.VerifyAsync(password, cancellationToken) is { } known && known.User == user ? known
        : throw new LoginRefused("a wrong user name or password", "the token is another user's");

    public void Dispose()
    {
        _tokens.Dispose();
        _hashing.Dispose();
    }

    private async ValueTask<bool> IsPasswordAsync(string user, string password, CancellationToken cancellationToken)
    {
        bool known = _options.Users.TryGetValue(user, out string? expected);
        await _hashing.WaitAsync(cancellationToken);
        try
        {
            // Not on a thread of the transport.
            return await Task.Run(() => PasswordHash.Verify(password, expected ?? _nobodysHash), CancellationToken.None) && known;
        }
        finally
        {
            _hashing.Release();
        }
    }

    private KnownUser? StaticToken(string token)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));
        string? owner = null;
        foreach ((string user, string expected) in _options.Tokens)
        {
            owner = CryptographicOperations.FixedTimeEquals(Convert.FromHexString(expected), hash) ? user : owner;
        }

        DateTimeOffset? expires = owner is not null && _options.TokenExpiry.TryGetValue(owner, out DateTimeOffset end) ? end : null;
        return owner is null || expires <= _time.GetUtcNow() ? null : new KnownUser(owner, [], expires);
    }
}
