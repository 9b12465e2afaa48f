using LakeHolo.Accelerator.Sessions;

namespace LakeHolo.Accelerator.Access;

/// <summary>What <c>current_user</c> and the like mean: the session's values, not the embedded engine's.</summary>
internal static class SessionValues
{
    /// <summary>The names that are values of the session.</summary>
    public static IReadOnlySet<string> Names { get; } =
        new HashSet<string>(["current_user", "session_user", "current_role"], StringComparer.OrdinalIgnoreCase);

    /// <summary>The values for a user.</summary>
    public static IReadOnlyDictionary<string, string> Of(string user) => Names.ToDictionary(n => n, _ => user, StringComparer.OrdinalIgnoreCase);

    /// <summary>The values for a session.</summary>
    public static IReadOnlyDictionary<string, string> Of(QuerySession session) => Of(session.Identity.User);
}
