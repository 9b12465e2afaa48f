using System.Globalization;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Catalog;
using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.LakeCatalog;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>From a statement's text to something that can run: a command of the session, a statement about the catalog, or a query of the lake.</summary>
internal sealed class StatementBuilder(IQueryService service, TimeProvider time)
{
    private const int MaxFitted = 8;

    private static readonly PgType[] Fitting = [PgType.Numeric, PgType.Int4, PgType.Float8, PgType.Timestamp, PgType.Interval];
    private static readonly PgType[] Numbers = [PgType.Int2, PgType.Int4, PgType.Int8, PgType.Float4, PgType.Float8, PgType.Numeric];

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
        JsonOperators.Refuse(statement, declared);
        SqlStatement rewritten = Habits.Rewrite(statement, time.GetUtcNow().UtcDateTime);
        (IPreparedQuery query, string text, IReadOnlyList<PgType> parameters, Dictionary<int, int> scales) = await ParametersAsync(session, rewritten, declared, cancellationToken);
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
        return new LakeStatement(query, query.IsUpdate ? verb.ToUpperInvariant() : "SELECT")
        {
            Columns = columns,
            Parameters = parameters,
            Scales = scales,
            Retyped = token => service.PrepareAsync(session.Query, Retype(text, query), token),
        };
    }

    // The statement's rows with the types of its columns as they were told.
    private static string Retype(string text, IPreparedQuery query)
    {
        IEnumerable<string> names = Enumerable.Range(0, query.ColumnTypes.Count).Select(i => string.Create(CultureInfo.InvariantCulture, $"c{i}"));
        IEnumerable<string> columns = names.Select((n, i) => $"CAST({n} AS {query.ColumnTypes[i]}) AS {SqlText.Identifier(query.ResultSchema.FieldsList[i].Name)}");
        return $"SELECT {string.Join(", ", columns)} FROM ({text}) AS t({string.Join(", ", names)})";
    }

    /// <summary>Finds the parameters' types: the client's, else the engine's inference, else text. Where the statement's text does not say the type to the
    /// engine, a cast is put around the marker.</summary>
    private async ValueTask<(IPreparedQuery Query, string Text, IReadOnlyList<PgType> Types, Dictionary<int, int> Scales)> ParametersAsync(
        PgSession session, SqlStatement statement, IReadOnlyList<PgType?> declared, CancellationToken cancellationToken)
    {
        int count = statement.Tokens.Where(t => t.Kind == TokenKind.Parameter).Select(Markers.Number).DefaultIfEmpty(0).Max();
        if (count == 0)
        {
            return (await service.PrepareAsync(session.Query, statement.Text, cancellationToken), statement.Text, [], []);
        }

        var casts = new string?[count];
        for (int i = 0; i < Math.Min(count, declared.Count); i++)
        {
            casts[i] = declared[i] is { } type ? ParameterReader.NeedsCast(type) : null;
        }

        IPreparedQuery query = await service.PrepareAsync(session.Query, Markers.Cast(statement, casts), cancellationToken);
        IReadOnlyList<string> inferred = query.ParameterTypes;
        bool IsUnknown(int i) => (i >= declared.Count || declared[i] is null) && (i >= inferred.Count || inferred[i].Length == 0);
        IReadOnlyList<PgType?> elements = await ElementsAsync(session, statement, IsUnknown, casts, cancellationToken);
        IReadOnlyList<PgType?> operands = await OperandsAsync(session, statement, IsUnknown, casts, cancellationToken);
        var types = new PgType[count];
        bool changed = false;
        for (int i = 0; i < count; i++)
        {
            string engine = i < inferred.Count ? inferred[i] : string.Empty;
            PgType? given = i < declared.Count ? declared[i] : null;
            types[i] = given ?? elements[i]?.Array ?? operands[i] ?? (engine.Length > 0 ? EngineTypes.OfName(engine).Type : Markers.IsLimit(statement, i + 1) ? PgType.Int8 : PgType.Text);
            string? cast = ParameterReader.NeedsCast(types[i]) ?? (engine.Length == 0 ? ParameterReader.EngineName(types[i]) : null);
            changed |= cast != casts[i];
            casts[i] = cast;
        }

        query = changed ? await FitAsync(session, statement, types, casts, IsUnknown, cancellationToken) : query;
        (IPreparedQuery Query, string Text)? pinned = await PinAsync(session, statement, query, types, casts, cancellationToken);
        var scales = Enumerable.Range(0, count).Where(i => types[i] == PgType.Numeric && (pinned is not null || casts[i] is not null)).ToDictionary(i => i, _ => ParameterReader.CastScale);
        return (pinned?.Query ?? query, pinned?.Text ?? Markers.Cast(statement, casts), types, scales);
    }

    /// <summary>Prepares the statement with casts. Where texts do not fit in the place of parameters of which nothing tells the type, the first other type that fits is theirs.</summary>
    private async ValueTask<IPreparedQuery> FitAsync(
        PgSession session, SqlStatement statement, PgType[] types, string?[] casts, Func<int, bool> isUnknown, CancellationToken cancellationToken)
    {
        try
        {
            return await service.PrepareAsync(session.Query, Markers.Cast(statement, casts), cancellationToken);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.QueryInvalid)
        {
            int[] open = [.. Enumerable.Range(0, types.Length).Where(i => isUnknown(i) && types[i] == PgType.Text).Take(MaxFitted)];
            IEnumerable<int[]> sets = open.Length > 1 ? [.. open.Select(i => new[] { i }), open] : open.Select(i => new[] { i });
            foreach (int[] some in sets)
            {
                foreach (PgType type in Fitting)
                {
                    string?[] other = [.. casts.Select((c, i) => some.Contains(i) ? ParameterReader.EngineName(type) : c)];
                    if (await TryPrepareAsync(session, Markers.Cast(statement, other), cancellationToken) is { } query)
                    {
                        foreach (int i in some)
                        {
                            (types[i], casts[i]) = (type, other[i]);
                        }

                        return query;
                    }
                }
            }

            throw;
        }
    }

    private async ValueTask<IPreparedQuery?> TryPrepareAsync(PgSession session, string text, CancellationToken cancellationToken)
    {
        try
        {
            return await service.PrepareAsync(session.Query, text, cancellationToken);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.QueryInvalid)
        {
            return null;
        }
    }

    /// <summary>The statement with all parameters cast to their types, where the types of its columns come from theirs: they stay what the client was told, whatever the values. Else null:
    /// without casts values are compared as they are.</summary>
    private async ValueTask<(IPreparedQuery Query, string Text)?> PinAsync(
        PgSession session, SqlStatement statement, IPreparedQuery query, PgType[] types, string?[] casts, CancellationToken cancellationToken)
    {
        string?[] all = [.. types.Select((t, i) => casts[i] ?? (ParameterReader.EngineName(t) is var name and not "VARCHAR" ? name : null))];
        if (all.SequenceEqual(casts))
        {
            return null;
        }

        // A type that does not fit is told when the statement runs.
        string text = Markers.Cast(statement, all);
        return await TryPrepareAsync(session, text, cancellationToken) is { } pinned && !pinned.ColumnTypes.SequenceEqual(query.ColumnTypes) ? (pinned, text) : null;
    }

    /// <summary>For <c>x = ANY($n)</c> without a declared type: the type of x, which the engine tells for <c>x = $n</c>.</summary>
    private async ValueTask<IReadOnlyList<PgType?>> ElementsAsync(
        PgSession session, SqlStatement statement, Func<int, bool> isUnknown, string?[] casts, CancellationToken cancellationToken)
    {
        var elements = new PgType?[casts.Length];
        int[] wanted = [.. Enumerable.Range(0, casts.Length).Where(i => isUnknown(i) && Markers.IsAny(statement, i + 1))];
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

    /// <summary>For an operand of <c>+ - * / %</c> without a declared type: the type of the other side where that is a number, as in PostgreSQL; numeric where the engine cannot tell it.</summary>
    private async ValueTask<IReadOnlyList<PgType?>> OperandsAsync(
        PgSession session, SqlStatement statement, Func<int, bool> isUnknown, string?[] casts, CancellationToken cancellationToken)
    {
        var operands = new PgType?[casts.Length];
        int[] wanted = [.. Enumerable.Range(0, casts.Length).Where(i => isUnknown(i) && Markers.IsOperand(statement, i + 1))];
        if (wanted.Length == 0)
        {
            return operands;
        }

        // Null where a comparison cannot stand there.
        IReadOnlyList<string> others = (await TryPrepareAsync(session, Markers.Cast(Markers.AsComparisons(statement), casts), cancellationToken))?.ParameterTypes ?? [];
        foreach (int i in wanted)
        {
            string other = i < others.Count ? others[i] : string.Empty;
            PgType type = other.Length > 0 ? EngineTypes.OfName(other).Type : PgType.Numeric;
            operands[i] = Numbers.Contains(type) ? type : null;
        }

        return operands;
    }
}
