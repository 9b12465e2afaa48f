using DuckDB.NET.Data;
using LakeHolo.Golden.Tests.Delta;
using LakeHolo.Golden.Tests.Harness;
using LakeHolo.Golden.Tests.Hudi;
using LakeHolo.Golden.Tests.Paimon;
using LakeHolo.HotTier;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>VERIFY finds what a copy holds wrongly, and nothing else.</summary>
public sealed class VerifyingCopies
{
    [Theory]
    [InlineData("UPDATE {0} SET c1 = NULL WHERE rowid = (SELECT max(rowid) FROM {0} WHERE c1 IS NOT NULL)")]
    [InlineData("DELETE FROM {0} WHERE rowid = (SELECT max(rowid) FROM {0})")]
    [InlineData("INSERT INTO {0} SELECT * FROM {0} LIMIT 1")]
    public async Task A_damaged_row_is_found_and_the_copy_is_built_anew(string damage)
    {
        using DeltaCase golden = DeltaCase.Open("replay_upsert_dv");
        await using var copy = new FollowingCopy(golden.Engine, golden.TableFormat, golden.Reader, golden.Table, golden.File("case/hot"));
        foreach (string step in Directory.EnumerateDirectories(golden.File("case/steps")).Order(StringComparer.Ordinal).Take(6))
        {
            DeltaReplayTests.Apply(step, golden.File("case/table"));
            await copy.RefreshAsync();
        }

        Assert.Equal("verified", (await copy.VerifyAsync()).State);
        HotCopy damaged = copy.Copy;
        using (DuckDBConnection connection = golden.Engine.OpenConnection())
        {
            EngineDatabase.Execute(connection, string.Format(System.Globalization.CultureInfo.InvariantCulture, damage, damaged.Database.Rows));
        }

        Assert.NotNull(await copy.DifferenceToLakeAsync());
        Accelerator.Sources.TierOutcome outcome = await copy.VerifyAsync();
        Assert.Equal("differed", outcome.State);
        Assert.Contains(".parquet", outcome.Error, StringComparison.Ordinal);
        Assert.True(damaged.IsQuarantined);
        Assert.Null(await copy.DifferenceToLakeAsync());
        Assert.Equal("verified", (await copy.VerifyAsync()).State);
    }

    [Theory]
    [InlineData("hudi", "replay_mor_v8")]
    [InlineData("paimon", "replay_pk_dedup_compaction_expiry")]
    [InlineData("paimon", "flink_replay_paimon_lookup")]
    public async Task A_copy_that_followed_a_replay_is_verified(string format, string replay)
    {
        UnpackedCase golden = format == "hudi" ? HudiCase.Open(replay) : PaimonCase.Open(replay);
        await using (golden)
        {
            await using FollowingCopy copy = golden is HudiCase hudi
                ? new FollowingCopy(golden.Engine, hudi.TableFormat, hudi.Reader, golden.Table, golden.Path("hot"))
                : new FollowingCopy(golden.Engine, ((PaimonCase)golden).TableFormat, ((PaimonCase)golden).Reader, golden.Table, golden.Path("hot"));
            int steps = Directory.GetDirectories(golden.Path("steps")).Length;
            for (int step = 1; step <= steps; step++)
            {
                golden.Apply(step);
                await copy.RefreshAsync();
                Accelerator.Sources.TierOutcome outcome = await copy.VerifyAsync();
                Assert.True(outcome.State == "verified", $"step {step}: {outcome.State} {outcome.Error}");
            }
        }
    }

    [Fact]
    public async Task A_quarantined_copy_is_built_anew_at_the_next_refresh()
    {
        await using PaimonCase golden = PaimonCase.Open("replay_pk_dedup_compaction_expiry");
        golden.Apply(1);
        await using var copy = new FollowingCopy(golden.Engine, golden.TableFormat, golden.Reader, golden.Table, golden.Path("hot"));
        await copy.RefreshAsync();
        copy.Store.Quarantine(copy.Copy);
        Assert.StartsWith("rebuild: the copy was quarantined", await copy.RefreshAsync(), StringComparison.Ordinal);
        Assert.False(copy.Copy.IsQuarantined);
    }
}
