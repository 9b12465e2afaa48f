using System.Collections.Concurrent;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Planning;
using LakeHolo.Accelerator.Sql;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Access;

/// <summary>The rows and columns of a table that a user does not see.</summary>
/// <param name="table">The table.</param>
/// <param name="user">The user.</param>
/// <param name="grants">What the user was granted of it, none of it the whole.</param>
internal sealed class TablePolicy(LakeTable table, string user, IReadOnlyList<TableGrant> grants)
{
    /// <summary>Stands for the table in the policy's text.</summary>
    public const string Placeholder = "lh_policy_table_7f3c1d";

    // The engine pushes no condition through a sample: what a statement asks sees only rows that passed the filter, so that no error and no order of
    // evaluation tells of others. A sample in the filter's own SELECT would be taken before the filter.
    private const string Barrier = " USING SAMPLE 100 PERCENT (system)";

    private const int MaxKnown = 1_000;

    private static readonly ConcurrentDictionary<string, string> Known = new(StringComparer.Ordinal);

    /// <summary>The relation that takes the table's place, over <see cref="Placeholder"/>.</summary>
    /// <param name="planning">Binds it to the table alone: in a statement, a name that the version lacks could be taken for a column of the query around.</param>
    /// <param name="connection">A connection of it.</param>
    /// <param name="schema">The columns of the version that is read.</param>
    /// <exception cref="LakeException">PermissionDenied: this version lacks a column that is masked. QueryInvalid: an expression is wrong.</exception>
    public string Sql(PlanningEngine planning, DuckDBConnection connection, Schema schema)
    {
        string? filter = grants.Any(g => g.Filter is null) ? null : string.Join(" OR ", grants.Select(g => $"({g.Filter}\n)"));
        string[] masks = [.. grants.SelectMany(g => g.Masks.Keys).Distinct(StringComparer.OrdinalIgnoreCase).Select(c => Mask(c, schema)).OfType<string>()];
        string text = $"SELECT *{(masks.Length == 0 ? string.Empty : $" REPLACE ({string.Join(", ", masks)})")} FROM {Placeholder}{(filter is null ? string.Empty : $" WHERE {filter}")}";
        string empty = planning.EmptyTable(connection, schema, 0);
        string key = $"{user}\0{empty}\0{text}";
        if (Known.TryGetValue(key, out string? known))
        {
            return known;
        }

        SyntaxTree tree = SyntaxTree.Parse(connection, text);
        if (tree.Tables.Count != 1 || tree.ParameterCount > 0)
        {
            throw LakeException.QueryInvalid($"{grants[0].Setting}: a filter or mask is an expression over the columns of its own table");
        }

        tree.SetSessionValues(SessionValues.Of(user), new HashSet<string>());
        string sql = filter is null ? tree.ToSql(connection) : $"SELECT * FROM ({tree.ToSql(connection)}){Barrier}";
        PlanningEngine.Describe(connection, sql.Replace(Placeholder, empty, StringComparison.Ordinal), []);
        if (Known.Count >= MaxKnown)
        {
            Known.Clear();
        }

        return Known[key] = sql;
    }

    // A column is masked where each grant that shows the row masks it.
    private string? Mask(string column, Schema schema)
    {
        Field field = schema.FieldsList.FirstOrDefault(f => f.Name.Equals(column, StringComparison.OrdinalIgnoreCase))
            ?? throw LakeException.PermissionDenied($"{table.FullName} cannot be read here: its masked column {column} is not in this version");
        TableGrant[] bare = [.. grants.Where(g => !g.Masks.Keys.Contains(column, StringComparer.OrdinalIgnoreCase))];
        if (bare.Any(g => g.Filter is null))
        {
            return null;
        }

        string name = SqlText.Identifier(field.Name);
        string mask = grants.SelectMany(g => g.Masks).First(m => m.Key.Equals(column, StringComparison.OrdinalIgnoreCase)).Value;
        string masked = mask.Trim().Equals("NULL", StringComparison.OrdinalIgnoreCase) ? $"CAST(NULL AS {SqlText.TypeOf(field)})" : $"({mask}\n)";
        string shown = string.Join(" OR ", bare.Select(g => $"({g.Filter}\n)"));
        return $"{(bare.Length == 0 ? masked : $"CASE WHEN {shown} THEN {name} ELSE {masked} END")} AS {name}";
    }
}
