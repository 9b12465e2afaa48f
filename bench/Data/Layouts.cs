using System.Globalization;
using System.Text;
using System.Text.Json;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Data;

/// <summary>One table's rows as plain Parquet, as Delta over the very same files, and partitioned as Hive does.</summary>
internal static class Layouts
{
    private const int ColumnsWithStatistics = 32; // as Delta's writers do by default

    /// <summary>Writes a table of the making engine into files of equal numbers of rows, in order of a key.</summary>
    public static void WritePlain(DataSql sql, string table, string order, int files, string folder, string exclude = "")
    {
        Directory.CreateDirectory(folder);
        (long first, long last) = (Number(sql, $"SELECT min({order}) FROM {table}"), Number(sql, $"SELECT max({order}) FROM {table}"));
        for (int i = 0; i < files; i++)
        {
            long from = first + ((last - first + 1) * i / files);
            long to = first + ((last - first + 1) * (i + 1) / files);
            sql.Run(string.Create(
                CultureInfo.InvariantCulture,
                $"COPY (SELECT * {exclude} FROM {table} WHERE {order} >= {from} AND {order} < {to} ORDER BY {order}) TO '{folder}/part-{i:D4}.parquet' (FORMAT parquet, COMPRESSION snappy)"));
        }
    }

    /// <summary>A Delta table whose data files are links to the plain ones: first version, with statistics.</summary>
    public static void WriteDelta(DataSql sql, string plain, string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "_delta_log"));
        string[] files = [.. Directory.GetFiles(plain).Order(StringComparer.Ordinal)];
        (string Name, string Type)[] columns = [.. sql.Rows($"DESCRIBE SELECT * FROM read_parquet('{files[0]}')").Select(r => ((string)r[0]!, (string)r[1]!))];
        var log = new StringBuilder();
        void Action(object action) => log.AppendLine(JsonSerializer.Serialize(action));
        Action(new { protocol = new { minReaderVersion = 1, minWriterVersion = 2 } });
        Action(new
        {
            metaData = new
            {
                id = Path.GetFileName(folder),
                format = new { provider = "parquet", options = new { } },
                schemaString = JsonSerializer.Serialize(new
                {
                    type = "struct",
                    fields = columns.Select(c => new { name = c.Name, type = DeltaType(c.Type), nullable = true, metadata = new { } }),
                }),
                partitionColumns = Array.Empty<string>(),
                configuration = new { },
            },
        });
        foreach (string file in files)
        {
            string name = Path.GetFileName(file);
            Link(file, Path.Combine(folder, name));
            Action(new
            {
                add = new
                {
                    path = name,
                    partitionValues = new { },
                    size = new FileInfo(file).Length,
                    modificationTime = 0,
                    dataChange = true,
                    stats = Statistics(sql, file, columns[..Math.Min(columns.Length, ColumnsWithStatistics)]),
                },
            });
        }

        File.WriteAllText(Path.Combine(folder, "_delta_log", "00000000000000000000.json"), log.ToString());
    }

    /// <summary>The same rows below folders <c>key=value</c>; without a key, links to the plain files.</summary>
    public static void WriteHive(DataSql sql, string plain, string? key, string folder)
    {
        if (key is null)
        {
            Directory.CreateDirectory(folder);
            foreach (string file in Directory.GetFiles(plain))
            {
                Link(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            return;
        }

        Directory.CreateDirectory(folder);
        string name = key[(key.LastIndexOf(' ') + 1)..];
        sql.Run($"COPY (SELECT *, {key} FROM read_parquet('{plain}/*.parquet')) TO '{folder}' (FORMAT parquet, COMPRESSION snappy, PARTITION_BY ({name}))");
    }

    private static void Link(string file, string link)
    {
        // One copy on disk and in the page cache: no layout is warmer than another.
        if (NativeFiles.Link(file, link) != 0)
        {
            File.Copy(file, link);
        }
    }

    private static string Statistics(DataSql sql, string file, (string Name, string Type)[] columns)
    {
        string List(string function) => string.Join(", ", columns.Select(c => $"\"{c.Name}\" := {function}(\"{c.Name}\")"));
        object?[] row = sql.Rows(
            $"SELECT count(*), to_json(struct_pack({List("min")}))::VARCHAR, to_json(struct_pack({List("max")}))::VARCHAR, "
            + $"to_json(struct_pack({string.Join(", ", columns.Select(c => $"\"{c.Name}\" := count(*) - count(\"{c.Name}\")"))}))::VARCHAR FROM read_parquet('{file}')")[0];
        return $"{{\"numRecords\":{Convert.ToString(row[0], CultureInfo.InvariantCulture)},\"minValues\":{Times((string)row[1]!)},\"maxValues\":{Times((string)row[2]!)},\"nullCount\":{row[3]}}}";
    }

    // The engine writes 2013-07-01 00:00:00+00, Delta 2013-07-01T00:00:00.000Z.
    private static string Times(string json) => System.Text.RegularExpressions.Regex.Replace(json, "\"(\\d{4}-\\d\\d-\\d\\d) (\\d\\d:\\d\\d:\\d\\d)\\+00\"", "\"$1T$2.000Z\"");

    private static string DeltaType(string type) => type switch
    {
        "BIGINT" => "long",
        "INTEGER" => "integer",
        "SMALLINT" => "short",
        "VARCHAR" => "string",
        "DATE" => "date",
        "DOUBLE" => "double",
        "TIMESTAMP WITH TIME ZONE" => "timestamp",
        _ when type.StartsWith("DECIMAL(", StringComparison.Ordinal) => type.ToLowerInvariant(),
        _ => throw new NotSupportedException(type),
    };

    private static long Number(DataSql sql, string query) => Convert.ToInt64(sql.Rows(query)[0][0], CultureInfo.InvariantCulture);
}
