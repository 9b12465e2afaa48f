using DuckDB.NET.Data;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Readers.Tests.Cache;

public class LocalNamesTests
{
    [Fact]
    public void Each_version_of_a_file_has_a_spelling_of_its_own_and_all_lead_to_the_file()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("a b.parquet");
        File.WriteAllText(path, "x");
        string[] names = [.. Enumerable.Range(0, 1000).Select(i => LocalNames.Of(path, $"1f-{i:x}"))];
        Assert.Equal(names.Length, names.Distinct(StringComparer.Ordinal).Count());
        Assert.All(names, n => Assert.Equal((path, "x"), (Path.GetFullPath(n), File.ReadAllText(n))));
        Assert.All(names, n => Assert.InRange(n.Length, path.Length, path.Length + 80));
        Assert.Equal(names[7], LocalNames.Of(path, "1f-7"));
        Assert.Equal(path, LocalNames.Of(path, null));
    }

    /// <summary>The engine keeps footers by path, whole second and size: the premise of the spellings.</summary>
    [Fact]
    public void A_file_of_another_version_is_read_by_its_own_footer_and_one_that_stays_is_not_parsed_again()
    {
        using var folder = new TemporaryFolder();
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [folder.Path] });
        using DuckDBConnection connection = engine.OpenConnection();
        string path = folder.File("t.parquet");
        var second = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);
        foreach (int value in new[] { 1_000_000, 2_000_000, 3_000_000 })
        {
            EngineDatabase.Execute(connection, $"COPY (SELECT {value} + i AS x FROM range(5000) t(i)) TO {SqlText.Literal(path)} (FORMAT parquet, COMPRESSION uncompressed)");
            File.SetLastWriteTimeUtc(path, second.AddTicks(value));
            string name = SqlText.Literal(LocalNames.Of(path, $"x-{value}"));
            Assert.Equal(1L, Scalar(connection, $"SELECT count(*) FROM read_parquet([{name}]) WHERE x = {value + 7}"));
            Assert.Equal((long)value, Scalar(connection, $"SELECT min(x)::BIGINT FROM read_parquet([{name}])"));
        }

        Assert.InRange(Scalar(connection, "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'OBJECT_CACHE'"), 3 * 100, long.MaxValue);
    }

    private static long Scalar(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt64(command.ExecuteScalar(), System.Globalization.CultureInfo.InvariantCulture);
    }
}
