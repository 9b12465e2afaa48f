using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sources;
using LakeHolo.Accelerator.Sql;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Planning;

/// <summary>A parsed query whose tables are pinned.</summary>
internal sealed record BoundStatement
{
    /// <summary>What depends on the text and the tables' schemas alone; shared by all who send the same.</summary>
    public required StatementTemplate Shape { get; init; }

    /// <summary>The tables, by number of their random name.</summary>
    public required IReadOnlyList<BoundTable> Tables { get; init; }

    /// <summary>Milliseconds for parsing, and for finding the snapshots.</summary>
    public double MetadataMs { get; init; }

    /// <summary>Requests to storage for that, where no statement ran yet to count them.</summary>
    public long RequestsBefore { get; init; }

    /// <summary>Bytes from storage, likewise.</summary>
    public long BytesBefore { get; init; }

    /// <summary>Number of parameters.</summary>
    public int ParameterCount => Shape.ParameterCount;

    /// <summary>Schema of the rows.</summary>
    public Schema ResultSchema => Shape.ResultSchema;
}

/// <summary>A parsed and bound text.</summary>
internal sealed class StatementTemplate
{
    /// <summary>The text for the engine, with a random name in the place of each table.</summary>
    public required string Template { get; init; }

    /// <summary>The text over the planning engine's empty tables.</summary>
    public required string PlanningText { get; init; }

    /// <summary>What the random names begin with.</summary>
    public required string Nonce { get; init; }

    /// <summary>The tables' names in the planning engine.</summary>
    public required IReadOnlyList<string> PlanningNames { get; init; }

    /// <summary>Number of parameters.</summary>
    public required int ParameterCount { get; init; }

    /// <summary>The engine's names of the parameters' types; empty where nothing says.</summary>
    public required IReadOnlyList<string> ParameterTypes { get; init; }

    /// <summary>What fits their places in Arrow: the type that the engine infers, or text.</summary>
    public required Schema ParameterSchema { get; init; }

    /// <summary>The engine's names of the columns' types.</summary>
    public required IReadOnlyList<string> ColumnTypes { get; init; }

    /// <summary>Schema of the rows.</summary>
    public required Schema ResultSchema { get; init; }

    /// <summary>Columns that the text can mean.</summary>
    public required MentionedNames Names { get; init; }

    /// <summary>For <c>SELECT columns FROM table WHERE column = $1</c>: how to look up many keys at once.</summary>
    public LookupShape? Lookup { get; init; }

    /// <summary>For counts and extremes of a whole table: how to answer from metadata.</summary>
    public AggregateShape? Aggregates { get; init; }

    /// <summary>Whether the needs of the scans are the same each time.</summary>
    public required bool IsRepeatable { get; init; }

    /// <summary>Whether a plan of it may be kept for other executions over the same rows.</summary>
    public required bool HasLastingPlan { get; init; }

    /// <summary>Whether the order of the rows may mean something.</summary>
    public required bool IsOrdered { get; init; }

    /// <summary>What the scans have to give, once that is known and holds for every execution.</summary>
    public IReadOnlyList<ScanRequest>? Requests { get; set; }

    /// <summary>What the scans had to give in one execution with parameters: what the log tells where they are asked for all columns that the text can mean.</summary>
    public IReadOnlyList<ScanRequest>? Example { get; set; }

    /// <summary>What scans are asked for in executions with parameters: all columns that the text can mean.</summary>
    public IReadOnlyList<ScanRequest>? Alike { get; set; }

    /// <summary>What the log tells of <see cref="Requests"/> or <see cref="Example"/>.</summary>
    public IReadOnlyList<ScanConditions>? Conditions { get; set; }

    /// <summary>Its text for the engine, as it was written last.</summary>
    public WrittenTexts Written { get; } = new();
}

