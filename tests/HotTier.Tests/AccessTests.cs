using System.Text;
using Apache.Arrow;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Sessions;

namespace LakeHolo.HotTier.Tests;

public sealed class AccessTests
{
    [Theory]
    [InlineData(null, "lake")]
    [InlineData("PROMOTE TABLE dwd.d", "hot")]
    [InlineData("PROMOTE TABLE dwd.d WHERE dt = '2026-10-02'", "partly hot")]
    [InlineData("PROMOTE TABLE dwd.d (x, dt)", "hot")] // a constant mask needs no column
    public async Task Filters_and_masks_hold_in_every_tier(string? promotion, string tier)
    {
        await using var lake = new SmallLake();
        lake.Write("dwd/d/dt=2026-10-01/a.parquet", "SELECT range AS x, 'secret' || range AS name FROM range(10)");
        lake.Write("dwd/d/dt=2026-10-02/a.parquet", "SELECT range + 10 AS x, 'secret' || range AS name FROM range(10)");
        var grant = new TableGrant("roles, reader") { Tables = "dwd.d", Filter = "x % 2 = 0", Masks = new Dictionary<string, string> { ["name"] = "'***'" } };
        await lake.StartAsync(configure: o => o with
        {
            Access = new AccessOptions
            {
                Roles = [new AccessRole("reader") { Grants = [grant] }, new AccessRole("admin") { IsAdmin = true, Grants = [new TableGrant("roles, admin") { Tables = "*" }] }],
                Users = new Dictionary<string, IReadOnlyList<string>> { ["ann"] = ["reader"], ["test"] = ["admin"] },
            },
        });
        if (promotion is not null)
        {
            await lake.RowsAsync(promotion);
        }

        QuerySession ann = lake.Instance.Engine.OpenSession(new SessionIdentity("ann", "local", "xunit"));
        IPreparedQuery prepared = await lake.Instance.Engine.PrepareAsync(ann, "SELECT count(*) AS n, min(name) AS name FROM dwd.d", default);
        await using IQueryResult result = await prepared.ExecuteAsync(ann, null, 0, default);
        await foreach (RecordBatch batch in result.ReadBatchesAsync(default))
        {
            using (batch)
            {
                Assert.Equal((10L, "***"), (((Int64Array)batch.Column(0)).GetValue(0), ((StringArray)batch.Column(1)).GetString(0)));
            }
        }

        Assert.Contains($"\"{tier}\"", Encoding.UTF8.GetString(result.AppMetadata.Span), StringComparison.Ordinal);
        Assert.Equal("secret0", await lake.ValueAsync("SELECT min(name) FROM dwd.d"));
    }
}
