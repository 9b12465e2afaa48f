using System.Globalization;
using System.Numerics;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi.Pruning;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Pruning skips files, never rows.</summary>
public sealed class HudiPruningTests
{
    internal static readonly (ScanComparison, string)[] Comparisons =
    [
        (ScanComparison.Equal, "="), (ScanComparison.NotEqual, "<>"), (ScanComparison.Less, "<"),
        (ScanComparison.LessOrEqual, "<="), (ScanComparison.Greater, ">"), (ScanComparison.GreaterOrEqual, ">="),
    ];

    [Theory]
    [InlineData("cow_mdt_all_indexes_v6")]
    [InlineData("cow_mdt_all_indexes_v8")]
    [InlineData("cow_mdt_all_indexes_v9")]
    [InlineData("cow_insert_overwrite_v9")]
    [InlineData("cow_part_hive_multi_v8")]
    [InlineData("cow_part_urlencode_v8")]
    [InlineData("cow_part_timestamp_keygen_v8")]
    [InlineData("cow_schema_add_columns_v9")]
    [InlineData("cow_schema_on_read_rename_drop_v8")]
    [InlineData("cow_wide_types_v9")]
    [InlineData("cow_wide_types_bulk_row_writer_v8")]
    [InlineData("cow_bulk_insert_dups_v8")]
    [InlineData("cow_drop_partition_columns_v8")]
    [InlineData("flink_mor_eventtime_late")]
    [InlineData("flink_mor_bucket_compacted")]
    [InlineData("mor_log_updates_deletes_v9")]
    [InlineData("mor_merge_into_partial_v8")]
    [InlineData("mor_partial_update_payload_v9")]
    [InlineData("mor_compaction_complete_then_logs_v6")]
    public async Task Every_comparison_with_every_value_finds_the_rows_that_a_full_scan_finds(string name)
    {
        int valuesPerColumn = Fuzz.IsNightly ? 4 : 1;
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan all = await golden.PlanAsync(snapshot);
        foreach (Field field in snapshot.Schema.FieldsList)
        {
            string column = SqlText.Identifier(field.Name);
            foreach (string text in golden.Texts($"SELECT DISTINCT CAST({column} AS VARCHAR) FROM ({all.Sql}) WHERE {column} IS NOT NULL ORDER BY 1 LIMIT {valuesPerColumn}"))
            {
                foreach ((ScanComparison comparison, string sign) in Literal(field.DataType, text) is null ? [] : Comparisons)
                {
                    string where = $"{column} {sign} CAST({SqlText.Literal(text)} AS {SqlText.TypeOf(field)})";
                    await FindsAll(golden, snapshot, all.Sql, new ScanFilter.Compare(field.Name, comparison, Literal(field.DataType, text)!), where);
                }
            }

            await FindsAll(golden, snapshot, all.Sql, new ScanFilter.IsNull(field.Name), column + " IS NULL");
            await FindsAll(golden, snapshot, all.Sql, new ScanFilter.IsNotNull(field.Name), column + " IS NOT NULL");
        }
    }

