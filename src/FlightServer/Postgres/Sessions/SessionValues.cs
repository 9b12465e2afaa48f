using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.Readers.Engine;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Functions whose values are the session's: they are put into statements as literals.</summary>
internal static class SessionValues
{
    private const string Version = "PostgreSQL 15.0 (LakeHolo) on x86_64-pc-linux-gnu, compiled by .NET, 64-bit";

    private static readonly HashSet<string> Keywords = new(StringComparer.Ordinal) { "current_user", "session_user", "current_catalog", "current_role", "current_schema" };

    private static readonly HashSet<string> Calls = new(StringComparer.Ordinal)
    {
        "version", "current_schema", "current_schemas", "current_database", "current_catalog", "current_setting", "set_config", "pg_backend_pid", "inet_server_port",
    };

    public static bool IsKnown(string name) => Keywords.Contains(name) || Calls.Contains(name);

    public static bool IsKeyword(string name) => Keywords.Contains(name);

    /// <summary>The value of a function without arguments.</summary>
    public static string Text(PgSession session, string name) => name switch
    {
        "version" => Version,
        "current_schema" => Schema(session),
        "current_database" or "current_catalog" => session.Database,
        _ => session.Settings.Get("session_authorization") ?? session.Query.Identity.User,
    };

    /// <summary>A call as an expression of the engine; null if its arguments are not constants.</summary>
    /// <param name="session">The session.</param>
    /// <param name="name">The function.</param>
    /// <param name="arguments">Its arguments' tokens.</param>
    /// <param name="effects">Takes what the call sets.</param>
    public static string? Call(PgSession session, string name, IReadOnlyList<Token> arguments, List<(string Name, string Value, bool IsLocal)> effects)
    {
        switch (name)
        {
            case "pg_backend_pid":
                return $"CAST({session.ProcessId} AS INTEGER)";
            case "inet_server_port":
                return "CAST(NULL AS INTEGER)";
            case "current_schemas":
                string[] all = arguments is [{ Value: "true" }] ? ["pg_catalog", .. Path(session)] : [.. Path(session)];
                return $"CAST({SqlText.LiteralList(all)} AS VARCHAR[])";
            case "current_setting" when arguments.Count > 0 && arguments[0].Kind == TokenKind.Text:
                string? value = session.Settings.Get(arguments[0].Value);
                return value is not null ? SqlText.Literal(value)
                    : arguments is [_, { Value: "true" }] ? "CAST(NULL AS VARCHAR)"
                    : throw new PgError("42704", $"unrecognized configuration parameter \"{arguments[0].Value}\"");
            case "set_config" when arguments.Count == 3 && arguments[0].Kind == TokenKind.Text && arguments[1].Kind == TokenKind.Text:
                effects.Add((arguments[0].Value, arguments[1].Value, arguments[2].Value == "true"));
                return SqlText.Literal(arguments[1].Value);
            case "current_setting" or "set_config":
                return null;
            default:
                return SqlText.Literal(Text(session, name));
        }
    }

    public static string Schema(PgSession session) => Path(session).FirstOrDefault() ?? "public";

    private static IEnumerable<string> Path(PgSession session) => session.Settings.SearchPath.Where(s => s is not ("$user" or "pg_catalog"));
}
