using System.Buffers.Binary;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>What to add to the seconds of a stripe's timestamps.</summary>
/// <param name="BaseSeconds">2015-01-01T00:00:00 in the writer's zone, seconds since 1970.</param>
/// <param name="Zone">The zone whose offset turns an instant into the wall clock time that was written, or null to keep the instant.</param>
internal sealed record OrcTimestampRules(long BaseSeconds, OrcTimeZone? Zone)
{
    // 2015-01-01T00:00:00Z.
    private const long Year2015 = 1_420_070_400;

    internal static OrcTimestampRules Instant { get; } = new(Year2015, null);

    internal static OrcTimestampRules Local(OrcTimeZone zone) => new(Year2015 - zone.OffsetAt(Year2015), zone);

    internal static OrcTimestampRules LegacyInstant(OrcTimeZone zone) => new(Year2015, zone);

    internal long AddedSeconds(long epochSeconds) => Zone?.OffsetAt(epochSeconds) ?? 0;
}

/// <summary>A writer's time zone with Java's rules: to the second, and before 1900 the zone's standard offset.</summary>
internal sealed class OrcTimeZone
{
    // java.util.TimeZone knows no transitions before 1900-01-01T00:00:00Z.
    private const long Year1900 = -2_208_988_800;

    private readonly long[] _from;
    private readonly int[] _offsets;
    private readonly TimeZoneInfo? _later;
    private readonly int _standard;

    private OrcTimeZone(long[] from, int[] offsets, int standard, TimeZoneInfo? later)
    {
        _from = from;
        _offsets = offsets;
        _standard = standard;
        _later = later;
    }

    internal static OrcTimeZone Utc { get; } = new([], [], 0, null);

    /// <summary>Finds a zone by its id, as a Java runtime names it.</summary>
    /// <exception cref="LakeException"><see cref="LakeErrorKind.FeatureUnsupported"/> for a zone that this machine does not know.</exception>
    internal static OrcTimeZone Find(string id, string path)
    {
        if (id is "UTC" or "GMT" or "Etc/UTC" or "Z")
        {
            return Utc;
        }

        TimeZoneInfo zone;
        try
        {
            // "GMT+08:00" is how Java names a fixed offset.
            zone = id.StartsWith("GMT", StringComparison.Ordinal) && TimeSpan.TryParse(id.AsSpan(3).TrimStart('+'), System.Globalization.CultureInfo.InvariantCulture, out TimeSpan fixedOffset)
                ? TimeZoneInfo.CreateCustomTimeZone(id, fixedOffset, id, id)
                : TimeZoneInfo.FindSystemTimeZoneById(id);
        }
        catch (Exception e) when (e is TimeZoneNotFoundException or InvalidTimeZoneException or ArgumentException or System.Security.SecurityException)
        {
            throw LakeException.FeatureUnsupported($"The time zone '{id}' of an ORC writer is not known here", path);
        }

        int standard = (int)zone.BaseUtcOffset.TotalSeconds;
        // The runtime rounds offsets to minutes, which loses the local mean times of a century ago; the system's own files are exact.
        string file = Path.Combine("/usr/share/zoneinfo", id);
        return zone.HasIanaId && !id.Split('/').Contains("..") && File.Exists(file) && TryParse(File.ReadAllBytes(file), out long[] from, out int[] offsets)
            ? new OrcTimeZone(from, offsets, standard, zone)
            : new OrcTimeZone([], [], standard, zone);
    }

    internal int OffsetAt(long epochSeconds)
    {
        if (epochSeconds < Year1900)
        {
            return _standard;
        }

        // Transitions are listed up to 2037 at most, later ones follow a rule that the runtime evaluates.
        int index = System.Array.BinarySearch(_from, epochSeconds);
        index = index >= 0 ? index : ~index - 1;
        if (index >= 0 && index < _from.Length - 1)
        {
            return _offsets[index];
        }

        if (_later is null || epochSeconds > 253_402_300_799)
        {
            return _standard;
        }

        return (int)_later.GetUtcOffset(DateTimeOffset.FromUnixTimeSeconds(epochSeconds)).TotalSeconds;
    }

    /// <summary>The 64-bit transitions of a TZif file (RFC 8536).</summary>
    private static bool TryParse(ReadOnlySpan<byte> file, out long[] from, out int[] offsets)
    {
        from = [];
        offsets = [];
        const int Header = 44;
        if (file.Length < Header || !file.StartsWith("TZif"u8) || file[4] < (byte)'2')
        {
            return false;
        }

        // The first block repeats everything in 32 bits.
        int skip = Header + (Count(file, 32) * 5) + (Count(file, 36) * 6) + Count(file, 40) + (Count(file, 28) * 8) + Count(file, 24) + Count(file, 20);
        file = file[Math.Min(skip, file.Length)..];
        if (file.Length < Header)
        {
            return false;
        }

        int times = Count(file, 32);
        int types = Count(file, 36);
        ReadOnlySpan<byte> body = file[Header..];
        if (body.Length < (times * 9) + (types * 6))
        {
            return false;
        }

        from = new long[times];
        offsets = new int[times];
        for (int i = 0; i < times; i++)
        {
            from[i] = BinaryPrimitives.ReadInt64BigEndian(body[(8 * i)..]);
            offsets[i] = BinaryPrimitives.ReadInt32BigEndian(body[((9 * times) + (6 * body[(8 * times) + i]))..]);
        }

        return true;
    }

    private static int Count(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadInt32BigEndian(file[at..]);
}
