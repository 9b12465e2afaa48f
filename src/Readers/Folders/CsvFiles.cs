using System.Globalization;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Folders;

/// <summary>CSV files with a header, read by the engine: types are worked out once, and the rows kept as Parquet with these types.</summary>
internal sealed class CsvFiles(EngineDatabase engine)
{
    internal const string DecoderVersion = "csv-1";

    /// <summary>Digits that a decimal column has at least, so that a longer number of the same scale does not change its type.</summary>
    private const int UsualPrecision = 18;

    private const int MaxPrecision = 38;

    /// <summary>Column names and types of all files together, by name; every row is looked at. Numbers with a decimal point are exact decimals as long as
    /// all of them are written without an exponent.</summary>
    internal IReadOnlyList<(string Name, string Type)> Describe(IReadOnlyList<string> localPaths, string path)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        string files = SqlText.LiteralList(localPaths);
        IReadOnlyList<(string Name, string Type)> columns =
            Describe(connection, $"SELECT * FROM read_csv({files}, header = true, union_by_name = true, sample_size = -1)", path);
        return [.. columns.Select(c => c.Type == "DOUBLE" ? (c.Name, DecimalType(connection, files, c.Name) ?? c.Type) : c)];
    }

    /// <summary>The decimal type that holds every number of a column exactly; null if there is none.</summary>
    private static string? DecimalType(DuckDBConnection connection, string files, string column)
    {
        string value = $"trim({SqlText.Identifier(column)})";
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"""
            SELECT bool_and(regexp_full_match({value}, '[+-]?[0-9]+([.][0-9]*)?')), max(length(split_part(ltrim({value}, '+-'), '.', 1))), max(length(split_part({value}, '.', 2)))
            FROM read_csv({files}, header = true, union_by_name = true, all_varchar = true) WHERE {value} <> ''
            """;
        using DuckDBDataReader reader = command.ExecuteReader();
        if (!reader.Read() || reader.IsDBNull(0) || !reader.GetBoolean(0))
        {
            return null;
        }

        long scale = reader.GetInt64(2);
        long digits = reader.GetInt64(1) + scale;
        return digits > MaxPrecision ? null : string.Create(CultureInfo.InvariantCulture, $"DECIMAL({Math.Max(digits, UsualPrecision)},{scale})");
    }

    /// <summary>A decoder to Parquet with the given columns: by name as far as a file has them, or all of them in order if files have no header.</summary>
    internal FileDecoder Create(Schema schema, bool hasNoHeader, IFileMaterializer files) => async (file, targetPath, cancellationToken) =>
    {
        await using FileLease lease = await files.OpenAsync([file], null, cancellationToken);
        string source = SqlText.Literal(lease.LocalPaths[0]);
        using DuckDBConnection connection = engine.OpenConnection();
        if (hasNoHeader)
        {
            string all = string.Join(", ", schema.FieldsList.Select(f => $"{SqlText.Literal(f.Name)}: {SqlText.Literal(SqlText.TypeOf(f))}"));
            Run(connection, $"COPY (SELECT * FROM read_csv({source}, header = false, columns = {{{all}}})) TO {SqlText.Literal(targetPath)} (FORMAT parquet, COMPRESSION snappy)", file.Key);
            return;
        }

        string[] names = [.. Describe(connection, $"SELECT * FROM read_csv({source}, header = true, all_varchar = true, sample_size = -1)", file.Key).Select(c => c.Name)];
        string types = string.Join(", ", schema.FieldsList.Where(f => names.Contains(f.Name)).Select(f => $"{SqlText.Literal(f.Name)}: {SqlText.Literal(SqlText.TypeOf(f))}"));
        Run(connection, $"COPY (SELECT * FROM read_csv({source}, header = true, types = {{{types}}}, sample_size = -1)) TO {SqlText.Literal(targetPath)} (FORMAT parquet, COMPRESSION snappy)", file.Key);
    };

    internal static IReadOnlyList<(string Name, string Type)> Describe(DuckDBConnection connection, string sql, string path)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = "DESCRIBE " + sql;
        try
        {
            using DuckDBDataReader reader = command.ExecuteReader();
            var columns = new List<(string, string)>();
            while (reader.Read())
            {
                columns.Add((reader.GetString(0), reader.GetString(1)));
            }

            return columns;
        }
        catch (DuckDBException e)
        {
            throw LakeException.FormatInvalid($"The files cannot be read: {e.Message}", path, e);
        }
    }

    private static void Run(DuckDBConnection connection, string sql, string path)
    {
        try
        {
            EngineDatabase.Execute(connection, sql);
        }
        catch (DuckDBException e)
        {
            throw LakeException.FormatInvalid($"The file cannot be read: {e.Message}", path, e);
        }
    }
}
