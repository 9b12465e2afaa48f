using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>Counts that are answered from the manifests alone, over tables of the golden suite (each third where there is not much time).</summary>
public sealed class PaimonCountedRowsTests
{
    [Fact]
    public async Task Counts_from_the_manifests_are_those_of_the_files()
    {
        int counted = 0;
        foreach (string name in PaimonGoldenTests.Cases().Select(c => c.Data).Where((_, i) => Fuzz.IsNightly || i % 3 == 0))
        {
            await using PaimonCase golden = PaimonCase.Open(name);
            try
            {
                PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
                await using TableScan all = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
                await using TableScan counts = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Columns = [snapshot.Schema.FieldsList[0].Name], OnlyCounts = true });
                Assert.True(Count(golden, all.Sql) == Count(golden, counts.Sql), name);
                counted += counts.Statistics is { FilesRead: 0, FilesCounted: > 0 } ? 1 : 0;
            }
            catch (LakeException)
            {
                // Refused, as the golden suite holds.
            }
        }

        Assert.InRange(counted, 8, 500);
    }

    private static long Count(PaimonCase golden, string sql)
    {
        using DuckDBConnection connection = golden.Engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT count(*) FROM ({sql})";
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }
}
