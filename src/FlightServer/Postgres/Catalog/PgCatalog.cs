using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using DuckDB.NET.Data;
using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Sessions;
using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Postgres.Catalog;

/// <summary>Answers statements about the catalog. A database per content is kept while somebody asks for it.</summary>
internal sealed class PgCatalog(IQueryService service, TimeProvider time)
{
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(1);

    private const int KeptDatabases = 8;

    private readonly ConcurrentDictionary<(string User, string Roles, string Database), (DateTimeOffset At, CatalogDatabase Database)> _databases = new();

    /// <summary>Parses a statement about the catalog.</summary>
    public async ValueTask<PgStatement> PrepareAsync(PgSession session, SqlStatement statement, IReadOnlyList<PgType?> declared, CancellationToken cancellationToken)
    {
        CatalogDatabase database = await DatabaseAsync(session, cancellationToken);
        int count = statement.Tokens.Where(t => t.Kind == TokenKind.Parameter).Select(Markers.Number).DefaultIfEmpty(0).Max();
        var casts = new string?[count];
        for (int i = 0; i < Math.Min(count, declared.Count); i++)
        {
            casts[i] = declared[i] is { } given ? ParameterReader.NeedsCast(given) : null;
        }

        (string sql, IReadOnlyList<(string, string, bool)> effects) = Rewrite(session, statement, casts);
        (Apache.Arrow.Schema schema, IReadOnlyList<string> engine, IReadOnlyList<string> inferred) = Describe(database, sql, count);
        var types = new PgType[count];
        bool changed = false;
        for (int i = 0; i < count; i++)
        {
            PgType? given = i < declared.Count ? declared[i] : null;
            string known = i < inferred.Count ? inferred[i] : string.Empty;
            types[i] = given ?? (known.Length > 0 ? EngineTypes.OfName(known).Type : Markers.IsAny(statement, i + 1) ? PgType.Text.Array : PgType.Text);
            string? cast = ParameterReader.NeedsCast(types[i]) ?? (known.Length == 0 ? ParameterReader.EngineName(types[i]) : null);
            changed |= cast != casts[i];
            casts[i] = cast;
        }

        if (changed)
        {
            (sql, effects) = Rewrite(session, statement, casts);
            (schema, engine, _) = Describe(database, sql, count);
        }

        return new CatalogStatement(service, time, statement.Text, database, sql, effects) { Columns = CatalogTypes.Apply(statement, EngineTypes.Columns(schema, engine)), Parameters = types };
    }

    private static (string, IReadOnlyList<(string, string, bool)>) Rewrite(PgSession session, SqlStatement statement, string?[] casts)
    {
        var rewriter = new CatalogRewriter(session, SqlStatement.Split(Markers.Cast(statement, casts))[0]);
        return (rewriter.Rewrite(), rewriter.Effects);
    }

    private static (Apache.Arrow.Schema, IReadOnlyList<string>, IReadOnlyList<string>) Describe(CatalogDatabase database, string sql, int count)
    {
        try
        {
            return database.Describe(sql, count);
        }
        catch (DuckDBException e)
        {
            throw LakeException.QueryInvalid(e.Message, e);
        }
    }

    private async ValueTask<CatalogDatabase> DatabaseAsync(PgSession session, CancellationToken cancellationToken)
    {
        // Two logins of one user may bring different roles.
        SessionIdentity identity = session.Query.Identity;
        (string User, string Roles, string Database) key = (identity.User, string.Join('\n', identity.Roles.Order(StringComparer.Ordinal)), session.Database);
        if (_databases.TryGetValue(key, out (DateTimeOffset At, CatalogDatabase Database) known) && time.GetUtcNow() - known.At < FreshFor)
        {
            return known.Database;
        }

        CatalogContent content = await CatalogContent.ReadAsync(service, session.Query, session.Database, cancellationToken);
        CatalogDatabase database = known.Database?.Content.Fingerprint == content.Fingerprint ? known.Database : new CatalogDatabase(content, session.Query.Identity.User);
        if (_databases.Count >= KeptDatabases && !_databases.ContainsKey(key))
        {
            _databases.TryRemove(_databases.MinBy(d => d.Value.At));
        }

        _databases[key] = (time.GetUtcNow(), database);
        return database;
    }

    /// <summary>A statement about the catalog.</summary>
    private sealed class CatalogStatement(
        IQueryService service, TimeProvider time, string text, CatalogDatabase database, string sql, IReadOnlyList<(string Name, string Value, bool IsLocal)> effects) : PgStatement
    {
        public override string Tag(long rows) => $"SELECT {rows}";

        public override ValueTask<RowSource?> StartAsync(PgSession session, IReadOnlyList<object?> parameters, CancellationToken cancellationToken)
        {
            foreach ((string name, string value, bool isLocal) in effects)
            {
                session.Settings.Set(name, value, isLocal);
            }

            return new(new RowSource(Columns!, Logged(session.Query, Translated(database.ReadAsync(sql, parameters, CancellationToken.None), CancellationToken.None), CancellationToken.None), null, session.WriterContext with { Names = database.NameOf }));
        }

        private async IAsyncEnumerable<Apache.Arrow.RecordBatch> Logged(
            QuerySession session, IAsyncEnumerable<Apache.Arrow.RecordBatch> batches, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            DateTimeOffset started = time.GetUtcNow();
            long start = time.GetTimestamp();
            long rows = 0;
            long bytes = 0;
            string? error = "its rows were not read to the end";
            await using IAsyncEnumerator<Apache.Arrow.RecordBatch> each = batches.GetAsyncEnumerator(cancellationToken);
            try
            {
                while (await NextAsync())
                {
                    rows += each.Current.Length;
                    bytes += BatchBytes.Of(each.Current);
                    yield return each.Current;
                }

                error = null;
            }
            finally
            {
                service.LogCatalogStatement(session, text, new CatalogOutcome(started, time.GetElapsedTime(start), rows, bytes, error));
            }

            async ValueTask<bool> NextAsync()
            {
                try
                {
                    return await each.MoveNextAsync();
                }
                catch (LakeException e)
                {
                    error = e.Message;
                    throw;
                }
            }
        }

        private static async IAsyncEnumerable<Apache.Arrow.RecordBatch> Translated(
            IAsyncEnumerable<Apache.Arrow.RecordBatch> batches, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await using IAsyncEnumerator<Apache.Arrow.RecordBatch> each = batches.GetAsyncEnumerator(cancellationToken);
            while (true)
            {
                bool more;
                try
                {
                    more = await each.MoveNextAsync();
                }
                catch (DuckDBException e)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    throw LakeException.QueryInvalid(e.Message, e);
                }

                if (!more)
                {
                    yield break;
                }

                yield return each.Current;
            }
        }
    }
}
