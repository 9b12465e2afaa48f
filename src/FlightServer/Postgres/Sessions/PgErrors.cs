using System.Text.RegularExpressions;
using LakeHolo.FlightServer.Postgres.Sql;
using LakeHolo.FlightServer.Postgres.Wire;
using LakeHolo.LakeCatalog;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>Errors of the engine as the protocol's, with their SQLSTATE and the place that they speak of.</summary>
internal static partial class PgErrors
{
    /// <summary>Translates an exception of a statement.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="sql">The client's text of the statement.</param>
    /// <param name="offset">Where that begins in the whole text.</param>
    public static PgError Of(Exception error, string sql, int offset) => error switch
    {
        PgError e => e.At(e.Position),
        LakeException e => OfLake(e, sql, offset),
        OperationCanceledException => new PgError("57014", "canceling statement due to user request", error),
        InvalidCastException or FormatException or OverflowException => new PgError("22023", error.Message, error),
        _ => new PgError("XX000", $"internal error: {error.GetType().Name}: {error.Message}", error),
    };

    private static PgError OfLake(LakeException error, string sql, int offset)
    {
        string message = error.Message;
        string state = error.Kind switch
        {
            LakeErrorKind.NotFound => message.StartsWith("There is no table", StringComparison.Ordinal) ? "42P01" : "42704",
            LakeErrorKind.FormatInvalid => "XX001",
            LakeErrorKind.FeatureUnsupported => "0A000",
            LakeErrorKind.StorageUnavailable => "58030",
            LakeErrorKind.ResourcesExhausted => OfLimit(message),
            LakeErrorKind.QueryInvalid => OfQuery(message),
            LakeErrorKind.PermissionDenied => "42501",
            _ => "XX000",
        };
        return new PgError(state, Shortened(message), error) { Position = Place(message, sql) is var at and > 0 ? offset + at : 0 };
    }

    private static string OfLimit(string message) =>
        message.StartsWith("Limit ", StringComparison.Ordinal) ? "53400"
        : message.Contains("killed", StringComparison.OrdinalIgnoreCase) || message.Contains("longer than", StringComparison.OrdinalIgnoreCase)
            || message.Contains("time", StringComparison.OrdinalIgnoreCase) && !message.Contains("later", StringComparison.OrdinalIgnoreCase) ? "57014"
        : message.Contains("memory", StringComparison.OrdinalIgnoreCase) ? "53200"
        : "53000";

    /// <summary>The engine's messages begin with the class of the error.</summary>
    private static string OfQuery(string message)
    {
        bool Has(string part) => message.Contains(part, StringComparison.OrdinalIgnoreCase);
        if (Has("killed") || Has("interrupted"))
        {
            return "57014";
        }

        if (message.StartsWith("Syntax error", StringComparison.Ordinal) || Has("Parser Error") || Has("One statement at a time"))
        {
            return "42601";
        }

        if (Has("read only"))
        {
            return "25006";
        }

        if (Has("is not allowed") && Has("function"))
        {
            return "42883";
        }

        if (Has("Referenced column") || (Has("does not have a column named") || Has("no column named")))
        {
            return "42703";
        }

        if (Has("Ambiguous reference") || Has("ambiguous"))
        {
            return "42702";
        }

        if (Has("relation \"") && Has("does not exist"))
        {
            return "42P01";
        }

        if (Has(" type \"") && Has("does not exist"))
        {
            return "42704";
        }

        if (Has("No function matches") || (Has("function") && Has("does not exist")))
        {
            return "42883";
        }

        if (Has("must appear in the GROUP BY") || Has("aggregate"))
        {
            return "42803";
        }

        if (Has("Referenced table"))
        {
            return "42P01";
        }

        if (Has("Type with name") && Has("does not exist"))
        {
            return "42704";
        }

        if (Has("Cannot compare values") || Has("Cannot mix values") || Has("type mismatch"))
        {
            return "42804";
        }

        if (Has("Division by zero") || Has("divide by zero"))
        {
            return "22012";
        }

        if (Has("field value out of range"))
        {
            return "22008";
        }

        if (Has("Out of Range Error") || Has("overflow") || Has("out of range") || (Has("Could not cast value") && Has(" to DECIMAL(")))
        {
            return "22003";
        }

        if (Has("Conversion Error"))
        {
            return Has("date") || Has("timestamp") ? "22007" : "22P02";
        }

        if (Has("Invalid Input Error"))
        {
            return "22023";
        }

        if (Has("Not implemented Error"))
        {
            return "0A000";
        }

        if (Has("Permission"))
        {
            return "42501";
        }

        if (Has("parameters,") || Has("parameter"))
        {
            return "08P01";
        }

        return "42601";
    }

    /// <summary>Without the excerpt of the text, which the client draws itself from the position.</summary>
    private static string Shortened(string message)
    {
        int excerpt = message.IndexOf("\nLINE ", StringComparison.Ordinal);
        return (excerpt > 0 ? message[..excerpt] : message).TrimEnd();
    }

    /// <summary>The place that a message speaks of: the first token that is what it names. 1-based, 0 if there is none.</summary>
    private static int Place(string message, string sql)
    {
        Match named = Named().Match(message);
        if (!named.Success)
        {
            return 0;
        }

        string name = named.Groups.Cast<Group>().Skip(1).First(g => g.Success).Value;
        string last = name[(name.LastIndexOf('.') + 1)..];
        try
        {
            // The word may be there several times: the one whose surroundings are those of the excerpt is meant.
            (string before, string after) = Marked(message);
            Token[] places = [.. SqlTokens.Read(sql).Where(t => t.Value.Equals(last, StringComparison.OrdinalIgnoreCase))];

            // Positions count characters, the runtime's strings count UTF-16 units.
            return places.Length == 0 ? 0 : Characters(sql, places.MaxBy(t => Same(sql, t.Start, before, after)).Start) + 1;
        }
        catch (PgError)
        {
            return 0;
        }
    }

    /// <summary>What stands before and after the mark of a message's excerpt.</summary>
    private static (string Before, string After) Marked(string message)
    {
        Match excerpt = Excerpt().Match(message);
        int at = excerpt.Success ? excerpt.Groups[3].Length - excerpt.Groups[1].Length : -1;
        string line = excerpt.Groups[2].Value;
        return at < 0 || at > line.Length ? (string.Empty, string.Empty) : (line[..at], line[at..]);
    }

    /// <summary>How many characters around a place are those around the mark.</summary>
    private static int Same(string sql, int place, string before, string after)
    {
        int forward = sql.AsSpan(place).CommonPrefixLength(after);
        int back = 0;
        while (back < before.Length && back < place && before[^(back + 1)] == sql[place - back - 1])
        {
            back++;
        }

        return forward + back;
    }

    private static int Characters(string sql, int end)
    {
        int count = 0;
        for (int i = 0; i < end; i++)
        {
            count += char.IsLowSurrogate(sql[i]) ? 0 : 1;
        }

        return count;
    }

    [GeneratedRegex("""Referenced column "([^"]+)"|column named "?([^"\s]+)"?|Ambiguous reference to column name "([^"]+)"|There is no table ([^\s;]+)|at or near "([^"]+)"|Referenced table "([^"]+)"|[Ff]unction with name "?([^"\s]+)"? does not exist|[Tt]he (?:table )?function (\S+) is not allowed|matches the given name and argument types '([^'(]+)\(|Type with name "?([^"\s]+)"? does not exist|column "([^"]+)" must appear""")]
    private static partial Regex Named();

    [GeneratedRegex("""\n(LINE [0-9]+: )([^\n]*)\n( *)\^""")]
    private static partial Regex Excerpt();
}
