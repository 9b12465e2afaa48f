using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LakeHolo.FlightServer.Logins;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Lets users in: the users of the Flight SQL server, by SCRAM-SHA-256, or by their password where the connection is encrypted.</summary>
internal sealed class Login(FlightServerOptions server, PostgresOptions options, LoginChecker logins)
{
    private const int Sasl = 10;
    private const int SaslContinue = 11;
    private const int SaslFinal = 12;
    private const int ClearText = 3;

    /// <summary>Salts of users that do not exist: the same for a name every time, as a real one would be.</summary>
    private readonly byte[] _fakeKey = RandomNumberGenerator.GetBytes(32);

    /// <summary>Asks for what is needed and checks it; gives the user.</summary>
    /// <param name="reader">From the client.</param>
    /// <param name="writer">To the client.</param>
    /// <param name="user">Who it says it is.</param>
    /// <param name="link">How it is connected.</param>
    /// <param name="cancellationToken">Until it is in.</param>
    /// <exception cref="PgError">28P01, 28000.</exception>
    public async ValueTask<KnownUser> CheckAsync(WireReader reader, WireWriter writer, string user, ClientLink link, CancellationToken cancellationToken)
    {
        if (!server.RequiresLogin || link.CertifiedUser == user)
        {
            return KnownUser.Of(user);
        }

        bool isEncrypted = link.IsEncrypted;
        bool byToken = user == LoginChecker.TokenUser && logins.TakesTokens;
        if (byToken && !isEncrypted)
        {
            throw new PgError("28000", "a token is taken over TLS only") { IsFatal = true, Hint = "Connect with sslmode=require." };
        }

        return byToken || (isEncrypted && options.ClearTextOverTls)
            ? await PasswordAsync(reader, writer, user, link, cancellationToken)
            : await ScramAsync(reader, writer, user, link, cancellationToken);
    }

    private async ValueTask<KnownUser> PasswordAsync(WireReader reader, WireWriter writer, string user, ClientLink link, CancellationToken cancellationToken)
    {
        writer.Begin('R');
        writer.Int32(ClearText);
        writer.End();
        await writer.FlushAsync();
        string password = (await BodyAsync(reader, cancellationToken)).String();
        return (user == LoginChecker.TokenUser ? null : await logins.TokenOfAsync(user, password, cancellationToken))
            ?? await logins.PasswordAsync(user, password, link.Address, cancellationToken);
    }

    private async ValueTask<KnownUser> ScramAsync(WireReader reader, WireWriter writer, string user, ClientLink link, CancellationToken cancellationToken)
    {
        await logins.Throttle.EnterAsync(user, link.Address, cancellationToken);
        writer.Begin('R');
        writer.Int32(Sasl);
        writer.String(Scram.Mechanism);
        writer.Byte(0);
        writer.End();
        await writer.FlushAsync();
        MessageBody initial = await BodyAsync(reader, cancellationToken);
        if (initial.String() != Scram.Mechanism)
        {
            throw PgError.Protocol("client selected an invalid SASL authentication mechanism");
        }

        ReadOnlyMemory<byte> first = initial.Value() ?? throw PgError.Protocol("SASL initial response expected");
        var scram = new Scram(server.Users.TryGetValue(user, out string? hash) ? Secret(hash) : null, Secret(Fake(user))!);
        string serverFirst = scram.First(MessageBody.Text(first.Span));
        writer.Begin('R');
        writer.Int32(SaslContinue);
        writer.Text(serverFirst);
        writer.End();
        await writer.FlushAsync();
        (byte type, ReadOnlyMemory<byte> body) = await reader.ReadAsync(WireReader.MaxStartupBytes, cancellationToken) ?? throw PgError.Protocol("expected SASL response");
        if (type != 'p')
        {
            throw PgError.Protocol($"expected SASL response, got message type {type}");
        }

        if (scram.Final(MessageBody.Text(body.Span)) is not { } serverFinal)
        {
            logins.Throttle.Failed(user, link.Address);
            throw new LoginRefused("a wrong user name or password");
        }

        logins.Throttle.Succeeded(user, link.Address);
        writer.Begin('R');
        writer.Int32(SaslFinal);
        writer.Text(serverFinal);
        writer.End();
        return KnownUser.Of(user);
    }

    /// <summary>A user's hash is PBKDF2 with SHA-256, which is SCRAM's salted password.</summary>
    private static ScramSecret? Secret(string hash)
    {
        string[] parts = hash.Split('$');
        byte[] salted = Convert.FromBase64String(parts[3]);
        return salted.Length == SHA256.HashSizeInBytes
            ? new ScramSecret(int.Parse(parts[1], CultureInfo.InvariantCulture), Convert.FromBase64String(parts[2]), salted)
            : null;
    }

    private string Fake(string user)
    {
        byte[] salt = HMACSHA256.HashData(_fakeKey, Encoding.UTF8.GetBytes("salt:" + user))[..16];
        byte[] salted = HMACSHA256.HashData(_fakeKey, Encoding.UTF8.GetBytes("hash:" + user));
        string iterations = server.Users.Values.Select(v => v.Split('$')[1]).FirstOrDefault() ?? "600000";
        return $"pbkdf2-sha256${iterations}${Convert.ToBase64String(salt)}${Convert.ToBase64String(salted)}";
    }

    private static async ValueTask<MessageBody> BodyAsync(WireReader reader, CancellationToken cancellationToken)
    {
        (byte type, ReadOnlyMemory<byte> body) = await reader.ReadAsync(WireReader.MaxStartupBytes, cancellationToken) ?? throw PgError.Protocol("expected password response");
        return type == 'p' ? new MessageBody(body) : throw PgError.Protocol($"expected password response, got message type {type}");
    }
}

/// <summary>How a client is connected.</summary>
/// <param name="Address">From where.</param>
/// <param name="IsEncrypted">By TLS.</param>
/// <param name="CertifiedUser">The common name of its certificate, which the handshake has checked; null without one.</param>
internal sealed record ClientLink(string Address, bool IsEncrypted, string? CertifiedUser);
