using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.FlightServer.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>A parsed statement: what it takes and gives is known, nothing has run.</summary>
internal abstract class PgStatement
{
    private static readonly Dictionary<int, int> NoScales = [];

    /// <summary>Types of its parameters.</summary>
    public IReadOnlyList<PgType> Parameters { get; init; } = [];

    /// <summary>Of parameters that are cast to numeric without digits, by place from 0: the decimals that are kept.</summary>
    public IReadOnlyDictionary<int, int> Scales { get; init; } = NoScales;

    /// <summary>Columns of its rows; null if it has none.</summary>
    public IReadOnlyList<PgColumn>? Columns { get; init; }

    /// <summary>Rows that one run gives at most.</summary>
    public long MaxRows { get; init; } = long.MaxValue;

    /// <summary>Its rows belong to somebody else (a cursor), who goes on with them.</summary>
    public bool IsShared { get; init; }

    /// <summary>Its rows are binary whatever the client asks for.</summary>
    public bool IsBinary { get; init; }

    /// <summary>Runs in a failed transaction too.</summary>
    public bool EndsTransaction { get; init; }

    /// <summary>Refuses numbers that would be rounded.</summary>
    /// <exception cref="Wire.PgError">22003.</exception>
    public void CheckDigits(IReadOnlyList<object?> values)
    {
        foreach ((int place, int scale) in Scales)
        {
            ParameterReader.CheckDigits(values[place], scale);
        }
    }

    /// <summary>The tag of CommandComplete.</summary>
    public abstract string Tag(long rows);

    /// <summary>Runs it; gives its rows if it has any.</summary>
    public abstract ValueTask<RowSource?> StartAsync(PgSession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken);
}

/// <summary>A statement of the session itself: SET, BEGIN, FETCH, ….</summary>
internal sealed class CommandStatement(string tag, Func<PgSession, CancellationToken, ValueTask<RowSource?>> run) : PgStatement
{
    private string _tag = tag;

    public CommandStatement(string tag, Action<PgSession> run)
        : this(tag, (session, _) =>
        {
            run(session);
            return default;
        })
    {
    }

    /// <summary>Its tag ends with the number of rows.</summary>
    public bool CountsRows { get; init; }

    /// <summary>Gives its tag when it ran: COMMIT of a failed transaction is a ROLLBACK.</summary>
    public Func<PgSession, string>? TagAfter { get; init; }

    public override string Tag(long rows) => CountsRows ? $"{_tag} {rows}" : _tag;

    public override async ValueTask<RowSource?> StartAsync(PgSession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken)
    {
        RowSource? rows = await run(session, cancellationToken);
        _tag = TagAfter?.Invoke(session) ?? _tag;
        return rows;
    }
}

/// <summary>A statement of the lake, run by the query service.</summary>
internal sealed class LakeStatement(IPreparedQuery query, string tag) : PgStatement
{
    /// <summary>Prepares the same rows with the columns' types as they were told: of an operation on a NULL the engine makes a type of its own.</summary>
    public required Func<CancellationToken, ValueTask<IPreparedQuery>> Retyped { get; init; }

    public override string Tag(long rows) => tag == "SELECT" ? $"SELECT {rows}" : tag;

    public override async ValueTask<RowSource?> StartAsync(PgSession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken)
        => await TryStartAsync(query, session, parameters, cancellationToken)
            ?? (parameters.Contains(null) ? await TryStartAsync(await Retyped(cancellationToken), session, parameters, cancellationToken) : null)
            ?? throw PgError.Unsupported("cached plan must not change result type", "A table of the statement has changed its columns: prepare the statement again.");

    private async ValueTask<RowSource?> TryStartAsync(IPreparedQuery some, PgSession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken)
    {
        IQueryResult result = await some.ExecuteAsync(session.Query, parameters, cancellationToken);
        if (WireSchema.SameColumns(result.Schema, query.ResultSchema))
        {
            return new RowSource(Columns!, result.ReadBatchesAsync(CancellationToken.None), result, session.WriterContext);
        }

        await result.DisposeAsync();
        return null;
    }
}

/// <summary>The plan of a query, one line a row.</summary>
internal sealed class ExplainStatement(IPreparedQuery query) : PgStatement
{
    public override string Tag(long rows) => "EXPLAIN";

    public override async ValueTask<RowSource?> StartAsync(PgSession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken)
    {
        await using IQueryResult result = await query.ExecuteAsync(session.Query, parameters, cancellationToken);
        var lines = new List<string?[]>();
        await foreach (Apache.Arrow.RecordBatch batch in result.ReadBatchesAsync(cancellationToken))
        {
            using (batch)
            {
                // The engine's plans come as (kind, text); a plan of several columns of values is shown as they are.
                var text = (Apache.Arrow.StringArray)batch.Column(batch.ColumnCount - 1);
                for (int row = 0; row < batch.Length; row++)
                {
                    lines.AddRange((text.GetString(row) ?? string.Empty).TrimEnd('\n').Split('\n').Select(l => new string?[] { l }));
                }
            }
        }

        return RowSource.OfText(Columns!, lines);
    }
}

/// <summary>COPY (query) TO STDOUT.</summary>
internal sealed class CopyStatement(PgStatement inner, CopyOptions options) : PgStatement
{
    public PgStatement Inner => inner;

    public CopyOptions Options => options;

    public override string Tag(long rows) => $"COPY {rows}";

    public override ValueTask<RowSource?> StartAsync(PgSession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken) =>
        inner.StartAsync(session, parameters, cancellationToken);
}

/// <summary>EXECUTE: a prepared statement with its values.</summary>
internal sealed class BoundStatement(PgStatement inner, IReadOnlyList<object?> values) : PgStatement
{
    public override string Tag(long rows) => inner.Tag(rows);

    public override ValueTask<RowSource?> StartAsync(PgSession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken) =>
        inner.StartAsync(session, values, cancellationToken);
}
