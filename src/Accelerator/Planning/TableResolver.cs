using DuckDB.NET.Data;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Sources;
using LakeHolo.Accelerator.Sql;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Accelerator.Planning;

/// <summary>From the references of a statement to versions of tables: system tables, lake tables by the first source that can serve them, changes; each with what the
/// user may see of it.</summary>
internal sealed class TableResolver(PlanningEngine planning, CatalogService catalog, IReadOnlyList<ITableSource> sources, SystemTables system, AccessControl access)
{
    /// <summary>Resolves references. A table that may not be read is as unknown as one that is not there; that it was asked for is noted.</summary>
    /// <exception cref="LakeException">NotFound, QueryInvalid (ambiguous), PermissionDenied.</exception>
    public async Task<BoundTable[]> ResolveAsync(
        QuerySession session, string sql, IReadOnlyList<SyntaxTree.TableReference> references, StatementPins pins, ReadOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return references.Count == 1
                ? [await OneAsync(session, references[0], pins, options, cancellationToken)]
                : await Task.WhenAll(references.Select(t => OneAsync(session, t, pins, options, cancellationToken)));
        }
        catch (LakeException e) when (e.Kind is LakeErrorKind.NotFound or LakeErrorKind.QueryInvalid)
        {
            UserAccess who = access.Of(session);
            string[] names = [.. references.Select(r => r.ChangeArguments is [var changed, ..] ? changed.Split('.')[^1] : r.Name.Split('$')[0])];
            if (catalog.Tables.FirstOrDefault(t => !who.CanRead(t) && names.Contains(t.Table.Name, StringComparer.OrdinalIgnoreCase)) is { } hidden)
            {
                access.Denied(session, sql, $"read {hidden.Table.FullName}");
            }

            throw;
        }
    }

    private async Task<BoundTable> OneAsync(
        QuerySession session, SyntaxTree.TableReference reference, StatementPins pins, ReadOptions options, CancellationToken cancellationToken)
    {
        if (reference.ChangeArguments is { } arguments)
        {
            return await ChangesAsync(session, arguments, pins, options, cancellationToken);
        }

        if (await system.TryGetAsync(access.Of(session), reference.Schema, reference.Name, cancellationToken) is { } relation)
        {
            return new BoundTable(relation.Schema, null, relation.ToSql());
        }

        if (reference.Schema.Equals("lakeholo", StringComparison.OrdinalIgnoreCase))
        {
            throw LakeException.NotFound($"There is no table lakeholo.{reference.Name}; known are {string.Join(", ", SystemTables.Names)}");
        }

        string? defaultCatalog = session.Options.GetValueOrDefault("catalog");
        string? defaultSchema = session.Options.GetValueOrDefault("schema");
        SnapshotSelector at = Selector(reference);
        int dollar = reference.Name.LastIndexOf('$');
        string? suffix = dollar > 0 ? reference.Name[(dollar + 1)..] : null;
        string name = dollar > 0 ? reference.Name[..dollar] : reference.Name;
        UserAccess who = access.Of(session);
        CatalogTable table = catalog.Resolve(reference.Catalog, reference.Schema, name, defaultCatalog, defaultSchema, who.CanRead);
        if (suffix is not null && SystemTables.TableSuffixes.Contains(suffix))
        {
            if (!who.CanReadAll(table) && suffix is not ("snapshots" or "schemas"))
            {
                access.Denied(session, reference.DisplayName, $"read all of {table.Table.FullName}");
                throw LakeException.PermissionDenied($"{reference.DisplayName} is for those who may read all rows and columns of the table");
            }

            RowRelation rows = await system.OfTableAsync(who, table, suffix, at, cancellationToken);
            return new BoundTable(rows.Schema, null, rows.ToSql());
        }

        if (suffix is not null && suffix.StartsWith("branch_", StringComparison.Ordinal) && at is SnapshotSelector.LatestSelector)
        {
            // t$branch_b is the newest snapshot of a branch, which formats know as the version branch_b.
            (at, suffix) = (SnapshotSelector.Version(suffix), null);
        }

        var request = new TableRequest(table, at, suffix, pins, options);
        foreach (ITableSource source in sources)
        {
            if (await source.TryResolveAsync(request, cancellationToken) is { } version)
            {
                return Bound(session, table, version);
            }
        }

        throw LakeException.QueryInvalid(
            $"{table.Table.FullName} has no hot copy that may answer (tier = '{options.Tier}', max_staleness = {options.MaxStaleness}); PROMOTE it or SET tier = 'auto'");
    }

    private async Task<BoundTable> ChangesAsync(
        QuerySession session, IReadOnlyList<string> arguments, StatementPins pins, ReadOptions options, CancellationToken cancellationToken)
    {
        if (arguments.Count != 3)
        {
            throw LakeException.QueryInvalid("table_changes takes three constants: table_changes('schema.table', from, to)");
        }

        string[] name = arguments[0].Split('.');
        CatalogTable table = catalog.Resolve(
            name.Length > 2 ? name[^3] : string.Empty, name.Length > 1 ? name[^2] : string.Empty, name[^1],
            session.Options.GetValueOrDefault("catalog"), session.Options.GetValueOrDefault("schema"), access.Of(session).CanRead);
        var request = new TableRequest(table, SnapshotSelector.Latest, null, pins, options);
        foreach (ITableSource source in sources)
        {
            if (await source.TryResolveChangesAsync(request, arguments[1], arguments[2], cancellationToken) is { } version)
            {
                return Bound(session, table, version);
            }
        }

        throw LakeException.FeatureUnsupported($"table_changes: nobody tells the changes of {table.Table.FullName}");
    }

    private SnapshotSelector Selector(SyntaxTree.TableReference reference)
    {
        if (reference.At is not var (unit, expression))
        {
            return SnapshotSelector.Latest;
        }

        return planning.With(connection =>
        {
            try
            {
                string sql = SyntaxTree.ConstantSql(connection, expression);
                using DuckDBCommand command = connection.CreateCommand();
                command.CommandText = unit == "VERSION"
                    ? $"SELECT CAST(v AS VARCHAR) FROM ({sql}) AS t(v)"
                    : $"SELECT epoch_us(CAST(v AS TIMESTAMPTZ)) FROM ({sql}) AS t(v)";
                object? value = command.ExecuteScalar();
                return value switch
                {
                    string text => SnapshotSelector.Version(text),
                    long micros => SnapshotSelector.AsOf(DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond)),
                    _ => throw LakeException.QueryInvalid($"AT ({unit} => …) of {reference.DisplayName} must not be NULL"),
                };
            }
            catch (DuckDBException e)
            {
                throw LakeException.QueryInvalid($"AT ({unit} => …) of {reference.DisplayName} must be a constant: {e.Message}", e);
            }
        });
    }

    private BoundTable Bound(QuerySession session, CatalogTable table, ITableVersion version)
    {
        UserAccess who = access.Of(session);
        try
        {
            return new BoundTable(version.Schema, version, null)
            {
                Policy = who.PolicyOf(table) is { } policy ? planning.With(connection => policy.Sql(planning, connection, version.Schema)) : null,
            };
        }
        catch (LakeException e) when (e.Kind is LakeErrorKind.QueryInvalid or LakeErrorKind.PermissionDenied)
        {
            access.Denied(session, table.Table.FullName, $"a filter or mask does not fit the version: {e.Message}");
            throw LakeException.PermissionDenied($"{table.Table.FullName} cannot be read here: a column that its filter or masks need is not in this version");
        }
    }
}