/// <summary>A lookup by a key.</summary>
/// <param name="Column">The column that it looks up by.</param>
/// <param name="Template">Its text without the condition, as <see cref="StatementTemplate.Template"/>; the column comes after the others.</param>
/// <param name="ResultSchema">Columns of its rows.</param>
internal sealed record LookupShape(string Column, string Template, Schema ResultSchema)
{
    /// <summary>Names for the columns of its rows.</summary>
    public string Names { get; } = string.Join(", ", Enumerable.Range(0, ResultSchema.FieldsList.Count).Select(c => $"c{c}"));

    /// <summary>Columns of the rows of many keys: before the others the number of the key.</summary>
    public Schema RowsOfMany { get; } = new([new Field("i", Int64Type.Default, nullable: true), .. ResultSchema.FieldsList], null);
}

/// <summary>Aggregates of all rows of a table.</summary>
/// <param name="Template">The text for the engine without the table, with a random name in the place of each aggregate.</param>
/// <param name="Asked">The aggregates, by number of their random name.</param>
internal sealed record AggregateShape(string Template, IReadOnlyList<AskedAggregate> Asked);

/// <summary>One reference: a version of a lake table, or a system table's relation.</summary>
/// <param name="Schema">Columns of what is read.</param>
/// <param name="Version">The version, for a lake table.</param>
/// <param name="SystemSql">The relation, for a system table.</param>
internal sealed record BoundTable(Schema Schema, ITableVersion? Version, string? SystemSql)
{
    /// <summary>What the user may see of it, over <see cref="Access.TablePolicy.Placeholder"/>; null for all.</summary>
    public string? Policy { get; init; }
}

/// <summary>A statement ready to run, and what must stay in place while it does.</summary>
internal sealed class PlannedStatement(string sql, IReadOnlyList<PlannedScan> scans) : IAsyncDisposable
{
    public string Sql => sql;

    public IReadOnlyList<PlannedScan> Scans => scans;

    public IReadOnlyList<TableUse> Uses { get; } = [.. scans.Select(s => s.Use)];

    /// <summary>Of a statement over whole hot copies alone, whose text is the same as long as these stand: changes with every change of their rows. Else null.</summary>
    public string? Version { get; init; }

    /// <summary>Files that it reads and that are still under way.</summary>
    public IEnumerable<FileArrival> Arrivals => scans.SelectMany(s => s.Scan.Arrivals);

