using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Sources;
using LakeHolo.Accelerator.Tests.Fakes;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Tests.Execution;

/// <summary>Hot copies that are replaced again and again between the binding and the planning of a statement.</summary>
public sealed class ReplacedCopyTests : IAsyncLifetime
{
    private readonly FakeLake _lake = new();
    private readonly RestlessCopies _copies = new();

    public async ValueTask InitializeAsync()
    {
        _lake.AddTable("dwd", "t", "SELECT 42 AS x");
        _lake.Copies = _copies;
        await _lake.StartAsync();
    }

    public ValueTask DisposeAsync() => _lake.DisposeAsync();

    [Fact]
    public async Task A_statement_binds_anew_and_at_last_reads_the_lake()
    {
        Assert.Equal(["42"], await _lake.QueryAsync("SELECT x FROM dwd.t"));
        Assert.InRange(_copies.Planned, 2, 10);
    }

    [Fact]
    public async Task One_that_insists_on_the_hot_tier_says_that_it_was_replaced()
    {
        _lake.Session.Options["tier"] = "hot";
        LakeException e = await Assert.ThrowsAsync<LakeException>(() => _lake.QueryAsync("SELECT x FROM dwd.t"));
        Assert.Equal("replaced", e.Message);
    }

    /// <summary>Copies that are there when a statement is bound, and gone when it is planned.</summary>
    private sealed class RestlessCopies : ITableSource
    {
        public int Planned { get; private set; }

        public ValueTask<ITableVersion?> TryResolveAsync(TableRequest request, CancellationToken cancellationToken = default)
            => ValueTask.FromResult<ITableVersion?>(request.Options.Tier == "lake" ? null : new Version(this, request.Table.Table));

        private sealed class Version(RestlessCopies copies, LakeTable table) : ITableVersion
        {
            public string Tier => "hot";

            public LakeTable Table => table;

            public SnapshotId Id => new("1");

            public DateTimeOffset? CommittedAt => null;

            public DateTimeOffset? KnownNewestAt => null;

            public Schema Schema { get; } = new([new Field("x", Int32Type.Default, true)], null);

            public ValueTask<TableScan> PlanAsync(ScanRequest request, CancellationToken cancellationToken = default)
            {
                copies.Planned++;
                throw new LakeException(LakeErrorKind.NotFound, "replaced", isTransient: true);
            }
        }
    }
}
