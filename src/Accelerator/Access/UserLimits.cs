using System.Globalization;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator.Access;

/// <summary>What a user's statements may take; null where nothing bounds them but the server's own limits.</summary>
public sealed record UserLimits
{
    /// <summary>No limits.</summary>
    public static UserLimits None { get; } = new();

    /// <summary>Statements of the user that run at once, in all sessions; rows that wait to be read count.</summary>
    public int? ConcurrentStatements { get; init; }

    /// <summary>Bytes of the engine's memory that each statement is reckoned with: it begins when so much is not reckoned with others. The engine bounds
    /// what all statements hold together; it cannot bound one.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Rows of one result.</summary>
    public long? Rows { get; init; }

    /// <summary>Bytes of one result, as Arrow buffers.</summary>
    public long? Bytes { get; init; }

    /// <summary>How long one statement may take in all.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>The limits of a user: its own where it has one, else the largest that one of its roles names.</summary>
    internal static UserLimits Of(UserLimits? own, IReadOnlyList<UserLimits> roles) => new()
    {
        ConcurrentStatements = own?.ConcurrentStatements ?? roles.Max(r => r.ConcurrentStatements),
        MemoryBytes = own?.MemoryBytes ?? roles.Max(r => r.MemoryBytes),
        Rows = own?.Rows ?? roles.Max(r => r.Rows),
        Bytes = own?.Bytes ?? roles.Max(r => r.Bytes),
        Time = own?.Time ?? roles.Max(r => r.Time),
    };

    /// <summary>The error of a statement that a limit stops.</summary>
    internal static LakeException Exceeded(string limit, long value, string user, string what, bool isTransient = false) =>
        LakeException.ResourcesExhausted(string.Create(CultureInfo.InvariantCulture, $"Limit {limit} = {value} of {user}: {what}"), isTransient);
}
