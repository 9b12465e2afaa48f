using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Folders;
using LakeHolo.Readers.Scanning;
using ParquetSharp;

namespace LakeHolo.Golden.Tests.Folders;

/// <summary>Folders of Parquet files that differ, and that other writers make.</summary>
public sealed class ParquetFolderTests : OverOneFolder
{
    public ParquetFolderTests() => Directory.CreateDirectory(Folder.File("t"));

    // Arrow's writers leave NaN out of the bounds.
    [Theory]
    [InlineData("x > 100", 1)]
    [InlineData("x >= 5", 2)]
    [InlineData("x = 'NaN'::DOUBLE", 1)]
    [InlineData("x <= 5", 2)]
    public async Task Bounds_that_leave_out_NaN_skip_no_rows(string condition, long rows)
    {
        using (var writer = new ParquetFileWriter(Folder.File("t/1.parquet"), [new Column<double>("x")]))
        {
            using RowGroupWriter group = writer.AppendRowGroup();
            using (LogicalColumnWriter<double> column = group.NextColumn().LogicalWriter<double>())
            {
                column.WriteBatch([1, double.NaN, 5]);
            }

            writer.Close();
        }

        await using TableScan scan = await new FolderReader(Engine, Cache, "parquet").PlanAsync(await LoadAsync(), ScanRequest.All);
        Assert.Null(GoldenCases.Difference(Engine, $"SELECT count(*) AS n FROM ({scan.Sql}) WHERE {condition}", $"SELECT {rows} AS n"));
    }

    [Theory]
    [InlineData("1::INTEGER", "0.5::DOUBLE", "DOUBLE")]
    [InlineData("9007199254740992::BIGINT", "0.5::DOUBLE", "DOUBLE")]
    [InlineData("NULL::BIGINT", "0.5::DOUBLE", "DOUBLE")]
    [InlineData("1.5::FLOAT", "0.1::DOUBLE", "DOUBLE")]
    [InlineData("32767::SMALLINT", "0.5::FLOAT", "FLOAT")]
    [InlineData("1.25::DECIMAL(10,2)", "1.2345::DECIMAL(12,4)", "DECIMAL(12,4)")]
    [InlineData("9007199254740993::BIGINT", "1.5::DECIMAL(4,1)", "DECIMAL(20,1)")]
    [InlineData("{'a': 1::INTEGER}", "{'a': 0.5::DOUBLE, 'b': 9007199254740993}", "STRUCT(a DOUBLE, b BIGINT)")]
    public async Task Types_that_hold_each_other_s_values_are_one(string one, string other, string type)
    {
        Write("1.parquet", one);
        Write("2.parquet", other);
        await using TableScan scan = await new FolderReader(Engine, Cache, "parquet").PlanAsync(await LoadAsync(), ScanRequest.All);
        Assert.Null(GoldenCases.Difference(Engine, scan.Sql, $"SELECT {one}::{type} AS x UNION ALL SELECT {other}::{type}"));
    }

    [Theory]
    [InlineData("9007199254740993::BIGINT", "0.5::DOUBLE")]
    [InlineData("18446744073709551615::UBIGINT", "0.5::DOUBLE")]
    [InlineData("16777217::INTEGER", "0.5::FLOAT")]
    [InlineData("1.1::DECIMAL(10,2)", "0.5::DOUBLE")]
    [InlineData("123456789012345678901234567890.12::DECIMAL(38,2)", "1.23456::DECIMAL(10,5)")]
    [InlineData("[{'a': 1::BIGINT}]", "[{'a': 0.5::DOUBLE}]")]
    public async Task Types_without_a_common_one_are_refused(string one, string other)
    {
        Write("1.parquet", one);
        Write("2.parquet", other);
        LakeException refused = await Assert.ThrowsAsync<LakeException>(LoadAsync);
        Assert.Equal(LakeErrorKind.FeatureUnsupported, refused.Kind);
        Assert.Contains("'x'", refused.Message, StringComparison.Ordinal);
    }

    private void Write(string name, string value)
    {
        using DuckDBConnection connection = Engine.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY (SELECT {value} AS x) TO {SqlText.Literal(Folder.File("t/" + name))} (FORMAT parquet)");
    }

    private async Task<Snapshot> LoadAsync() => await new FolderTableFormat("parquet", new FolderSchemaSource(Engine, Cache)).LoadSnapshotAsync(
        new LakeTable("lake", "ods", "t", "parquet", new TableRoot(new LocalFolderStore(Folder.Path), "t/")), SnapshotSelector.Latest, null);
}
