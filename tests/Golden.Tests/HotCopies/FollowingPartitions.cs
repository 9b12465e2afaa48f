using System.Buffers.Binary;
using Apache.Arrow;
using LakeHolo.Golden.Tests.Paimon;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.Golden.Tests.HotCopies;

/// <summary>Where several files hold columns of the same rows, no file tells its rows: partitions that changed are read again whole, the others stay.</summary>
public sealed class FollowingPartitions(ITestOutputHelper output)
{
    [Fact]
    public async Task Of_a_table_with_partial_columns_only_the_partitions_that_changed_are_read_again()
    {
        await using PaimonCase golden = PaimonCase.Open("append_data_evolution");
        var format = new Partitioned(golden.TableFormat);
        await using var copy = new FollowingCopy(golden.Engine, format, golden.Reader, golden.Table, golden.Path("hot"));
        var how = new List<string>();
        for (format.Newest = 1; format.Newest <= 4; format.Newest++)
        {
            how.Add(await copy.RefreshAsync());
            Assert.Null(await copy.DifferenceToLakeAsync());
            Assert.Equal("verified", (await copy.VerifyAsync()).State);
        }

        output.WriteLine(string.Join("\n", how));

        // Six rows; two in another partition; a column of the six; a new column and another of the two.
        Assert.Equal(["promotion -0 +6", "partitions -0 +2", "partitions -6 +6", "partitions+columns -2 +2"], how);
    }

    [Fact]
    public async Task Without_partitions_it_is_built_anew()
    {
        await using PaimonCase golden = PaimonCase.Open("append_data_evolution");
        var format = new Partitioned(golden.TableFormat) { Partitions = false, Newest = 1 };
        await using var copy = new FollowingCopy(golden.Engine, format, golden.Reader, golden.Table, golden.Path("hot"));
        await copy.RefreshAsync();
        format.Newest = 2;
        Assert.StartsWith("rebuild: ", await copy.RefreshAsync(), StringComparison.Ordinal);
        Assert.Null(await copy.DifferenceToLakeAsync());
    }

    /// <summary>The case's snapshots and files as if the first commit's rows had been written to one partition, and all later ones to another.</summary>
    private sealed class Partitioned(PaimonTableFormat inner) : ITableFormat
    {
        private const string Column = "part";
        private static readonly PaimonField Field = new(1000, Column, new PaimonType { Kind = PaimonTypeKind.Int });

        public bool Partitions { get; init; } = true;

        public int Newest { get; set; }

        public string Name => inner.Name;

        public async ValueTask<Snapshot> LoadSnapshotAsync(LakeTable table, SnapshotSelector at, Snapshot? known, CancellationToken cancellationToken = default)
        {
            SnapshotSelector real = at is SnapshotSelector.LatestSelector ? SnapshotSelector.Version(Newest.ToString(System.Globalization.CultureInfo.InvariantCulture)) : at;
            var paimon = (PaimonSnapshot)await inner.LoadSnapshotAsync(table, real, null, cancellationToken);
            return Partitions ? Of(paimon) : paimon;
        }

        public ValueTask<bool> HasChangedAsync(Snapshot known, CancellationToken cancellationToken = default) => ValueTask.FromResult(true);

        public ValueTask<IReadOnlyList<SnapshotInfo>> ListSnapshotsAsync(LakeTable table, CancellationToken cancellationToken = default) => inner.ListSnapshotsAsync(table, cancellationToken);

        public ValueTask<SnapshotDiff> DiffAsync(Snapshot from, Snapshot to, CancellationToken cancellationToken = default) => inner.DiffAsync(from, to, cancellationToken);

        public ValueTask<IReadOnlyList<(string Id, Schema Schema)>> ListSchemasAsync(LakeTable table, CancellationToken cancellationToken = default)
            => inner.ListSchemasAsync(table, cancellationToken);

        private static PaimonSnapshot Of(PaimonSnapshot paimon) => new()
        {
            Table = paimon.Table,
            Id = paimon.Id,
            CommittedAt = paimon.CommittedAt,
            Schema = new Schema([.. paimon.Schema.FieldsList, PaimonArrowTypes.ToField(Field)], null),
            PartitionColumns = [Column],
            Options = paimon.Options,
            Features = paimon.Features,
            Commit = paimon.Commit,
            Branch = paimon.Branch,
            TableSchema = Of(paimon.TableSchema),
            Schemas = paimon.Schemas.ToDictionary(s => s.Key, s => Of(s.Value)),
            Files = [.. paimon.Files.Select(Of)],
            DeletionVectors = paimon.DeletionVectors,
        };

        private static PaimonSchema Of(PaimonSchema schema) => schema with { Fields = [.. schema.Fields, Field], PartitionKeys = [Column] };

        private static PaimonDataFile Of(PaimonDataFile file)
        {
            int part = file.FirstRowId < 6 ? 1 : 2;
            byte[] row = new byte[20];
            BinaryPrimitives.WriteInt32BigEndian(row, 1);
            BinaryPrimitives.WriteInt32LittleEndian(row.AsSpan(12), part);
            return file with { PartitionBytes = row, Partition = [(long)part] };
        }
    }
}
