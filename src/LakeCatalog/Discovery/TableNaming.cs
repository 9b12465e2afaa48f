using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.LakeCatalog.Discovery;

/// <summary>Names tables after their paths: the last segment is the table, the ones before it the schema (joined by '_' when several, without a
/// database's <c>.db</c>), <c>default</c> for a table right below the source. Where names collide a table that has its name already keeps it.</summary>
internal static class TableNaming
{
    public static IReadOnlyList<TableSighting> Name(
        TableRoot source, IEnumerable<(TableRoot Root, string Format)> found, IReadOnlyDictionary<string, KnownTable> known)
    {
        (TableRoot Root, string Format)[] ordered = [.. found.OrderBy(f => f.Root.Prefix, StringComparer.Ordinal)];
        var taken = new HashSet<(string, string)>(ordered.Select(f => known.GetValueOrDefault(f.Root.Prefix)).OfType<KnownTable>().Select(k => (k.Schema, k.Name)), TupleComparer.Instance);
        var named = new List<TableSighting>();
        foreach ((TableRoot root, string format) in ordered)
        {
            if (known.TryGetValue(root.Prefix, out KnownTable? before))
            {
                named.Add(new TableSighting(before.Schema, before.Name, format, root, before.Note));
                continue;
            }

            (string schema, string table) = FromPath(source, root);
            string unique = table;
            for (int n = 2; !taken.Add((schema, unique)); n++)
            {
                unique = $"{table}_{n}";
            }

            string? note = unique == table ? null : $"Named {schema}.{unique}: another folder is {schema}.{table} already";
            named.Add(new TableSighting(schema, unique, format, root, note));
        }

        return named;
    }

    private static (string Schema, string Table) FromPath(TableRoot source, TableRoot root)
    {
        string[] segments = root.Prefix[source.Prefix.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (segments.Length == 0)
        {
            // The source is a table itself.
            string[] whole = root.Location.Split('/', StringSplitOptions.RemoveEmptyEntries);
            return ("default", whole[^1]);
        }

        string schema = segments.Length == 1 ? "default" : string.Join('_', segments[..^1].Select(WithoutDatabaseSuffix));
        return (schema, segments[^1]);
    }

    private static string WithoutDatabaseSuffix(string segment) => segment.Length > 3 && segment.EndsWith(".db", StringComparison.Ordinal) ? segment[..^3] : segment;

    /// <summary>Names in SQL are matched without regard to case, so they must differ without regard to case too.</summary>
    private sealed class TupleComparer : IEqualityComparer<(string, string)>
    {
        public static readonly TupleComparer Instance = new();

        public bool Equals((string, string) x, (string, string) y)
            => string.Equals(x.Item1, y.Item1, StringComparison.OrdinalIgnoreCase) && string.Equals(x.Item2, y.Item2, StringComparison.OrdinalIgnoreCase);

        public int GetHashCode((string, string) obj)
            => HashCode.Combine(StringComparer.OrdinalIgnoreCase.GetHashCode(obj.Item1), StringComparer.OrdinalIgnoreCase.GetHashCode(obj.Item2));
    }
}
