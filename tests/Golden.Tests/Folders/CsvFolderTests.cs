using System.IO.Compression;
using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Folders;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Folders;

/// <summary>What a CSV file may look like, and what is an error instead of a guess.</summary>
public sealed class CsvFolderTests : OverOneFolder
{
    public CsvFolderTests() => Directory.CreateDirectory(Folder.File("lake/ods/t"));

    [Theory]
    [InlineData("a,b\n#1,x\n2,\"y \"\"q\"\" z\"\n", "VALUES ('#1', 'x'), ('2', 'y \"q\" z')")]
    [InlineData("a,b\n1,\"y \\\"q\\\" z\"\n", "VALUES (1::BIGINT, 'y \"q\" z')")]
    [InlineData("a;b\n1;\"x,y;z\"\n", "VALUES (1::BIGINT, 'x,y;z')")]
    [InlineData("a\tb\n1\tit's\n", "VALUES (1::BIGINT, 'it''s')")]
    [InlineData("a|b\r\n1|x\r\n2|\"l1\r\nl2\"\r\n", "VALUES (1::BIGINT, 'x'), (2, 'l1\r\nl2')")]
    [InlineData("\uFEFFa,b\n001,x\n", "VALUES ('001', 'x')")]
    [InlineData("a,b\n2026-01-01,12.50\n,\n", "VALUES (DATE '2026-01-01', 12.50::DECIMAL(18, 2)), (NULL, NULL)")]
    [InlineData("a,b\n1,\"\"\n2,\n,x\n", "VALUES (1::BIGINT, ''), (2, NULL), (NULL, 'x')")] // an empty text and none
    [InlineData("a,b\n\"\",\"\"\n\"7\",\n", "VALUES (NULL::BIGINT, ''), (7, NULL)")] // an empty text is no number
    [InlineData("a,b\n\"\",1.5\n2026-01-02,\"\"\n", "VALUES (NULL::DATE, 1.5::DECIMAL(18, 1)), (DATE '2026-01-02', NULL)")]
    public async Task Files_are_read_as_they_are_written(string text, string expected)
    {
        Write("1.csv", text);
        await AssertRowsAsync($"SELECT * FROM ({expected}) t(a, b)");
    }

    [Fact]
    public async Task Files_of_several_dialects_and_compressions_are_one_table()
    {
        Write("1.csv", "a,b\n1,x\n");
        Write("2.csv", "b;a;c\ny;2;true\n");
        using (var gzip = new GZipStream(File.Create(Folder.File("lake/ods/t/3.csv.gz")), CompressionLevel.Fastest))
        {
            gzip.Write("a,b\n3,z\n"u8);
        }

        await AssertRowsAsync("SELECT * FROM (VALUES (1::BIGINT, 'x', NULL::BOOLEAN), (2, 'y', true), (3, 'z', NULL)) t(a, b, c)");
    }

    [Fact]
    public async Task Names_of_folders_around_the_table_are_no_columns()
    {
        Directory.CreateDirectory(Folder.File("lake/ods/t/p=7"));
        Write("p=7/1.csv", "a,b\n1,x\n");
        Snapshot snapshot = await LoadAsync(null, "ods/t/p=7/");
        Assert.Equal(["a", "b"], snapshot.Schema.FieldsList.Select(f => f.Name));
        await using TableScan scan = await new FolderReader(Engine, Cache, "csv").PlanAsync(snapshot, ScanRequest.All);
        Assert.Null(GoldenCases.Difference(Engine, scan.Sql, "SELECT 1::BIGINT AS a, 'x' AS b"));
    }

    // Day, month and year may stand in any order, and in another one in each file.
    [Theory]
    [InlineData("01/02/2020", "02/13/2020")]
    [InlineData("01/02/2020 03:04:05", "13/02/2020 03:04:05")]
    [InlineData("20-01-02", "13-02-20")]
    public async Task Dates_that_do_not_begin_with_the_year_stay_text(string one, string other)
    {
        Write("1.csv", $"a,b\n{one},2020-01-02\n");
        Write("2.csv", $"a,b\n{other},2020/01/03\n");
        await AssertRowsAsync($"SELECT * FROM (VALUES ('{one}', DATE '2020-01-02'), ('{other}', DATE '2020-01-03')) t(a, b)");
    }

