using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.FlightServer.Postgres.Wire;

namespace LakeHolo.FlightServer.Postgres.Types;

/// <summary>Counts of days and microseconds as PostgreSQL counts and prints them.</summary>
internal static class PgTime
{
    /// <summary>Days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.</summary>
    public const int EpochDays = 10_957;

    public const long DayMicros = 86_400_000_000;

    public const long EpochMicros = EpochDays * DayMicros;

    /// <summary>4713 BC, the first year of PostgreSQL's timestamps.</summary>
    private const long MinMicros = -211_813_488_000_000_000;

    private const int MaxText = 48;

    public static void WriteDate(WireWriter writer, long days)
    {
        Span<byte> span = writer.GetSpan(MaxText);
        int at = 0;
        bool before = Date(span, ref at, days);
        if (before)
        {
            " BC"u8.CopyTo(span[at..]);
            at += 3;
        }

        writer.Advance(at);
    }

    /// <summary>A point in time in microseconds since 1970, with a zone's offset or without one.</summary>
    public static void WriteTimestamp(WireWriter writer, long micros, TimeZoneInfo? zone)
    {
        Span<byte> span = writer.GetSpan(MaxText);
        int at = 0;
        TimeSpan offset = zone is null ? TimeSpan.Zero : OffsetAt(zone, micros);
        long local = micros + (offset.Ticks / TimeSpan.TicksPerMicrosecond);
        long days = Math.DivRem(local, DayMicros, out long rest);
        if (rest < 0)
        {
            days--;
            rest += DayMicros;
        }

        bool before = Date(span, ref at, days);
        span[at++] = (byte)' ';
        Clock(span, ref at, rest);
        if (zone is not null)
        {
            span[at++] = offset < TimeSpan.Zero ? (byte)'-' : (byte)'+';
            Two(span, ref at, Math.Abs(offset.Hours));
            if (offset.Minutes != 0)
            {
                span[at++] = (byte)':';
                Two(span, ref at, Math.Abs(offset.Minutes));
            }
        }

        if (before)
        {
            " BC"u8.CopyTo(span[at..]);
            at += 3;
        }

        writer.Advance(at);
    }

    public static void WriteClock(WireWriter writer, long micros)
    {
        Span<byte> span = writer.GetSpan(MaxText);
        int at = 0;
        Clock(span, ref at, micros);
        writer.Advance(at);
    }

    /// <summary>Microseconds since 2000.</summary>
    public static long ToPg(long micros)
    {
        long shifted = micros - EpochMicros;
        return shifted >= MinMicros ? shifted : throw new PgError("22008", "timestamp out of range");
    }

    private static TimeSpan OffsetAt(TimeZoneInfo zone, long micros)
    {
        long ticks = micros > DateTime.MaxValue.Ticks / TimeSpan.TicksPerMicrosecond ? long.MaxValue : (micros * TimeSpan.TicksPerMicrosecond) + DateTime.UnixEpoch.Ticks;
        return ticks >= TimeSpan.TicksPerDay && ticks <= DateTime.MaxValue.Ticks - TimeSpan.TicksPerDay
            ? zone.GetUtcOffset(new DateTime(ticks, DateTimeKind.Utc))
            : zone.BaseUtcOffset;
    }

    /// <summary>Writes year, month and day of a day; tells whether it is before Christ.</summary>
    private static bool Date(Span<byte> span, ref int at, long days)
    {
        // Years counted from March, so that the leap day is the last; eras of 400 years.
        long shifted = days + 719_468;
        long era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097;
        long dayOfEra = shifted - (era * 146_097);
        long yearOfEra = (dayOfEra - (dayOfEra / 1460) + (dayOfEra / 36_524) - (dayOfEra / 146_096)) / 365;
        long dayOfYear = dayOfEra - ((365 * yearOfEra) + (yearOfEra / 4) - (yearOfEra / 100));
        long monthFromMarch = ((5 * dayOfYear) + 2) / 153;
        int day = (int)(dayOfYear - (((153 * monthFromMarch) + 2) / 5) + 1);
        int month = (int)(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9);
        long year = yearOfEra + (era * 400) + (month <= 2 ? 1 : 0);
        bool before = year <= 0;
        long shown = before ? 1 - year : year;
        shown.TryFormat(span[at..], out int length, "D4", CultureInfo.InvariantCulture);
        at += length;
        span[at++] = (byte)'-';
        Two(span, ref at, month);
        span[at++] = (byte)'-';
        Two(span, ref at, day);
        return before;
    }

    private static void Clock(Span<byte> span, ref int at, long micros)
    {
        long seconds = Math.DivRem(micros, 1_000_000, out long fraction);
        Two(span, ref at, (int)(seconds / 3600));
        span[at++] = (byte)':';
        Two(span, ref at, (int)(seconds / 60 % 60));
        span[at++] = (byte)':';
        Two(span, ref at, (int)(seconds % 60));
        Fraction(span, ref at, (int)fraction);
    }

    /// <summary>Six digits after the point without the zeros at their end.</summary>
    public static void Fraction(Span<byte> span, ref int at, int micros)
    {
        if (micros == 0)
        {
            return;
        }

        span[at++] = (byte)'.';
        for (int unit = 100_000; micros > 0; unit /= 10)
        {
            span[at++] = (byte)('0' + (micros / unit));
            micros %= unit;
        }
    }

    public static void Two(Span<byte> span, ref int at, int value)
    {
        if (value >= 100)
        {
            value.TryFormat(span[at..], out int length, default, CultureInfo.InvariantCulture);
            at += length;
            return;
        }

        span[at++] = (byte)('0' + (value / 10));
        span[at++] = (byte)('0' + (value % 10));
    }
}

