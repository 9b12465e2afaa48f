using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Catalog;
using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>From a statement's text to something that can run: a command of the session, a statement about the catalog, or a query of the lake.</summary>
internal sealed class StatementBuilder(IQueryService service, TimeProvider time)
{
    private readonly PgCatalog _catalog = new(service, time);

    /// <summary>Parses a statement.</summary>
    /// <param name="session">Whose it is.</param>
    /// <param name="statement">Its text.</param>
    /// <param name="declared">Types that the client gave for its parameters; null where it gave none.</param>
    /// <param name="cancellationToken">While binding.</param>
    public async ValueTask<PgStatement> PrepareAsync(PgSession session, SqlStatement statement, IReadOnlyList<PgType?> declared, CancellationToken cancellationToken)
    {
        if (SessionCommands.TryCreate(statement) is { } command)
        {
            return command;
        }

        if (await CursorCommands.TryCreateAsync(session, statement, cancellationToken) is { } other)
        {
            return other;
        }

        if (CatalogDetector.IsCatalog(statement))
        {
            return await _catalog.PrepareAsync(session, statement, declared, cancellationToken);
        }

        return await LakeAsync(session, statement, declared, cancellationToken);
    }

    private async ValueTask<PgStatement> LakeAsync(PgSession session, SqlStatement statement, IReadOnlyList<PgType?> declared, CancellationToken cancellationToken)
    {
        Locking.Refuse(statement);
        SqlStatement rewritten = Habits.Rewrite(statement, session);
        (IPreparedQuery query, IReadOnlyList<PgType> parameters, Dictionary<int, int> scales) = await ParametersAsync(session, rewritten, declared, cancellationToken);
        foreach (int number in Numerics.Parameters(statement.Tokens))
        {
            scales[number - 1] = Numerics.WideScale;
        }

        string verb = statement.Tokens[0].Value;
        if (verb == "explain")
        {
            return new ExplainStatement(query) { Columns = [new PgColumn("QUERY PLAN", PgType.Text)] };
        }

        IReadOnlyList<PgColumn> columns = ResultNames.Apply(statement, EngineTypes.Columns(query.ResultSchema, query.ColumnTypes));
        return new LakeStatement(query, query.IsUpdate ? verb.ToUpperInvariant() : "SELECT") { Columns = columns, Parameters = parameters, Scales = scales };
    }

    /// <summary>Finds the parameters' types: the client's, else the engine's inference, else text. Where the statement's text does not say the type to the
    /// engine, a cast is put around the marker.</summary>
    private async ValueTask<(IPreparedQuery Query, IReadOnlyList<PgType> Types, Dictionary<int, int> Scales)> ParametersAsync(
        PgSession session, SqlStatement statement, IReadOnlyList<PgType?> declared, CancellationToken cancellationToken)
    {
        int count = statement.Tokens.Where(t => t.Kind == TokenKind.Parameter).Select(Markers.Number).DefaultIfEmpty(0).Max();
        if (count == 0)
        {
            return (await service.PrepareAsync(session.Query, statement.Text, cancellationToken), [], []);
        }

        var casts = new string?[count];
        for (int i = 0; i < Math.Min(count, declared.Count); i++)
        {
            casts[i] = declared[i] is { } type ? ParameterReader.NeedsCast(type) : null;
        }

        IPreparedQuery query = await service.PrepareAsync(session.Query, Markers.Cast(statement, casts), cancellationToken);
        IReadOnlyList<string> inferred = query.ParameterTypes;
        IReadOnlyList<PgType?> elements = await ElementsAsync(session, statement, declared, inferred, casts, cancellationToken);
        var types = new PgType[count];
        var scales = new Dictionary<int, int>();
        bool changed = false;
        for (int i = 0; i < count; i++)
        {
            string engine = i < inferred.Count ? inferred[i] : string.Empty;
            PgType? given = i < declared.Count ? declared[i] : null;
            types[i] = given ?? elements[i]?.Array ?? (engine.Length > 0 ? EngineTypes.OfName(engine).Type : Markers.IsLimit(statement, i + 1) ? PgType.Int8 : PgType.Text);
            string? cast = ParameterReader.NeedsCast(types[i]) ?? (engine.Length == 0 ? ParameterReader.EngineName(types[i]) : null);
            changed |= cast != casts[i];
            casts[i] = cast;
            if (cast is not null && types[i] == PgType.Numeric)
            {
                scales[i] = ParameterReader.CastScale;
            }
        }

        return (changed ? await service.PrepareAsync(session.Query, Markers.Cast(statement, casts), cancellationToken) : query, types, scales);
    }

    /// <summary>For <c>x = ANY($n)</c> without a declared type: the type of x, which the engine tells for <c>x = $n</c>.</summary>
    private async ValueTask<IReadOnlyList<PgType?>> ElementsAsync(
        PgSession session, SqlStatement statement, IReadOnlyList<PgType?> declared, IReadOnlyList<string> inferred, string?[] casts, CancellationToken cancellationToken)
    {
        var elements = new PgType?[casts.Length];
        int[] wanted = [.. Enumerable.Range(0, casts.Length).Where(i =>
            (i >= declared.Count || declared[i] is null) && (i >= inferred.Count || inferred[i].Length == 0) && Markers.IsAny(statement, i + 1))];
        if (wanted.Length == 0)
        {
            return elements;
        }

        IPreparedQuery single = await service.PrepareAsync(session.Query, Markers.Cast(Markers.WithoutAny(statement), casts), cancellationToken);
        foreach (int i in wanted)
        {
            elements[i] = i < single.ParameterTypes.Count && single.ParameterTypes[i].Length > 0 ? EngineTypes.OfName(single.ParameterTypes[i]).Type : PgType.Text;
        }

        return elements;
    }
}
