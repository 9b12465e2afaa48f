using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Statements about other statements: cursors, PREPARE and EXECUTE, COPY.</summary>
internal static class CursorCommands
{
    /// <summary>A command, or null for something else.</summary>
    public static async ValueTask<PgStatement?> TryCreateAsync(PgSession session, SqlStatement statement, CancellationToken cancellationToken)
    {
        Token first = statement.Tokens[0];
        if (first.Kind != TokenKind.Word)
        {
            return null;
        }

        var tokens = new TokenCursor(statement, 1);
        switch (first.Value)
        {
            case "declare":
                return await DeclareAsync(session, tokens, cancellationToken);
            case "fetch" or "move":
                return Fetch(session, first.Value, tokens);
            case "close":
                return Close(tokens);
            case "prepare":
                return Prepare(tokens);
            case "execute":
                return Execute(session, tokens);
            case "deallocate":
                return Deallocate(tokens);
            case "copy":
                return await CopyAsync(session, statement, tokens, cancellationToken);
            default:
                return null;
        }
    }

    private static async ValueTask<PgStatement> DeclareAsync(PgSession session, TokenCursor tokens, CancellationToken cancellationToken)
    {
        string name = tokens.Name();
        bool binary = false;
        while (!tokens.Skip("cursor"))
        {
            if (tokens.Skip("scroll"))
            {
                throw PgError.Unsupported("cursors go forward only", "Leave SCROLL out.");
            }

            binary |= tokens.Peek is { } t && t.Is("binary");
            if (tokens.SkipAny("binary", "insensitive", "asensitive", "no") == "no")
            {
                tokens.Expect("scroll");
            }
            else if (tokens.Peek is not { } next || !(next.Is("cursor") || next.Is("scroll") || next.Is("no") || next.Is("insensitive") || next.Is("binary") || next.Is("asensitive")))
            {
                throw tokens.Unexpected();
            }
        }

        bool held = false;
        if (tokens.SkipAny("with", "without") is { } with)
        {
            tokens.Expect("hold");
            held = with == "with";
        }

        tokens.Expect("for");
        SqlStatement query = tokens.Rest();
        PgStatement inner = await session.Builder.PrepareAsync(session, query, [], cancellationToken);
        if (inner.Columns is null)
        {
            throw PgError.Syntax("a cursor is declared for a query");
        }

        return new CommandStatement("DECLARE CURSOR", async (s, token) =>
        {
            if (!held && s.Status == 'I')
            {
                throw new PgError("25P01", "DECLARE CURSOR can only be used in transaction blocks");
            }

            if (s.HasCursor(name))
            {
                throw new PgError("42P03", $"cursor \"{name}\" already exists");
            }

            RowSource rows = (await inner.StartAsync(s, [], token))!;
            s.Add(new Cursor(name, query.Text, rows, held, binary, s.Now));
            return null;
        });
    }

    private static CommandStatement Fetch(PgSession session, string verb, TokenCursor tokens)
    {
        long count = 1;
        if (tokens.SkipAny("backward", "prior", "first", "last", "absolute", "relative") is not null)
        {
            throw new PgError("55000", "cursor can only scan forward") { Hint = "Cursors go forward only." };
        }

        tokens.SkipAny("next", "forward");
        if (tokens.Skip("all"))
        {
            count = long.MaxValue;
        }
        else if (tokens.Peek is { } number && (number.Kind == TokenKind.Number || number.Is("-")))
        {
            count = tokens.Number();
        }

        tokens.SkipAny("from", "in");
        string name = tokens.Name();
        tokens.End();
        if (count < 0)
        {
            throw new PgError("55000", "cursor can only scan forward") { Hint = "Cursors go forward only." };
        }

        if (verb == "move")
        {
            long moved = 0;
            return new CommandStatement("MOVE", async (s, token) =>
            {
                moved = await s.Cursor(name).Rows.SkipAsync(count, token);
                return null;
            })
            { TagAfter = _ => $"MOVE {moved}" };
        }

        Cursor cursor = session.Cursor(name);
        return new CommandStatement("FETCH", (s, _) => new(s.Cursor(name).Rows)) { Columns = cursor.Rows.Columns, CountsRows = true, MaxRows = count, IsShared = true, IsBinary = cursor.IsBinary };
    }

    private static CommandStatement Close(TokenCursor tokens)
    {
        if (tokens.Skip("all"))
        {
            return new CommandStatement("CLOSE CURSOR ALL", async (s, _) =>
            {
                await s.CloseCursorsAsync(held: true);
                return null;
            });
        }

        string name = tokens.Name();
        return new CommandStatement("CLOSE CURSOR", async (s, _) =>
        {
            await s.CloseCursorAsync(name);
            return null;
        });
    }

