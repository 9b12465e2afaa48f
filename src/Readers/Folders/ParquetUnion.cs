using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Folders;

/// <summary>Whether the type that the engine makes of those that Parquet files give a column holds every value of theirs: it would put long whole numbers and decimals into floating-point ones,
/// and cut digits of decimals where there are too many.</summary>
internal static class ParquetUnion
{
    // Whole numbers up to 2^53 are doubles.
    private const string FitsDouble = "coalesce(num_values = 0 OR stats_null_count = num_values OR (abs(TRY_CAST(stats_min_value AS HUGEINT)) <= 9007199254740992 AND abs(TRY_CAST(stats_max_value AS HUGEINT)) <= 9007199254740992), false)";

    private static readonly HashSet<string> Within24Bits = new(StringComparer.Ordinal) { "BOOLEAN", "TINYINT", "SMALLINT", "UTINYINT", "USMALLINT" };

    private static readonly HashSet<string> Within53Bits = new(Within24Bits, StringComparer.Ordinal) { "INTEGER", "UINTEGER", "FLOAT" };

    /// <summary>Compares the types in the files with their union.</summary>
    /// <param name="connection">Of the engine.</param>
    /// <param name="localPaths">The files.</param>
    /// <param name="columns">The union's columns.</param>
    /// <param name="path">For messages.</param>
    /// <exception cref="LakeException">FeatureUnsupported names a column that has no common type.</exception>
    public static void Check(DuckDBConnection connection, IReadOnlyList<string> localPaths, IReadOnlyList<(string Name, string Type)> columns, string path)
    {
        var suspects = columns.Where(c => c.Type.Contains("DOUBLE", StringComparison.Ordinal) || c.Type.Contains("FLOAT", StringComparison.Ordinal) || c.Type.Contains("DECIMAL(", StringComparison.Ordinal))
            .ToDictionary(c => c.Name, c => c.Type, StringComparer.OrdinalIgnoreCase);
        if (localPaths.Count < 2 || suspects.Count == 0)
        {
            return;
        }

        string list = SqlText.LiteralList(localPaths);
        string[] examples = [.. Texts(connection, $"""
            SELECT min(f) FROM (SELECT file_name AS f, string_agg(concat_ws(' ', name, num_children, duckdb_type), chr(10) ORDER BY column_id) AS s FROM parquet_schema({list}) GROUP BY f) GROUP BY s ORDER BY 1
            """)];
        if (examples.Length < 2)
        {
            return;
        }

        foreach (string example in examples)
        {
            foreach ((string name, string type) in CsvFiles.Describe(connection, $"SELECT * FROM read_parquet({SqlText.Literal(example)}, hive_partitioning = false)", path))
            {
                if (suspects.TryGetValue(name, out string? common) && type != common && !Holds(EngineType.Parse(common), EngineType.Parse(type))
                    && !((common, type) is ("DOUBLE", "BIGINT" or "UBIGINT") && Texts(connection, $"SELECT bool_and({FitsDouble}) FROM parquet_metadata({list}) WHERE type = 'INT64' AND lower(path_in_schema) = lower({SqlText.Literal(name)})").Single() == "true"))
                {
                    throw LakeException.FeatureUnsupported($"The files disagree about the type of column '{name}': in some it is {type}, of which {common} does not hold every value", path);
                }
            }
        }
    }

    private static bool Holds(EngineType common, EngineType own) => common.Name switch
    {
        "DOUBLE" => own.Name == "DOUBLE" || Within53Bits.Contains(own.Name),
        "FLOAT" => own.Name == "FLOAT" || Within24Bits.Contains(own.Name),
        _ when common.Name.StartsWith("DECIMAL(", StringComparison.Ordinal) && own.Name.StartsWith("DECIMAL(", StringComparison.Ordinal) => Scale(own.Name) <= Scale(common.Name),
        _ => common.Name != own.Name || own.Children.All(c => common.Children.FirstOrDefault(o => o.Name.Equals(c.Name, StringComparison.OrdinalIgnoreCase)) is not { Type: { } part } || Holds(part, c.Type)),
    };

    private static int Scale(string type) => int.Parse(type[(type.IndexOf(',', StringComparison.Ordinal) + 1)..^1], System.Globalization.CultureInfo.InvariantCulture);

    private static List<string> Texts(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql})";
        using DuckDBDataReader reader = command.ExecuteReader();
        var texts = new List<string>();
        while (reader.Read())
        {
            texts.Add(reader.IsDBNull(0) ? string.Empty : reader.GetString(0));
        }

        return texts;
    }
}
