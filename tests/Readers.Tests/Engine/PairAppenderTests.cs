using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Tests.Engine;

public sealed class PairAppenderTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2047)]
    [InlineData(2048)]
    [InlineData(2049)]
    [InlineData(300_000)]
    public void Pairs_are_there_one_by_one_and_many_at_a_time_however_they_fill_the_chunks(int count)
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1 });
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, "CREATE SCHEMA s; CREATE TABLE s.pairs (f INTEGER, pos BIGINT)");
        long[] positions = [.. Enumerable.Range(0, count).Select(i => (long)i << 20)];
        using (var appender = new PairAppender(connection, "s", "pairs"))
        {
            appender.Append(-3, long.MinValue);
            appender.Append(7, positions);
            appender.Append(int.MaxValue, long.MaxValue);
            appender.Append(8, positions);
            appender.Complete();
        }

        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT (SELECT count(*) FROM s.pairs) || ' ' || (SELECT count(*) FROM s.pairs p JOIN range({count}) r(i) ON p.pos = r.i << 20 AND p.f IN (7, 8)) || ' '"
            + " || (SELECT string_agg(f || ':' || pos, ' ' ORDER BY f) FROM s.pairs WHERE f NOT IN (7, 8))";
        Assert.Equal($"{(2 * count) + 2} {2 * count} -3:{long.MinValue} {int.MaxValue}:{long.MaxValue}", command.ExecuteScalar());
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("other")]
    public void A_table_that_is_not_there_or_is_another_is_an_error(string table)
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1 });
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, "CREATE SCHEMA s; CREATE TABLE s.other (f VARCHAR)");
        LakeException error = Assert.Throws<LakeException>(() =>
        {
            using var appender = new PairAppender(connection, "s", table);
            appender.Append(1, 2);
            appender.Complete();
        });
        Assert.Equal(LakeErrorKind.Internal, error.Kind);
    }

    [Fact]
    public void What_does_not_fit_into_memory_says_so()
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1, MemoryLimitBytes = 8 << 20 });
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(connection, "CREATE SCHEMA s; CREATE TABLE s.pairs (f INTEGER, pos BIGINT)");
        LakeException error = Assert.Throws<LakeException>(() =>
        {
            using var appender = new PairAppender(connection, "s", "pairs");
            appender.Append(1, new long[4 << 20]);
            appender.Complete();
        });
        Assert.Equal(LakeErrorKind.ResourcesExhausted, error.Kind);
    }
}