    [Theory]
    [InlineData("a,b\n1,2\n3\n", "Line: 3")]
    [InlineData("a,b\n1,2\n1,foo,too,many\n", "Line: 3")]
    public async Task A_line_with_other_fields_than_the_header_is_named(string text, string line)
    {
        Write("1.csv", text);
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => LoadAsync(null));
        Assert.Equal(LakeErrorKind.FormatInvalid, e.Kind);
        Assert.Contains(line, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1,x\n2,y\n")]
    [InlineData("id,NAME\n1,x\n2,y\n")]
    public async Task Configured_columns_stand_for_a_missing_header_and_beside_one(string text)
    {
        Write("1.csv", text);
        await AssertRowsAsync("SELECT * FROM (VALUES (1::INTEGER, 'x'), (2, 'y')) t(id, name)", "id INT, name STRING");
    }

    [Fact]
    public async Task Numbers_of_configured_columns_may_be_written_in_other_ways()
    {
        Write("1.csv", "id,p,d\n1.0,1.500,2026-01-01\n 2e1 ,-0,2026-01-02 00:00:00\n\"\",,\n");
        await AssertRowsAsync("SELECT * FROM (VALUES (1::INTEGER, 1.50::DECIMAL(9, 2), DATE '2026-01-01'), (20, 0, DATE '2026-01-02'), (NULL, NULL, NULL)) t(id, p, d)", "id INT, p DECIMAL(9,2), d DATE");
    }

    [Theory]
    [InlineData("id,p,d\n1,1,\n1.5,2,\n", "Line 3, column 'id': '1.5' is no INTEGER")]
    [InlineData("1,1,\n1e-3,2,\n", "Line 2, column 'id': '1e-3' is no INTEGER")]
    [InlineData("1,1,\n1,1.005,\n", "Line 2, column 'p': '1.005' is no DECIMAL(9,2)")]
    [InlineData("1,1,2026-01-01\n1,1,2026-01-01 10:00:00\n", "Line 2, column 'd': '2026-01-01 10:00:00' is no DATE")]
    [InlineData("id,p,d\n1,1,2026-01-01\n\"\",1,2026-13-01\n", "Line 3, column 'd': '2026-13-01' is no DATE")]
    [InlineData("1,2,\"2026-01-01\n\"\nx,1,\n", "Line 3, column 'id': 'x' is no INTEGER")]
    public async Task A_value_that_its_configured_column_would_change_or_cannot_hold_is_an_error_with_its_line(string text, string message)
    {
        Write("1.csv", text);
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => AssertRowsAsync("SELECT 1 AS id", "id INT, p DECIMAL(9,2), d DATE"));
        Assert.Equal((LakeErrorKind.FormatInvalid, message, true), (e.Kind, e.Message.Split(" [")[0], e.Path!.EndsWith("1.csv", StringComparison.Ordinal)));
    }

    private void Write(string name, string text) => File.WriteAllText(Folder.File("lake/ods/t/" + name), text, new UTF8Encoding(false));

    private async Task AssertRowsAsync(string expected, string? columns = null)
    {
        Snapshot snapshot = await LoadAsync(columns);
        await using TableScan scan = await new FolderReader(Engine, Cache, "csv").PlanAsync(snapshot, ScanRequest.All);
        string? difference = GoldenCases.Difference(Engine, scan.Sql, expected);
        Assert.True(difference is null, difference);
    }

    private async Task<Snapshot> LoadAsync(string? columns, string prefix = "ods/t/")
    {
        var options = new FolderOptions { Columns = columns is null ? new Dictionary<string, string>() : new Dictionary<string, string> { ["ods.t"] = columns } };
        var table = new LakeTable("lake", "ods", "t", "csv", new TableRoot(new LocalFolderStore(Folder.File("lake")), prefix));
        return await new FolderTableFormat("csv", new FolderSchemaSource(Engine, Cache, options)).LoadSnapshotAsync(table, SnapshotSelector.Latest, null);
    }
}
