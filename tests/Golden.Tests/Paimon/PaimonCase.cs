using DuckDB.NET.Data;
using LakeHolo.Golden.Tests.Harness;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>A golden case with a Paimon reader over it.</summary>
internal sealed class PaimonCase : UnpackedCase
{
    private readonly LocalFolderStore? _external;

    private PaimonCase(string name)
        : base("paimon", name)
    {
        // What was written to an absolute location is delivered beside the table.
        var external = new Dictionary<string, TableRoot>();
        if (Directory.Exists(Path("external")))
        {
            _external = new LocalFolderStore(Path("external"));
            external["/lake/paimon/ext/" + name] = new TableRoot(_external, "");
        }

        Reader = new PaimonReader(Engine, Cache, new ExternalLocations(external));
    }

    public PaimonReader Reader { get; }

    public PaimonTableFormat TableFormat { get; } = new();

    public static string Folder => GoldenCases.Folder("paimon");

    public static PaimonCase Open(string name) => new(name);

    public async Task<PaimonSnapshot> LoadAsync(SnapshotSelector at, PaimonSnapshot? known = null, LakeTable? table = null) =>
        (PaimonSnapshot)await TableFormat.LoadSnapshotAsync(table ?? Table, at, known);

    public bool HasColumn(string expectedFile, string name)
    {
        using DuckDBConnection connection = Engine.OpenConnection();
        return Columns(connection, Expected(expectedFile)).Any(c => c.Name == name);
    }

    /// <summary>Null if the relation's rows, as a multiset, are those of the expected file, else what differs.</summary>
    /// <param name="relation">Our rows.</param>
    /// <param name="expectedFile">A Parquet file of the case.</param>
    /// <param name="setColumns">Columns of arrays whose order says nothing.</param>
    /// <param name="signlessZero">Whether −0.0 counts as 0.0.</param>
    /// <param name="ignored">Columns that are not compared.</param>
    /// <param name="shape">Makes the rows that are compared of the file's.</param>
    public string? Difference(string relation, string expectedFile, IReadOnlyCollection<string>? setColumns = null, bool signlessZero = false, IReadOnlyCollection<string>? ignored = null,
        Func<string, string>? shape = null)
    {
        using DuckDBConnection connection = Engine.OpenConnection();
        string expected = shape is null ? Expected(expectedFile) : shape(Expected(expectedFile));
        List<(string Name, string Type)> left = Columns(connection, expected);
        List<(string Name, string Type)> right = Columns(connection, relation);
        if (!left.Select(c => c.Name).Order(StringComparer.Ordinal).SequenceEqual(right.Select(c => c.Name).Order(StringComparer.Ordinal)))
        {
            return $"columns are {string.Join(", ", right.Select(c => c.Name))}, expected {string.Join(", ", left.Select(c => c.Name))}";
        }

        left.RemoveAll(c => ignored?.Contains(c.Name) == true);

        // As text NaN equals NaN, and −0.0 is not 0.0; map entries have no order.
        string Text(string name, string type)
        {
            string column = SqlText.Identifier(name);
            string value = type.StartsWith("MAP", StringComparison.Ordinal) ? $"list_sort(list_transform(map_entries({column}), lambda e: CAST(e AS VARCHAR)))"
                : setColumns?.Contains(name) == true ? $"list_sort(list_transform({column}, lambda e: CAST(e AS VARCHAR)))"
                : type is "TIME WITH TIME ZONE" ? $"CAST({column} AS TIME)"
                // The engine reads expected instants in microseconds, cutting what is finer.
                : type is "TIMESTAMP_NS" && left.First(c => c.Name == name).Type == "TIMESTAMP WITH TIME ZONE" ? $"make_timestamptz(epoch_ns({column}) // 1000)"
                : type is "HUGEINT" && left.First(c => c.Name == name).Type == "DOUBLE" ? $"CAST({column} AS DOUBLE)"
                : signlessZero && type is "DOUBLE" or "FLOAT" ? $"{column} + 0"
                : column;
            return $"CAST({value} AS VARCHAR) AS {column}";
        }

        string ours = $"SELECT {string.Join(", ", left.Select(c => Text(c.Name, right.First(r => r.Name == c.Name).Type)))} FROM ({relation})";
        string theirs = $"SELECT {string.Join(", ", left.Select(c => Text(c.Name, c.Type)))} FROM ({expected})";
        string extra = Sample(connection, $"({ours}) EXCEPT ALL ({theirs})");
        string lost = Sample(connection, $"({theirs}) EXCEPT ALL ({ours})");
        return extra.Length + lost.Length == 0 ? null : $"extra:\n{extra}lost:\n{lost}";
    }

    /// <summary>Types of the relation against the snapshot's schema; null if they agree.</summary>
    public string? TypeDifference(string relation, PaimonSnapshot snapshot)
    {
        using DuckDBConnection connection = Engine.OpenConnection();
        IEnumerable<string> wrong = Columns(connection, relation)
            .Select(c => (c.Name, c.Type, Wanted: EngineType(connection, SqlText.TypeOf(snapshot.Schema.GetFieldByName(c.Name)))))
            .Where(c => c.Type != c.Wanted).Select(c => $"{c.Name} is {c.Type}, not {c.Wanted}");
        string text = string.Join("; ", wrong);
        return text.Length == 0 ? null : text;
    }

    public override async ValueTask DisposeAsync()
    {
        Reader.Dispose();
        if (_external is not null)
        {
            await _external.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    private static string EngineType(DuckDBConnection connection, string type) => Columns(connection, $"SELECT CAST(NULL AS {type}) AS x")[0].Type;

    private static List<(string Name, string Type)> Columns(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"DESCRIBE {sql}";
        using DuckDBDataReader reader = command.ExecuteReader();
        var names = new List<(string, string)>();
        while (reader.Read())
        {
            names.Add((reader.GetString(0), reader.GetString(1)));
        }

        return names;
    }

    private static string Sample(DuckDBConnection connection, string sql)
    {
        const int Rows = 4;
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var text = new System.Text.StringBuilder();
        for (int row = 0; row < Rows && reader.Read(); row++)
        {
            text.AppendJoin(" | ", Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? "NULL" : reader.GetString(i))).Append('\n');
        }

        return text.ToString();
    }
}
