using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LakeHolo.Tests.Shared;
using Microsoft.IdentityModel.Tokens;

namespace LakeHolo.FlightServer.Tests.Logins;

/// <summary>Signs tokens by hand, good ones and others.</summary>
internal sealed class TestIssuer : IDisposable
{
    public const string Name = "https://login.test/";
    public const string Audience = "lakeholo";

    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, (AsymmetricAlgorithm Key, string Alg)> _keys = [];

    public TestIssuer()
    {
        Add("rsa", "RS256");
        Add("ec", "ES256");
    }

    public string KeyFile => _folder.File("keys.json");

    public TokenIssuer Configured => new() { Issuer = Name, Audiences = [Audience], KeySet = KeyFile, RolesClaim = "realm.roles" };

    public static Dictionary<string, object?> Claims(string user, DateTimeOffset now) => new()
    {
        ["iss"] = Name,
        ["aud"] = Audience,
        ["sub"] = user,
        ["exp"] = now.AddMinutes(5).ToUnixTimeSeconds(),
        ["nbf"] = now.AddMinutes(-5).ToUnixTimeSeconds(),
        ["realm"] = new { roles = new[] { "reader" } },
    };

    public void Add(string kid, string alg, int bits = 2048)
    {
        _keys[kid] = (alg[0] is 'R' or 'P' ? RSA.Create(bits) : ECDsa.Create(alg == "ES384" ? ECCurve.NamedCurves.nistP384 : ECCurve.NamedCurves.nistP256), alg);
        File.WriteAllText(KeyFile, KeySet());
    }

    public void Remove(string kid)
    {
        _keys.Remove(kid);
        File.WriteAllText(KeyFile, KeySet());
    }

    /// <summary>The public keys.</summary>
    public string KeySet() => JsonSerializer.Serialize(new
    {
        keys = _keys.Select(k =>
        {
            JsonWebKey key = k.Value.Key is RSA rsa ? JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(rsa.ExportParameters(false))) : JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey((ECDsa)k.Value.Key));
            return new Dictionary<string, string?> { ["kid"] = k.Key, ["kty"] = key.Kty, ["n"] = key.N, ["e"] = key.E, ["x"] = key.X, ["y"] = key.Y, ["crv"] = key.Crv }.Where(p => p.Value is not null).ToDictionary();
        }),
    });

    /// <summary>The public key of a name in the form that a naive verifier would take for a secret.</summary>
    public byte[] PublicKeyBytes(string kid) => Encoding.UTF8.GetBytes(((RSA)_keys[kid].Key).ExportSubjectPublicKeyInfoPem());

    /// <summary>A private RSA key.</summary>
    public RSA Key(string kid) => (RSA)_keys[kid].Key;

    public string Sign(Dictionary<string, object?> claims, string kid = "rsa", string? named = null, Dictionary<string, object?>? header = null)
    {
        (AsymmetricAlgorithm key, string alg) = _keys[kid];
        return Join(Header(alg, named ?? kid, header), claims, text => key switch
        {
            RSA rsa => rsa.SignData(text, Hash(alg), alg[0] == 'P' ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1),
            _ => ((ECDsa)key).SignData(text, Hash(alg)),
        });
    }

    public static string Join(Dictionary<string, object?> header, Dictionary<string, object?> claims, Func<byte[], byte[]> sign)
    {
        string text = $"{Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(header))}.{Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims))}";
        return $"{text}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(text)))}";
    }

    public static Dictionary<string, object?> Header(string alg, string? kid, Dictionary<string, object?>? more = null)
    {
        var header = new Dictionary<string, object?>(more ?? []) { ["alg"] = alg, ["typ"] = "JWT" };
        if (kid is { Length: > 0 })
        {
            header["kid"] = kid;
        }

        return header;
    }

    public void Dispose()
    {
        foreach ((AsymmetricAlgorithm key, string _) in _keys.Values)
        {
            key.Dispose();
        }

        _folder.Dispose();
    }

    private static HashAlgorithmName Hash(string alg) => alg[2..] switch { "256" => HashAlgorithmName.SHA256, "384" => HashAlgorithmName.SHA384, _ => HashAlgorithmName.SHA512 };
}
