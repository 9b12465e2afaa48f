using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Access;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.Accelerator.Sources;
using LakeHolo.Accelerator.Sql;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Planning;

/// <summary>From a query's text to a statement for the engine: parse, resolve and pin tables, learn from the engine's optimiser what each scan needs,
/// plan the scans, and put their relations in the place of the names.</summary>
internal sealed class StatementPlanner(PlanningEngine planning, CatalogService catalog, IReadOnlyList<ITableSource> sources, SystemTables system, AccessControl access)
{
    private readonly KnownTexts _texts = new();
    private readonly TableResolver _resolver = new(planning, catalog, sources, system, access);

    /// <summary>Parses and resolves a query; its tables are pinned, no data file is opened.</summary>
    /// <param name="session">Who asks.</param>
    /// <param name="sql">The text.</param>
    /// <param name="parameters">Values of its markers, whose types may decide the types of the result; null while they are not known.</param>
    /// <param name="cancellationToken">Cancels binding.</param>
    /// <param name="pinned">The snapshots that it sees; null for the session's.</param>
    /// <param name="avoidsCopies">Read the lake, unless the session insists on the hot tier.</param>
    public async ValueTask<BoundStatement> BindAsync(
        QuerySession session, string sql, IReadOnlyList<object?>? parameters, CancellationToken cancellationToken, StatementPins? pinned = null, bool avoidsCopies = false)
    {
        long start = Stopwatch.GetTimestamp();
        StorageUse? counted = StorageUse.Current is null ? StorageUse.Current = SessionOptions.NewStorageUse(session.Options) : null;
        KnownText? known = _texts.Find(sql);
        SyntaxTree? tree = known is null ? planning.With(c => SyntaxTree.Parse(c, sql)) : null;
        StatementPins pins = pinned ?? session.Pins(catalog);
        ReadOptions options = SessionOptions.Read(session.Options);
        if (session.IsTransaction)
        {
            // A copy that was young enough for one statement may be another for the next.
            options = options with { MaxStaleness = TimeSpan.Zero };
        }

        if (avoidsCopies && options.Tier == "auto")
        {
            options = options with { Tier = "lake" };
        }

        bool jdbc = SessionOptions.WantsJdbcTypes(session.Options);
        IReadOnlyList<SyntaxTree.TableReference> references = known?.Tables ?? tree!.Tables;
        BoundTable[] tables = await _resolver.ResolveAsync(session, sql, references, pins, options, cancellationToken);
        return planning.With(connection =>
        {
            string[] names = [.. tables.Select((t, i) => planning.EmptyTable(connection, t.Schema, i))];
            string key = $"{string.Join(' ', names.Select((n, i) => n + tables[i].Policy))} {((known?.UsesSession ?? tree!.UsesSession) ? session.Identity.User : string.Empty)} {(jdbc ? "jdbc" : string.Empty)} {TypesOf(parameters)}";
            if (known?.Templates.TryGetValue(key, out StatementTemplate? template) != true)
            {
                tree ??= SyntaxTree.Parse(connection, sql);
                bool isConstant = references.All(r => r.At is null && r.ChangeArguments is null);
                tree.SetSessionValues(SessionValues.Of(session), tables.SelectMany(t => t.Schema.FieldsList.Select(f => f.Name)).ToHashSet(StringComparer.OrdinalIgnoreCase));
                template = Bind(connection, tree, names, tables, parameters, jdbc);
                if (isConstant)
                {
                    _texts.Add(sql, references, tree.UsesSession, key, template);
                }
            }

            return new BoundStatement
            {
                Shape = template!,
                Tables = tables,
                MetadataMs = Stopwatch.GetElapsedTime(start).TotalMilliseconds,
                RequestsBefore = counted?.Requests ?? 0,
                BytesBefore = counted?.Bytes ?? 0,
            };
        });
    }

    /// <summary>Takes a roll-up apart: its parts and the statements made of them, or why it is none.</summary>
    public (SyntaxTree.RollUpParts? Parts, string? Why, string? Arguments, string? State) TakeApart(string sql, Schema schema) => planning.With(connection =>
    {
        (SyntaxTree.RollUpParts? parts, string? why) = SyntaxTree.Parse(connection, sql).TakeApart([.. schema.FieldsList.Select(f => f.Name)]);
        return (parts, why, parts?.ArgumentsSql(connection), parts?.StateSql(connection));
    });

