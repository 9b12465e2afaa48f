using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>Counts and extremes that the manifests tell are those of the rows; where they might not tell them exactly, they tell nothing.</summary>
public sealed class PaimonFactsTests
{
    [Fact]
    public async Task What_the_manifests_tell_of_every_golden_table_is_what_its_rows_say()
    {
        (int rows, int values, int extremes) = (0, 0, 0);
        foreach (string name in PaimonGoldenTests.Cases().Select(c => c.Data))
        {
            await using PaimonCase golden = PaimonCase.Open(name);
            PaimonSnapshot snapshot;
            SnapshotFacts? facts;
            using DuckDBConnection connection = golden.Engine.OpenConnection();
            try
            {
                snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
                facts = ((ITableReader)golden.Reader).FactsOf(snapshot, [.. snapshot.Schema.FieldsList.Select(f => f.Name)]);
                if (facts is null)
                {
                    continue;
                }

                await using TableScan all = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
                EngineDatabase.Execute(connection, $"CREATE OR REPLACE TABLE everything AS {all.Sql}");
            }
            catch (Exception e) when (e is LakeException or DuckDBException)
            {
                continue; // refused, as the golden suite holds
            }

            Assert.Empty(snapshot.PrimaryKey);
            rows += Agrees(connection, facts.Rows?.ToString(CultureInfo.InvariantCulture), "count(*)", name);
            foreach ((string column, ColumnFacts known) in facts.Columns)
            {
                string c = SqlText.Identifier(column);
                values += Agrees(connection, known.Values?.ToString(CultureInfo.InvariantCulture), $"count({c})", $"{name}.{column}");
                extremes += Agrees(connection, known.Least, $"min({c})", $"{name}.{column}") + Agrees(connection, known.Greatest, $"max({c})", $"{name}.{column}");
                bool isWhole = snapshot.TableSchema.Field(column).Type.Kind is PaimonTypeKind.TinyInt or PaimonTypeKind.SmallInt or PaimonTypeKind.Int or PaimonTypeKind.BigInt or PaimonTypeKind.Date;
                bool isTold = isWhole && snapshot.DeletionVectors.Count == 0 && snapshot.Files.All(f => f.RowCount == 0 || f.Format == "parquet" || f.Format == "orc");
                Assert.True(isTold || known == ColumnFacts.Unknown, $"{name}.{column}");
            }
        }

        Assert.InRange(rows, 10, 1000);
        Assert.InRange(values, 10, 10_000);
        Assert.InRange(extremes, 20, 10_000);
    }

    private static int Agrees(DuckDBConnection connection, string? told, string asked, string what)
    {
        if (told is null)
        {
            return 0;
        }

        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT ({told}) IS NOT DISTINCT FROM (SELECT {asked} FROM everything) AND typeof({told}) IN (typeof((SELECT {asked} FROM everything)), 'INTEGER'), ({told})::VARCHAR, (SELECT {asked} FROM everything)::VARCHAR";
        using DuckDBDataReader reader = command.ExecuteReader();
        Assert.True(reader.Read());
        Assert.True(reader.GetBoolean(0), $"{asked} of {what}: told {reader.GetValue(1)}, is {reader.GetValue(2)}");
        return 1;
    }
}
