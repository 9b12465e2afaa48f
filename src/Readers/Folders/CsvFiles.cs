using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Folders;

/// <summary>CSV files, read by the engine: types are worked out once, and the rows kept as Parquet with these types.</summary>
internal sealed class CsvFiles(EngineDatabase engine)
{
    internal const string DecoderVersion = "csv-4";

    /// <summary>Digits that a decimal column has at least, so that a longer number of the same scale does not change its type.</summary>
    private const int UsualPrecision = 18;

    private const int MaxPrecision = 38;

    // As RFC 4180 says; else as Spark and Hive write.
    private static readonly char[] Escapes = ['"', '\\'];

    /// <summary>Column names and types of all files together, by name; every row is looked at. Numbers with a decimal point are exact decimals as long as
    /// all of them are written without an exponent.</summary>
    internal IReadOnlyList<(string Name, string Type)> Describe(IReadOnlyList<string> localPaths, string path)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        return WithEscape<IReadOnlyList<(string Name, string Type)>>(connection, localPaths, path, escape =>
        {
            IReadOnlyList<(string Name, string Type)> columns = Columns(connection, $"SELECT * FROM ({Union(localPaths, escape, "sample_size = -1")})");
            return [.. columns.Select(c => c.Type switch
            {
                "DOUBLE" => (c.Name, DecimalType(connection, Union(localPaths, escape, "all_varchar = true"), c.Name) ?? c.Type),
                "DATE" or "TIMESTAMP" or "TIMESTAMP WITH TIME ZONE" => IsYearFirst(connection, Union(localPaths, escape, "all_varchar = true"), c.Name) ? c : (c.Name, "VARCHAR"),
                _ => c,
            })];
        });
    }

    /// <summary>Whether all dates of a column begin with a year of four digits. In others the order of day, month and year is a guess, and the engine makes one for each file.</summary>
    private static bool IsYearFirst(DuckDBConnection connection, string texts, string column)
    {
        string value = $"trim({SqlText.Identifier(column)})";
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT coalesce(bool_and(regexp_matches({value}, '^[0-9]{{4}}[-/]')), true) FROM ({texts}) WHERE {value} <> ''";
        return (bool)command.ExecuteScalar()!;
    }

    /// <summary>The decimal type that holds every number of a column exactly; null if there is none.</summary>
    private static string? DecimalType(DuckDBConnection connection, string texts, string column)
    {
        string value = $"trim({SqlText.Identifier(column)})";
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"""
            SELECT bool_and(regexp_full_match({value}, '[+-]?[0-9]+([.][0-9]*)?')), max(length(split_part(ltrim({value}, '+-'), '.', 1))), max(length(split_part({value}, '.', 2)))
            FROM ({texts}) WHERE {value} <> ''
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

    /// <summary>A decoder to Parquet with the given columns: by name as far as a file has them; for configured columns all of them in order, whether or not
    /// the file begins with a line of just these names.</summary>
    internal FileDecoder Create(Schema schema, bool isConfigured, IFileMaterializer files) => async (file, targetPath, cancellationToken) =>
    {
        await using FileLease lease = await files.OpenAsync([file], null, cancellationToken);
        string source = lease.LocalPaths[0];
        CsvDialect dialect = CsvDialect.Of(source);
        using DuckDBConnection connection = engine.OpenConnection();
        string copy = $"TO {SqlText.Literal(targetPath)} (FORMAT parquet, COMPRESSION snappy)";
        bool hasHeader = !isConfigured || NamesColumns(dialect, schema);
        string? FaultOf(char escape, bool onlyCut)
        {
            string texts = Rows(connection, source, dialect, escape, schema, isConfigured, _ => "VARCHAR");
            return CsvFaults.First(connection, texts, [.. Columns(connection, $"SELECT * FROM {texts}").Select(c => c.Name)], schema, hasHeader, onlyCut);
        }

        WithEscape(connection, [source], file.Key, escape =>
        {
            try
            {
                EngineDatabase.Execute(connection, $"COPY (SELECT * FROM {Rows(connection, source, dialect, escape, schema, isConfigured, SqlText.TypeOf)}) {copy}");
            }
            catch (DuckDBException) when (schema.FieldsList.Any(f => f.DataType is not StringType))
            {
                // An empty text in quotes is no number and no date; in their columns it is as good as none.
                string texts = Rows(connection, source, dialect, escape, schema, isConfigured, _ => "VARCHAR");
                IEnumerable<string> columns = Columns(connection, $"SELECT * FROM {texts}").Select(c => ValueOf(c.Name, schema));
                EngineDatabase.Execute(connection, $"COPY (SELECT {string.Join(", ", columns)} FROM {texts}) {copy}");
            }

            // Other columns have the types that hold all their values.
            return isConfigured && FaultOf(escape, onlyCut: true) is string fault ? throw LakeException.FormatInvalid(fault, file.Key) : true;
        }, escape => FaultOf(escape, onlyCut: false));
    };

    /// <summary>The rows of a file, its columns of these types. Only nothing at all between two delimiters is NULL, and not an empty text in quotes (as Spark and PostgreSQL have it).</summary>
    private static string Rows(DuckDBConnection connection, string source, CsvDialect dialect, char escape, Schema schema, bool isConfigured, Func<Field, string> typeOf)
    {
        string Options(bool header) => dialect.Options(escape, header) + ", allow_quoted_nulls = false";
        string Types(IEnumerable<Field> fields) => string.Join(", ", fields.Select(f => $"{SqlText.Literal(f.Name)}: {SqlText.Literal(typeOf(f))}"));
        if (isConfigured)
        {
            return $"read_csv({SqlText.Literal(source)}, {Options(NamesColumns(dialect, schema))}, auto_detect = false, columns = {{{Types(schema.FieldsList)}}})";
        }

        string texts = $"read_csv({SqlText.Literal(source)}, {Options(header: true)}, all_varchar = true, sample_size = -1)";
        string[] names = [.. Columns(connection, $"SELECT * FROM {texts}").Select(c => c.Name)];
        return $"read_csv({SqlText.Literal(source)}, {Options(header: true)}, types = {{{Types(schema.FieldsList.Where(f => names.Contains(f.Name)))}}}, sample_size = -1)";
    }

    private static bool NamesColumns(CsvDialect dialect, Schema schema) => dialect.FirstLine.SequenceEqual(schema.FieldsList.Select(f => f.Name), StringComparer.OrdinalIgnoreCase);

    private static string ValueOf(string column, Schema schema)
    {
        string name = SqlText.Identifier(column);
        return schema.FieldsList.FirstOrDefault(f => f.Name == column) is { DataType: not StringType } field ? $"CAST(nullif({name}, '') AS {SqlText.TypeOf(field)}) AS {name}" : name;
    }

    /// <summary>All files as one relation, by column name; files of one dialect are read together.</summary>
    private static string Union(IReadOnlyList<string> localPaths, char escape, string options) => string.Join(
        " UNION ALL BY NAME ",
        localPaths.GroupBy(p => CsvDialect.Of(p).Options(escape, header: true)).Select(g => $"SELECT * FROM read_csv({SqlText.LiteralList([.. g])}, {g.Key}, union_by_name = true, {options})"));

    /// <summary>Tries the ways of escaping a quote.</summary>
    /// <param name="connection">The engine.</param>
    /// <param name="localPaths">The files.</param>
    /// <param name="path">What errors name.</param>
    /// <param name="read">Reads them.</param>
    /// <param name="faultOf">Finds a value that is none of its column, where their lines have the right fields; null for no types.</param>
    private static T WithEscape<T>(DuckDBConnection connection, IReadOnlyList<string> localPaths, string path, Func<char, T> read, Func<char, string?>? faultOf = null)
    {
        DuckDBException? first = null;
        foreach (char escape in Escapes)
        {
            try
            {
                return read(escape);
            }
            catch (DuckDBException e)
            {
                first ??= e;
            }
        }

        string? fields = Fault(connection, localPaths);
        throw LakeException.FormatInvalid((fields is null ? Values(faultOf) : null) ?? $"The file is no CSV with a header: {fields ?? first!.Message}", path, first);
    }

    private static string? Values(Func<char, string?>? faultOf)
    {
        try
        {
            return faultOf?.Invoke(Escapes[0]);
        }
        catch (DuckDBException)
        {
            return null; // It is the fields that are wrong.
        }
    }

    /// <summary>The first line that has more or fewer fields than the header, in the engine's words.</summary>
    private static string? Fault(DuckDBConnection connection, IReadOnlyList<string> localPaths)
    {
        foreach (string path in localPaths)
        {
            CsvDialect dialect = CsvDialect.Of(path);
            string columns = string.Join(", ", dialect.FirstLine.Select((_, i) => string.Create(CultureInfo.InvariantCulture, $"'c{i}': 'VARCHAR'")));
            try
            {
                EngineDatabase.Execute(connection, $"SELECT count(*) FROM read_csv({SqlText.Literal(path)}, {dialect.Options('"', header: true)}, auto_detect = false, columns = {{{columns}}})");
            }
            catch (DuckDBException e)
            {
                int advice = e.Message.IndexOf("\nPossible fixes", StringComparison.Ordinal);
                return advice < 0 ? e.Message : e.Message[..advice];
            }
        }

        return null;
    }

    internal static IReadOnlyList<(string Name, string Type)> Describe(DuckDBConnection connection, string sql, string path)
    {
        try
        {
            return Columns(connection, sql);
        }
        catch (DuckDBException e)
        {
            throw LakeException.FormatInvalid($"The files cannot be read: {e.Message}", path, e);
        }
    }

    private static List<(string Name, string Type)> Columns(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = "DESCRIBE " + sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var columns = new List<(string, string)>();
        while (reader.Read())
        {
            columns.Add((reader.GetString(0), reader.GetString(1)));
        }

        return columns;
    }
}