    /// <summary>Whether there are such files.</summary>
    public bool HasArrivals
    {
        get
        {
            foreach (PlannedScan scan in scans)
            {
                if (scan.Scan.Arrivals.Count > 0)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>The same once all files have arrived, with what they took.</summary>
    public PlannedStatement Arrived() => new(sql, [.. scans.Select(s => s with
    {
        Use = s.Use with
        {
            Requests = s.Use.Requests + s.Scan.Arrivals.Sum(a => a.Use.Requests),
            FetchedBytes = s.Use.FetchedBytes + s.Scan.Arrivals.Sum(a => a.Use.Bytes),
        },
    })]);

    /// <summary>The engine has begun to run it.</summary>
    public void Started()
    {
        foreach (PlannedScan scan in scans)
        {
            scan.Scan.Started?.Invoke();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (PlannedScan scan in scans)
        {
            await scan.Scan.DisposeAsync();
        }
    }
}

/// <summary>The scan of one reference, what was asked of it, and what it took.</summary>
internal sealed record PlannedScan(TableScan Scan, ITableVersion Version, ScanRequest Request, TableUse Use);

/// <summary>Gives a scan's relation all columns of its table, so that names which the optimiser removes still bind.</summary>
internal static class ScanColumns
{
    /// <summary>Columns that were not asked for of the scan fail when they are read: the plan never reads them, and a wrong plan must not answer with NULL.</summary>
    /// <param name="scanSql">The scan's relation.</param>
    /// <param name="schema">All columns of the table.</param>
    /// <param name="requested">Columns that the scan gives; null for all.</param>
    /// <param name="names">Columns that the text can mean; others are left out.</param>
    public static string Complete(string scanSql, Schema schema, IReadOnlyList<string>? requested, MentionedNames names)
    {
        if (requested is null)
        {
            return scanSql;
        }

        IEnumerable<string> columns = schema.FieldsList.Where(f => names.Contains(f.Name) || requested.Contains(f.Name)).Select(f => requested.Contains(f.Name)
            ? SqlText.Identifier(f.Name)
            : $"CAST(error({SqlText.Literal($"internal: column {f.Name} was not planned")}) AS {SqlText.TypeOf(f)}) AS {SqlText.Identifier(f.Name)}");
        return $"SELECT {string.Join(", ", columns)} FROM ({scanSql})";
    }
}

/// <summary>The result as clients see it. Types that they cannot read are given as ones that they can: enums as text, variants as JSON text, bit strings
/// as text. Unnamed expressions over tables are called as the user wrote them, not by the names that stand for the tables inside.</summary>
internal static class ResultShape
{
    /// <summary>Adapts a statement.</summary>
    /// <param name="sql">Its text.</param>
    /// <param name="columns">Its columns, as the planning engine names them.</param>
    /// <param name="displayNames">What each of the planning engine's tables is called by the user.</param>
    /// <param name="jdbc">Only types that the JDBC driver reads right: it takes unsigned numbers for signed ones, and cannot give out a timestamp with a zone.</param>
    public static (string Sql, IReadOnlyList<(string Name, string Type)> Columns) Adapt(
        string sql, IReadOnlyList<(string Name, string Type)> columns, IReadOnlyList<(string Planning, string Display)> displayNames, bool jdbc)
    {
        (string Name, string Type)[] adapted = [.. columns.Select(c => (Name(c.Name, displayNames), jdbc ? JdbcType(Type(c.Type)) : Type(c.Type)))];
        if (adapted.SequenceEqual(columns))
        {
            return (sql, columns);
        }

        IEnumerable<string> select = adapted.Select((c, i) => c.Type == columns[i].Type
            ? $"c{i} AS {SqlText.Identifier(c.Name)}"
            : $"CAST(c{i} AS {c.Type}) AS {SqlText.Identifier(c.Name)}");
        string names = string.Join(", ", columns.Select((_, i) => $"c{i}"));
        return ($"SELECT {string.Join(", ", select)} FROM ({sql}) AS w({names})", adapted);
    }

    private static string Name(string name, IReadOnlyList<(string Planning, string Display)> displayNames)
    {
        string display = name;
        foreach ((string planning, string table) in displayNames)
        {
            int at = display.IndexOf(planning, StringComparison.Ordinal);
            if (at < 0)
            {
                continue;
            }

            // The alias that keeps the table's name is ours, not the user's.
            string alias = " AS " + table[(table.LastIndexOf('.') + 1)..];
            string rest = display[(at + planning.Length)..];
            display = display[..at] + table + (rest.StartsWith(alias, StringComparison.Ordinal) ? rest[alias.Length..] : rest);
        }

        return display;
    }

    private static string JdbcType(string type)
    {
        int brackets = type.IndexOf('[', StringComparison.Ordinal);
        string element = brackets > 0 ? type[..brackets] : type;
        string widened = element switch
        {
            "UTINYINT" => "SMALLINT",
            "USMALLINT" => "INTEGER",
            "UINTEGER" => "BIGINT",
            "UBIGINT" => "DECIMAL(20,0)",
            "TIMESTAMP WITH TIME ZONE" => "TIMESTAMP",
            _ => element,
        };
        return widened + type[element.Length..];
    }

    private static string Type(string type)
    {
        if (type.StartsWith("ENUM(", StringComparison.Ordinal) || type is "BIT" or "TIME WITH TIME ZONE")
        {
            return "VARCHAR";
        }

        return type switch
        {
            "VARIANT" => "JSON",
            "\"NULL\"" => "INTEGER",
            _ => type,
        };
    }
}
