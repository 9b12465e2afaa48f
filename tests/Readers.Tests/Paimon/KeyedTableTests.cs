using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Tables with a primary key laid out row by row: what Paimon's own reader does not take is an error, never a row less or a NULL.</summary>
public sealed class KeyedTableTests : OverOneFolder
{
    private static readonly string[] Columns = ["k", "n", "m"];
    private static readonly PaimonType Int = new() { Kind = PaimonTypeKind.Int, Text = "INT" };
    private static readonly PaimonType Required = new() { Kind = PaimonTypeKind.Int, Text = "INT NOT NULL", Nullable = false };

    private readonly TableOfRuns _tables;

    public KeyedTableTests() => _tables = new TableOfRuns(Engine, Store, Folder, Columns, [Required, Required, Int]);

    [Theory]
    [InlineData(1, "deduplicate")]
    [InlineData(2, "deduplicate")]
    [InlineData(2, "partial-update")]
    public async Task A_row_of_an_unknown_kind_is_an_error_that_names_file_and_kind(int files, string engine)
    {
        List<ModelRow>[] runs = [[Row(5, 0, 1, 10, 11), Row(5, 7, 2, 20, 21)], [Row(0, 0, 1, 12, 13)]];
        PaimonSnapshot snapshot = Table(runs[..files], new() { ["merge-engine"] = engine });
        Exception error = await Assert.ThrowsAnyAsync<Exception>(() => ReadAsync(snapshot));
        Assert.Contains("row kind 7", error.Message, StringComparison.Ordinal);
        Assert.Contains("bucket-0/data-0.parquet", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_changed_row_of_an_unknown_kind_is_an_error_too()
    {
        PaimonSnapshot snapshot = Table([[Row(5, 0, 1, 10, 11)], [Row(0, 9, 1, 12, 13)]], new() { ["merge-engine"] = "deduplicate" });
        Exception error = await Assert.ThrowsAnyAsync<Exception>(() => ReadAsync(snapshot));
        Assert.Contains("row kind 9", error.Message, StringComparison.Ordinal);
        Assert.Contains("bucket-0/data-1.parquet", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("NULL::TINYINT AS \"_VALUE_KIND\"", "row kind NULL")]
    [InlineData("NULL::BIGINT AS \"_SEQUENCE_NUMBER\"", "no sequence number")]
    public async Task A_changed_row_without_kind_or_sequence_number_is_an_error_that_names_the_file(string column, string expected)
    {
        PaimonSnapshot snapshot = Table([[Row(5, 0, 1, 10, 11), Row(5, 0, 2, 10, 11)], [Row(0, 0, 1, 12, 13)]], new() { ["merge-engine"] = "deduplicate" });
        string file = Path.Combine(Folder, snapshot.Table.Name, "bucket-0", "data-1.parquet");
        using (DuckDBConnection connection = Engine.OpenConnection())
        {
            EngineDatabase.Execute(connection, $"COPY (SELECT * REPLACE ({column}) FROM read_parquet({SqlText.Literal(file)})) TO {SqlText.Literal(file + ".new")} (FORMAT parquet)");
        }

        File.Move(file + ".new", file, overwrite: true);
        Exception error = await Assert.ThrowsAnyAsync<Exception>(() => ReadAsync(snapshot));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("bucket-0/data-1.parquet", error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string> NullsToRefuse() => new()
    {
        // A later row without a value of n.
        { "partial-update", "0:-" },
        // With a policy, a delete row that is the first of its key, and one that takes the place of the whole row.
        { "partial-update,ignore-delete=true", "3:- 0:4" },
        { "partial-update,partial-update.remove-record-on-delete=true", "0:4 3:-" },
        { "partial-update,fields.m.sequence-group=n,partial-update.remove-record-on-sequence-group=m", "0:4 3:-" },
        { "aggregation,aggregation.remove-record-on-delete=true", "0:4 3:-" },
    };

    [Theory]
    [MemberData(nameof(NullsToRefuse))]
    public async Task A_null_in_a_not_null_column_is_refused_when_it_is_merged_and_the_column_is_read(string options, string rows)
    {
        PaimonSnapshot snapshot = Table(Runs(rows), OptionsOf(options));
        LakeException error = await Assert.ThrowsAsync<LakeException>(() => ReadAsync(snapshot));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (error.Kind, error.Message.Contains("'n' is NOT NULL", StringComparison.Ordinal)));
        Assert.Single(await ReadAsync(snapshot, "k", "m"), r => r.StartsWith("2|", StringComparison.Ordinal));
    }

    public static TheoryData<string, string, string> NullsToKeep() => new()
    {
        // A key with one row only is not merged.
        { "partial-update", "", "1|-|100" },
        // Groups take NULLs, and what they do not take does not matter.
        { "partial-update,fields.m.sequence-group=n", "0:4 0:-", "1|-|102" },
        { "partial-update,ignore-delete=true", "0:4 3:-", "1|4|101" },
        { "aggregation", "0:4 0:-", "1|4|102" },
        { "deduplicate", "0:4 0:-", "1|-|102" },
    };

    [Theory]
    [MemberData(nameof(NullsToKeep))]
    public async Task A_null_in_a_not_null_column_is_read_where_paimon_reads_it(string options, string rows, string expected)
    {
        List<ModelRow>[] runs = rows.Length > 0 ? Runs(rows) : [[Row(5, 0, 1, null, 100), Row(5, 0, 2, 5, 5)], [Row(0, 0, 2, 6, 7)]];
        Assert.Equal([expected, "2|6|7"], await ReadAsync(Table(runs, OptionsOf(options))));
    }

    [Fact]
    public async Task Files_that_are_clustered_by_other_columns_are_read_as_they_lie()
    {
        // Sorted by n, so that the first key is not the smallest; two files hold versions of one key, the older of which a vector kills; level 0 is not compacted yet.
        ModelRow dead = Row(5, 0, 9, 1, 1);
        List<ModelRow>[] runs = [[dead, Row(5, 0, 3, 2, 2), Row(5, 0, 7, 3, 3)], [Row(4, 0, 8, 0, 4), Row(4, 0, 9, 5, 5), Row(4, 0, 1, 6, 6)], [Row(0, 0, 3, 7, 7)]];
        PaimonSnapshot snapshot = Table(runs, new() { ["pk-clustering-override"] = "true", ["deletion-vectors.enabled"] = "true", ["clustering.columns"] = "n" }, dead);
        Assert.Equal(["1|6|6", "3|2|2", "7|3|3", "8|0|4", "9|5|5"], await ReadAsync(snapshot));
        foreach (int key in (int[])[1, 3, 7, 8, 9])
        {
            await using TableScan scan = await Reader.PlanAsync(snapshot, new ScanRequest { Filter = new ScanFilter.Compare("k", ScanComparison.Equal, new ScanLiteral((long)key)) });
            Assert.Single(TableOfRuns.Read(Engine, $"SELECT * FROM ({scan.Sql}) WHERE k = {key}", Columns));
        }
    }

    private static ModelRow Row(int level, int kind, int key, object? n, object? m) => new(level, kind, (100 * (5 - level)) + key, [key, n, m]);

    // Key 1 first in a base run, then by one run for each word, KIND:N; key 2 is there once.
    private static List<ModelRow>[] Runs(string rows)
    {
        string[] words = rows.Split(' ');
        List<ModelRow> first = [new(0, 0, 2, [2, 6, 7])];
        List<List<ModelRow>> runs = words.Length > 1 ? [] : [[new(0, 0, 1, [1, 3, 100])]];
        runs.AddRange(words.Select((w, i) => new List<ModelRow>
        {
            new(0, w[0] - '0', 10 + i, [1, w[2] == '-' ? null : w[2] - '0', 101 + i]),
        }));
        runs[0].AddRange(first);
        return [.. runs];
    }

    private static Dictionary<string, string> OptionsOf(string text)
    {
        string[] parts = text.Split(',');
        return parts.Skip(1).Select(p => p.Split('=')).Append(["merge-engine", parts[0]]).ToDictionary(p => p[0], p => p[1]);
    }

    private PaimonSnapshot Table(IEnumerable<List<ModelRow>> runs, Dictionary<string, string> options, params ModelRow[] dead) =>
        _tables.Write("t" + Guid.NewGuid().ToString("N"), runs.Select(r => (0, r)), dead.ToHashSet<ModelRow>(ReferenceEqualityComparer.Instance), options);

    private async Task<List<string>> ReadAsync(PaimonSnapshot snapshot, params string[] columns)
    {
        string[] wanted = columns.Length == 0 ? Columns : columns;
        await using TableScan scan = await Reader.PlanAsync(snapshot, new ScanRequest { Columns = wanted });
        return TableOfRuns.Read(Engine, scan.Sql, wanted);
    }
}
