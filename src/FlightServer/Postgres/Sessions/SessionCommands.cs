using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Statements of the session: settings, transactions, and what changes nothing here.</summary>
internal static class SessionCommands
{
    private static readonly HashSet<string> Writes = new(StringComparer.Ordinal)
    {
        "insert", "update", "delete", "merge", "create", "drop", "alter", "truncate", "comment", "grant", "revoke", "vacuum", "reindex", "cluster", "import", "reassign", "security", "call", "do",
    };

    /// <summary>A command, or null for a query.</summary>
    public static PgStatement? TryCreate(SqlStatement statement)
    {
        Token first = statement.Tokens[0];
        if (first.Kind != TokenKind.Word)
        {
            return null;
        }

        var tokens = new TokenCursor(statement, 1);
        switch (first.Value)
        {
            case "set":
                return Set(tokens);
            case "reset":
                return Reset(tokens);
            case "show":
                return Show(tokens);
            case "begin" or "start":
                return Begin(first.Value, tokens);
            case "commit" or "end":
                return End(tokens, commit: true);
            case "rollback" or "abort":
                return Rollback(tokens);
            case "prepare" when tokens.Skip("transaction"):
                throw PgError.Unsupported("prepared transactions are not supported");
            case "savepoint":
                string savepoint = tokens.Name();
                return new CommandStatement("SAVEPOINT", s => s.Savepoint(savepoint));
            case "release":
                tokens.Skip("savepoint");
                string released = tokens.Name();
                return new CommandStatement("RELEASE", s => s.Release(released));
            case "discard":
                return Discard(tokens);
            case "listen" or "unlisten":
                return new CommandStatement(first.Value.ToUpperInvariant(), _ => { });
            case "notify":
                throw PgError.Unsupported("NOTIFY is not supported: there is nobody to tell");
            case "lock":
                return new CommandStatement("LOCK TABLE", _ => { });
            case "analyze" or "checkpoint":
                return new CommandStatement(first.Value.ToUpperInvariant(), _ => { });
            default:
                return Writes.Contains(first.Value) && !(first.Value == "update" && statement.Tokens.Count < 2)
                    ? throw new PgError("25006", $"cannot execute {Verb(statement)} in a read-only transaction") { Hint = "Tables of the lake are read only." }
                    : null;
        }
    }

    /// <summary>Whether a statement may run in a failed transaction.</summary>
    public static bool EndsTransaction(SqlStatement statement) =>
        statement.Tokens[0].Is("commit") || statement.Tokens[0].Is("end") || statement.Tokens[0].Is("rollback") || statement.Tokens[0].Is("abort");

    private static string Verb(SqlStatement statement)
    {
        string[] words = [.. statement.Tokens.TakeWhile(t => t.Kind == TokenKind.Word).Take(2).Select(t => t.Value.ToUpperInvariant())];
        return words[0] is "CREATE" or "DROP" or "ALTER" or "TRUNCATE" && words.Length > 1 ? words[0] + " " + words[1] : words[0];
    }

    private static CommandStatement Set(TokenCursor tokens)
    {
        string? scope = tokens.SkipAny("session", "local");
        if (scope == "session" && tokens.Skip("characteristics"))
        {
            tokens.Expect("as");
            tokens.Expect("transaction");
            IReadOnlyList<(string, string)> modes = Modes(tokens, "default_");
            return new CommandStatement("SET", s => SetAll(s, modes, isLocal: false));
        }

        if (tokens.Skip("transaction"))
        {
            if (tokens.Skip("snapshot"))
            {
                throw PgError.Unsupported("SET TRANSACTION SNAPSHOT is not supported");
            }

            IReadOnlyList<(string, string)> modes = Modes(tokens, string.Empty);
            return new CommandStatement("SET", s => SetAll(s, modes, isLocal: true));
        }

        bool isLocal = scope == "local";
        string name = tokens.Skip("time") ? TimeZone(tokens) : tokens.Skip("names") ? "client_encoding" : tokens.DottedName();
        if (name is "role" or "authorization")
        {
            string role = tokens.TextOrName();
            return role is "default" or "none"
                ? new CommandStatement("SET", _ => { })
                : throw new PgError("42501", $"permission denied to set role \"{role}\"");
        }

        if (name == "session_authorization" || (scope == "session" && name == "authorization"))
        {
            return new CommandStatement("SET", _ => { });
        }

        if (name is not ("TimeZone" or "client_encoding") || tokens.Peek is { } next && (next.Is("=") || next.Is("to")))
        {
            if (tokens.SkipAny("=", "to") is null)
            {
                throw tokens.Unexpected();
            }
        }

        string? value = Value(tokens);
        if (isLocal)
        {
            return new CommandStatement("SET", s =>
            {
                if (s.Status == 'I')
                {
                    s.Notices.Add(new PgError("25P01", "SET LOCAL can only be used in transaction blocks"));
                }

                s.Settings.Set(name, value, isLocal: true);
            });
        }

        return new CommandStatement("SET", s => s.Settings.Set(name, value, isLocal: false));
    }

    private static string TimeZone(TokenCursor tokens)
    {
        tokens.Expect("zone");
        return "TimeZone";
    }

    /// <summary>A list of values as one text; null for DEFAULT.</summary>
    private static string? Value(TokenCursor tokens)
    {
        if (tokens.Skip("default"))
        {
            tokens.End();
            return null;
        }

        var parts = new List<string>();
        do
        {
            bool negative = tokens.Skip("-");
            Token token = tokens.Take();
            if (token.Kind == TokenKind.Word && token.Value == "interval")
            {
                throw PgError.Unsupported("a time zone is given by its name");
            }

            parts.Add(token.Kind switch
            {
                TokenKind.QuotedName => '"' + token.Value + '"',
                TokenKind.Symbol or TokenKind.Parameter => throw tokens.Unexpected(token),
                _ => (negative ? "-" : string.Empty) + token.Value,
            });
        }
        while (tokens.Skip(","));
        tokens.End();
        return string.Join(", ", parts);
    }

