using DuckDB.NET.Data;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Tests.Execution;

public sealed class FileScanTests
{
    [Theory]
    [InlineData("SELECT 1", null)]
    [InlineData("SELECT 'hive_partitioning = false'", null)]
    [InlineData("SELECT 'it''s hive_partitioning = false', \"a\"\"hive_partitioning = false\"", null)]
    [InlineData("SELECT 'hive_partitioning = false", null)]
    [InlineData("FROM read_parquet(['h'], hive_partitioning = false)", "FROM read_parquet(['h'], hive_partitioning = $1)")]
    [InlineData("FROM read_parquet(['hive_partitioning = false'], hive_partitioning = false) r", "FROM read_parquet(['hive_partitioning = false'], hive_partitioning = $1) r")]
    [InlineData("FROM a(hive_partitioning = false), b(hive_partitioning = false)", "FROM a(hive_partitioning = $1), b(hive_partitioning = false)")]
    public void The_first_scan_of_files_waits_for_a_value_and_no_text_is_touched(string sql, string? expected) => Assert.Equal(expected, FileScans.BoundLate(sql));

    [Fact]
    public void The_engine_opens_no_file_before_the_value_is_there()
    {
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        string missing = SqlText.LiteralList(["/nowhere/a.parquet"]);
        Assert.Throws<EngineException>(() => Prepare(connection, $"SELECT * FROM read_parquet({missing}, {SqlText.PlainFiles})"));
        Prepare(connection, FileScans.BoundLate($"SELECT * FROM read_parquet({missing}, {SqlText.PlainFiles})")!);
    }

    private static void Prepare(DuckDBConnection connection, string sql)
    {
        DuckDB.NET.Native.DuckDBState state = DuckDB.NET.Native.NativeMethods.PreparedStatements.DuckDBPrepare(connection.NativeConnection, sql, out DuckDB.NET.Native.DuckDBPreparedStatement statement);
        using (statement)
        {
            if (state != DuckDB.NET.Native.DuckDBState.Success)
            {
                throw new EngineException(DuckDB.NET.Native.NativeMethods.PreparedStatements.DuckDBPrepareError(statement));
            }
        }
    }
}
