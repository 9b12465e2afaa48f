using System.Text;
using DuckDB.NET.Data;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Golden.Tests;

/// <summary>Where golden cases lie, and how relations are compared.</summary>
internal static class GoldenCases
{
    public static string Root { get; } = FindRoot();

    public static string Folder(string format) => Path.Combine(Root, "tests", "Golden.Tests", "cases", format);

    /// <summary>Null if two relations hold the same rows under the same column names, as text (NaN equals NaN), else what differs.</summary>
    public static string? Difference(EngineDatabase engine, string ours, string theirs)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        Dictionary<string, string> expected = Columns(connection, theirs);
        string[] missing = [.. expected.Keys.Except(Columns(connection, ours).Keys)];
        if (missing.Length > 0)
        {
            return "missing columns " + string.Join(", ", missing);
        }

        string names = string.Join(", ", expected.Keys.Select(c => $"CAST(CAST({SqlText.Identifier(c)} AS {expected[c]}) AS VARCHAR) AS {SqlText.Identifier(c)}"));
        string extra = Sample(connection, $"(SELECT {names} FROM ({ours})) EXCEPT ALL (SELECT {names} FROM ({theirs}))");
        string lost = Sample(connection, $"(SELECT {names} FROM ({theirs})) EXCEPT ALL (SELECT {names} FROM ({ours}))");
        return extra.Length + lost.Length == 0 ? null : $"extra:\n{extra}lost:\n{lost}";
    }

    /// <summary>Names and types of a relation's columns.</summary>
    public static Dictionary<string, string> Columns(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"DESCRIBE {sql}";
        using DuckDBDataReader reader = command.ExecuteReader();
        var columns = new Dictionary<string, string>();
        while (reader.Read())
        {
            columns[reader.GetString(0)] = reader.GetString(1);
        }

        return columns;
    }

    private static string Sample(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT * FROM ({sql}) LIMIT 4";
        using DuckDBDataReader reader = command.ExecuteReader();
        var text = new StringBuilder();
        while (reader.Read())
        {
            for (int i = 0; i < reader.FieldCount; i++)
            {
                text.Append(i == 0 ? "  " : " | ").Append(reader.GetName(i)).Append('=').Append(reader.IsDBNull(i) ? "NULL" : reader.GetString(i));
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "LakeHolo.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("LakeHolo.sln");
    }
}
