using System.Globalization;
using System.Text;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Catalog;

/// <summary>A small table in memory, as a SQL relation: catalog and system tables.</summary>
internal sealed class RowRelation
{
    private readonly List<object?[]> _rows = [];

    public RowRelation(params (string Name, string Type)[] columns)
    {
        Columns = columns;
        Schema = new Schema([.. columns.Select(c => new Field(c.Name, ArrowType(c.Type), nullable: true))], null);
    }

    public IReadOnlyList<(string Name, string Type)> Columns { get; }

    public Schema Schema { get; }

    public IReadOnlyList<object?[]> Rows => _rows;

    public void Add(params object?[] values) => _rows.Add(values);

    public string ToSql()
    {
        string select = string.Join(", ", Columns.Select((c, i) => $"CAST(c{i} AS {c.Type}) AS {SqlText.Identifier(c.Name)}"));
        string names = string.Join(", ", Columns.Select((_, i) => $"c{i}"));
        if (_rows.Count == 0)
        {
            return $"SELECT {select} FROM (SELECT {string.Join(", ", Columns.Select((_, i) => $"NULL AS c{i}"))}) WHERE false";
        }

        var sql = new StringBuilder($"SELECT {select} FROM (VALUES ");
        for (int r = 0; r < _rows.Count; r++)
        {
            sql.Append(r == 0 ? "(" : ", (").AppendJoin(", ", _rows[r].Select(Text)).Append(')');
        }

        return sql.Append($") AS v({names})").ToString();
    }

    /// <summary>The rows as an Arrow batch, without the engine.</summary>
    public RecordBatch ToBatch() => new(Schema, Columns.Select((c, i) => Column(c.Type, _rows.Select(r => r[i]))), _rows.Count);

    private static IArrowArray Column(string type, IEnumerable<object?> values)
    {
        switch (type)
        {
            case "BIGINT":
                var longs = new Int64Array.Builder();
                foreach (object? v in values)
                {
                    longs.Append(v is null ? null : Convert.ToInt64(v, CultureInfo.InvariantCulture));
                }

                return longs.Build();
            case "INTEGER":
                var ints = new Int32Array.Builder();
                foreach (object? v in values)
                {
                    ints.Append((int?)v);
                }

                return ints.Build();
            case "DOUBLE":
                var doubles = new DoubleArray.Builder();
                foreach (object? v in values)
                {
                    doubles.Append((double?)v);
                }

                return doubles.Build();
            default:
                var texts = new StringArray.Builder();
                foreach (object? v in values)
                {
                    texts.Append(v as string);
                }

                return texts.Build();
        }
    }

    private static string Text(object? value) => value switch
    {
        null => "NULL",
        bool b => b ? "'true'" : "'false'",
        DateTimeOffset t => SqlText.Literal(t.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture) + "+00"),
        IFormattable f => SqlText.Literal(f.ToString(null, CultureInfo.InvariantCulture)),
        string s => SqlText.Literal(s.Replace('\0', ' ')),
        _ => throw new ArgumentException($"A system table cannot hold {value.GetType()}"),
    };

    private static IArrowType ArrowType(string type) => type switch
    {
        "VARCHAR" => StringType.Default,
        "BIGINT" => Int64Type.Default,
        "INTEGER" => Int32Type.Default,
        "DOUBLE" => DoubleType.Default,
        "BOOLEAN" => BooleanType.Default,
        "TIMESTAMPTZ" => new TimestampType(TimeUnit.Microsecond, "UTC"),
        _ => throw new ArgumentException($"Unknown column type {type}"),
    };
}
