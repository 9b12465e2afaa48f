using System.Collections.Concurrent;
using Apache.Arrow;

namespace LakeHolo.Accelerator.Execution;

/// <summary>What an execution of a text told: the columns of its rows, and whether it takes long.</summary>
internal sealed class RepeatedStatement(Schema schema)
{
    private const double QuickMs = 3;

    /// <summary>Making a plan takes the engine a millisecond or a few, and one that is kept holds what its last execution left in memory: little after so short a time.</summary>
    private const double PlanMs = 30;

    private const double Weight = 0.2;

    private double _ms = double.PositiveInfinity;

    public Schema Schema => schema;

    /// <summary>Whether it may keep its caller's thread.</summary>
    public bool IsQuick => Volatile.Read(ref _ms) < QuickMs;

    /// <summary>Whether its plan is kept where there are no values: making it anew would take a good part of the time.</summary>
    public bool IsWorthItsPlan => Volatile.Read(ref _ms) < PlanMs;

    public void Ran(TimeSpan time)
    {
        double before = Volatile.Read(ref _ms);
        Volatile.Write(ref _ms, double.IsInfinity(before) ? time.TotalMilliseconds : before + (Weight * (time.TotalMilliseconds - before)));
    }
}

/// <summary>Statements over hot copies that ran before, by their texts for the engine and the types of their values.</summary>
internal sealed class RepeatedStatements
{
    private const int Most = 1_000;

    /// <summary>Longer texts are not kept: the engine holds a plan for each, on each connection.</summary>
    private const int MaxLength = 8_192;

    private readonly ConcurrentDictionary<string, RepeatedStatement> _known = new(StringComparer.Ordinal);

    /// <summary>The key of a statement; null for one that is not kept.</summary>
    public static string? KeyOf(string sql, IReadOnlyList<object?> values) => sql.Length > MaxLength || !BoundValues.ArePlain(values)
        ? null
        : values.Count == 0 ? sql
        : string.Create(sql.Length + values.Count, (sql, values), static (span, state) =>
        {
            for (int i = 0; i < state.values.Count; i++)
            {
                span[i] = state.values[i] switch { null => '0', bool => 'b', short => 's', int => 'i', long => 'l', float => 'f', double => 'd', _ => 't' };
            }

            state.sql.CopyTo(span[state.values.Count..]);
        });

    public RepeatedStatement? Find(string key) => _known.GetValueOrDefault(key);

    public void Ran(string key, Schema schema, TimeSpan time)
    {
        if (_known.Count >= Most)
        {
            _known.Clear();
        }

        _known.GetOrAdd(key, static (_, s) => new RepeatedStatement(s), schema).Ran(time);
    }
}