    [Theory]
    [InlineData("cow_mdt_all_indexes_v6", true)]
    [InlineData("cow_mdt_all_indexes_v9", true)]
    [InlineData("cow_mdt_all_indexes_v9", false)]
    [InlineData("cow_nonpart_upsert_v8", false)]
    public async Task A_lookup_by_key_opens_the_files_whose_keys_may_hold_it(string name, bool withMetadataTable)
    {
        await using HudiCase golden = HudiCase.Open(name);
        if (!withMetadataTable)
        {
            string path = golden.Path("table/.hoodie/hoodie.properties");
            File.WriteAllLines(path, File.ReadAllLines(path).Where(l => !l.StartsWith("hoodie.table.metadata.partitions", StringComparison.Ordinal)));
        }

        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        foreach (string key in golden.Texts($"SELECT id FROM ({(await golden.PlanAsync(snapshot)).Sql})"))
        {
            await using TableScan scan = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = new ScanFilter.Compare("id", ScanComparison.Equal, new ScanLiteral(key)) });
            Assert.Equal(1, golden.Count($"SELECT * FROM ({scan.Sql}) WHERE id = {SqlText.Literal(key)}"));
            Assert.Equal(1, scan.Statistics.FilesRead);
            Assert.Equal(snapshot.FileCount - 1, scan.Statistics.FilesPrunedByStatistics);
        }
    }

    [Fact]
    public async Task A_partition_is_left_out_with_its_log_files()
    {
        await using HudiCase golden = HudiCase.Open("mor_log_updates_deletes_v9");
        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        string column = snapshot.PartitionColumns[0];
        string partition = snapshot.Slices[0].Partition;
        string value = partition[(partition.IndexOf('=', StringComparison.Ordinal) + 1)..];
        await using TableScan scan = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = new ScanFilter.Compare(column, ScanComparison.Equal, new ScanLiteral(value)) });

        Assert.Equal(snapshot.Slices.Where(s => s.Partition != partition).Sum(s => s.Files.Count()), scan.Statistics.FilesPrunedByPartition);
        Assert.Equal(snapshot.Slices.Where(s => s.Partition == partition).Sum(s => s.Files.Count()), scan.Statistics.FilesRead);
    }

    [Fact]
    public async Task The_bloom_filter_of_every_footer_holds_all_keys_of_its_file_and_few_others()
    {
        await using HudiCase golden = HudiCase.Open("cow_nonpart_upsert_v8");
        int others = 0;
        foreach (string file in Directory.GetFiles(golden.Path("table"), "*.parquet"))
        {
            string from = $"parquet_kv_metadata('{file}') WHERE decode(key) =";
            string text = Assert.Single(golden.Texts($"SELECT decode(value) FROM {from} 'org.apache.hudi.bloomfilter'"));
            KeyBloomFilter filter = KeyBloomFilter.TryParse(text, golden.Texts($"SELECT decode(value) FROM {from} 'hoodie_bloom_filter_type_code'").SingleOrDefault())!;
            Assert.All(golden.Texts($"SELECT _hoodie_record_key FROM read_parquet('{file}')"), key => Assert.True(filter.MayContain(key)));
            others += Enumerable.Range(0, 1000).Count(i => filter.MayContain("other" + i.ToString(CultureInfo.InvariantCulture)));
        }

        Assert.InRange(others, 0, 10);
    }

    [Theory]
    [InlineData("b", "d", "c", true)]
    [InlineData("b", "d", "a", false)]
    [InlineData("b", "d", "e", false)]
    [InlineData("\uFF21", "\U0001F600", "\uFF50", true)] // in the order of bytes
    [InlineData("\U0001F600", "\uFF50", "\uFF21", true)] // in the order of Java's strings
    [InlineData("\uFF21", "\U0001F600", "a", false)]
    [InlineData(null, null, "a", true)]
    public void A_key_outside_of_the_range_of_a_footer_is_outside_in_the_order_of_every_writer(string? min, string? max, string key, bool expected)
        => Assert.Equal(expected, new FooterPruning.FileKeys(min, max, null).MayContain(key));

    private static async Task FindsAll(HudiCase golden, HudiSnapshot snapshot, string all, ScanFilter filter, string where)
    {
        await using TableScan pruned = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = filter });
        ScanStatistics counts = pruned.Statistics;
        Assert.Equal(counts.FilesTotal, counts.FilesRead + counts.FilesPrunedByPartition + counts.FilesPrunedByStatistics);
        Assert.True(golden.Count($"SELECT 1 FROM ({all}) WHERE {where}") == golden.Count($"SELECT 1 FROM ({pruned.Sql}) WHERE {where}"), where);
    }

    internal static ScanLiteral? Literal(IArrowType type, string text)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        return type switch
        {
            BooleanType => new ScanLiteral(text == "true"),
            Int32Type or Int64Type => new ScanLiteral(long.Parse(text, invariant)),
            FloatType or DoubleType => new ScanLiteral(text switch { "nan" => double.NaN, "inf" => double.PositiveInfinity, "-inf" => double.NegativeInfinity, _ => double.Parse(text, invariant) }),
            StringType => new ScanLiteral(text),
            Date32Type when DateOnly.TryParseExact(text, "yyyy-MM-dd", out DateOnly date) => new ScanLiteral(date),
            TimestampType when DateTime.TryParse(text.Replace("+00", "Z", StringComparison.Ordinal), invariant, Utc, out DateTime moment) => new ScanLiteral(new ScanTimestamp((moment - DateTime.UnixEpoch).Ticks / 10)),
            Decimal128Type d => new ScanLiteral(new ScanDecimal(BigInteger.Parse(text.Replace(".", "", StringComparison.Ordinal), invariant), d.Scale)),
            _ => null,
        };
    }
}
