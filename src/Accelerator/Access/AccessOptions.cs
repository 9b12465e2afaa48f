namespace LakeHolo.Accelerator.Access;

/// <summary>Who may read and do what. Without it everybody who may connect may do everything.</summary>
public sealed record AccessOptions
{
    /// <summary>The roles.</summary>
    public required IReadOnlyList<AccessRole> Roles { get; init; }

    /// <summary>The roles of each user; who is not listed has none but those that the login brings.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Users { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Limits of single users, which go before those of their roles.</summary>
    public IReadOnlyDictionary<string, UserLimits> Limits { get; init; } = new Dictionary<string, UserLimits>();

    /// <summary>Everybody may read and do everything; only limits hold.</summary>
    public bool IsOpen { get; init; }
}

/// <summary>A role. Rights of several roles add up.</summary>
/// <param name="Name">Its name.</param>
public sealed record AccessRole(string Name)
{
    /// <summary>Whether it may PROMOTE, DEMOTE, REFRESH, VERIFY, SYNC, stop others' statements and see them in the query log.</summary>
    public bool IsAdmin { get; init; }

    /// <summary>What statements of its users may take.</summary>
    public UserLimits Limits { get; init; } = UserLimits.None;

    /// <summary>The tables that it may read.</summary>
    public IReadOnlyList<TableGrant> Grants { get; init; } = [];
}

/// <summary>The right to read tables, or a part of them.</summary>
/// <param name="Setting">Where it is set, for messages.</param>
public sealed record TableGrant(string Setting)
{
    /// <summary>A glob of <c>schema.table</c> or <c>source.schema.table</c>; null where a layer is granted.</summary>
    public string? Tables { get; init; }

    /// <summary>A glob of layers; null where tables are named.</summary>
    public string? Layer { get; init; }

    /// <summary>A condition over the table's columns (and <c>current_user</c>): other rows are as if they were not there. Null for all rows.</summary>
    public string? Filter { get; init; }

    /// <summary>Expressions that take the place of columns before any statement sees them.</summary>
    public IReadOnlyDictionary<string, string> Masks { get; init; } = new Dictionary<string, string>();
}

/// <summary>Something that was refused.</summary>
/// <param name="User">Who asked.</param>
/// <param name="Client">From where.</param>
/// <param name="Statement">The statement.</param>
/// <param name="Reason">What was missing.</param>
public sealed record AccessDenial(string User, string Client, string Statement, string Reason);
