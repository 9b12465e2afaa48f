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

    [Theory]
    [InlineData("append_all_types_avro")]
    [InlineData("append_all_types_orc")]
    [InlineData("append_all_types_parquet")]
    [InlineData("old_v0_5_append_types")]
    [InlineData("orc_timestamps_written_in_shanghai")]
    [InlineData("orc_timestamps_written_in_shanghai_new_type")]
    [InlineData("pk_odd_key_types_orc")]
    public async Task The_smallest_and_largest_values_are_within_the_bounds_that_the_writer_noted(string name)
    {
        await using PaimonCase golden = PaimonCase.Open(name);
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan all = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
        foreach (PaimonField field in snapshot.TableSchema.Fields.Where(f => !f.Type.IsNested))
        {
            string column = SqlText.Identifier(field.Name);
            foreach (string text in golden.Texts($"SELECT CAST(x AS VARCHAR) FROM (SELECT unnest([min({column}), max({column})]) AS x FROM ({all.Sql})) WHERE x IS NOT NULL"))
            {
                if (Literal(field.Type, text) is ScanLiteral literal)
                {
                    string where = $"{column} = CAST({SqlText.Literal(text)} AS {SqlText.TypeOf(snapshot.Schema.GetFieldByName(field.Name))})";
                    await using TableScan pruned = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = new ScanFilter.Compare(field.Name, ScanComparison.Equal, literal) });
                    Assert.True(golden.Count($"SELECT * FROM ({all.Sql}) WHERE {where}") == golden.Count($"SELECT * FROM ({pruned.Sql}) WHERE {where}"), $"{name}: {where}");
                }
            }
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

    [Theory]
    [InlineData("g", "3")]
    [InlineData("g", "1")]
    [InlineData("q", "-902")]
    [InlineData("q", "128")]
    [InlineData("q", "12345")]
    [InlineData("w", "22")]
    [InlineData("w", "-47")]
    [InlineData("w", "49")]
    [InlineData("name", "zz")]
    [InlineData("name", "nowhere")]
    [InlineData("id", "7")]
    [InlineData("ts", "1969-11-21 18:03:36.613984")]
    public async Task A_file_index_leaves_only_the_files_that_hold_the_value(string column, string text)
    {
        await using PaimonCase golden = PaimonCase.Open("append_file_index");
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        PaimonField field = snapshot.TableSchema.Field(column);
        string value = $"CAST({SqlText.Literal(text)} AS {SqlText.TypeOf(snapshot.Schema.GetFieldByName(column))})";
        long holding = snapshot.Files.Count(f => golden.Count($"SELECT * FROM read_parquet({SqlText.Literal(golden.Path("table/" + f.Path))}) WHERE {column} = {value}") > 0);
        await using TableScan scan = await golden.Reader.PlanAsync(
            snapshot, new ScanRequest { Filter = new ScanFilter.Compare(column, ScanComparison.Equal, Literal(field.Type, text)!) });
        Assert.Equal(holding, scan.Statistics.FilesRead);
        Assert.Equal(snapshot.Files.Count - holding, scan.Statistics.FilesPrunedByStatistics);
    }

    [Fact]
    public async Task A_range_over_an_indexed_column_leaves_only_the_files_that_reach_into_it()
    {
        await using PaimonCase golden = PaimonCase.Open("append_file_index");
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        foreach ((string column, long value) in (IEnumerable<(string, long)>)[("q", 955), ("q", -957), ("w", 41), ("w", -47), ("q", 0)])
        {
            foreach ((ScanComparison comparison, string sign) in Comparisons)
            {
                long holding = snapshot.Files.Count(f => golden.Count($"SELECT * FROM read_parquet({SqlText.Literal(golden.Path("table/" + f.Path))}) WHERE {column} {sign} {value}") > 0);
                await using TableScan scan = await golden.Reader.PlanAsync(
                    snapshot, new ScanRequest { Filter = new ScanFilter.Compare(column, comparison, new ScanLiteral(value)) });
                Assert.Equal((column, value, sign, holding), (column, value, sign, scan.Statistics.FilesRead));
            }
        }
    }

    [Fact]
    public async Task An_index_switched_off_by_the_table_is_not_looked_at()
    {
        await using PaimonCase golden = PaimonCase.Open("append_file_index");
        string newest = Directory.GetFiles(golden.Path("table/schema"), "schema-*").MaxBy(f => int.Parse(f[(f.LastIndexOf('-') + 1)..], System.Globalization.CultureInfo.InvariantCulture))!;
        File.WriteAllText(newest, File.ReadAllText(newest).Replace("\"options\" : {", "\"options\" : { \"file-index.read.enabled\" : \"false\",", StringComparison.Ordinal));
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan scan = await golden.Reader.PlanAsync(
            snapshot, new ScanRequest { Filter = new ScanFilter.Compare("q", ScanComparison.Equal, new ScanLiteral(129L)) });
        Assert.Equal(snapshot.Files.Count, scan.Statistics.FilesRead);
    }

    [Fact]
    public async Task A_partition_value_leaves_the_files_of_its_partition()
    {
        await using PaimonCase golden = PaimonCase.Open("append_partition_odd_values");
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        string key = snapshot.TableSchema.PartitionKeys[0];
        PaimonType type = snapshot.TableSchema.Field(key).Type;
        foreach (PaimonDataFile file in snapshot.Files.Where(f => f.Partition[0] is not null).DistinctBy(f => Convert.ToBase64String(f.PartitionBytes)))
        {
            if (Literal(type, PaimonValue.ToText(file.Partition[0], type)!) is ScanLiteral literal)
            {
                long expected = snapshot.Files.Count(f => f.Partition[0] is not null && PaimonValue.Compare(f.Partition[0], file.Partition[0]) == 0);
                await using TableScan scan = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = new ScanFilter.Compare(key, ScanComparison.Equal, literal) });
                Assert.Equal((expected, snapshot.Files.Count - expected), (scan.Statistics.FilesRead, scan.Statistics.FilesPrunedByPartition));
            }
        }
    }

    [Theory]
    [InlineData("append_file_index")]
    [InlineData("append_stats_modes")]
    [InlineData("append_partition_odd_values")]
    [InlineData("append_data_evolution")]
    [InlineData("evolution_pk_parquet")]
    [InlineData("pk_rescale_bucket")]
    [InlineData("pk_bucket_key_subset")]
    [InlineData("pk_dynamic_bucket")]
    [InlineData("pk_dv_merge_on_write")]
    [InlineData("pk_dedup_compacted_levels_parquet")]
    [InlineData("pk_aggregation_retract")]
    [InlineData("pk_odd_key_types_parquet")]
    public async Task Random_filters_find_the_rows_that_a_full_scan_finds(string name)
    {
        const int Filters = 12;
        const int ValuesPerColumn = 6;
        await using PaimonCase golden = PaimonCase.Open(name);
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan all = await golden.Reader.PlanAsync(snapshot, ScanRequest.All);
        var values = new List<(PaimonField Field, string Text, ScanLiteral Literal)>();
        foreach (PaimonField field in snapshot.TableSchema.Fields)
        {
            string column = SqlText.Identifier(field.Name);
            IEnumerable<string> texts = golden.Texts($"SELECT DISTINCT CAST({column} AS VARCHAR) FROM ({all.Sql}) WHERE {column} IS NOT NULL ORDER BY hash(1) LIMIT {ValuesPerColumn}");
            values.AddRange(texts.Select(t => (field, t, Literal: Literal(field.Type, t)!)).Where(v => v.Literal is not null));
        }

        var random = new Random(20260822);
        for (int i = 0; i < Filters; i++)
        {
            (ScanFilter filter, string sql) = RandomFilter(random, values, snapshot, 0);
            await using TableScan pruned = await golden.Reader.PlanAsync(snapshot, new ScanRequest { Filter = filter });
            Assert.True(
                golden.Count($"SELECT * FROM ({all.Sql}) WHERE {sql}") == golden.Count($"SELECT * FROM ({pruned.Sql}) WHERE {sql}"), $"{name}: {sql}");
        }
    }

    private static (ScanFilter Filter, string Sql) RandomFilter(
        Random random, IReadOnlyList<(PaimonField Field, string Text, ScanLiteral Literal)> values, PaimonSnapshot snapshot, int depth)
    {
        (PaimonField field, string text, ScanLiteral literal) = values[random.Next(values.Count)];
        string column = SqlText.Identifier(field.Name);
        string Constant(string t) => $"CAST({SqlText.Literal(t)} AS {SqlText.TypeOf(snapshot.Schema.GetFieldByName(field.Name))})";
        switch (random.Next(depth > 2 ? 5 : 8))
        {
            case 0:
                return (new ScanFilter.IsNull(field.Name), $"{column} IS NULL");
            case 1:
                return (new ScanFilter.IsNotNull(field.Name), $"{column} IS NOT NULL");
            case 2:
                var some = values.Where(v => v.Field == field).OrderBy(_ => random.Next()).Take(1 + random.Next(3)).ToList();
                return (new ScanFilter.In(field.Name, [.. some.Select(v => v.Literal)]), $"{column} IN ({string.Join(", ", some.Select(v => Constant(v.Text)))})");
            case 3 when field.Type.Kind == PaimonTypeKind.VarChar && text.Length > 0 && !char.IsSurrogate(text[0]):
                return (new ScanFilter.StartsWith(field.Name, text[..1]), $"starts_with({column}, {SqlText.Literal(text[..1])})");
            case 5:
                (ScanFilter a, string x) = RandomFilter(random, values, snapshot, depth + 1);
                (ScanFilter b, string y) = RandomFilter(random, values, snapshot, depth + 1);
                return (new ScanFilter.And([a, b]), $"({x} AND {y})");
            case 6:
                (ScanFilter c, string z) = RandomFilter(random, values, snapshot, depth + 1);
                (ScanFilter d, string w) = RandomFilter(random, values, snapshot, depth + 1);
                return (new ScanFilter.Or([c, d]), $"({z} OR {w})");
            case 7:
                (ScanFilter part, string negated) = RandomFilter(random, values, snapshot, depth + 1);
                return (new ScanFilter.Not(part), $"(NOT {negated})");
            default:
                (ScanComparison comparison, string sign) = Comparisons[random.Next(Comparisons.Length)];
                return (new ScanFilter.Compare(field.Name, comparison, literal), $"{column} {sign} {Constant(text)}");
        }
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
        { Kind: PaimonTypeKind.Decimal } => ScanDecimal.TryParse(text, out ScanDecimal number) ? new ScanLiteral(number) : null,
        { Kind: PaimonTypeKind.Date } when DateOnly.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out DateOnly date) => new ScanLiteral(date),
        { Kind: PaimonTypeKind.Timestamp } when DateTime.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out DateTime time) =>
            new ScanLiteral(new ScanTimestamp((time - DateTime.UnixEpoch).Ticks / 10)),
        { Kind: PaimonTypeKind.TimestampLtz } when DateTimeOffset.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out DateTimeOffset instant) =>
            new ScanLiteral(new ScanTimestamp((instant - DateTimeOffset.UnixEpoch).Ticks / 10)),
        _ => null,
    };
}
