using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Folders;

/// <summary>Where a CSV file has what its column cannot hold: the engine's casts round numbers and cut times without a word, and name no line.</summary>
internal static class CsvFaults
{
    /// <summary>The first text that would not be kept as it is; null if all are.</summary>
    /// <param name="connection">The engine.</param>
    /// <param name="texts">The file's rows, all of them texts.</param>
    /// <param name="names">The file's columns.</param>
    /// <param name="schema">The table's columns.</param>
    /// <param name="hasHeader">Whether the first line names the columns.</param>
    /// <param name="onlyCut">Whether texts that are no value at all are known to be none.</param>
    /// <returns>Line, column and text in words.</returns>
    public static string? First(DuckDBConnection connection, string texts, IReadOnlyList<string> names, Schema schema, bool hasHeader, bool onlyCut)
    {
        (Field Field, string Value, string Condition)[] checks =
        [
            .. schema.FieldsList.Where(f => f.DataType is not StringType && names.Contains(f.Name)).Select(f => (f, Trimmed(f), Condition: onlyCut ? IsCut(f) : $"({IsNone(f)} OR {IsCut(f) ?? "false"})"))
                .Where(c => c.Condition is not null).Select(c => (c.f, c.Item2, c.Condition!)),
        ];
        if (checks.Length == 0 || Number(connection, $"SELECT count(*) FROM (SELECT 1 FROM {texts} WHERE {string.Join(" OR ", checks.Select(c => c.Condition))} LIMIT 1)") == 0)
        {
            return null;
        }

        string least = string.Join(", ", checks.Select((c, i) => $"min(record) FILTER (WHERE {c.Condition}) AS r{i}, arg_min({c.Value}, record) FILTER (WHERE {c.Condition}) AS v{i}"));
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT {least} FROM (SELECT *, row_number() OVER () AS record FROM {texts})";
        (long Record, string Text, Field Field) first = (long.MaxValue, "", checks[0].Field);
        using (DuckDBDataReader reader = command.ExecuteReader())
        {
            reader.Read();
            for (int i = 0; i < checks.Length; i++)
            {
                if (!reader.IsDBNull(2 * i) && reader.GetInt64(2 * i) < first.Record)
                {
                    first = (reader.GetInt64(2 * i), reader.GetString((2 * i) + 1), checks[i].Field);
                }
            }
        }

        // Texts in quotes may go over several lines.
        string breaks = string.Join(" + ", names.Select(SqlText.Identifier).Select(n => $"coalesce(length({n}) - length(replace({n}, chr(10), '')), 0)"));
        long before = Number(connection, string.Create(
            CultureInfo.InvariantCulture, $"SELECT coalesce(sum({breaks}), 0)::BIGINT FROM (SELECT *, row_number() OVER () AS record FROM {texts}) WHERE record < {first.Record}"));
        long line = first.Record + before + (hasHeader ? 1 : 0);
        return string.Create(CultureInfo.InvariantCulture, $"Line {line}, column '{first.Field.Name}': '{first.Text}' is no {SqlText.TypeOf(first.Field)}");
    }

    private static string Trimmed(Field field) => $"trim({SqlText.Identifier(field.Name)})";

    private static string IsNone(Field field) => $"({Trimmed(field)} <> '' AND TRY_CAST({Trimmed(field)} AS {SqlText.TypeOf(field)}) IS NULL)";

    /// <summary>Whether a number has decimals that its type has not, or a time stands where a date is; null for other types.</summary>
    private static string? IsCut(Field field)
    {
        string value = Trimmed(field);
        string type = SqlText.TypeOf(field);
        int? scale = field.DataType switch
        {
            Decimal128Type d => d.Scale,
            Int8Type or Int16Type or Int32Type or Int64Type or UInt8Type or UInt16Type or UInt32Type or UInt64Type => 0,
            _ => null,
        };
        return scale is not null
            ? string.Create(CultureInfo.InvariantCulture, $"(CASE WHEN regexp_matches({value}, '[eE]') THEN TRY_CAST({value} AS DOUBLE) <> CAST(TRY_CAST({value} AS {type}) AS DOUBLE) ELSE regexp_matches({value}, '[.][0-9]{{{scale}}}[0-9]*[1-9]') END)")
            : field.DataType is Date32Type
                ? $"(length({value}) > 10 AND TRY_CAST({value} AS TIMESTAMP) <> CAST(TRY_CAST({value} AS DATE) AS TIMESTAMP))"
                : null;
    }

    private static long Number(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }
}
