using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <content>The messages of the extended protocol.</content>
internal sealed partial class PgConnection
{
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

            // A client may wait for it before it sends Sync; its Flush would be skipped.
            await writer.FlushAsync();
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

        named.Statement?.CheckDigits(values);
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
