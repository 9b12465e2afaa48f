using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>A message of the server.</summary>
internal sealed record PgMessage(char Type, byte[] Body)
{
    public int Int32(int at) => BinaryPrimitives.ReadInt32BigEndian(Body.AsSpan(at));

    public short Int16(int at) => BinaryPrimitives.ReadInt16BigEndian(Body.AsSpan(at));

    public string Text => Encoding.UTF8.GetString(Body).TrimEnd((char)0);

    /// <summary>A field of an error or a notice.</summary>
    public string? Field(char name) => Encoding.UTF8.GetString(Body).Split('\0').FirstOrDefault(f => f.Length > 0 && f[0] == name)?[1..];

    /// <summary>The values of a DataRow.</summary>
    public byte[]?[] Values()
    {
        var values = new byte[]?[Int16(0)];
        int at = 2;
        for (int i = 0; i < values.Length; i++)
        {
            int length = Int32(at);
            at += 4;
            values[i] = length < 0 ? null : Body[at..(at + length)];
            at += Math.Max(0, length);
        }

        return values;
    }

    /// <summary>The values of a DataRow as text.</summary>
    public string Row => string.Join("|", Values().Select(v => v is null ? "∅" : Encoding.UTF8.GetString(v)));

    /// <summary>Name and type of each column of a RowDescription.</summary>
    public (string Name, int Oid, int Modifier, short Format)[] Columns()
    {
        var columns = new (string, int, int, short)[Int16(0)];
        int at = 2;
        for (int i = 0; i < columns.Length; i++)
        {
            int end = Array.IndexOf(Body, (byte)0, at);
            string name = Encoding.UTF8.GetString(Body, at, end - at);
            columns[i] = (name, Int32(end + 7), Int32(end + 13), Int16(end + 17));
            at = end + 19;
        }

        return columns;
    }
}

/// <summary>A client that speaks the protocol byte by byte.</summary>
internal sealed class PgWire : IDisposable
{
    private readonly TcpClient _client = new();
    private Stream _stream = Stream.Null;
    private MemoryStream _out = new();

    public int ProcessId { get; private set; }

    public int Secret { get; private set; }

    public Dictionary<string, string> Status { get; } = [];

    public static async Task<PgWire> OpenAsync(IPEndPoint address)
    {
        var wire = new PgWire();
        await wire._client.ConnectAsync(address);
        wire._stream = wire._client.GetStream();
        return wire;
    }

    public static async Task<PgWire> LoginAsync(IPEndPoint address, string user = "ana", string? password = null, params string[] settings)
    {
        PgWire wire = await OpenAsync(address);
        await wire.StartAsync(user, settings);
        await wire.AuthenticateAsync(password);
        return wire;
    }

    public async Task StartAsync(string user, params string[] settings)
    {
        string[] all = ["user", user, "database", "lake", .. settings];
        await SendRawAsync(Untyped([.. Int(196608), .. all.SelectMany(Zero), 0]));
    }

    public async Task<byte> AskForTlsAsync()
    {
        await SendRawAsync(Untyped(Int(80877103)));
        byte[] answer = new byte[1];
        await _stream.ReadExactlyAsync(answer);
        return answer[0];
    }

    public async Task EncryptAsync(string? certificate = null, string? key = null)
    {
        var tls = new SslStream(_stream, false, (_, shown, _, _) => shown is not null);
        X509CertificateCollection own = [];
        if (certificate is not null)
        {
            using X509Certificate2 pem = X509Certificate2.CreateFromPemFile(certificate, key);
            own.Add(X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null));
        }

