using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Statements;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Tests.Statements;

/// <summary>What is spared statements that take the engine no time.</summary>
public sealed class QuickAnswerTests
{
    private static readonly Schema Columns = new([new Field("n", Int64Type.Default, nullable: true), new Field("at", new TimestampType(TimeUnit.Microsecond, "Etc/UTC"), nullable: true)], null);

    [Fact]
    public void A_schema_is_put_into_bytes_once_for_each_kind_of_client()
    {
        Assert.Same(EncodedSchema.For(Columns, jdbc: false), EncodedSchema.For(Columns, jdbc: false));
        Assert.NotSame(EncodedSchema.For(Columns, jdbc: false), EncodedSchema.For(Columns, jdbc: true));
    }

    [Fact]
    public void Rows_of_other_columns_do_not_fit_a_schema_that_others_fitted()
    {
        EncodedSchema schema = EncodedSchema.For(Columns, jdbc: false);
        var other = new Schema([new Field("n", Int32Type.Default, nullable: true), Columns.FieldsList[1]], null);
        Assert.True(schema.Fits(Columns));
        Assert.False(schema.Fits(other));
        Assert.True(schema.Fits(Columns));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_statement_over_hot_copies_begins_on_the_thread_of_its_call_and_any_other_on_its_own(bool isHot)
    {
        var query = new ThreadQuery(isHot);
        int caller = Environment.CurrentManagedThreadId;
        await using var result = new StatementResult(new QuerySession("s", new SessionIdentity("u", string.Empty, string.Empty)), query, EncodedSchema.For(Columns, jdbc: false), [(null, 0)], default);

        // One that is not hot waits for Go: on the thread of its call it would keep the call.
        Assert.Equal(isHot ? caller : null, query.RanOn);
        query.Go.Set();
        Assert.Equal(-1, (await result.Started).AffectedRows);
    }

    private sealed class ThreadQuery(bool isHot) : IPreparedQuery
    {
        public ManualResetEventSlim Go { get; } = new(isHot);

        public int? RanOn { get; private set; }

        public Schema ResultSchema => Columns;

        public Schema ParameterSchema { get; } = new([], null);

        public bool IsUpdate => false;

        public bool IsHot => isHot;

        public ValueTask<IQueryResult> ExecuteAsync(QuerySession session, RecordBatch? parameters, int parameterRow, CancellationToken cancellationToken)
        {
            Go.Wait(cancellationToken);
            RanOn = Environment.CurrentManagedThreadId;
            return ValueTask.FromResult<IQueryResult>(new NoRows());
        }
    }

    private sealed class NoRows : IQueryResult
    {
        public Schema Schema => Columns;

        public long AffectedRows => -1;

        public ReadOnlyMemory<byte> AppMetadata => default;

        public IAsyncEnumerable<RecordBatch> ReadBatchesAsync(CancellationToken cancellationToken) => AsyncEnumerable.Empty<RecordBatch>();

        public ValueTask DisposeAsync() => default;
    }
}
