using System.Security.Cryptography;
using System.Text.Json;
using LakeHolo.LakeCatalog;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace LakeHolo.FlightServer.Logins;

/// <summary>The public keys of a token issuer. A file is read again when it changes; a URL is asked again every hour, and when a token names a key that is not
/// known, at most twice a minute. Keys of the last answer serve on while the URL does not answer, for a day.</summary>
internal sealed class IssuerKeys : IDisposable
{
    private const int MaxBytes = 1 << 20;
    private const int MaxKeys = 100;

    /// <summary>NIST SP 800-131A: shorter RSA keys do not sign.</summary>
    private const int MinRsaBits = 2048;

    private static readonly TimeSpan AskEvery = TimeSpan.FromHours(1);
    private static readonly TimeSpan AskAgainAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ServeOnFor = TimeSpan.FromDays(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly TokenIssuer _issuer;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _gate = new(1, 1);

    // The URL is the configuration's: no redirect leads elsewhere.
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
    {
        Timeout = Patience,
        MaxResponseContentBufferSize = MaxBytes,
    };

    private volatile Known? _known;
    private DateTimeOffset _asked = DateTimeOffset.MinValue;

    /// <summary>Reads the keys of a file; a URL is asked when a first token comes.</summary>
    /// <exception cref="LakeException">QueryInvalid: the file is not there, or no key set.</exception>
    public IssuerKeys(TokenIssuer issuer, TimeProvider time, ILogger logger)
    {
        _issuer = issuer;
        _time = time;
        _logger = logger;
        if (issuer.KeyUrl is null)
        {
            try
            {
                _known = ReadFile(File.GetLastWriteTimeUtc(issuer.KeySet));
            }
            catch (Exception e) when (IsFault(e))
            {
                throw LakeException.QueryInvalid($"issuers: the keys of {issuer.Issuer} cannot be read from {issuer.KeySet}: {e.Message}", e);
            }
        }
    }

    /// <summary>The keys that a token may be signed with: those of the name, or where it names none the only one there is.</summary>
    /// <exception cref="LoginRefused">There are no keys.</exception>
    public async ValueTask<IReadOnlyList<JsonWebKey>> FindAsync(string? keyId, CancellationToken cancellationToken)
    {
        Known? known = _known;
        if (known is null || Match(known, keyId).Count == 0 || IsFileChanged(known))
        {
            // Whoever leaves while the keys are fetched does not take them from the others that wait.
            await AskAsync(known).WaitAsync(cancellationToken);
        }
        else if (_issuer.KeyUrl is not null && _time.GetUtcNow() - known.At > AskEvery)
        {
            // In the background: what is known serves meanwhile.
            _ = Task.Run(() => AskAsync(known), CancellationToken.None);
        }

        known = _known;
        return known is null || (_issuer.KeyUrl is not null && _time.GetUtcNow() - known.At > ServeOnFor)
            ? throw new LoginRefused("a token whose issuer's keys cannot be had now", _issuer.Issuer)
            : Match(known, keyId);
    }

    public void Dispose()
    {
        _http.Dispose();
        _gate.Dispose();
    }

    private static IReadOnlyList<JsonWebKey> Match(Known known, string? keyId) =>
        keyId is not null ? [.. known.Keys.Where(k => k.Kid == keyId)] : known.Keys.Count == 1 ? known.Keys : [];

    private static bool IsFault(Exception e) =>
        e is IOException or UnauthorizedAccessException or HttpRequestException or TaskCanceledException or InvalidDataException or ArgumentException or CryptographicException or NotSupportedException
            or JsonException or FormatException;

    private async Task AskAsync(Known? seen)
    {
        await _gate.WaitAsync();
        DateTime stamp = _issuer.KeyUrl is null ? File.GetLastWriteTimeUtc(_issuer.KeySet) : default;
        try
        {
            DateTimeOffset now = _time.GetUtcNow();
            if (!ReferenceEquals(_known, seen) || (_issuer.KeyUrl is not null && now - _asked < AskAgainAfter) || (_issuer.KeyUrl is null && seen is not null && !IsFileChanged(seen)))
            {
                return;
            }

            _asked = now;
            _known = _issuer.KeyUrl is { } url ? new Known(Parse(await _http.GetByteArrayAsync(url)), now, default) : ReadFile(stamp);
            Log.KeysRead(_logger, _issuer.Issuer, _known.Keys.Count);
        }
        catch (Exception e) when (IsFault(e))
        {
            Log.KeysNotRead(_logger, _issuer.Issuer, e.Message);
            if (_issuer.KeyUrl is null && seen is not null)
            {
                // Not the time of now: whoever was still writing has it read again.
                _known = seen with { Stamp = stamp };
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private bool IsFileChanged(Known known) => _issuer.KeyUrl is null && File.GetLastWriteTimeUtc(_issuer.KeySet) != known.Stamp;

    /// <param name="stamp">Of the file, from before it is read.</param>
    private Known ReadFile(DateTime stamp)
    {
        var file = new FileInfo(_issuer.KeySet);
        return file.Length <= MaxBytes
            ? new Known(Parse(File.ReadAllBytes(file.FullName)), _time.GetUtcNow(), stamp)
            : throw new InvalidDataException($"the file has {file.Length} bytes, more than {MaxBytes}");
    }

    /// <summary>The signing keys of a set. Symmetric ones are left out: a public key must never be taken for a secret.</summary>
    private static IReadOnlyList<JsonWebKey> Parse(byte[] json)
    {
        JsonWebKey[] keys = [.. new JsonWebKeySet(System.Text.Encoding.UTF8.GetString(json)).Keys.Where(IsUsable)];
        return keys.Length is > 0 and <= MaxKeys ? keys : throw new InvalidDataException($"it has {keys.Length} RSA and EC keys for signatures, not 1 to {MaxKeys}");
    }

    private static bool IsUsable(JsonWebKey key) =>
        key.Use is null or "" or "sig" && (key.Kty == JsonWebAlgorithmsKeyTypes.EllipticCurve || (key.Kty == JsonWebAlgorithmsKeyTypes.RSA && key.KeySize >= MinRsaBits));

    private sealed record Known(IReadOnlyList<JsonWebKey> Keys, DateTimeOffset At, DateTime Stamp);
}
