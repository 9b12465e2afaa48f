using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>A prepared statement of the protocol or of PREPARE.</summary>
internal sealed record NamedStatement(string Name, string Sql, PgStatement? Statement, DateTimeOffset PreparedAt, bool FromSql);

/// <summary>A statement with its values; its rows once it was started.</summary>
internal sealed class Portal(PgStatement? statement, IReadOnlyList<object?> parameters, bool[] formats, string sql) : IAsyncDisposable
{
    public PgStatement? Statement => statement;

    public IReadOnlyList<object?> Parameters => parameters;

    /// <summary>Of each column: binary or not.</summary>
    public bool[] Formats => formats;

    public string Sql => sql;

    public RowSource? Rows { get; set; }

    public bool Started { get; set; }

    public ValueTask DisposeAsync() => Rows?.DisposeAsync() ?? default;
}

/// <summary>A cursor of DECLARE.</summary>
internal sealed record Cursor(string Name, string Sql, RowSource Rows, bool IsHeld, bool IsBinary, DateTimeOffset Opened);

/// <summary>One connection's state: settings, statements, portals, cursors, transaction.</summary>
internal sealed class PgSession(QuerySession query, StatementBuilder builder, int processId, string database, PostgresOptions options, TimeProvider time) : IAsyncDisposable
{
    private readonly Dictionary<string, NamedStatement> _statements = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Portal> _portals = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Cursor> _cursors = new(StringComparer.Ordinal);
    private readonly List<string> _savepoints = [];
    private QuerySession? _transaction;

    /// <summary>The session, or the transaction of it that is open: in that each table stays at the snapshot of its first read.</summary>
    public QuerySession Query => _transaction ?? query;

    public StatementBuilder Builder => builder;

    public int ProcessId => processId;

    public string Database => database;

    public SessionSettings Settings { get; } = new(query);

    /// <summary><c>I</c> outside, <c>T</c> in a transaction, <c>E</c> in a failed one.</summary>
    public char Status { get; private set; } = 'I';

    /// <summary>The tag of the last end of a transaction.</summary>
    public string EndTag { get; set; } = "COMMIT";

    /// <summary>What to tell the client beside its answer.</summary>
    public List<PgError> Notices { get; } = [];

    public WriterContext WriterContext => new(Settings.Zone);

    public DateTimeOffset Now => time.GetUtcNow();

    public IReadOnlyCollection<NamedStatement> Statements => _statements.Values;

    public IReadOnlyCollection<Cursor> Cursors => _cursors.Values;

    /// <summary>Whether the login still holds.</summary>
    /// <exception cref="PgError">28000, fatal: the token that it was made with has expired.</exception>
    public void CheckLogin()
    {
        if (query.Identity.ExpiresAt <= time.GetUtcNow())
        {
            throw new PgError("28000", $"the token of user \"{query.Identity.User}\" has expired") { IsFatal = true };
        }
    }

    public void Add(NamedStatement statement)
    {
        if (statement.Name.Length > 0 && _statements.ContainsKey(statement.Name))
        {
            throw new PgError("42P05", $"prepared statement \"{statement.Name}\" already exists");
        }

        if (_statements.Count >= options.MaxPreparedStatements)
        {
            throw new PgError("53400", $"the session holds {options.MaxPreparedStatements} prepared statements, its limit: close some");
        }

        _statements[statement.Name] = statement;
    }

    public NamedStatement Statement(string name) => _statements.TryGetValue(name, out NamedStatement? statement)
        ? statement
        : throw new PgError("26000", name.Length == 0 ? "unnamed prepared statement does not exist" : $"prepared statement \"{name}\" does not exist");

    public void CheckNewStatement(string name)
    {
        if (name.Length > 0 && _statements.ContainsKey(name))
        {
            throw new PgError("42P05", $"prepared statement \"{name}\" already exists");
        }
    }

    public bool RemoveStatement(string name) => _statements.Remove(name);

    public void RemoveAllStatements() => _statements.Clear();

    public async ValueTask AddPortalAsync(string name, Portal portal)
    {
        if (name.Length > 0 && _portals.ContainsKey(name))
        {
            throw new PgError("42P03", $"cursor \"{name}\" already exists");
        }

        if (_portals.Count >= options.MaxOpenResults)
        {
            throw new PgError("53400", $"the session has {options.MaxOpenResults} portals open, its limit: close some");
        }

        await ClosePortalAsync(name);
        _portals[name] = portal;
    }