        await tls.AuthenticateAsClientAsync("localhost", own, checkCertificateRevocation: false);
        _stream = tls;
    }

    public async Task AuthenticateAsync(string? password)
    {
        Scram? scram = null;
        while (true)
        {
            PgMessage m = await ReadAsync();
            switch (m.Type)
            {
                case 'R' when m.Int32(0) == 3:
                    await Send('p', Zero(password!)).FlushAsync();
                    break;
                case 'R' when m.Int32(0) == 10:
                    scram = new Scram(password!);
                    byte[] first = Encoding.UTF8.GetBytes(Scram.First);
                    await Send('p', [.. Zero("SCRAM-SHA-256"), .. Int(first.Length), .. first]).FlushAsync();
                    break;
                case 'R' when m.Int32(0) == 11:
                    await Send('p', Encoding.UTF8.GetBytes(scram!.Final(Encoding.UTF8.GetString(m.Body.AsSpan(4))))).FlushAsync();
                    break;
                case 'R' when m.Int32(0) == 12:
                    Assert.Equal(scram!.ServerSignature, Encoding.UTF8.GetString(m.Body.AsSpan(4)));
                    break;
                case 'R':
                    break;
                case 'S':
                    string[] pair = Encoding.UTF8.GetString(m.Body).Split('\0');
                    Status[pair[0]] = pair[1];
                    break;
                case 'K':
                    (ProcessId, Secret) = (m.Int32(0), m.Int32(4));
                    break;
                case 'E':
                    throw new InvalidOperationException(m.Field('C') + " " + m.Field('M'));
                case 'Z':
                    return;
                default:
                    throw new InvalidOperationException($"unexpected message {m.Type}");
            }
        }
    }

    public PgWire Send(char type, params byte[] body)
    {
        _out.WriteByte((byte)type);
        _out.Write(Int(body.Length + 4));
        _out.Write(body);
        return this;
    }

    public PgWire Parse(string sql, string name = "", params int[] types) => Send('P', [.. Zero(name), .. Zero(sql), .. Short(types.Length), .. types.SelectMany(Int)]);

    public PgWire Bind(byte[]?[]? values = null, string statement = "", string portal = "", short[]? formats = null, short[]? results = null) => Send('B', [
        .. Zero(portal), .. Zero(statement), .. Short(formats?.Length ?? 0), .. (formats ?? []).SelectMany(f => Short(f)), .. Short(values?.Length ?? 0),
        .. (values ?? []).SelectMany(v => v is null ? Int(-1) : [.. Int(v.Length), .. v]), .. Short(results?.Length ?? 0), .. (results ?? []).SelectMany(f => Short(f)),
    ]);

    public PgWire Describe(char kind, string name = "") => Send('D', [(byte)kind, .. Zero(name)]);

    public PgWire Execute(int limit = 0, string portal = "") => Send('E', [.. Zero(portal), .. Int(limit)]);

    public PgWire Sync() => Send('S');

    public async Task FlushAsync()
    {
        byte[] bytes = _out.ToArray();
        _out = new MemoryStream();
        await SendRawAsync(bytes);
    }

    public async Task SendRawAsync(byte[] bytes)
    {
        await _stream.WriteAsync(bytes);
        await _stream.FlushAsync();
    }

    public async Task<PgMessage> ReadAsync()
    {
        byte[] header = new byte[5];
        await _stream.ReadExactlyAsync(header).AsTask().WaitAsync(TimeSpan.FromMinutes(2));
        byte[] body = new byte[BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(1)) - 4];
        await _stream.ReadExactlyAsync(body);
        return new PgMessage((char)header[0], body);
    }

    /// <summary>Whether the server closed the connection, after what it may still have said.</summary>
    public async Task<bool> IsClosedAsync()
    {
        try
        {
            byte[] rest = new byte[4096];
            while (await _stream.ReadAsync(rest).AsTask().WaitAsync(TimeSpan.FromMinutes(2)) > 0)
            {
            }

            return true;
        }
        catch (IOException)
        {
            return true;
        }
    }

    /// <summary>Messages up to ReadyForQuery.</summary>
    public async Task<List<PgMessage>> UntilReadyAsync()
    {
        var messages = new List<PgMessage>();
        do
        {
            messages.Add(await ReadAsync());
        }
        while (messages[^1].Type != 'Z');
        return messages;
    }

    public async Task<List<PgMessage>> QueryAsync(string sql)
    {
        await Send('Q', Zero(sql)).FlushAsync();
        return await UntilReadyAsync();
    }

    /// <summary>The rows of a query as text, or its error.</summary>
    public async Task<string> TextAsync(string sql) => string.Join("\n", (await QueryAsync(sql)).Where(m => m.Type is 'D' or 'E').Select(m => m.Type == 'D' ? m.Row : m.Field('C') + " " + m.Field('M')));

    public async Task<List<PgMessage>> RoundTripAsync()
    {
        await FlushAsync();
        return await UntilReadyAsync();
    }

    public void Dispose() => _client.Dispose();

    /// <summary>Ends the connection without a word, as a process that is killed does.</summary>
    public void Vanish()
    {
        _client.LingerState = new LingerOption(true, 0);
        _client.Close();
    }

    public static byte[] Zero(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    public static byte[] Int(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    public static byte[] Short(int value) => [(byte)(value >> 8), (byte)value];

    public static byte[] Untyped(byte[] body) => [.. Int(body.Length + 4), .. body];

    public static string Types(IEnumerable<PgMessage> messages) => string.Concat(messages.Select(m => m.Type));

    /// <summary>The client's side of SCRAM, for a server's to be checked against.</summary>
    private sealed class Scram(string password)
    {
        private const string Nonce = "cmxlaGUgbm9uY2U";

        public static string First => "n,,n=,r=" + Nonce;

        public string ServerSignature { get; private set; } = string.Empty;

        public string Final(string serverFirst)
        {
            Dictionary<char, string> parts = serverFirst.Split(',').ToDictionary(p => p[0], p => p[2..]);
            byte[] salted = Rfc2898DeriveBytes.Pbkdf2(password, Convert.FromBase64String(parts['s']), int.Parse(parts['i']), HashAlgorithmName.SHA256, 32);
            string withoutProof = "c=biws,r=" + parts['r'];
            byte[] message = Encoding.UTF8.GetBytes($"n=,r={Nonce},{serverFirst},{withoutProof}");
            byte[] clientKey = HMACSHA256.HashData(salted, "Client Key"u8);
            byte[] signature = HMACSHA256.HashData(SHA256.HashData(clientKey), message);
            ServerSignature = "v=" + Convert.ToBase64String(HMACSHA256.HashData(HMACSHA256.HashData(salted, "Server Key"u8), message));
            return withoutProof + ",p=" + Convert.ToBase64String([.. clientKey.Zip(signature, (k, s) => (byte)(k ^ s))]);
        }
    }
}
