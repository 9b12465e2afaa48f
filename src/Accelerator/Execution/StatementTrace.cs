using System.Diagnostics;

namespace LakeHolo.Accelerator.Execution;

/// <summary>The spans of one statement, below whatever called it: <c>statement</c>, from its admission to its end, and in it <c>plan</c> (with <c>fetch</c> and
/// <c>merge</c>), <c>execute</c> (until the engine has given its last row) and <c>send</c> (from the first rows that went out on). They carry no text of the
/// statement, which may hold secrets, but its id in the query log.</summary>
internal sealed class StatementTrace
{
    private static readonly ActivitySource Source = new("LakeHolo.Accelerator");

    private readonly Activity? _statement;
    private Activity? _execute;
    private Activity? _send;

    public StatementTrace(QueryLogEntry entry)
    {
        // It ends in another call than it begins in: no code that runs later must find it as its own.
        Activity? caller = Activity.Current;
        _statement = Source.StartActivity("statement", ActivityKind.Internal, caller?.Context ?? default);
        Activity.Current = caller;
        _statement?.SetTag("db.system.name", "lakeholo").SetTag("user.name", entry.User).SetTag("lakeholo.statement.id", entry.Id).SetTag("lakeholo.session.id", entry.Session);
    }

    /// <summary>A span of preparing a statement, in the running code; null when nobody traces.</summary>
    public static Activity? Preparing() => Source.StartActivity("prepare");

    /// <summary>The span of planning, in the running code; whoever disposes it ends it.</summary>
    public Activity? Planning() => _statement is null ? null : Source.StartActivity("plan", ActivityKind.Internal, _statement.Context);

    /// <summary>The engine begins.</summary>
    public void Executing() => _execute = Child("execute");

    /// <summary>The engine has given its last row.</summary>
    public void Executed() => _execute?.Stop();

    /// <summary>Rows go out.</summary>
    public void Sending() => _send ??= Child("send");

    /// <summary>The statement is over.</summary>
    public void Ended(QueryLogEntry entry)
    {
        if (_statement is null)
        {
            return;
        }

        _send?.SetTag("lakeholo.sending_ms", entry.Times.SendingMs).Stop();
        _execute?.SetTag("lakeholo.engine_ms", entry.Times.EngineMs).Stop();
        string[] tiers = [.. entry.Tables.Select(t => t.Tier).Distinct()];
        _statement.SetTag("lakeholo.state", entry.State).SetTag("lakeholo.rows", entry.Rows).SetTag("lakeholo.bytes", entry.Bytes)
            .SetTag("lakeholo.tier", tiers.Length switch { 0 => null, 1 => tiers[0], _ => "mixed" })
            .SetTag("lakeholo.requests", entry.Requests).SetTag("lakeholo.fetched_bytes", entry.FetchedBytes).SetTag("lakeholo.cached_bytes", entry.CachedBytes);
        if (entry.State is not "done")
        {
            _statement.SetStatus(ActivityStatusCode.Error, entry.State);
        }

        Activity? caller = Activity.Current;
        _statement.Stop();
        Activity.Current = caller;
    }

    private Activity? Child(string name)
    {
        if (_statement is null)
        {
            return null;
        }

        Activity? caller = Activity.Current;
        Activity? child = Source.StartActivity(name, ActivityKind.Internal, _statement.Context);
        Activity.Current = caller;
        return child;
    }
}
