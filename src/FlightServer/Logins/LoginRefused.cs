namespace LakeHolo.FlightServer.Logins;

/// <summary>A login that was refused.</summary>
/// <param name="what">What was wrong, for the client: nothing that helps to guess.</param>
/// <param name="detail">More, for the server's log.</param>
internal sealed class LoginRefused(string what, string? detail = null) : Exception(what)
{
    /// <summary>What the server's log says.</summary>
    public string Detail => detail is null ? Message : $"{Message}: {detail}";
}

/// <summary>Who logged in.</summary>
/// <param name="User">The name.</param>
/// <param name="Roles">Roles that the login brings.</param>
/// <param name="ExpiresAt">When the login ends; null for one that does not.</param>
internal sealed record KnownUser(string User, IReadOnlyList<string> Roles, DateTimeOffset? ExpiresAt)
{
    public static KnownUser Of(string user) => new(user, [], null);
}