    /// <summary>The tables that a query to be promoted reads, each once.</summary>
    /// <exception cref="LakeException">FeatureUnsupported: what it reads is not followed. QueryInvalid: its answer is not a matter of the tables alone.</exception>
    public IReadOnlyList<CatalogTable> TablesOf(QuerySession session, string sql)
    {
        SyntaxTree tree = planning.With(c => SyntaxTree.Parse(c, sql));
        if (!tree.IsRepeatable || tree.ParameterCount > 0)
        {
            throw LakeException.QueryInvalid("A promoted query cannot have parameters, or depend on the clock, on chance or on who asks: its rows are kept");
        }

        if (tree.Tables.FirstOrDefault(t => t.At is not null || t.ChangeArguments is not null || t.Name.Contains('$', StringComparison.Ordinal)
            || t.Schema.ToLowerInvariant() is "lakeholo" or "information_schema") is { } other)
        {
            throw LakeException.FeatureUnsupported($"A promoted query reads the newest rows of lake tables; {other.DisplayName} is something else (a system table, a view, changes, or an AT clause)");
        }

        CatalogTable[] tables = [.. tree.Tables.Select(t => catalog.Resolve(
            t.Catalog, t.Schema, t.Name, session.Options.GetValueOrDefault("catalog"), session.Options.GetValueOrDefault("schema"), access.Of(session).CanRead)).Distinct()];
        if (tables.FirstOrDefault(t => !access.Of(session).CanReadAll(t)) is { } partly)
        {
            access.Denied(session, sql, $"read all of {partly.Table.FullName}");
            throw LakeException.PermissionDenied($"A promoted query keeps rows for all who may read it: {partly.Table.FullName} is yours in part only");
        }

        return tables.FirstOrDefault(t => t.Query is not null) is { } query ? throw LakeException.FeatureUnsupported($"A promoted query cannot read another one: {query.Table.FullName}")
            : tables.Length == 0 ? throw LakeException.QueryInvalid("A promoted query has to read a table")
            : tables;
    }

    /// <summary>The values' types as the engine sees them; a decimal's is in its digits.</summary>
    private static string TypesOf(IReadOnlyList<object?>? parameters) =>
        parameters is null ? string.Empty : string.Join(',', parameters.Select(p => p is decimal d ? d.ToString(CultureInfo.InvariantCulture) : p?.GetType().Name ?? "null"));

    /// <summary>Puts names of empty tables into a statement, and has the engine bind it.</summary>
    private StatementTemplate Bind(DuckDBConnection connection, SyntaxTree tree, string[] names, BoundTable[] tables, IReadOnlyList<object?>? parameters, bool jdbc)
    {
        string?[] policies = [.. tables.Select(t => t.Policy)];
        // A random name cannot occur in the user's text, so putting relations in its place by text is safe.
        string nonce = "lh" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(10)) + "x";
        tree.UnqualifyColumns();
        for (int i = 0; i < names.Length; i++)
        {
            tree.Tables[i].ReplaceBy(nonce + i.ToString(CultureInfo.InvariantCulture) + "x");
        }

        string text = tree.ToSql(connection);
        if (text.StartsWith("DESCRIBE ", StringComparison.OrdinalIgnoreCase) || text.StartsWith("SUMMARIZE ", StringComparison.OrdinalIgnoreCase))
        {
            // As a statement of its own it cannot stand where a query can.
            text = $"SELECT * FROM ({text})";
        }

        string planned = text;
        string plain = text;
        for (int i = 0; i < names.Length; i++)
        {
            plain = plain.Replace(nonce + i.ToString(CultureInfo.InvariantCulture) + "x", names[i], StringComparison.Ordinal);
            planned = planned.Replace(nonce + i.ToString(CultureInfo.InvariantCulture) + "x", policies[i] is { } policy ? $"({Through(policy, names[i])})" : names[i], StringComparison.Ordinal);
        }

        // The engine does not tell the type of a marker where that of a decimal depends on it, not even within a cast.
        IReadOnlyList<string> parameterTypes = [.. ParameterTypes.Infer(connection, planned, tree.ParameterCount)
            .Select((t, i) => t.Length > 0 ? t : tree.ParameterCasts.GetValueOrDefault((i + 1).ToString(CultureInfo.InvariantCulture), string.Empty))];
        IReadOnlyList<(string Name, string Type)> columns = Describe(connection, planned, parameters, parameterTypes);
        if (policies.Any(p => p is not null))
        {
            columns = Named(connection, columns, plain, names, parameters, parameterTypes);
        }

