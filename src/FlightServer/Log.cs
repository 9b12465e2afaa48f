using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer;

/// <summary>Log messages; event ids from 5000.</summary>
internal static partial class Log
{
    [LoggerMessage(5000, LogLevel.Information, "Flight SQL listens on {Address}")]
    public static partial void Listening(ILogger logger, string address);

    [LoggerMessage(5001, LogLevel.Information, "Session {Session} of {User} from {Address} with {Client}")]
    public static partial void SessionOpened(ILogger logger, string session, string user, string address, string client);

    [LoggerMessage(5002, LogLevel.Warning, "Login of {User} refused for {Peer}: {Reason}")]
    public static partial void LoginRefused(ILogger logger, string user, string peer, string reason);

    [LoggerMessage(5003, LogLevel.Error, "Call {Method} failed, error id {ErrorId}")]
    public static partial void CallFailed(ILogger logger, Exception exception, string method, string errorId);

    [LoggerMessage(5004, LogLevel.Debug, "Statement ended unread: {Reason}")]
    public static partial void StatementEnded(ILogger logger, string reason);

    [LoggerMessage(5005, LogLevel.Information, "The certificate was read again from {Path}")]
    public static partial void CertificateReloaded(ILogger logger, string path);

    [LoggerMessage(5006, LogLevel.Error, "The renewed certificate is not used, the old one serves on: {Error}")]
    public static partial void CertificateRejected(ILogger logger, string error);

    [LoggerMessage(5007, LogLevel.Information, "Keys of the token issuer {Issuer} were read: {Count}")]
    public static partial void KeysRead(ILogger logger, string issuer, int count);

    [LoggerMessage(5008, LogLevel.Warning, "Keys of the token issuer {Issuer} could not be read, those that are known serve on: {Error}")]
    public static partial void KeysNotRead(ILogger logger, string issuer, string error);

    [LoggerMessage(5009, LogLevel.Warning, "{Peer} asked to cancel what process {Process} runs, which is not there or has another key")]
    public static partial void CancelRefused(ILogger logger, string peer, int process);

    /// <summary>A text from outside for one line of the log.</summary>
    public static string Line(string text) => string.Concat(text.Take(200).Select(c => char.IsControl(c) ? '?' : c));

    [LoggerMessage(5050, LogLevel.Information, "PostgreSQL clients are served on {Address}")]
    public static partial void PostgresListening(ILogger logger, string address);
}
