using System.Text;
using System.Text.RegularExpressions;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Sessions;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>Listings for the metadata commands of protocols.</summary>
internal static class CatalogLister
{
    private const string SystemSchema = "lakeholo";

    public static CatalogListing List(CatalogService catalog, UserAccess who, CatalogFilter filter)
    {
        IReadOnlyList<CatalogTable> readable = who.Readable(catalog.Tables);
        string[] catalogs = [.. catalog.Sources.Select(s => s.Name).Where(s => who.IsAdmin || readable.Any(t => t.Table.Source == s)).Order(StringComparer.Ordinal)];
        bool Wanted(string source, string schema) =>
            (filter.Catalog is null || source == filter.Catalog) && (filter.SchemaPattern is null || Like(filter.SchemaPattern, schema));
        (string, string)[] schemas = [.. readable.Select(t => (t.Table.Source, t.Table.Schema)).Distinct()
            .Concat(catalogs.Select(c => (c, SystemSchema))).Where(p => Wanted(p.Item1, p.Item2)).Order()];
        IEnumerable<CatalogEntry> tables = readable
            .Where(t => Wanted(t.Table.Source, t.Table.Schema))
            .Select(t => new CatalogEntry(
                t.Table.Source, t.Table.Schema, t.Table.Name, "TABLE", filter.IncludeSchemas ? t.Newest?.Schema : null, t.Newest?.PrimaryKey ?? []));
        IEnumerable<CatalogEntry> system = catalogs.Where(c => Wanted(c, SystemSchema))
            .SelectMany(c => SystemTables.Names.Select(n => new CatalogEntry(c, SystemSchema, n, "SYSTEM TABLE", null, [])));
        return new CatalogListing(catalogs, schemas, [.. tables.Concat(system)
            .Where(t => filter.TablePattern is null || Like(filter.TablePattern, t.Name))
            .Where(t => filter.TableTypes.Count == 0 || filter.TableTypes.Contains(t.Type))
            .OrderBy(t => t.Catalog, StringComparer.Ordinal).ThenBy(t => t.Schema, StringComparer.Ordinal).ThenBy(t => t.Name, StringComparer.Ordinal)]);
    }

    private static bool Like(string pattern, string text)
    {
        var regex = new StringBuilder("^");
        for (int i = 0; i < pattern.Length; i++)
        {
            bool escaped = pattern[i] == '\\' && i + 1 < pattern.Length;
            char c = escaped ? pattern[++i] : pattern[i];
            regex.Append(!escaped && c == '%' ? ".*" : !escaped && c == '_' ? "." : Regex.Escape(c.ToString()));
        }

        return Regex.IsMatch(text, regex.Append('$').ToString(), RegexOptions.Singleline | RegexOptions.NonBacktracking);
    }
}
