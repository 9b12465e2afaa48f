namespace LakeHolo.FlightServer.Postgres.Wire;

/// <summary>An error as the protocol tells it.</summary>
internal sealed class PgError(string sqlState, string message, Exception? inner = null) : Exception(message, inner)
{
    public string SqlState { get; } = sqlState;

    /// <summary>The connection ends with it.</summary>
    public bool IsFatal { get; init; }

    public string? Hint { get; init; }

    public string? Detail { get; init; }

    /// <summary>1-based, in characters of the client's text; 0 if unknown.</summary>
    public int Position { get; init; }

    public static PgError Protocol(string message) => new("08P01", message) { IsFatal = true };

    public static PgError Unsupported(string message, string? hint = null) => new("0A000", message) { Hint = hint };

    public static PgError Syntax(string message, int position = 0) => new("42601", message) { Position = position };

    /// <summary>With a place in the client's text, unless it has one.</summary>
    public PgError At(int position) => Position > 0 || position <= 0 ? this : new PgError(SqlState, Message, InnerException) { IsFatal = IsFatal, Hint = Hint, Detail = Detail, Position = position };
}
