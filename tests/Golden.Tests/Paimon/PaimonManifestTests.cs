using System.Text.Json;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Paimon.Manifests;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Golden.Tests.Paimon;

/// <summary>Entries that are kept as they were written give the files that are made at once, in manifests of every writer.</summary>
public sealed class PaimonManifestTests
{
    [Theory]
    [InlineData("append_all_types_orc")]
    [InlineData("append_blob")]
    [InlineData("append_file_index")]
    [InlineData("append_partition_odd_values")]
    [InlineData("append_stats_modes")]
    [InlineData("evolution_append_parquet")]
    [InlineData("old_v0_5_append_types")]
    [InlineData("old_v0_7_pk_partial_update_agg")]
    [InlineData("pk_cross_partition")]
    [InlineData("pk_dedup_compacted_levels_parquet")]
    [InlineData("pk_odd_key_types_parquet")]
    [InlineData("pk_rescale_bucket")]
    [InlineData("pypaimon_append")]
    [InlineData("pypaimon_pk")]
    public async Task Files_are_the_same_made_at_once_and_made_when_they_are_asked_for(string name)
    {
        await using PaimonCase golden = PaimonCase.Open(name);
        PaimonSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        Assert.NotEmpty(snapshot.Manifests);
        foreach (string manifest in snapshot.Manifests.Keys)
        {
            var reader = new ManifestReader(snapshot.Table.Root, snapshot.TableSchema, new PartitionPool());
            ManifestBlock made = await reader.ReadManifestAsync(manifest, CancellationToken.None);
            ManifestBlock kept = await reader.ReadManifestAsync(manifest, CancellationToken.None, maxDecoded: 0);
            int[] rows = [.. Enumerable.Range(0, made.Count)];
            Assert.Equal(made.Files(rows).Select(f => JsonSerializer.Serialize(f)), kept.Files(rows).Select(f => JsonSerializer.Serialize(f)));
            Assert.All(rows, row =>
            {
                // What the columns hold is what the file tells.
                PaimonDataFile file = kept.Files([row]).Single();
                Assert.Equal(FileIdentity.Of(file), kept.Identity(row));
                Assert.Equal((file.SizeBytes, file.RowCount, file.Level, file.DeleteRowCount != 0), (kept.SizeBytes(row), kept.RowCount(row), kept.Level(row), kept.Flags(row).HasFlag(EntryFlags.MayHoldDeletes)));
                Assert.Equal((file.FirstRowId is not null, BinaryRow.Arity(file.MinKey) > 0), (kept.Flags(row).HasFlag(EntryFlags.HasRowIds), kept.Flags(row).HasFlag(EntryFlags.HasKey)));
            });
        }
    }
}
