using System.Collections.Concurrent;

namespace LakeHolo.FlightServer.Logins;

/// <summary>Slows down who guesses passwords: after some failures the attempts for a user from an address, and those of an address for anybody, come one after
/// the other, further and further apart, up to a bound. Nobody is locked out, and others are not slowed down.</summary>
internal sealed class LoginThrottle(TimeProvider time)
{
    private const int FreePerUser = 5;
    private const int FreePerAddress = 50;

    /// <summary>More are not remembered; those that failed longest ago make room.</summary>
    private const int MaxEntries = 10_000;

    /// <summary>So much of a name is remembered: it is the client's, and may be of any length.</summary>
    private const int MaxNameChars = 256;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromSeconds(5);

    /// <summary>Attempts that would wait longer are refused unheard.</summary>
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan ForgetAfter = TimeSpan.FromMinutes(15);

    private readonly ConcurrentDictionary<(string User, string Address), Entry> _entries = new();

    public int Count => _entries.Count;

    /// <summary>Waits for an attempt's turn.</summary>
    /// <exception cref="LoginRefused">Too many wait already.</exception>
    public async ValueTask EnterAsync(string user, string address, CancellationToken cancellationToken)
    {
        DateTimeOffset now = time.GetUtcNow();
        TimeSpan wait = TimeSpan.Zero;
        foreach (((string, string) key, int free) in Keys(user, address))
        {
            if (_entries.TryGetValue(key, out Entry? entry))
            {
                TimeSpan turn = entry.Turn(now, free);
                wait = turn > wait ? turn : wait;
            }
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, time, cancellationToken);
        }
    }

    /// <summary>An attempt failed.</summary>
    public void Failed(string user, string address)
    {
        DateTimeOffset now = time.GetUtcNow();
        foreach (((string, string) key, int free) in Keys(user, address))
        {
            if (_entries.Count >= MaxEntries && !_entries.ContainsKey(key))
            {
                Forget(now);
            }

            _entries.GetOrAdd(key, _ => new Entry()).Fail(now, free);
        }
    }

    /// <summary>An attempt was right: the user's earlier ones from there are forgotten.</summary>
    public void Succeeded(string user, string address) => _entries.TryRemove(Key(user, address), out _);

    private static ((string User, string Address) Key, int Free)[] Keys(string user, string address) => [(Key(user, address), FreePerUser), ((string.Empty, address), FreePerAddress)];

    private static (string User, string Address) Key(string user, string address) => (user.Length > MaxNameChars ? user[..MaxNameChars] : user, address);

    private void Forget(DateTimeOffset now)
    {
        foreach ((KeyValuePair<(string, string), Entry> entry, int index) in _entries.OrderBy(e => e.Value.Last).Select((e, i) => (e, i)))
        {
            // A tenth at once, so that not every failure has to look through all.
            if (index < MaxEntries / 10 || now - entry.Value.Last > ForgetAfter)
            {
                _entries.TryRemove(entry);
            }
        }
    }

    private sealed class Entry
    {
        private readonly Lock _gate = new();
        private int _failures;
        private DateTimeOffset _next;

        public DateTimeOffset Last { get; private set; }

        public void Fail(DateTimeOffset now, int free)
        {
            lock (_gate)
            {
                _failures = now - Last > ForgetAfter ? 1 : _failures + 1;
                Last = now;
                DateTimeOffset next = now + Delay(free);
                _next = next > _next ? next : _next;
            }
        }

        /// <summary>How long an attempt that comes now has to wait; its turn is taken.</summary>
        public TimeSpan Turn(DateTimeOffset now, int free)
        {
            lock (_gate)
            {
                if (_failures < free || now - Last > ForgetAfter)
                {
                    return TimeSpan.Zero;
                }

                DateTimeOffset at = _next > now ? _next : now;
                if (at - now > MaxWait)
                {
                    throw new LoginRefused("too many failed logins: try again later");
                }

                _next = at + Delay(free);
                return at - now;
            }
        }

        private TimeSpan Delay(int free)
        {
            if (_failures < free)
            {
                return TimeSpan.Zero;
            }

            double factor = Math.Pow(2, Math.Min(_failures - free, 20));
            return FirstDelay * factor is var delay && delay < MaxDelay ? delay : MaxDelay;
        }
    }
}
