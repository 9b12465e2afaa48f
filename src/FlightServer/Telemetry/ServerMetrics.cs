using System.Diagnostics.Metrics;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Sessions;
using LakeHolo.FlightServer.Statements;

namespace LakeHolo.FlightServer.Telemetry;

/// <summary>What is open on the Flight SQL server.</summary>
internal sealed class ServerMetrics : IDisposable
{
    private readonly Meter _meter = new("LakeHolo.FlightServer");

    public ServerMetrics(SessionStore sessions, StatementStore statements, IQueryService service)
    {
        _meter.CreateObservableGauge("lakeholo.flight.sessions", () => sessions.Count, "{session}", "Sessions of Flight SQL clients");
        _meter.CreateObservableGauge("lakeholo.flight.open_results", () => statements.ResultCount, "{result}", "Results that were started and not read to the end");
        _meter.CreateObservableGauge("lakeholo.flight.prepared_statements", () => statements.PreparedCount, "{statement}", "Prepared statements of Flight SQL clients");
        _meter.CreateObservableGauge("lakeholo.waiting_statements", () => service.WaitingStatements, "{statement}", "Statements that wait for others to end");
        _meter.CreateObservableGauge("lakeholo.engine.memory", () => service.EngineMemoryBytes, "By", "Memory that the engine holds, of engine.memory");
        _meter.CreateObservableGauge("process.working_set", () => Environment.WorkingSet, "By", "Memory of the process");
    }

    public void Dispose() => _meter.Dispose();
}

/// <summary>Logins that were refused.</summary>
internal static class LoginMetrics
{
    private static readonly Meter Meter = new("LakeHolo.FlightServer");

    private static readonly Counter<long> Refused = Meter.CreateCounter<long>("lakeholo.logins.refused", "{login}", "Logins that were refused, by door");

    public static void AddRefused(string door) => Refused.Add(1, new KeyValuePair<string, object?>("door", door));
}

/// <summary>What is open on the PostgreSQL endpoint.</summary>
internal sealed class PostgresMetrics : IDisposable
{
    private readonly Meter _meter = new("LakeHolo.FlightServer");

    public PostgresMetrics(Func<int> connections) =>
        _meter.CreateObservableGauge("lakeholo.postgres.connections", connections, "{connection}", "Connections of PostgreSQL clients");

    public void Dispose() => _meter.Dispose();
}
