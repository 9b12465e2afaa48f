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
        SqlStatement rewritten = Habits.Rewrite(statement, session);
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
        var scales = new Dictionary<int, int>();
        bool changed = false;
        for (int i = 0; i < count; i++)
        {
            string engine = i < inferred.Count ? inferred[i] : string.Empty;
            PgType? given = i < declared.Count ? declared[i] : null;
            types[i] = given ?? elements[i]?.Array ?? operands[i] ?? (engine.Length > 0 ? EngineTypes.OfName(engine).Type : Markers.IsLimit(statement, i + 1) ? PgType.Int8 : PgType.Text);
            string? cast = ParameterReader.NeedsCast(types[i]) ?? (engine.Length == 0 ? ParameterReader.EngineName(types[i]) : null);
            changed |= cast != casts[i];
            casts[i] = cast;
            if (cast is not null && types[i] == PgType.Numeric)
            {
                scales[i] = ParameterReader.CastScale;
            }
        }

        query = changed ? await service.PrepareAsync(session.Query, Markers.Cast(statement, casts), cancellationToken) : query;
        if (await PinAsync(session, statement, query, types, casts, cancellationToken) is not var (pinned, text))
        {
            return (query, Markers.Cast(statement, casts), types, scales);
        }

        foreach (int i in Enumerable.Range(0, count).Where(i => types[i] == PgType.Numeric))
        {
            scales[i] = ParameterReader.CastScale;
        }

        return (pinned, text, types, scales);
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

        try
        {
            string text = Markers.Cast(statement, all);
            IPreparedQuery pinned = await service.PrepareAsync(session.Query, text, cancellationToken);
            return pinned.ColumnTypes.SequenceEqual(query.ColumnTypes) ? null : (pinned, text);
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.QueryInvalid)
        {
            return null; // a type that does not fit is told when it runs
        }
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

        IReadOnlyList<string> others = [];
        try
        {
            others = (await service.PrepareAsync(session.Query, Markers.Cast(Markers.AsComparisons(statement), casts), cancellationToken)).ParameterTypes;
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.QueryInvalid)
        {
            // A comparison cannot stand there.
        }

        foreach (int i in wanted)
        {
            string other = i < others.Count ? others[i] : string.Empty;
            PgType type = other.Length > 0 ? EngineTypes.OfName(other).Type : PgType.Numeric;
            operands[i] = Numbers.Contains(type) ? type : null;
        }

        return operands;
    }
}
