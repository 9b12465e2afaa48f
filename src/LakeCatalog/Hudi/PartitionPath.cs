using System.Globalization;
using System.Text;

namespace LakeHolo.LakeCatalog.Hudi;

/// <summary>Partition values as folder names tell them.</summary>
public static class PartitionPath
{
    private const string NullMarker = "__HIVE_DEFAULT_PARTITION__";

    /// <summary>Values by column, null for the null marker; null if the path does not fit the columns, or could be read in two ways.</summary>
    /// <param name="path">Partition path.</param>
    /// <param name="columns">Partition columns, in the path's order.</param>
    /// <param name="properties">Whether values are percent-encoded, and folders named <c>column=value</c>.</param>
    public static IReadOnlyDictionary<string, string?>? Parse(string path, IReadOnlyList<string> columns, HudiProperties properties)
    {
        if (columns.Count == 0)
        {
            return new Dictionary<string, string?>();
        }

        string[] fragments = path.Split('/');
        if (columns.Count == 1 && fragments.Length > 1)
        {
            fragments = [path];
        }

        if (fragments.Length != columns.Count)
        {
            return null;
        }

        var values = new Dictionary<string, string?>(StringComparer.Ordinal);
        for (int i = 0; i < fragments.Length; i++)
        {
            string prefix = columns[i] + "=";
            bool isNamed = fragments[i].StartsWith(prefix, StringComparison.Ordinal);
            if (properties.HasNamedPartitions is { } areNamed && areNamed != isNamed)
            {
                // A value that begins like a name, or a name that is missing or spelled otherwise.
                return null;
            }

            string text = isNamed ? fragments[i][prefix.Length..] : fragments[i];
            text = properties.UrlEncodesPartitions ? Unescape(text) : text;
            values[columns[i]] = text is NullMarker ? null : text;
        }

        return values;
    }

    /// <summary>Undoes %XX.</summary>
    private static string Unescape(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var result = new List<byte>(bytes.Length);
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] == '%' && i + 2 < bytes.Length
                && byte.TryParse(Encoding.ASCII.GetString(bytes, i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                result.Add(value);
                i += 2;
            }
            else
            {
                result.Add(bytes[i]);
            }
        }

        return Encoding.UTF8.GetString([.. result]);
    }
}