internal sealed class DateWriter(Date32Array array) : ColumnWriter(array)
{
    private readonly Date32Array _array = array;

    public override void Text(WireWriter writer, int row)
    {
        int days = _array.Values[row];
        switch (days)
        {
            case int.MaxValue:
                writer.Raw("infinity"u8);
                break;
            case -int.MaxValue:
                writer.Raw("-infinity"u8);
                break;
            default:
                PgTime.WriteDate(writer, days);
                break;
        }
    }

    public override void Binary(WireWriter writer, int row) => writer.Int32(_array.Values[row] switch
    {
        int.MaxValue => int.MaxValue,
        -int.MaxValue => int.MinValue,
        var days => days - PgTime.EpochDays,
    });
}

internal sealed class TimeWriter(IArrowArray array) : ColumnWriter(array)
{
    private readonly IArrowArray _array = array;

    public override void Text(WireWriter writer, int row) => PgTime.WriteClock(writer, Micros(row));

    public override void Binary(WireWriter writer, int row) => writer.Int64(Micros(row));

    private long Micros(int row) => _array switch
    {
        Time64Array a => ((Time64Type)a.Data.DataType).Unit == TimeUnit.Microsecond ? a.Values[row] : a.Values[row] / 1000,
        Time32Array a => a.Values[row] * (((Time32Type)a.Data.DataType).Unit == TimeUnit.Second ? 1_000_000L : 1000L),
        _ => throw new InvalidOperationException("Not an array of times"),
    };
}

/// <summary>Points in time; with a zone they are instants.</summary>
internal sealed class TimestampWriter(TimestampArray array, TimeZoneInfo? zone) : ColumnWriter(array)
{
    private readonly TimestampArray _array = array;
    private readonly TimeUnit _unit = ((TimestampType)array.Data.DataType).Unit;

    public override void Text(WireWriter writer, int row)
    {
        switch (_array.Values[row])
        {
            case long.MaxValue:
                writer.Raw("infinity"u8);
                break;
            case -long.MaxValue:
                writer.Raw("-infinity"u8);
                break;
            case var value:
                PgTime.WriteTimestamp(writer, Micros(value), zone);
                break;
        }
    }

    public override void Binary(WireWriter writer, int row) => writer.Int64(_array.Values[row] switch
    {
        long.MaxValue => long.MaxValue,
        -long.MaxValue => long.MinValue,
        var value => PgTime.ToPg(Micros(value)),
    });

    private long Micros(long value) => _unit switch
    {
        TimeUnit.Second => value * 1_000_000,
        TimeUnit.Millisecond => value * 1000,
        TimeUnit.Microsecond => value,

        // Whole microseconds, towards the past as the engine casts.
        _ => value >= 0 ? value / 1000 : (value - 999) / 1000,
    };
}

/// <summary>Intervals of months, days and microseconds, printed in PostgreSQL's own style.</summary>
internal sealed class IntervalWriter(IArrowArray array) : ColumnWriter(array)
{
    private const int MaxText = 128;

    private readonly IArrowArray _array = array;

    public override void Text(WireWriter writer, int row)
    {
        (int months, int days, long micros) = Read(row);
        Span<byte> span = writer.GetSpan(MaxText);
        int at = 0;
        bool before = false;
        Part(span, ref at, months / 12, "year", ref before);
        Part(span, ref at, months % 12, "mon", ref before);
        Part(span, ref at, days, "day", ref before);
        if (micros != 0 || at == 0)
        {
            if (at > 0)
            {
                span[at++] = (byte)' ';
            }

            if (micros < 0 || before)
            {
                span[at++] = micros < 0 ? (byte)'-' : (byte)'+';
            }

            ulong magnitude = micros < 0 ? (ulong)-micros : (ulong)micros;
            ulong seconds = magnitude / 1_000_000;
            PgTime.Two(span, ref at, (int)(seconds / 3600));
            span[at++] = (byte)':';
            PgTime.Two(span, ref at, (int)(seconds / 60 % 60));
            span[at++] = (byte)':';
            PgTime.Two(span, ref at, (int)(seconds % 60));
            PgTime.Fraction(span, ref at, (int)(magnitude % 1_000_000));
        }

        writer.Advance(at);
    }

    public override void Binary(WireWriter writer, int row)
    {
        (int months, int days, long micros) = Read(row);
        writer.Int64(micros);
        writer.Int32(days);
        writer.Int32(months);
    }

    private static void Part(Span<byte> span, ref int at, int value, string unit, ref bool before)
    {
        if (value == 0)
        {
            return;
        }

        if (at > 0)
        {
            span[at++] = (byte)' ';
        }

        if (before && value > 0)
        {
            span[at++] = (byte)'+';
        }

        value.TryFormat(span[at..], out int length, default, CultureInfo.InvariantCulture);
        at += length;
        span[at++] = (byte)' ';
        foreach (char c in unit)
        {
            span[at++] = (byte)c;
        }

        if (value != 1)
        {
            span[at++] = (byte)'s';
        }

        before = value < 0;
    }

    private (int Months, int Days, long Micros) Read(int row)
    {
        if (_array is DurationArray durations)
        {
            long micros = ((DurationType)durations.Data.DataType).Unit switch
            {
                TimeUnit.Second => durations.Values[row] * 1_000_000,
                TimeUnit.Millisecond => durations.Values[row] * 1000,
                TimeUnit.Microsecond => durations.Values[row],
                _ => durations.Values[row] / 1000,
            };
            return (0, 0, micros);
        }

        Apache.Arrow.Scalars.MonthDayNanosecondInterval value = ((MonthDayNanosecondIntervalArray)_array).GetValue(row)!.Value;
        return (value.Months, value.Days, value.Nanoseconds / 1000);
    }
}
