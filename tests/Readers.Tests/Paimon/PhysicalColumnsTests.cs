using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Columns as they lie in data files: what is not there is NULL, what lies there in another form is an error and not NULL.</summary>
public sealed class PhysicalColumnsTests : IDisposable
{
    private static readonly PaimonType Int = new() { Kind = PaimonTypeKind.Int, Text = "INT" };
    private static readonly PaimonType Text = new() { Kind = PaimonTypeKind.VarChar, Length = PaimonType.MaxLength, Text = "STRING" };
    private static readonly PaimonType Map = new() { Kind = PaimonTypeKind.Map, Element = Text with { Nullable = false }, Value = Int, Text = "MAP<STRING, INT>" };
    private static readonly PaimonType Row = new() { Kind = PaimonTypeKind.Row, Fields = [new(2, "a", Int), new(3, "b", Int)], Text = "ROW<a INT, b INT>" };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-columns-");
    private readonly EngineDatabase _engine;

    public PhysicalColumnsTests() => _engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.FullName] });

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public void A_column_that_the_file_does_not_have_is_null()
        => Assert.Null(Read("SELECT 1 AS other", Int));

    [Fact]
    public void A_map_stored_as_columns_of_its_own_is_an_error_and_not_null()
        => Assert.Throws<DuckDBException>(() => Read("SELECT {'__field_mapping': [0], '__col_0': 1, '__overflow': MAP {7: 2}} AS c", Map));

    [Fact]
    public void A_row_of_a_file_has_its_children_by_name()
        => Assert.Equal("{'a': 1, 'b': 2}", Read("SELECT {'b': 2, 'a': 1} AS c", Row));

    [Fact]
    public void A_column_written_in_parts_is_refused_unless_a_column_has_that_very_name()
    {
        var parent = new PaimonField(1, "c", Row);
        PaimonSchema schema = SchemaOf(parent);
        LakeException error = Assert.Throws<LakeException>(() => PaimonColumns.Resolve(parent, schema, -1, ["k", "c.a"], "parquet", "r", StoredVariants.None));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (error.Kind, error.Message.Contains("'c.a'", StringComparison.Ordinal)));
        Assert.Null(PaimonColumns.Resolve(parent, SchemaOf(parent, new PaimonField(9, "c.a", Int)), -1, ["k", "c.a"], "parquet", "r", StoredVariants.None).Physical);
    }

    private static PaimonSchema SchemaOf(params PaimonField[] fields) =>
        new() { Id = 0, Version = 3, Fields = fields, PartitionKeys = [], PrimaryKeys = [], Options = new Dictionary<string, string>() };

    private string? Read(string file, PaimonType type)
    {
        string path = Path.Combine(_folder.FullName, "f.parquet");
        using DuckDBConnection connection = _engine.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY ({file}) TO {SqlText.Literal(path)} (FORMAT parquet)");
        var column = new PaimonField(1, "c", type);
        var group = new PaimonFileGroup(SchemaOf(column), null, [], [path]);
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT CAST(r.c AS VARCHAR) FROM {group.From(null!, [column], withSystemColumns: false, withPartition: false)}";
        return command.ExecuteScalar() as string;
    }
}