        string? lookup = policies.All(p => p is null) ? tree.LookupColumn() : null;
        (string template, columns) = ResultShape.Adapt(text, columns, [.. names.Select((n, i) => (n, tree.Tables[i].DisplayName))], jdbc);
        Schema schema = planning.ArrowSchema(connection, columns);
        (string Sql, IReadOnlyList<AskedAggregate> Asked)? aggregates = tables is [{ Version: not null, Policy: null } table]
            ? tree.WithoutAggregates(connection, [.. table.Schema.FieldsList.Select(f => f.Name)], n => FactsQuery.NameOf(nonce, n))
            : null;
        return new StatementTemplate
        {
            Template = template,
            Lookup = lookup is not null && ReferenceEquals(template, text) && RowCopies.CanCopy(schema) ? new LookupShape(lookup, tree.WithoutCondition(connection), schema) : null,
            Aggregates = aggregates is var (told, asked) ? new AggregateShape(FactsQuery.Named(told, columns), asked) : null,
            PlanningText = planned,
            Nonce = nonce,
            PlanningNames = names,
            ParameterCount = tree.ParameterCount,
            ParameterTypes = parameterTypes,
            ParameterSchema = ParameterTypes.ToArrow(parameterTypes, jdbc),
            ResultSchema = schema,
            ColumnTypes = [.. columns.Select(c => c.Type)],
            Names = tree.Names,
            IsOrdered = tree.IsOrdered,
            IsRepeatable = tree.IsRepeatable && tree.ParameterCount == 0 && policies.All(p => p is null),
            HasLastingPlan = tree.IsRepeatable && tree.HasLastingPlan,
        };
    }

    /// <summary>An unnamed expression is called by its text, in which filters and masks do not belong.</summary>
    private static IReadOnlyList<(string Name, string Type)> Named(
        DuckDBConnection connection, IReadOnlyList<(string Name, string Type)> columns, string plain, string[] names, IReadOnlyList<object?>? parameters, IReadOnlyList<string> parameterTypes)
    {
        bool Tells(string name) => names.Any(n => name.Contains(n, StringComparison.Ordinal));
        if (!columns.Any(c => Tells(c.Name)))
        {
            return columns;
        }

        try
        {
            IReadOnlyList<(string Name, string Type)> own = Describe(connection, plain, parameters, parameterTypes);
            return [.. columns.Select((c, i) => (Tells(c.Name) ? own[i].Name : c.Name, c.Type))];
        }
        catch (LakeException e) when (e.Kind == LakeErrorKind.QueryInvalid)
        {
            throw LakeException.QueryInvalid("A column without a name needs one here: a mask gives its table another type", e);
        }
    }

    /// <summary>The result's columns. While values are not known, examples of the inferred types stand for them: of NULLs the engine would make the type of a NULL.</summary>
    private static IReadOnlyList<(string Name, string Type)> Describe(
        DuckDBConnection connection, string planned, IReadOnlyList<object?>? parameters, IReadOnlyList<string> parameterTypes)
    {
        object?[] examples = parameters is null ? [.. parameterTypes.Select(ParameterTypes.Example)] : [];
        if (System.Array.Exists(examples, e => e is not null))
        {
            try
            {
                return PlanningEngine.Describe(connection, planned, examples);
            }
            catch (LakeException)
            {
                // An example can fail where a value would not.
            }
        }

        return PlanningEngine.Describe(connection, planned, parameters ?? new object?[parameterTypes.Count]);
    }

    /// <summary>Plans the scans of a bound statement. The outcome has to be disposed after its last row.</summary>
    /// <param name="bound">The statement.</param>
    /// <param name="parameters">The values of its markers.</param>
    /// <param name="cancellationToken">Cancels planning.</param>
    /// <param name="units">Which units of its tables are read; null for all.</param>
    /// <param name="template">The text for the engine; null for the statement's own.</param>
    /// <param name="filesMayArrive">Whether remote files may be still under way. Of a statement over the lake alone: a hot copy would be held as long as that takes.</param>
    public async ValueTask<PlannedStatement> PlanAsync(
        BoundStatement bound, IReadOnlyList<object?> parameters, CancellationToken cancellationToken, UnitSelection? units = null, string? template = null, bool filesMayArrive = false)
    {
        if (units is null && template is null && FactsQuery.TryAnswer(bound) is var (answer, told, facts, asked))
        {
            var scan = new TableScan(answer, new ScanStatistics { FilesTotal = facts.Files, FilesRead = 0, BytesRead = 0, FilesCounted = facts.Files });
            var request = new ScanRequest { Columns = asked };
            return new PlannedStatement(answer, [new PlannedScan(scan, told, request, Use(told, scan.Statistics, ScanConditions.Of(request), (0, 0, 0)))]);
        }

        // A whole hot copy is read by the engine itself, which prunes columns and rows: what the values would add is not asked for again.
        bool isHeld = bound.Tables.All(t => t.Version is { IsHeldWhole: true } && t.Policy is null);
        bool isAlike = isHeld && bound.ParameterCount > 0;
        IReadOnlyList<ScanRequest> requests = bound.Shape.Requests ?? (isAlike ? bound.Shape.Example : null) ?? planning.With(connection => Requests(connection, bound, parameters));
        IReadOnlyList<ScanRequest> needed = requests;
        if (bound.Shape.IsRepeatable)
        {
            bound.Shape.Requests = requests;
        }
        else if (isAlike)
        {
            bound.Shape.Example ??= requests;
            requests = bound.Shape.Alike ??= [.. bound.Tables.Select(t => new ScanRequest { Columns = Mentioned(t.Schema, bound.Shape.Names) })];
        }

        if (filesMayArrive && bound.Tables.All(t => t.Version is null or { Tier: "lake" }))
        {
            requests = [.. requests.Select(r => r with { FilesMayArrive = true })];
        }

        IReadOnlyList<ScanConditions> conditions = ReferenceEquals(needed, bound.Shape.Requests ?? bound.Shape.Example)
            ? bound.Shape.Conditions ??= [.. needed.Select(ScanConditions.Of)]
            : [.. needed.Select(ScanConditions.Of)];
        if (units is not null)
        {
            requests = [.. requests.Select(r => r with { Units = units, OnlyCounts = false })];
        }

        var scans = new PlannedScan?[bound.Tables.Count];
        try
        {
            foreach (int i in ByDuration(bound.Tables))
            {
                BoundTable table = bound.Tables[i];
                if (table.Version is { } version)
                {
                    StorageUse? use = StorageUse.Current;
                    (long requestsBefore, long bytesBefore, long cachedBefore) = (use?.Requests ?? 0, use?.Bytes ?? 0, use?.CachedBytes ?? 0);
                    TableScan scan = await version.PlanAsync(requests[i], cancellationToken);
                    (long, long, long) taken = ((use?.Requests ?? 0) - requestsBefore, (use?.Bytes ?? 0) - bytesBefore, (use?.CachedBytes ?? 0) - cachedBefore);
                    scans[i] = new PlannedScan(scan, version, requests[i], Use(version, table.Policy is null ? scan.Statistics : NotTold, conditions[i], taken));
                }
            }

            string sql = bound.Shape.Written.Find(template ?? bound.Shape.Template, scans) ?? Write(bound, template ?? bound.Shape.Template, scans);
            if (isHeld)
            {
                bound.Shape.Written.Keep(template ?? bound.Shape.Template, scans, sql);
            }

            bool isRepeatable = isHeld && units is null && (isAlike || bound.Shape is { IsRepeatable: true, HasLastingPlan: true });
            return new PlannedStatement(sql, [.. scans.OfType<PlannedScan>()])
            {
                Version = !isRepeatable ? null : scans is [{ Scan.Version: { } only }] ? only.ToString(CultureInfo.InvariantCulture) : string.Join(' ', scans.Select(s => s!.Scan.Version)),
            };
        }
        catch
        {
            foreach (PlannedScan scan in scans.OfType<PlannedScan>())
            {
                await scan.Scan.DisposeAsync();
            }

            throw;
        }
    }

    /// <summary>Puts the scans' relations into the places of the names.</summary>
    private static string Write(BoundStatement bound, string template, PlannedScan?[] scans)
    {
        string sql = template;
        for (int i = 0; i < scans.Length; i++)
        {
            BoundTable table = bound.Tables[i];
            string relation = scans[i] is { } scan
                ? ScanColumns.Complete(scan.Scan.Sql, table.Schema, scan.Request.Columns, table.Policy is null ? bound.Shape.Names : MentionedNames.All)
                : table.SystemSql!;
            relation = scans[i] is not null && table.Policy is { } policy ? Through(policy, $"({relation}) AS t") : relation;
            sql = sql.Replace(bound.Shape.Nonce + i.ToString(CultureInfo.InvariantCulture) + "x", $"({relation})", StringComparison.Ordinal);
        }

        return sql;
    }

    /// <summary>What may take long first: a refresh of a hot copy waits for statements between the planning of it and their start.</summary>
    private static IEnumerable<int> ByDuration(IReadOnlyList<BoundTable> tables)
        => tables.Count == 1 ? [0] : Enumerable.Range(0, tables.Count).OrderBy(i => tables[i].Version switch { { IsHeldWhole: true } => 2, null or { Tier: "lake" } => 0, _ => 1 });

    private static ScanRequest[] Requests(DuckDBConnection connection, BoundStatement bound, IReadOnlyList<object?> parameters)
    {
        if (bound.Tables.All(t => t.Version is null))
        {
            return [.. bound.Tables.Select(_ => ScanRequest.All)];
        }

        IReadOnlyDictionary<string, ScanNeeds> needs = PlanningEngine.Needs(connection, bound.Shape.PlanningText, parameters);
        return [.. bound.Tables.Select((t, i) => needs.TryGetValue(bound.Shape.PlanningNames[i], out ScanNeeds? need)
            ? Request(connection, t.Schema, need)
            : ScanRequest.All)];
    }

    private static ScanRequest Request(DuckDBConnection connection, Schema schema, ScanNeeds need)
    {
        (ScanFilter? filter, IReadOnlyList<string>? filterColumns) = new ScanFilterParser(connection, schema).Parse(need.Filters);
        var columns = new HashSet<string>(filterColumns ?? [], StringComparer.Ordinal);
        bool understood = filterColumns is not null;
        foreach (string projection in need.Projections)
        {
            // A struct field shows as column.field.
            Field? field = schema.FieldsList.FirstOrDefault(f => f.Name == projection)
                ?? schema.FieldsList.FirstOrDefault(f => projection.StartsWith(f.Name + ".", StringComparison.Ordinal));
            understood &= field is not null;
            columns.Add(field?.Name ?? string.Empty);
        }

        bool onlyCounts = columns.Count == 0;
        if (onlyCounts)
        {
            // Any column will do, a narrow one best.
            columns.Add((schema.FieldsList.FirstOrDefault(f => f.DataType is FixedWidthType) ?? schema.FieldsList[0]).Name);
        }

        return new ScanRequest
        {
            Columns = understood ? [.. schema.FieldsList.Select(f => f.Name).Where(columns.Contains)] : null,
            Filter = filter,
            OnlyCounts = onlyCounts && understood,
            Order = need.Order,
        };
    }

    private static string[] Mentioned(Schema schema, MentionedNames names)
    {
        string[] mentioned = [.. schema.FieldsList.Select(f => f.Name).Where(names.Contains)];
        return mentioned.Length > 0 ? mentioned : [schema.FieldsList[0].Name];
    }

    private static readonly ScanStatistics NotTold = new() { FilesTotal = 0, FilesRead = 0, BytesRead = 0 };

    private static string Through(string policy, string relation) => policy.Replace(TablePolicy.Placeholder, relation, StringComparison.Ordinal);

    private TableUse Use(ITableVersion version, ScanStatistics statistics, ScanConditions asked, (long Requests, long Bytes, long CachedBytes) taken) => new(
        version.Table.FullName, version.Tier, version.Id.Text, version.CommittedAt,
        version.KnownNewestAt is { } at ? Math.Max(0, (catalog.Now - at).TotalMilliseconds) : null,
        statistics.FilesTotal, statistics.FilesRead, statistics.BytesRead)
    {
        Columns = asked.Columns,
        FilteredBy = asked.FilteredBy,
        Bounds = asked.Bounds,
        Requests = taken.Requests,
        FetchedBytes = taken.Bytes,
        CachedBytes = taken.CachedBytes,
        FilesPrunedByPartition = statistics.FilesPrunedByPartition,
        FilesPrunedByStatistics = statistics.FilesPrunedByStatistics,
        FilesCounted = statistics.FilesCounted,
    };
}
