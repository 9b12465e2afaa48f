using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Planning;
using LakeHolo.Accelerator.Queries;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Sources;
using LakeHolo.Accelerator.Sql;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Accelerator;

/// <summary>Management of the hot tier.</summary>
public sealed partial class LakeEngine
{
    private async ValueTask<RowRelation> TierAsync(QuerySession session, ManagementStatement.Tier statement, CancellationToken cancellationToken)
    {
        if (_tier is null)
        {
            throw LakeException.FeatureUnsupported("There is no hot tier in this process");
        }

        IReadOnlyList<CatalogTable> tables = Select(session, statement);
        IReadOnlyList<TierOutcome> outcomes = statement.Verb switch
        {
            "PROMOTE" => await PromoteAsync(_tier, tables, Checked(statement.Promotion), cancellationToken),
            "VERIFY" => await _tier.VerifyAsync(tables, cancellationToken),
            "DEMOTE" => await _tier.DemoteAsync(tables, cancellationToken),
            _ => await _tier.RefreshAsync(tables, cancellationToken),
        };
        foreach (CatalogTable query in statement.Verb == "DEMOTE" ? tables.Where(t => t.Query is not null) : [])
        {
            _catalog.Leave(query);
        }

        return Rows(outcomes);
    }

    private async ValueTask<RowRelation> PromoteQueryAsync(QuerySession session, ManagementStatement.PromoteQuery statement, CancellationToken cancellationToken)
    {
        if (_tier is null)
        {
            throw LakeException.FeatureUnsupported("There is no hot tier in this process");
        }

        IReadOnlyList<CatalogTable> read = _planner.TablesOf(session, statement.Query);
        string schema = statement.Schema ?? PromotedQuery.UsualSchema;
        if (schema.ToLowerInvariant() is "lakeholo" or "information_schema"
            || _catalog.Tables.Any(t => t.Query is null && Same(t.Table.Schema, schema) && Same(t.Table.Name, statement.Name)))
        {
            throw LakeException.QueryInvalid($"{schema}.{statement.Name} is the name of a table already");
        }

        // Bound as the user's own statement: who may not read the tables may not promote the query either.
        BoundStatement bound = await BindWholeAsync(session, statement.Query, cancellationToken, "PROMOTE QUERY");
        string[] columns = [.. bound.ResultSchema.FieldsList.Select(f => f.Name)];
        if (columns.Distinct(StringComparer.OrdinalIgnoreCase).Count() < columns.Length)
        {
            throw LakeException.QueryInvalid($"The columns of a promoted query need names that differ: {string.Join(", ", columns)}");
        }

        CatalogTable table = Queries.TableOf(new PromotedQuery(
            read[0].Table.Source, schema, statement.Name, statement.Query, session.Options.GetValueOrDefault("catalog"), session.Options.GetValueOrDefault("schema"),
            [.. read.Select(t => new QueriedTable(t.Table.Source, t.Table.Schema, t.Table.Name))], session.Identity.User));
        if (_catalog.Tables.FirstOrDefault(t => t.Query is not null && t.Query.Sql == statement.Query && Same(t.Table.FullName, table.Table.FullName)) is { } same)
        {
            table = same;
        }

        IReadOnlyList<TierOutcome> outcomes = await _tier.PromoteAsync([table], statement.Promotion, cancellationToken);
        if (outcomes is [{ ErrorKind: null, State: not "unchanged" }])
        {
            _catalog.Enter(table);
        }

        return Rows(outcomes);

        static bool Same(string a, string b) => a.Equals(b, StringComparison.OrdinalIgnoreCase);
    }

    private static RowRelation Rows(IReadOnlyList<TierOutcome> outcomes)
    {
        if (outcomes is [{ ErrorKind: { } kind } only])
        {
            throw new LakeException(kind, only.Error!);
        }

        var rows = new RowRelation(PreparedManagement.TierColumns);
        foreach (TierOutcome o in outcomes)
        {
            rows.Add(o.Table, o.State, o.Snapshot, o.Rows, o.Bytes, o.DurationMs, o.Error);
        }

        return rows;
    }

    // A table that is promoted for the first time, without a sort key, is sorted by the column that the log's statements filtered by most.
    private async ValueTask<IReadOnlyList<TierOutcome>> PromoteAsync(ITierController tier, IReadOnlyList<CatalogTable> tables, PromotionSpec? promotion, CancellationToken cancellationToken)
    {
        var known = tier.List().Select(h => h.Table).ToHashSet(StringComparer.OrdinalIgnoreCase);
        IReadOnlyList<QueryLogEntry> log = promotion?.OrderBy.Count > 0 ? [] : Log.Entries;
        var byKey = tables.GroupBy(t => known.Contains(t.Table.FullName) ? null : Advice.SortKey(log, t, promotion?.Columns)).ToArray();
        IReadOnlyList<TierOutcome>[] outcomes = await Task.WhenAll(byKey.Select(g => tier.PromoteAsync(
            [.. g], g.Key is null ? promotion : (promotion ?? PromotionSpec.Whole) with { OrderBy = [g.Key] }, cancellationToken).AsTask()));
        return [.. outcomes.SelectMany(o => o).OrderBy(o => o.Table, StringComparer.OrdinalIgnoreCase)];
    }

    // The condition of a promotion passes the same lock as a query's; what it names is checked where the partitions are known.
    private PromotionSpec? Checked(PromotionSpec? promotion)
    {
        if (promotion?.Where is { } where
            && _planning.With(c => SyntaxTree.Parse(c, $"SELECT 1 FROM t WHERE ({where}\n)")) is { Tables.Count: not 1 })
        {
            throw LakeException.QueryInvalid("The condition of a promotion cannot ask other tables");
        }

        return promotion;
    }

    private IReadOnlyList<CatalogTable> Select(QuerySession session, ManagementStatement.Tier statement)
    {
        string pattern = statement.Pattern;
        if (statement.Scope == TierScope.Query)
        {
            string[] name = pattern.Split('.');
            CatalogTable[] named = [.. _catalog.Tables.Where(t => t.Query is not null && NamePattern.Matches(name[^1], t.Table.Name)
                && NamePattern.Matches(name.Length > 1 ? name[^2] : PromotedQuery.UsualSchema, t.Table.Schema))];
            return named.Length > 0 ? named : throw LakeException.NotFound($"There is no promoted query {pattern}");
        }

        if (statement.Scope == TierScope.Table && !pattern.Contains('*', StringComparison.Ordinal) && !pattern.Contains('?', StringComparison.Ordinal))
        {
            string[] parts = pattern.Split('.');
            return [_catalog.Resolve(
                parts.Length > 2 ? parts[^3] : string.Empty, parts.Length > 1 ? parts[^2] : string.Empty, parts[^1],
                session.Options.GetValueOrDefault("catalog"), session.Options.GetValueOrDefault("schema"))];
        }

        CatalogTable[] tables = [.. _catalog.Tables.Where(t => statement.Scope switch
        {
            TierScope.Layer => t.Layer is not null && NamePattern.Matches(pattern, t.Layer),
            TierScope.Schema => NamePattern.Matches(pattern, t.Table.Schema) || NamePattern.Matches(pattern, $"{t.Table.Source}.{t.Table.Schema}"),
            _ => NamePattern.Matches(pattern, $"{t.Table.Schema}.{t.Table.Name}") || NamePattern.Matches(pattern, t.Table.FullName),
        })];
        return tables.Length > 0 ? tables : throw LakeException.NotFound($"No table matches {statement.Verb} {statement.Scope} {pattern}");
    }
}
