using System.Security.Cryptography;
using System.Text;

namespace LakeHolo.FlightServer.Postgres.Wire;

/// <summary>What SCRAM-SHA-256 needs of a password (RFC 5802, RFC 7677): a PBKDF2 hash, which is what the users' passwords are kept as.</summary>
internal sealed record ScramSecret(int Iterations, byte[] Salt, byte[] SaltedPassword);

/// <summary>The server's side of one SCRAM-SHA-256 exchange, without channel binding.</summary>
internal sealed class Scram(ScramSecret? secret, ScramSecret fake)
{
    public const string Mechanism = "SCRAM-SHA-256";

    private const int NonceBytes = 18;

    private string _clientFirstBare = string.Empty;
    private string _gs2Header = string.Empty;
    private string _nonce = string.Empty;
    private string _serverFirst = string.Empty;

    /// <summary>Answers <c>n,,n=,r=…</c>. The user is the one of the startup message, not the one inside.</summary>
    public string First(string clientFirst)
    {
        int bare = clientFirst.IndexOf(',', StringComparison.Ordinal) is var a && a >= 0 ? clientFirst.IndexOf(',', a + 1) + 1 : 0;
        if (bare <= 0)
        {
            throw Malformed();
        }

        _gs2Header = clientFirst[..bare];
        if (_gs2Header[0] is not ('n' or 'y'))
        {
            throw PgError.Protocol("SCRAM channel binding was not offered");
        }

        _clientFirstBare = clientFirst[bare..];
        string clientNonce = Attribute(_clientFirstBare, 'r');
        if (_clientFirstBare.StartsWith("m=", StringComparison.Ordinal) || clientNonce.Length is 0 or > 1024)
        {
            throw Malformed();
        }

        _nonce = clientNonce + Convert.ToBase64String(RandomNumberGenerator.GetBytes(NonceBytes));
        ScramSecret used = secret ?? fake;
        _serverFirst = $"r={_nonce},s={Convert.ToBase64String(used.Salt)},i={used.Iterations}";
        return _serverFirst;
    }

    /// <summary>Answers <c>c=…,r=…,p=…</c> with the server's signature; null when the proof is wrong.</summary>
    public string? Final(string clientFinal)
    {
        int proofAt = clientFinal.LastIndexOf(",p=", StringComparison.Ordinal);
        if (proofAt < 0)
        {
            throw Malformed();
        }

        string withoutProof = clientFinal[..proofAt];
        string binding = Attribute(withoutProof, 'c');
        if (Attribute(withoutProof, 'r') != _nonce || binding != Convert.ToBase64String(Encoding.UTF8.GetBytes(_gs2Header)))
        {
            throw Malformed();
        }

        byte[] proof = new byte[32];
        if (!Convert.TryFromBase64String(clientFinal[(proofAt + 3)..], proof, out int length) || length != 32)
        {
            throw Malformed();
        }

        byte[] message = Encoding.UTF8.GetBytes($"{_clientFirstBare},{_serverFirst},{withoutProof}");
        byte[] salted = (secret ?? fake).SaltedPassword;
        byte[] storedKey = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        byte[] clientSignature = HMACSHA256.HashData(storedKey, message);
        byte[] clientKey = new byte[32];
        for (int i = 0; i < clientKey.Length; i++)
        {
            clientKey[i] = (byte)(proof[i] ^ clientSignature[i]);
        }

        bool right = CryptographicOperations.FixedTimeEquals(SHA256.HashData(clientKey), storedKey) && secret is not null;
        byte[] serverSignature = HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), message);
        return right ? "v=" + Convert.ToBase64String(serverSignature) : null;
    }

    private static string Attribute(string message, char name)
    {
        foreach (string part in message.Split(','))
        {
            if (part.Length > 1 && part[0] == name && part[1] == '=')
            {
                return part[2..];
            }
        }

        return string.Empty;
    }

    private static PgError Malformed() => PgError.Protocol("malformed SCRAM message");
}
