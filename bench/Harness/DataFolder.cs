using System.Globalization;
using DuckDB.NET.Data;

namespace LakeHolo.Bench.Harness;

/// <summary>The scratch folder: each data set is made once, and again when its version changes.</summary>
internal sealed class DataFolder(BenchOptions options)
{
    /// <summary>The folder of a data set; made by SQL of the engine if it is not there.</summary>
    /// <param name="name">Name of the data set; put everything into it that the data depends on (the scale, say).</param>
    /// <param name="version">Grows when what makes it changes.</param>
    /// <param name="make">Writes the data into the folder.</param>
    public async Task<string> MakeAsync(string name, int version, Action<DataSql, string> make)
    {
        string folder = Path.Combine(options.DataDirectory, string.Create(CultureInfo.InvariantCulture, $"{name}-v{version}"));
        if (Directory.Exists(folder))
        {
            return folder;
        }

        Console.WriteLine($"  making {name} ...");
        string partial = folder + ".partial";
        if (Directory.Exists(partial))
        {
            Directory.Delete(partial, recursive: true);
        }

        Directory.CreateDirectory(partial);
        await Task.Run(() =>
        {
            using var sql = new DataSql(options);
            make(sql, partial);
        });
        Directory.Move(partial, folder);
        return folder;
    }

    /// <summary>An empty folder for what a run leaves behind (caches, hot copies); the caller deletes it.</summary>
    public string NewTemporary(string name)
    {
        Directory.CreateDirectory(options.DataDirectory);
        string folder = Path.Combine(options.DataDirectory, $"tmp-{name}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(folder);
        return folder;
    }
}

/// <summary>An engine that makes data. For the same rows each time: no random(), but hash(i) of row numbers.</summary>
internal sealed class DataSql : IDisposable
{
    private readonly DuckDBConnection _connection = new("DataSource=:memory:");

    public DataSql(BenchOptions options)
    {
        _connection.Open();
        Run(string.Create(CultureInfo.InvariantCulture, $"SET threads = {options.Threads}; SET memory_limit = '{options.MemoryBytes >> 20}MiB'; SET TimeZone = 'UTC'"));
    }

    public void Run(string sql)
    {
        using DuckDBCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>The rows of a query.</summary>
    public IReadOnlyList<object?[]> Rows(string sql)
    {
        using DuckDBCommand command = _connection.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<object?[]>();
        while (reader.Read())
        {
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetValue(i))]);
        }

        return rows;
    }

    public void Dispose() => _connection.Dispose();
}
