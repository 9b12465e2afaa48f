using System.Collections.Frozen;
using System.Text.Json.Nodes;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Sql;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Planning;

/// <summary>Conditions that are no plain comparison, but depend on nothing except one column: casts, functions of dates and texts, arithmetic. A reader
/// whose files have one value of that column (a partition column) lets the engine evaluate them.</summary>
internal static class PartitionExpression
{
    // Functions whose outcome depends on their arguments alone: not on time, session or chance.
    private static readonly FrozenSet<string> Pure = new[]
    {
        "year", "month", "day", "quarter", "week", "weekofyear", "yearweek", "dayofweek", "dayofmonth", "dayofyear", "isodow", "isoyear", "hour", "minute", "second",
        "millisecond", "microsecond", "epoch", "epoch_ms", "epoch_us", "date_part", "datepart", "date_trunc", "datetrunc", "date_diff", "datediff", "date_add",
        "date_sub", "last_day", "monthname", "dayname", "strftime", "make_date", "century", "decade", "era",
        "+", "-", "*", "/", "//", "%", "||", "abs", "floor", "ceil", "round", "mod", "sign", "greatest", "least",
        "lower", "upper", "lcase", "ucase", "trim", "ltrim", "rtrim", "length", "substring", "substr", "left", "right", "concat", "replace", "lpad", "rpad", "reverse",
        "prefix", "suffix", "contains", "starts_with", "ends_with", "~~", "!~~", "~~*", "!~~*", "like_escape", "not_like_escape", "ilike_escape", "regexp_matches", "regexp_full_match",
        "regexp_extract", "split_part", "strpos", "instr", "coalesce", "ifnull", "nullif",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string> Classes =
        new[] { "COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "OPERATOR", "FUNCTION", "CAST", "BETWEEN", "CASE" }.ToFrozenSet(StringComparer.Ordinal);

    /// <summary>The condition, or null if it depends on more than one column.</summary>
    public static ScanFilter.Expression? TryCreate(DuckDBConnection connection, JsonObject node, Schema schema)
    {
        string? column = null;
        if (!IsPure(node, schema, ref column) || column is null)
        {
            return null;
        }

        try
        {
            string sql = SyntaxTree.ConstantSql(connection, node);
            return sql.StartsWith("SELECT ", StringComparison.Ordinal) ? new ScanFilter.Expression(column, sql["SELECT ".Length..]) : null;
        }
        catch (Exception e) when (e is LakeCatalog.LakeException or DuckDBException)
        {
            // An expression that the engine prints but cannot write down again.
            return null;
        }
    }

    private static bool IsPure(JsonNode? node, Schema schema, ref string? column)
    {
        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array)
            {
                if (!IsPure(item, schema, ref column))
                {
                    return false;
                }
            }

            return true;
        }

        if (node is not JsonObject o)
        {
            return true;
        }

        // Parts without a class (types, constants' values, branches of CASE) hold nothing but constants and nodes.
        if (o["class"] is JsonValue value && value.TryGetValue(out string? kind))
        {
            if (!Classes.Contains(kind))
            {
                return false;
            }

            if (kind == "CONSTANT")
            {
                // The engine shows a FLOAT, a DOUBLE and a DECIMAL alike, and reads them as something else than it showed.
                return o["value"]?["type"]?["id"]?.GetValue<string>() is not ("DECIMAL" or "DOUBLE" or "FLOAT");
            }

            if (kind == "FUNCTION" && !Pure.Contains(o["function_name"]!.GetValue<string>()))
            {
                return false;
            }

            if (kind == "COLUMN_REF")
            {
                if (o["column_names"] is not JsonArray { Count: 1 } names
                    || schema.FieldsList.FirstOrDefault(f => f.Name.Equals(names[0]!.GetValue<string>(), StringComparison.OrdinalIgnoreCase)) is not { } field
                    || (column is not null && column != field.Name))
                {
                    return false;
                }

                column = field.Name;
                return true;
            }
        }

        foreach (KeyValuePair<string, JsonNode?> child in o)
        {
            if (!IsPure(child.Value, schema, ref column))
            {
                return false;
            }
        }

        return true;
    }
}