    private static CommandStatement Prepare(TokenCursor tokens)
    {
        string name = tokens.Name();
        var types = new List<PgType?>();
        if (tokens.Skip("("))
        {
            int close = tokens.Close();
            while (tokens.At < close)
            {
                string type = string.Empty;
                while (tokens.At < close && !tokens.Peek!.Value.Is(","))
                {
                    type += (type.Length > 0 && tokens.Peek.Value.Kind == TokenKind.Word ? " " : string.Empty) + tokens.Take().Value;
                }

                tokens.Skip(",");
                types.Add(PgType.Find(type.Split('(')[0].Replace("pg_catalog.", string.Empty, StringComparison.Ordinal) + (type.EndsWith("[]", StringComparison.Ordinal) && type.Contains('(', StringComparison.Ordinal) ? "[]" : string.Empty)));
            }

            tokens.Expect(")");
        }

        tokens.Expect("as");
        SqlStatement query = tokens.Rest();
        return new CommandStatement("PREPARE", async (s, token) =>
        {
            s.CheckNewStatement(name);
            PgStatement inner = await s.Builder.PrepareAsync(s, query, types, token);
            s.Add(new NamedStatement(name, query.Text, inner, s.Now, FromSql: true));
            return null;
        });
    }

    private static PgStatement Execute(PgSession session, TokenCursor tokens)
    {
        NamedStatement named = session.Statement(tokens.Name());
        PgStatement inner = named.Statement ?? throw PgError.Syntax("the prepared statement is empty");
        var values = new List<object?>();
        if (tokens.Skip("("))
        {
            while (!tokens.Skip(")"))
            {
                PgType type = values.Count < inner.Parameters.Count ? inner.Parameters[values.Count] : throw Wrong(named.Name, inner);
                bool negative = tokens.Skip("-");
                Token token = tokens.Take();
                values.Add(token switch
                {
                    { Kind: TokenKind.Word, Value: "null" } => null,
                    { Kind: TokenKind.Text or TokenKind.Number } or { Kind: TokenKind.Word, Value: "true" or "false" } => ParameterReader.Text(type, (negative ? "-" : string.Empty) + token.Value),
                    _ => throw PgError.Unsupported("EXECUTE takes constants"),
                });
                if (tokens.Skip("::"))
                {
                    tokens.DottedName();
                }

                tokens.Skip(",");
            }
        }

        tokens.End();
        if (values.Count != inner.Parameters.Count)
        {
            throw Wrong(named.Name, inner);
        }

        inner.CheckDigits(values);
        return new BoundStatement(inner, values) { Columns = inner.Columns };
    }

    private static PgError Wrong(string name, PgStatement statement) =>
        new("42601", $"wrong number of parameters for prepared statement \"{name}\"") { Detail = $"Expected {statement.Parameters.Count} parameters." };

    private static CommandStatement Deallocate(TokenCursor tokens)
    {
        tokens.Skip("prepare");
        if (tokens.Skip("all"))
        {
            return new CommandStatement("DEALLOCATE ALL", s => s.RemoveAllStatements());
        }

        string name = tokens.Name();
        return new CommandStatement("DEALLOCATE", s =>
        {
            if (!s.RemoveStatement(name))
            {
                throw new PgError("26000", $"prepared statement \"{name}\" does not exist");
            }
        });
    }

    private static async ValueTask<PgStatement> CopyAsync(PgSession session, SqlStatement statement, TokenCursor tokens, CancellationToken cancellationToken)
    {
        SqlStatement query;
        if (tokens.Skip("("))
        {
            int close = tokens.Close();
            query = tokens.Between(tokens.At, close);
            tokens.Move(close + 1);
        }
        else
        {
            int start = tokens.At;
            tokens.DottedName();
            string table = statement.Text[statement.Tokens[start].Start..statement.Tokens[tokens.At - 1].End];
            string columns = "*";
            if (tokens.Skip("("))
            {
                int close = tokens.Close();
                columns = statement.Text[statement.Tokens[tokens.At].Start..statement.Tokens[close - 1].End];
                tokens.Move(close + 1);
            }

            query = SqlStatement.Split($"SELECT {columns} FROM {table}")[0];
        }

        if (!tokens.Skip("to"))
        {
            throw new PgError("25006", "cannot execute COPY FROM in a read-only transaction") { Hint = "Tables of the lake are read only." };
        }

        if (!tokens.Skip("stdout"))
        {
            throw new PgError("42501", "COPY writes to STDOUT only: the server's files are not the client's");
        }

        CopyOptions options = CopyOptionsReader.Read(tokens);
        PgStatement inner = await session.Builder.PrepareAsync(session, query, [], cancellationToken);
        return inner.Columns is null ? throw PgError.Syntax("COPY takes a query") : new CopyStatement(inner, options);
    }
}