    private static CommandStatement Reset(TokenCursor tokens)
    {
        if (tokens.Skip("all"))
        {
            return new CommandStatement("RESET", s => s.Settings.ResetAll());
        }

        string name = tokens.Skip("time") ? TimeZone(tokens) : tokens.Skip("session") ? "session_authorization" : tokens.DottedName();
        return new CommandStatement("RESET", s =>
        {
            if (name is not ("role" or "session_authorization"))
            {
                s.Settings.Set(name, null, isLocal: false);
            }
        });
    }

    private static CommandStatement? Show(TokenCursor tokens)
    {
        if (tokens.Skip("all"))
        {
            PgColumn[] three = [new("name", PgType.Text), new("setting", PgType.Text), new("description", PgType.Text)];
            return new CommandStatement("SHOW", (s, _) => new(RowSource.OfText(three, s.Settings.Everything().Select(e => new string?[] { e.Name, e.Value, string.Empty })))) { Columns = three };
        }

        // SHOW TABLES and its like are the lake's.
        if (tokens.Peek is { } peek && (peek.Is("tables") || peek.Is("databases") || peek.Is("schemas")))
        {
            return null;
        }

        string name = tokens.Skip("transaction") ? Isolation(tokens) : tokens.Skip("time") ? TimeZone(tokens) : tokens.Skip("session") ? Authorization(tokens) : tokens.DottedName();
        tokens.End();
        string spelled = SessionSettings.Spelling(name);
        PgColumn[] one = [new(spelled, PgType.Text)];
        return new CommandStatement("SHOW", (s, _) =>
        {
            string value = s.Settings.Get(name) ?? throw new PgError("42704", $"unrecognized configuration parameter \"{name}\"");
            return new(RowSource.OfText(one, [[value]]));
        })
        { Columns = one };
    }

    private static string Isolation(TokenCursor tokens)
    {
        tokens.Expect("isolation");
        tokens.Expect("level");
        return "transaction_isolation";
    }

    private static string Authorization(TokenCursor tokens)
    {
        tokens.Expect("authorization");
        return "session_authorization";
    }

    private static CommandStatement Begin(string word, TokenCursor tokens)
    {
        if (word == "start")
        {
            tokens.Expect("transaction");
        }
        else
        {
            tokens.SkipAny("transaction", "work");
        }

        IReadOnlyList<(string, string)> modes = Modes(tokens, string.Empty);
        return new CommandStatement(word == "start" ? "START TRANSACTION" : "BEGIN", s =>
        {
            s.Begin();
            SetAll(s, modes, isLocal: true);
        });
    }

    private static IReadOnlyList<(string Name, string Value)> Modes(TokenCursor tokens, string prefix)
    {
        var modes = new List<(string, string)>();
        while (!tokens.AtEnd)
        {
            tokens.Skip(",");
            if (tokens.Skip("isolation"))
            {
                tokens.Expect("level");
                string level = tokens.Name();
                modes.Add((prefix + "transaction_isolation", level is "read" or "repeatable" ? level + " " + tokens.Name() : level));
            }
            else if (tokens.Skip("read"))
            {
                modes.Add((prefix + "transaction_read_only", tokens.Skip("only") ? "on" : tokens.Name() == "write" ? "off" : throw tokens.Unexpected()));
            }
            else
            {
                bool not = tokens.Skip("not");
                tokens.Expect("deferrable");
                modes.Add((prefix + "transaction_deferrable", not ? "off" : "on"));
            }
        }

        return modes;
    }

    private static void SetAll(PgSession session, IReadOnlyList<(string Name, string Value)> modes, bool isLocal)
    {
        foreach ((string name, string value) in modes)
        {
            session.Settings.Set(name, value, isLocal);
        }
    }

    private static CommandStatement End(TokenCursor tokens, bool commit)
    {
        if (commit && tokens.Skip("prepared"))
        {
            throw PgError.Unsupported("prepared transactions are not supported");
        }

        tokens.SkipAny("work", "transaction");
        bool chain = false;
        if (tokens.Skip("and"))
        {
            chain = !tokens.Skip("no");
            tokens.Expect("chain");
        }

        tokens.End();
        string tag = commit ? "COMMIT" : "ROLLBACK";
        return new CommandStatement(tag, async (s, _) =>
        {
            s.EndTag = await s.EndAsync(commit);
            if (chain)
            {
                s.Begin();
            }

            return null;
        })
        { EndsTransaction = true, TagAfter = s => s.EndTag };
    }

    private static CommandStatement Rollback(TokenCursor tokens)
    {
        if (tokens.Skip("prepared"))
        {
            throw PgError.Unsupported("prepared transactions are not supported");
        }

        tokens.SkipAny("work", "transaction");
        if (!tokens.Skip("to"))
        {
            return End(tokens, commit: false);
        }

        tokens.Skip("savepoint");
        string name = tokens.Name();
        return new CommandStatement("ROLLBACK", s => s.RollbackTo(name)) { EndsTransaction = true };
    }

    private static CommandStatement Discard(TokenCursor tokens)
    {
        string what = tokens.Name();
        return what switch
        {
            "all" => new CommandStatement("DISCARD ALL", async (s, _) =>
            {
                await s.DiscardAllAsync();
                return null;
            }),
            "plans" or "sequences" or "temp" or "temporary" => new CommandStatement("DISCARD " + (what == "temporary" ? "TEMP" : what.ToUpperInvariant()), _ => { }),
            _ => throw tokens.Unexpected(),
        };
    }
}