    public Portal Portal(string name) => _portals.TryGetValue(name, out Portal? portal) ? portal : throw new PgError("34000", $"portal \"{name}\" does not exist");

    public async ValueTask ClosePortalAsync(string name)
    {
        if (_portals.Remove(name, out Portal? portal))
        {
            await portal.DisposeAsync();
        }
    }

    public void Add(Cursor cursor)
    {
        if (_cursors.Count >= options.MaxOpenResults)
        {
            throw new PgError("53400", $"the session has {options.MaxOpenResults} cursors open, its limit: close some");
        }

        _cursors[cursor.Name] = cursor;
    }

    public bool HasCursor(string name) => _cursors.ContainsKey(name);

    public Cursor Cursor(string name) => _cursors.TryGetValue(name, out Cursor? cursor) ? cursor : throw new PgError("34000", $"cursor \"{name}\" does not exist");

    public async ValueTask CloseCursorAsync(string name)
    {
        Cursor cursor = Cursor(name);
        _cursors.Remove(name);
        await cursor.Rows.DisposeAsync();
    }

    public async ValueTask CloseCursorsAsync(bool held)
    {
        foreach (Cursor cursor in _cursors.Values.Where(c => held || !c.IsHeld).ToArray())
        {
            await CloseCursorAsync(cursor.Name);
        }
    }

    /// <summary>BEGIN.</summary>
    public void Begin()
    {
        if (Status != 'I')
        {
            Notices.Add(new PgError("25001", "there is already a transaction in progress"));
            return;
        }

        Status = 'T';
        _transaction = query.BeginTransaction();
        Settings.Begin();
    }

    /// <summary>COMMIT or ROLLBACK; gives the tag, which is ROLLBACK where there is nothing to commit.</summary>
    public async ValueTask<string> EndAsync(bool commit)
    {
        if (Status == 'I')
        {
            Notices.Add(new PgError("25P01", "there is no transaction in progress"));
            return commit ? "COMMIT" : "ROLLBACK";
        }

        bool committed = commit && Status == 'T';
        Status = 'I';
        EndPins();
        _savepoints.Clear();
        Settings.End(committed);
        await EndImplicitAsync();
        await CloseCursorsAsync(held: false);
        return committed ? "COMMIT" : "ROLLBACK";
    }

    /// <summary>Closes what lives as long as a transaction, if none goes on.</summary>
    public async ValueTask EndImplicitAsync()
    {
        if (Status == 'I' && _portals.Count > 0)
        {
            foreach (string name in _portals.Keys.ToArray())
            {
                await ClosePortalAsync(name);
            }
        }
    }

    public void Fail()
    {
        if (Status == 'T')
        {
            Status = 'E';
        }
    }

    public void Savepoint(string name)
    {
        if (Status == 'I')
        {
            throw new PgError("25P01", "SAVEPOINT can only be used in transaction blocks");
        }

        _savepoints.Add(name);
    }

    public void Release(string name) => _savepoints.RemoveRange(Find(name), _savepoints.Count - Find(name));

    /// <summary>Back to a savepoint: a failed transaction goes on.</summary>
    public void RollbackTo(string name)
    {
        int at = Find(name);
        _savepoints.RemoveRange(at + 1, _savepoints.Count - at - 1);
        Status = 'T';
    }

    public async ValueTask DiscardAllAsync()
    {
        if (Status != 'I')
        {
            throw new PgError("25001", "DISCARD ALL cannot run inside a transaction block");
        }

        _statements.Clear();
        await EndImplicitAsync();
        await CloseCursorsAsync(held: true);
        Settings.ResetAll();
    }

    public async ValueTask DisposeAsync()
    {
        Status = 'I';
        EndPins();
        await EndImplicitAsync();
        await CloseCursorsAsync(held: true);
    }

    private void EndPins()
    {
        _transaction?.EndTransaction();
        _transaction = null;
    }

    private int Find(string name)
    {
        if (Status == 'I')
        {
            throw new PgError("25P01", "savepoints exist only in transaction blocks");
        }

        int at = _savepoints.LastIndexOf(name);
        return at >= 0 ? at : throw new PgError("3B001", $"savepoint \"{name}\" does not exist");
    }
}
