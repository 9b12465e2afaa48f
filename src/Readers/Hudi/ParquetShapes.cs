using System.Collections.Concurrent;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.DataFiles.Parquet;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi;

/// <summary>The columns of a Parquet file as the engine sees them. Files with equal columns share one scan.</summary>
/// <param name="Signature">Equal for files of equal columns.</param>
/// <param name="Columns">Top-level columns.</param>
/// <param name="MicrosecondInstants">Paths (<see cref="LogicalPaths"/>) of what is stored as UTC instants in microseconds.</param>
internal sealed record ParquetShape(string Signature, IReadOnlyList<(string Name, EngineType Type)> Columns, IReadOnlySet<string> MicrosecondInstants);

/// <summary>Looks up shapes, each file once.</summary>
internal sealed class ParquetShapes
{
    private const int MaxFiles = 200_000;
    private readonly ConcurrentDictionary<string, ParquetShape> _byFile = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ParquetShape> _bySignature = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<ParquetNode, ParquetShape> _bySchema = new(ReferenceEqualityComparer.Instance);

    /// <summary>The shape of one file.</summary>
    /// <param name="connection">Used for the look-up.</param>
    /// <param name="identity">Key and size of the source file, which never changes.</param>
    /// <param name="localPath">Where it can be opened now.</param>
    public ParquetShape Of(DuckDBConnection connection, string identity, string localPath)
    {
        if (_byFile.TryGetValue(identity, out ParquetShape? known))
        {
            return known;
        }

        if (_byFile.Count > MaxFiles)
        {
            _byFile.Clear();
            _bySignature.Clear();
            _bySchema.Clear();
        }

        // Files whose footers spell the same schema are of one shape, and the engine is asked for the first of them.
        ParquetNode? schema = LocalFooter.TryRead(localPath) is { } footer ? ParquetFooter.Parse(footer, localPath).Schema : null;
        if (schema is null || !_bySchema.TryGetValue(schema, out ParquetShape? shape))
        {
            shape = Describe(connection, localPath, schema);
            shape = _bySignature.GetOrAdd(shape.Signature, shape);
            if (schema is not null)
            {
                _bySchema[schema] = shape;
            }
        }

        return _byFile[identity] = shape;
    }

    // The engine's types do not tell milliseconds from microseconds. Its types and the file's schema have the same leaves in the same order, however lists are spelled.
    private static HashSet<string> MicrosecondInstants(DuckDBConnection connection, string localPath, List<(string, EngineType)> columns)
    {
        string[] leaves = [.. columns.SelectMany(c => Leaves(c.Item1, c.Item2))];
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = "SELECT coalesce(converted_type = 'TIMESTAMP_MICROS', false) OR coalesce(logical_type LIKE '%isAdjustedToUTC=1%' AND logical_type LIKE '%MICROS=MicroSeconds()%', false) "
            + "FROM parquet_schema(" + SqlText.Literal(localPath) + ") WHERE type IS NOT NULL AND coalesce(num_children, 0) = 0";
        using DuckDBDataReader reader = command.ExecuteReader();
        var paths = new HashSet<string>(StringComparer.Ordinal);
        int leaf = 0;
        for (; reader.Read(); leaf++)
        {
            if (leaf < leaves.Length && reader.GetBoolean(0))
            {
                paths.Add(leaves[leaf]);
            }
        }

        return leaf == leaves.Length ? paths : throw LakeException.FeatureUnsupported("Hudi: a Parquet file with columns of a type that is not known is not supported", localPath);
    }

    // The engine gives one of two columns whose names differ in case only another name: id, ID_1.
    private static void RefuseAlike(DuckDBConnection connection, string localPath, List<(string Name, EngineType)> columns)
    {
        string[] renamed = [.. columns.Select(c => c.Name).Where(n => n.LastIndexOf('_') is > 0 and var end && n[(end + 1)..].All(char.IsAsciiDigit)
            && columns.Any(c => c.Name.Equals(n[..end], StringComparison.OrdinalIgnoreCase)))];
        if (renamed.Length == 0)
        {
            return;
        }

        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT name FROM parquet_schema({SqlText.Literal(localPath)})";
        using DuckDBDataReader reader = command.ExecuteReader();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read())
        {
            names.Add(reader.GetString(0));
        }

        if (renamed.FirstOrDefault(n => !names.Contains(n)) is { } name)
        {
            throw LakeException.FeatureUnsupported($"Hudi: a file with columns whose names differ in case only ({name[..name.LastIndexOf('_')]}) is not supported", localPath);
        }
    }

    private static IEnumerable<string> Leaves(string path, EngineType type)
        => type.Children.Count == 0 ? [path] : type.Children.SelectMany(c => Leaves(LogicalPaths.Join(path, c.Name), c.Type));

    private static ParquetShape Describe(DuckDBConnection connection, string localPath, ParquetNode? schema)
    {
        try
        {
            using DuckDBCommand command = connection.CreateCommand();
            command.CommandText = $"DESCRIBE SELECT * FROM read_parquet({SqlText.Literal(localPath)}, hive_partitioning = false)";
            using DuckDBDataReader reader = command.ExecuteReader();
            var columns = new List<(string Name, EngineType Type)>();
            var signature = new System.Text.StringBuilder();
            while (reader.Read())
            {
                columns.Add((reader.GetString(0), EngineType.Parse(reader.GetString(1))));
                signature.Append(reader.GetString(0)).Append('\0').Append(reader.GetString(1)).Append('\n');
            }

            RefuseAlike(connection, localPath, columns);
            columns = schema is null ? columns : [.. OneFieldItems.Restore(columns, schema)];
            signature.AppendJoin('\0', columns.Where(c => OneFieldItems.AreIn(c.Type)).Select(c => c.Name)).Append('\n');
            HashSet<string> micros = signature.ToString().Contains("TIMESTAMP", StringComparison.Ordinal) ? MicrosecondInstants(connection, localPath, columns) : [];
            signature.AppendJoin('\0', micros.Order(StringComparer.Ordinal));
            return new ParquetShape(signature.ToString(), columns, micros);
        }
        catch (DuckDBException error)
        {
            throw EngineErrors.OfFile(error, localPath);
        }
    }
}
