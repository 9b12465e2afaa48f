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
    public UserAccess Of(QuerySession session) => _known.GetValue(session.Identity, identity =>
    {
        // What LakeHolo does itself (promoted queries) is bounded by who promoted them.
        if (options is null || ReferenceEquals(identity, QueryTables.Internal))
        {
            return new UserAccess(identity.User, null);
        }

        HashSet<string> names = new([.. identity.Roles, .. options.Users.GetValueOrDefault(identity.User) ?? []], StringComparer.OrdinalIgnoreCase);
        return new UserAccess(identity.User, [.. options.Roles.Where(r => names.Contains(r.Name))]);
    });

    /// <summary>Takes note of a refusal.</summary>
    public void Denied(QuerySession session, string statement, string reason)
    {
        log.Put(new QueryLogEntry
        {
            Id = log.NextId(),
            User = session.Identity.User,
            Client = session.Identity.ClientAddress,
            ClientName = session.Identity.ClientName,
            Session = session.Id,
            StartedAt = time.GetUtcNow(),
            Sql = statement,
            State = QueryLog.DeniedState,
            Error = reason,
        });
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
