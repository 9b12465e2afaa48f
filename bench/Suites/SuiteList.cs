using LakeHolo.Bench.Data;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Suites;

/// <summary>The suites, in the order in which they run.</summary>
internal static class SuiteList
{
    public static IReadOnlyList<ISuite> All { get; } =
    [
        new OverheadSuite(),
        new PlanningSuite(),
        new ColdSuite(),
        new ObjectStoreSuite(),
        new FollowSuite(),
        new HotSuite(),
        new FreshnessSuite(),
        new FlightThroughputSuite(),
        new FlightLatencySuite(),
        new PostgresLookupSuite(),
        new QuerySuite("tpch", "tpch", (bench, quick) => TpchData.MakeAsync(bench, quick ? 0.1 : 1)),
        new QuerySuite("hits", "hits", (bench, quick) => HitsData.MakeAsync(bench, quick ? 200_000 : 2_000_000, quick ? 4 : 8)),
        new ClientsSuite(),
        new ManyKeysSuite(),
        new MergeSuite(
        [
            new MergeTable("paimon parquet", "bench.lineitem", b => GoldenTable.UnpackAsync(b, "paimon", "bench_lineitem_pk_parquet"), MergeTable.LineItem)
            {
                Encoding = new WriterEncoding(250_000, DecimalsAsBytes: false),
            },
            new MergeTable("paimon orc", "bench.lineitem", b => GoldenTable.UnpackAsync(b, "paimon", "bench_lineitem_pk_orc"), MergeTable.LineItem)
            {
                HasFirstTarget = false,
            },
            new MergeTable("hudi", "bench.lineitem", b => GoldenTable.UnpackAsync(b, "hudi", "bench_lineitem_mor"), MergeTable.LineItem)
            {
                Encoding = new WriterEncoding(200_000, DecimalsAsBytes: true),
            },
        ]),
        new DeltaScaleSuite(),
        new PaimonScaleSuite(),
        new HudiScaleSuite(),
    ];
}
