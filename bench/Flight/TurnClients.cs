using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LakeHolo.Bench.Flight;

/// <summary>A request of a turn: a path, and the body.</summary>
internal sealed record TurnRequest(string Path, byte[] Body);

/// <summary>Says what a client asks next in its turn.</summary>
/// <param name="client">The client's number.</param>
/// <param name="step">Answers that came in this turn.</param>
/// <param name="answer">The body of the last of them.</param>
/// <returns>Null where the turn is over.</returns>
internal delegate TurnRequest? TurnStep(int client, int step, ReadOnlySpan<byte> answer);

/// <summary>Clients on connections of their own that one thread serves, as pgbench does: they share the processors with the server that they measure, so what they need themselves has
/// to be little. They speak HTTP/2 without TLS.</summary>
internal sealed unsafe partial class TurnClients : IDisposable
{
    private const int Seed = 42;
    private const short Readable = 1; // POLLIN

    private readonly Client[] _clients;
    private readonly Waiting[] _waiting;

    /// <summary>Connects to a server of this machine.</summary>
    public TurnClients(Uri server, int clients)
    {
        _clients = [.. Enumerable.Range(0, clients).Select(_ => new Client(new Http2Line(server)))];
        _waiting = [.. _clients.Select(c => new Waiting { Socket = c.Line.Handle, Events = Readable })];
    }

    /// <summary>Lets the clients ask for a while, each at once after its answer, or in turns at moments that do not depend on their answers, with gaps of an exponential distribution.</summary>
    /// <param name="span">For how long.</param>
    /// <param name="perSecond">Turns of all clients together; null for as many as answers allow.</param>
    /// <param name="next">What is asked in a turn.</param>
    /// <param name="done">Takes a client and the milliseconds that its turn took. How late a turn began, because the client's last one was not over, is not among them: what the server
    /// adds to a query is asked, not what a queue before it does.</param>
    public void Run(TimeSpan span, double? perSecond, TurnStep next, Action<int, double> done)
    {
        var random = new Random(Seed);
        long start = Stopwatch.GetTimestamp();
        double due = 0;
        int turns = 0;
        foreach (Client client in _clients)
        {
            client.Turns = perSecond is null ? int.MaxValue : 0;
        }

        while (true)
        {
            double now = Stopwatch.GetElapsedTime(start).TotalSeconds;
            for (; perSecond is { } rate && due <= Math.Min(now, span.TotalSeconds); due += -Math.Log(1 - random.NextDouble()) / rate)
            {
                _clients[turns++ % _clients.Length].Turns++;
            }

            bool isOver = now >= span.TotalSeconds;
            bool isBusy = false;
            for (int i = 0; i < _clients.Length; i++)
            {
                Client client = _clients[i];
                if (!client.IsBusy && client.Turns > 0 && !isOver)
                {
                    client.Turns--;
                    client.Begin(next(i, 0, []) ?? throw new InvalidOperationException("A turn without a request"));
                }

                isBusy |= client.IsBusy;
            }

            if (isOver && !isBusy)
            {
                return;
            }

            Wait(isOver ? 1 : Math.Max(Math.Min(perSecond is null ? double.MaxValue : due, span.TotalSeconds) - Stopwatch.GetElapsedTime(start).TotalSeconds, 0));
            for (int i = 0; i < _clients.Length; i++)
            {
                if (_waiting[i].Came != 0 && _clients[i].Receive(i, next) is { } ms)
                {
                    done(i, ms);
                }
            }
        }
    }

    public void Dispose()
    {
        foreach (Client client in _clients)
        {
            client.Line.Dispose();
        }
    }

    private void Wait(double seconds)
    {
        var time = new TimeSpec { Seconds = (long)seconds, Nanoseconds = (long)(seconds % 1 * 1e9) };
        fixed (Waiting* waiting = _waiting)
        {
            _ = Poll(waiting, (nuint)_waiting.Length, &time, null);
        }
    }

    [LibraryImport("libc", EntryPoint = "ppoll")]
    private static partial int Poll(Waiting* waiting, nuint count, TimeSpec* time, void* signals);

    private struct Waiting
    {
        public int Socket;
        public short Events;
        public short Came;
    }

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    private sealed class Client(Http2Line line)
    {
        private long _began;
        private int _steps;

        public Http2Line Line => line;

        public int Turns { get; set; }

        public bool IsBusy { get; private set; }

        public void Begin(TurnRequest request)
        {
            (_began, _steps, IsBusy) = (Stopwatch.GetTimestamp(), 0, true);
            line.Send(request);
        }

        /// <summary>Takes what came; the milliseconds of the turn, if it is over.</summary>
        public double? Receive(int number, TurnStep next)
        {
            if (!line.Receive())
            {
                return null;
            }

            if (next(number, ++_steps, line.Answer) is { } request)
            {
                line.Send(request);
                return null;
            }

            IsBusy = false;
            return Stopwatch.GetElapsedTime(_began).TotalMilliseconds;
        }
    }
}
