using System.Globalization;
using DuckDB.NET.Data;
using DuckDB.NET.Data.DataChunk.Reader;
using DuckDB.NET.Data.DataChunk.Writer;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Accelerator.Execution;

/// <summary>Keys that a kept plan looks up, as a relation of the engine. A statement with parameters over a table is bound and optimised again at each execution; one
/// without them is not. So the keys come from functions that give, at each call, what lies in the tray of the connection.</summary>
internal sealed class LookupKeys
{
    /// <summary>Keys of one execution: up to 50 the engine tells a scan by its index which are wanted (dynamic_or_filter_threshold).</summary>
    public const int Most = 40;

    private const int TraySize = 48;

    private static int _instances;

    private readonly string _numbers;
    private readonly string _texts;
    private readonly Lock _gate = new();
    private object[][] _trays = [];

    public LookupKeys(EngineDatabase engine)
    {
        string instance = Interlocked.Increment(ref _instances).ToString(CultureInfo.InvariantCulture);
        (_numbers, _texts) = ($"lookup_number_{instance}", $"lookup_text_{instance}");
        using DuckDBConnection connection = engine.OpenConnection();
        var everyTime = new ScalarFunctionOptions { IsPureFunction = false };
        connection.RegisterScalarFunction<long, long>(_numbers, Give<long>, everyTime);
        connection.RegisterScalarFunction<long, string>(_texts, Give<string>, everyTime);
    }

    /// <summary>A tray for a connection.</summary>
    public int NewTray()
    {
        lock (_gate)
        {
            _trays = [.. _trays, new object[TraySize]];
            return _trays.Length - 1;
        }
    }

    /// <summary>Puts keys into a tray.</summary>
    /// <param name="tray">The tray, from which nobody takes now.</param>
    /// <param name="keys">Whole numbers, or texts; at most <see cref="Most"/>.</param>
    /// <param name="type">The engine's type of the column.</param>
    /// <returns>The relation of <c>i</c>, the number of a key from 0, and <c>k</c>, the key. Those after the last of the keys mean nothing: there are a few lengths, so that
    /// few plans are kept.</returns>
    public string Put(int tray, IReadOnlyList<object> keys, string type)
    {
        object[] place = _trays[tray];
        for (int i = 0; i < keys.Count; i++)
        {
            place[i] = keys[i];
        }

        int count = keys.Count < 8 ? 8 : keys.Count < 24 ? 24 : TraySize;
        place.AsSpan(keys.Count, count - keys.Count).Fill(Apart(keys));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"(SELECT i, CAST({(keys[0] is string ? _texts : _numbers)}(i + {tray * TraySize}) AS {type}) AS k FROM range({count}) AS r(i))");
    }

    /// <summary>A key that is not next to the others: of numbers without gaps the engine tells a scan the ends only, which no index is used for.</summary>
    private static object Apart(IReadOnlyList<object> keys)
    {
        if (keys[0] is not long)
        {
            return keys[0];
        }

        long least = keys.Min(k => (long)k);
        return least >= 2 || least is < 0 and > long.MinValue + 1 ? least - 2 : keys.Max(k => (long)k) + 2;
    }

    private void Give<T>(IReadOnlyList<IDuckDBDataReader> arguments, IDuckDBDataWriter result, ulong rows)
    {
        object[][] trays = _trays;
        for (ulong row = 0; row < rows; row++)
        {
            int place = (int)arguments[0].GetValue<long>(row);
            result.WriteValue((T)trays[place / TraySize][place % TraySize], row);
        }
    }
}
