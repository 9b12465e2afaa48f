using System.Globalization;
using System.Security.Cryptography;

namespace LakeHolo.FlightServer;

/// <summary>Hashed passwords, <c>pbkdf2-sha256$iterations$salt$hash</c> (base64).</summary>
public static class PasswordHash
{
    private const string Algorithm = "pbkdf2-sha256";

    /// <summary>OWASP's recommendation for PBKDF2 with SHA-256.</summary>
    private const int Iterations = 600_000;

    private const int SaltBytes = 16;
    private const int HashBytes = 32;

    /// <summary>Hashes a password with a new salt.</summary>
    public static string Create(string password)
    {
        byte[] salt = RandomNumberGenerator.GetBytes(SaltBytes);
        byte[] hash = Rfc2898DeriveBytes.Pbkdf2(password, salt, Iterations, HashAlgorithmName.SHA256, HashBytes);
        return string.Create(CultureInfo.InvariantCulture, $"{Algorithm}${Iterations}${Convert.ToBase64String(salt)}${Convert.ToBase64String(hash)}");
    }

    /// <summary>A hash of no password, which takes as long to compare with as another.</summary>
    internal static string Unknown(string like)
    {
        int iterations = TryParse(like, out int known, out _, out _) ? known : Iterations;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Algorithm}${iterations}${Convert.ToBase64String(RandomNumberGenerator.GetBytes(SaltBytes))}${Convert.ToBase64String(RandomNumberGenerator.GetBytes(HashBytes))}");
    }

    /// <summary>Whether a text is such a hash.</summary>
    public static bool IsValid(string text) => TryParse(text, out _, out _, out _);

    /// <summary>Compares in constant time.</summary>
    public static bool Verify(string password, string text) =>
        TryParse(text, out int iterations, out byte[] salt, out byte[] hash)
        && CryptographicOperations.FixedTimeEquals(Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, HashAlgorithmName.SHA256, hash.Length), hash);

    private static bool TryParse(string text, out int iterations, out byte[] salt, out byte[] hash)
    {
        (iterations, salt, hash) = (0, [], []);
        string[] parts = text.Split('$');
        if (parts.Length != 4 || parts[0] != Algorithm || !int.TryParse(parts[1], CultureInfo.InvariantCulture, out iterations) || iterations is < 1 or > 10_000_000)
        {
            return false;
        }

        try
        {
            (salt, hash) = (Convert.FromBase64String(parts[2]), Convert.FromBase64String(parts[3]));
            return salt.Length > 0 && hash.Length is >= 16 and <= 64;
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
