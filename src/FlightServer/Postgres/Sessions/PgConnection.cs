using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Answers the messages of one client after its login, one at a time.</summary>
internal sealed partial class PgConnection(WireReader reader, WireWriter writer, PgSession session, PostgresOptions options, RunningQuery running)
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

            session.CheckLogin();
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
}
