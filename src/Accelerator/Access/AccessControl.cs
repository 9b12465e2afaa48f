using System.Runtime.CompilerServices;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Planning;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Accelerator.Access;

/// <summary>Finds what a session may do, and takes note of what was refused.</summary>
internal sealed class AccessControl(AccessOptions? options, QueryLog log, Action<AccessDenial>? denied, TimeProvider time)
{
    private readonly ConditionalWeakTable<SessionIdentity, UserAccess> _known = [];

    /// <summary>What a session may do.</summary>
    /// <exception cref="LakeException">PermissionDenied: the login was for a time that is over.</exception>
    public UserAccess Of(QuerySession session)
    {
        if (session.Identity.ExpiresAt <= time.GetUtcNow())
        {
            Denied(session, "a statement", "an expired token");
            throw LakeException.PermissionDenied($"The token that {session.Identity.User} logged in with has expired: connect again with a new one");
        }

        return _known.GetValue(session.Identity, Find);
    }

    private UserAccess Find(SessionIdentity identity)
    {
        // What LakeHolo does itself (promoted queries) is bounded by who promoted them.
        if (options is null || ReferenceEquals(identity, QueryTables.Internal))
        {
            return new UserAccess(identity.User, null);
        }

        HashSet<string> names = new([.. identity.Roles, .. options.Users.GetValueOrDefault(identity.User) ?? []], StringComparer.OrdinalIgnoreCase);
        AccessRole[] roles = [.. options.Roles.Where(r => names.Contains(r.Name))];
        return new UserAccess(identity.User, options.IsOpen ? null : roles)
        {
            Limits = UserLimits.Of(options.Limits.GetValueOrDefault(identity.User), [.. roles.Select(r => r.Limits)]),
        };
    }

    /// <summary>Takes note of a refusal.</summary>
    public void Denied(QuerySession session, string statement, string reason)
    {
        log.Put(log.NewEntry(session, statement, time.GetUtcNow()) with { State = QueryLog.DeniedState, Error = reason });
        denied?.Invoke(new AccessDenial(session.Identity.User, session.Identity.ClientAddress, statement, reason));
    }

    /// <summary>Refuses what only administrators may do.</summary>
    /// <exception cref="LakeException">PermissionDenied.</exception>
    public void DemandAdmin(QuerySession session, string statement)
    {
        if (!Of(session).IsAdmin)
        {
            Denied(session, statement, "administrator's right");
            throw LakeException.PermissionDenied($"{statement} is for administrators");
        }
    }

    /// <summary>Binds every filter and mask to the tables that are there.</summary>
    /// <exception cref="LakeException">QueryInvalid, with all faults by the names of their settings.</exception>
    public void Check(PlanningEngine planning, CatalogService catalog)
    {
        var faults = new List<string>();
        foreach (TableGrant grant in options?.Roles.SelectMany(r => r.Grants) ?? [])
        {
            foreach (CatalogTable table in catalog.Tables.Where(t => t.Newest is not null && UserAccess.Covers(grant, t)))
            {
                try
                {
                    planning.With(connection => new TablePolicy(table.Table, "nobody", [grant]).Sql(planning, connection, table.Newest!.Schema));
                }
                catch (LakeException e)
                {
                    faults.Add($"{grant.Setting}, for {table.Table.FullName}: {e.Message}");
                }
            }
        }

        if (faults.Count > 0)
        {
            throw LakeException.QueryInvalid(string.Join("\n", faults));
        }
    }
}
