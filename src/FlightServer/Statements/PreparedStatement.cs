using Apache.Arrow;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Statements;

/// <summary>A prepared statement of a session, with the parameters that were bound last.</summary>
internal sealed class PreparedStatement(string handle, string sql, QuerySession runsIn, IPreparedQuery query, EncodedSchema schema)
{
    private volatile IReadOnlyList<RecordBatch> _bound = [];

    public string Handle { get; } = handle;

    public string Sql { get; } = sql;

    /// <summary>The session, or the transaction it was prepared in.</summary>
    public QuerySession RunsIn { get; } = runsIn;

    public IPreparedQuery Query { get; } = query;

    public EncodedSchema Schema { get; } = schema;

    public DateTimeOffset LastUsed { get; set; }

    /// <summary>Every bound row; without parameters the one empty row.</summary>
    public IReadOnlyList<(RecordBatch? Batch, int Row)> Rows => RowsOf(_bound);

    /// <summary>Rows of a client's batches. Batches are managed memory: whoever still reads the old ones may.</summary>
    public static IReadOnlyList<(RecordBatch? Batch, int Row)> RowsOf(IReadOnlyList<RecordBatch> batches)
    {
        (RecordBatch? Batch, int Row)[] rows = [.. batches.Where(b => b.ColumnCount > 0).SelectMany(b => Enumerable.Range(0, b.Length).Select(r => ((RecordBatch?)b, r)))];
        return rows.Length > 0 ? rows : [(null, 0)];
    }

    public void Bind(IReadOnlyList<RecordBatch> batches) => _bound = batches;
}
