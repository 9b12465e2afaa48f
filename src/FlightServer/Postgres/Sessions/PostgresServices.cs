using System.Collections.Concurrent;
using LakeHolo.Accelerator.Sessions;
using LakeHolo.FlightServer.Logins;
using Microsoft.Extensions.Logging;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>What the connections of an endpoint share.</summary>
internal sealed class PostgresServices(
    IQueryService queries, FlightServerOptions server, PostgresOptions options, ServerCertificate? certificate, TimeProvider time, ILogger logger)
{
    public IQueryService Queries => queries;

    public FlightServerOptions Server => server;

    public PostgresOptions Options => options;

    public ServerCertificate? Certificate => certificate;

    public TimeProvider Time => time;

    public ILogger Logger => logger;

    public LoginChecker Logins { get; } = new(server, time, logger);

    public Login Login => field ??= new Login(server, options, Logins);

    public StatementBuilder Builder { get; } = new(queries, time);

    /// <summary>What runs, by process id, for cancel requests.</summary>
    public ConcurrentDictionary<int, RunningQuery> Running { get; } = new();
}
