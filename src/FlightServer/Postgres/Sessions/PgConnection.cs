using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Answers the messages of one client after its login, one at a time.</summary>
internal sealed class PgConnection(WireReader reader, WireWriter writer, PgSession session, PostgresOptions options, RunningQuery running)
{
    private bool _skipsUntilSync;

    /// <summary>The text that the current message is about, for the place of an error.</summary>
    private string _sql = string.Empty;

    /// <summary>Until the client leaves, the server stops or a message breaks the protocol.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await ReadyAsync();
        while (true)
        {
            if (await reader.ReadAsync(options.MaxMessageBytes, stopping) is not var (type, body))
            {
                return;
            }

            if (type == (byte)'X')
            {
                return;
            }

            if (_skipsUntilSync && type != (byte)'S')
            {
                continue;
            }

            await AnswerAsync((char)type, new MessageBody(body));
            if (writer.IsFull)
            {
                await writer.FlushAsync();
            }
        }
    }

    private async ValueTask AnswerAsync(char type, MessageBody body)
    {
        switch (type)
        {
            case 'Q':
                string sql = body.String();
                body.End();
                await SimpleAsync(sql);
                break;
            case 'P':
                await ExtendedAsync(ParseAsync, body);
                break;
            case 'B':
                await ExtendedAsync(BindAsync, body);
                break;
            case 'D':
                await ExtendedAsync(Describe, body);
                break;
            case 'E':
                await ExtendedAsync(ExecuteAsync, body);
                break;
            case 'C':
                await ExtendedAsync(CloseAsync, body);
                break;
            case 'H':
                await writer.FlushAsync();
                break;
            case 'S':
                _skipsUntilSync = false;
                await session.EndImplicitAsync();
                await ReadyAsync();
                break;
            case 'F':
                await ExtendedAsync(_ => throw PgError.Unsupported("function calls by the fast path are not supported"), body);
                await ReadyAsync();
                _skipsUntilSync = false;
                break;
            case 'd' or 'c' or 'f':
                break; // what is left of a COPY that the client was refused
            default:
                throw PgError.Protocol($"invalid frontend message type {(int)type}");
        }
    }

    private async ValueTask ReadyAsync()
    {
        foreach ((string name, string value) in session.Settings.TakeChanged())
        {
            Messages.ParameterStatus(writer, name, value);
        }

        Messages.Ready(writer, session.Status);
        await writer.FlushAsync();
    }

    private async ValueTask SimpleAsync(string sql)
    {
        try
        {
            List<SqlStatement> statements = SqlStatement.Split(sql);
            if (statements.Count == 0)
            {
                writer.Empty('I');
            }

            foreach (SqlStatement statement in statements)
            {
                if (!await SimpleAsync(statement))
                {
                    break;
                }
            }
        }
        catch (PgError e) when (!e.IsFatal)
        {
            Refuse(e);
        }

        await session.EndImplicitAsync();
        await ReadyAsync();
    }

    private async ValueTask<bool> SimpleAsync(SqlStatement statement)
    {
        try
        {
            await running.GuardAsync(reader, session.Settings.StatementTimeout, async token =>
            {
                if (session.Status == 'E' && !SessionCommands.EndsTransaction(statement))
                {
                    throw Aborted();
                }

                PgStatement prepared = await session.Builder.PrepareAsync(session, statement, [], token);
                if (prepared.Parameters.Count > 0)
                {
                    throw new PgError("42P02", "there is no parameter $1");
                }

                bool[] formats = new bool[prepared.Columns?.Count ?? 0];
                System.Array.Fill(formats, prepared.IsBinary);
                await using var portal = new Portal(prepared, [], formats, statement.Text);
                await RunAsync(portal, describe: true, limit: 0, token);
            });
            WriteNotices();
            return true;
        }
        catch (Exception e) when (e is not IOException and not PgError { IsFatal: true })
        {
            Refuse(PgErrors.Of(e, statement.Text, statement.Offset));
            return false;
        }
    }

    /// <summary>Runs a message of the extended protocol; after an error everything up to Sync is passed over.</summary>
    private async ValueTask ExtendedAsync(Func<MessageBody, ValueTask> step, MessageBody body)
    {
        try
        {
            await step(body);
            WriteNotices();
        }
        catch (Exception e) when (e is not IOException and not PgError { IsFatal: true })
        {
            Refuse(PgErrors.Of(e, _sql, 0));
            _skipsUntilSync = true;
        }
    }

    private async ValueTask ParseAsync(MessageBody body)
    {
        string name = body.String();
        string sql = body.String();
        int count = body.Count(4);
        var types = new PgType?[count];
        for (int i = 0; i < count; i++)
        {
            int oid = body.Int32();
            types[i] = oid == 0 || oid == PgType.Unknown.Oid ? null : PgType.Find(oid) ?? PgType.Text;
        }

        body.End();
        _sql = sql;
        List<SqlStatement> statements = SqlStatement.Split(sql);
        if (statements.Count > 1)
        {
            throw PgError.Syntax("cannot insert multiple commands into a prepared statement");
        }

        session.CheckNewStatement(name);
        PgStatement? prepared = null;
        if (statements.Count == 1)
        {
            if (session.Status == 'E' && !SessionCommands.EndsTransaction(statements[0]))
            {
                throw Aborted();
            }

            await running.GuardAsync(reader, session.Settings.StatementTimeout, async token =>
                prepared = await session.Builder.PrepareAsync(session, statements[0], types, token));
        }

        if (name.Length == 0)
        {
            session.RemoveStatement(name);
        }

        session.Add(new NamedStatement(name, sql, prepared, session.Now, FromSql: false));
        writer.Empty('1');
    }

    private async ValueTask BindAsync(MessageBody body)
    {
        string portalName = body.String();
        NamedStatement named = session.Statement(body.String());
        _sql = named.Sql;
        short[] parameterFormats = Formats(ref body);
        int count = body.Count(4);
        IReadOnlyList<PgType> types = named.Statement?.Parameters ?? [];
        if (count != types.Count)
        {
            throw new PgError("08P01", $"bind message supplies {count} parameters, but prepared statement \"{named.Name}\" requires {types.Count}");
        }

        var values = new object?[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = body.Value() is { } bytes ? ParameterReader.Read(types[i], Format(parameterFormats, i, count) == 1, bytes.Span) : null;
        }

        short[] resultFormats = Formats(ref body);
        body.End();
        if (named.Statement is { } statement)
        {
            CheckTransaction(statement);
        }

        IReadOnlyList<PgColumn>? columns = named.Statement?.Columns;
        var formats = new bool[columns?.Count ?? 0];
        for (int i = 0; i < formats.Length; i++)
        {
            formats[i] = Format(resultFormats, i, formats.Length) == 1 || named.Statement!.IsBinary;
        }

        await session.AddPortalAsync(portalName, new Portal(named.Statement, values, formats, named.Sql));
        writer.Empty('2');
    }

    private ValueTask Describe(MessageBody body)
    {
        char kind = (char)body.Byte();
        string name = body.String();
        body.End();
        PgStatement? statement;
        bool[]? formats = null;
        switch (kind)
        {
            case 'S':
                NamedStatement named = session.Statement(name);
                _sql = named.Sql;
                statement = named.Statement;
                Messages.Parameters(writer, statement?.Parameters ?? []);
                break;
            case 'P':
                Portal portal = session.Portal(name);
                statement = portal.Statement;
                formats = portal.Formats;
                break;
            default:
                throw PgError.Protocol($"invalid DESCRIBE message subtype {(int)kind}");
        }

        if (statement?.Columns is { } columns)
        {
            Messages.Columns(writer, columns, formats);
        }
        else
        {
            writer.Empty('n');
        }

        return default;
    }

    private async ValueTask ExecuteAsync(MessageBody body)
    {
        Portal portal = session.Portal(body.String());
        int limit = body.Int32();
        body.End();
        _sql = portal.Sql;
        if (portal.Statement is null)
        {
            writer.Empty('I');
            return;
        }

        CheckTransaction(portal.Statement);
        await running.GuardAsync(reader, session.Settings.StatementTimeout, token => RunAsync(portal, describe: false, Math.Max(0, limit), token));
    }

    private async ValueTask CloseAsync(MessageBody body)
    {
        char kind = (char)body.Byte();
        string name = body.String();
        body.End();
        if (kind == 'S')
        {
            session.RemoveStatement(name);
        }
        else if (kind == 'P')
        {
            await session.ClosePortalAsync(name);
        }
        else
        {
            throw PgError.Protocol($"invalid CLOSE message subtype {(int)kind}");
        }

        writer.Empty('3');
    }

    /// <summary>Runs a portal, or goes on with it.</summary>
    private async ValueTask RunAsync(Portal portal, bool describe, long limit, CancellationToken cancellationToken)
    {
        PgStatement statement = portal.Statement!;
        if (!portal.Started)
        {
            portal.Started = true;
            portal.Rows = await statement.StartAsync(session, portal.Parameters, cancellationToken);
            WriteNotices();
        }

        if (statement is CopyStatement copy)
        {
            await CopyAsync(copy, portal.Rows!, cancellationToken);
            return;
        }

        if (portal.Rows is not { } rows)
        {
            Messages.Complete(writer, statement.Tag(0));
            return;
        }

        if (describe)
        {
            Messages.Columns(writer, statement.Columns!, portal.Formats);
        }

        long most = Math.Min(statement.MaxRows, limit > 0 ? limit : long.MaxValue);
        long written = await rows.WriteAsync(writer, new DataRows(portal.Formats), most, cancellationToken);
        if (limit > 0 && written == limit && limit <= statement.MaxRows && !statement.IsShared)
        {
            writer.Empty('s');
        }
        else
        {
            Messages.Complete(writer, statement.Tag(written));
        }

        if (statement.IsShared)
        {
            portal.Rows = null; // the cursor's
            portal.Started = false;
        }
    }

    private async ValueTask CopyAsync(CopyStatement copy, RowSource rows, CancellationToken cancellationToken)
    {
        bool binary = copy.Options.Format == "binary";
        Messages.CopyOut(writer, rows.Columns.Count, binary);
        IRowFormat format = copy.Options.Format switch
        {
            "binary" => new CopyBinary(),
            "csv" => new CopyCsv(copy.Options, rows.Columns),
            _ => new CopyText(copy.Options),
        };
        if (copy.Options.Header && !binary)
        {
            CopyHeader.Write(writer, copy.Options, rows.Columns);
        }

        long written = await rows.WriteAsync(writer, format, long.MaxValue, cancellationToken);
        (format as CopyBinary)?.End(writer);

        writer.Empty('c');
        Messages.Complete(writer, copy.Tag(written));
    }

    private void CheckTransaction(PgStatement statement)
    {
        if (session.Status == 'E' && !statement.EndsTransaction)
        {
            throw Aborted();
        }
    }

    private static PgError Aborted() => new("25P02", "current transaction is aborted, commands ignored until end of transaction block");

    private void Refuse(PgError error)
    {
        WriteNotices();
        Messages.Error(writer, error);
        session.Fail();
    }

    private void WriteNotices()
    {
        foreach (PgError notice in session.Notices)
        {
            Messages.Notice(writer, notice);
        }

        session.Notices.Clear();
    }

    private static short[] Formats(ref MessageBody body)
    {
        short[] formats = new short[body.Count(2)];
        for (int i = 0; i < formats.Length; i++)
        {
            formats[i] = body.Int16() is var f and (0 or 1) ? f : throw new PgError("22023", "unsupported format code");
        }

        return formats;
    }

    private static short Format(short[] formats, int index, int count) => formats.Length switch
    {
        0 => 0,
        1 => formats[0],
        var given => given == count ? formats[index] : throw new PgError("08P01", $"bind message has {given} formats but {count} values"),
    };
}
