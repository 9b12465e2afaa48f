using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>Pruning skips files, never rows.</summary>
public sealed class PaimonPruningTests
{
    [Theory]
    [InlineData("append_stats_modes")]
    [InlineData("append_partition_odd_values")]
    [InlineData("append_file_index")]
    [InlineData("append_fixed_bucket_orc")]
    [InlineData("evolution_append_parquet")]
    [InlineData("evolution_pk_parquet")]
    [InlineData("pk_dedup_compacted_levels_parquet")]
    [InlineData("pk_rescale_bucket")]
    [InlineData("pk_odd_key_types_parquet")]
    [InlineData("pk_cross_partition")]
    [InlineData("pk_partial_update_sequence_groups_parquet")]
    [InlineData("pypaimon_pk")]
    [InlineData("pypaimon_append")]
    public async Task Every_comparison_with_every_value_finds_the_rows_that_a_full_scan_finds(string name)
    {
        const int ValuesPerColumn = 4;
        await using PaimonCase golden = PaimonCase.Open(name);
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan all = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
        foreach (PaimonField field in snapshot.TableSchema.Fields)
        {
            string column = SqlText.Identifier(field.Name);
            foreach (string text in golden.Texts($"SELECT DISTINCT CAST({column} AS VARCHAR) FROM ({all.Sql}) WHERE {column} IS NOT NULL ORDER BY 1 LIMIT {ValuesPerColumn}"))
            {
                if (Literal(field.Type, text) is not ScanLiteral literal)
                {
                    continue;
                }

                foreach ((ScanComparison comparison, string sign) in Comparisons)
                {
                    string where = $"{column} {sign} CAST({SqlText.Literal(text)} AS {SqlText.TypeOf(snapshot.Schema.GetFieldByName(field.Name))})";
                    await using TableScan pruned = await golden.Reader.PlanAsync(
                        snapshot, new ScanRequest { Filter = new ScanFilter.Compare(field.Name, comparison, literal) });
                    Assert.True(
                        golden.Count($"SELECT * FROM ({all.Sql}) WHERE {where}") == golden.Count($"SELECT * FROM ({pruned.Sql}) WHERE {where}"), $"{name}: {where}");
                }
            }

            await using TableScan nulls = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = new ScanFilter.IsNull(field.Name) });
            Assert.Equal(golden.Count($"SELECT * FROM ({all.Sql}) WHERE {column} IS NULL"), golden.Count($"SELECT * FROM ({nulls.Sql}) WHERE {column} IS NULL"));
        }
    }

    [Fact]
    public async Task A_lookup_by_primary_key_opens_files_of_one_bucket_only()
    {
        await using PaimonCase golden = PaimonCase.Open("bench_lineitem_pk_parquet");
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        ScanFilter key = new ScanFilter.And(
        [
            new ScanFilter.Compare("l_orderkey", ScanComparison.Equal, new ScanLiteral(4096L)),
            new ScanFilter.Compare("l_linenumber", ScanComparison.Equal, new ScanLiteral(1L)),
        ]);
        await using TableScan scan = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = key });
        Assert.InRange(scan.Statistics.FilesRead, 1, snapshot.Files.GroupBy(f => f.Bucket).Max(g => g.Count()));
        Assert.Equal(1, golden.Count($"SELECT * FROM ({scan.Sql}) WHERE l_orderkey = 4096 AND l_linenumber = 1"));
    }

    private static readonly (ScanComparison, string)[] Comparisons =
    [
        (ScanComparison.Equal, "="), (ScanComparison.NotEqual, "<>"), (ScanComparison.Less, "<"),
        (ScanComparison.LessOrEqual, "<="), (ScanComparison.Greater, ">"), (ScanComparison.GreaterOrEqual, ">="),
    ];

    private static ScanLiteral? Literal(PaimonType type, string text) => type switch
    {
        { IsInteger: true } => new ScanLiteral(long.Parse(text, System.Globalization.CultureInfo.InvariantCulture)),
        { IsString: true } => new ScanLiteral(text),
        { Kind: PaimonTypeKind.Boolean } => new ScanLiteral(text == "true"),
        { Kind: PaimonTypeKind.Double } when text is not ("nan" or "inf" or "-inf") => new ScanLiteral(double.Parse(text, System.Globalization.CultureInfo.InvariantCulture)),
        { Kind: PaimonTypeKind.Decimal, Length: <= 28 } => new ScanLiteral(decimal.Parse(text, System.Globalization.CultureInfo.InvariantCulture)),
        { Kind: PaimonTypeKind.Date } when DateOnly.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out DateOnly date) => new ScanLiteral(date),
        { Kind: PaimonTypeKind.Timestamp } when DateTime.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out DateTime time) =>
            new ScanLiteral(new ScanTimestamp((time - DateTime.UnixEpoch).Ticks / 10)),
        _ => null,
    };
}
