using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Sessions;

/// <summary>The settings of a start-up message, those in <c>options</c> (<c>-c name=value</c>, <c>--name=value</c>) among them.</summary>
internal static class StartupSettings
{
    public static void Apply(SessionSettings settings, IReadOnlyDictionary<string, string> given, string user)
    {
        settings.SetInitial("session_authorization", user);
        try
        {
            foreach ((string name, string value) in given)
            {
                if (name == "options")
                {
                    foreach ((string option, string setting) in Options(value))
                    {
                        settings.SetInitial(option, setting);
                    }
                }
                else
                {
                    settings.SetInitial(name, value);
                }
            }
        }
        catch (PgError e)
        {
            throw new PgError(e.SqlState, e.Message, e) { IsFatal = true, Hint = e.Hint };
        }
    }

    private static IEnumerable<(string, string)> Options(string text)
    {
        foreach (string word in Words(text))
        {
            string assignment = word.StartsWith("--", StringComparison.Ordinal) ? word[2..] : word.StartsWith("-c", StringComparison.Ordinal) ? word[2..] : word;
            int equals = assignment.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                yield return (assignment[..equals].Replace('-', '_'), assignment[(equals + 1)..]);
            }
        }
    }

    /// <summary>Words between blanks; a backslash keeps a blank.</summary>
    private static IEnumerable<string> Words(string text)
    {
        var word = new System.Text.StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length)
            {
                word.Append(text[++i]);
            }
            else if (!char.IsWhiteSpace(text[i]))
            {
                word.Append(text[i]);
            }
            else if (word.Length > 0)
            {
                yield return word.ToString();
                word.Clear();
            }
        }

        if (word.Length > 0)
        {
            yield return word.ToString();
        }
    }
}
