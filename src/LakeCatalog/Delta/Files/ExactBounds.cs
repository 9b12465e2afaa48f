using System.Numerics;
using System.Text;
using System.Text.Json;
using LakeHolo.LakeCatalog.Delta.Schema;

namespace LakeHolo.LakeCatalog.Delta.Files;

/// <summary>What statistics tell of a top-level column exactly, for every file of a block: as values, not as bounds (those are <see cref="ColumnBounds"/>). Delta PROTOCOL.md,
/// "Per-file Statistics": with tight bounds (the default) a minimum equals the least value of the file, and a null count is one; they may be wide only where <c>tightBounds</c> is false.</summary>
/// <remarks>Whole numbers, dates and short decimals only. Texts and timestamps are cut by writers, floating numbers may leave out NaN; decimals of more than 15 digits are
/// written as floating numbers by some; dates before 1900 may be those of another calendar.</remarks>
public sealed class ExactBounds
{
    /// <summary>Digits that every decimal keeps as a floating number.</summary>
    private const int MostDigits = 15;

    private static readonly int FirstDay = new DateOnly(1900, 1, 1).DayNumber - DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber;

    private static readonly int LastDay = DateOnly.MaxValue.DayNumber - DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber;

    private readonly DeltaType _type;
    private readonly FileFacts[] _files;

    private ExactBounds(DeltaType type, int count)
    {
        _type = type;
        _files = new FileFacts[count];
        Array.Fill(_files, FileFacts.Unknown);
    }

    /// <summary>Whether extremes of a type are told.</summary>
    public static bool HasExtremes(DeltaType type) => type is DeltaDecimal { Precision: <= MostDigits }
        or DeltaPrimitive { Kind: DeltaPrimitiveKind.Byte or DeltaPrimitiveKind.Short or DeltaPrimitiveKind.Integer or DeltaPrimitiveKind.Long or DeltaPrimitiveKind.Date };

    /// <summary>What is told of a file, before deletions.</summary>
    public FileFacts this[int row] => _files[row];

    internal static ExactBounds Parse(StatsStore stats, int count, string physicalName, DeltaType type)
    {
        var bounds = new ExactBounds(type, count);
        byte[] name = Encoding.UTF8.GetBytes(physicalName);
        stats.ForEach((row, json) =>
        {
            try
            {
                bounds._files[row] = bounds.ParseRow(json, name);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // Statistics that are no JSON count as absent.
            }
        });
        return bounds;
    }

    private FileFacts ParseRow(ReadOnlySpan<byte> json, byte[] name)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
        reader.Read();
        (long nulls, Int128? least, Int128? greatest) = (-1, null, null);
        int seen = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            int part = reader.ValueTextEquals("minValues"u8) ? 1 : reader.ValueTextEquals("maxValues"u8) ? 2 : reader.ValueTextEquals("nullCount"u8) ? 4 : reader.ValueTextEquals("tightBounds"u8) ? 8 : 0;
            reader.Read();
            if ((seen & part) != 0 || (part == 8 && reader.TokenType != JsonTokenType.True))
            {
                return FileFacts.Unknown;
            }

            seen |= part;
            if (part is 0 or 8 || reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            bool found = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isColumn = reader.ValueTextEquals(name);
                reader.Read();
                if (!isColumn)
                {
                    reader.Skip();
                    continue;
                }

                if (found)
                {
                    return FileFacts.Unknown;
                }

                found = true;
                switch (part)
                {
                    case 1:
                        least = Value(ref reader);
                        break;
                    case 2:
                        greatest = Value(ref reader);
                        break;
                    default:
                        nulls = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long count) ? count : -1;
                        break;
                }

                reader.Skip();
            }
        }

        // What breaks off tells nothing.
        return reader.TokenType != JsonTokenType.EndObject || reader.CurrentDepth != 0 || reader.Read() ? FileFacts.Unknown
            : least <= greatest ? new FileFacts(nulls, least, greatest)
            : new FileFacts(nulls, null, null);
    }

    private Int128? Value(ref Utf8JsonReader reader) => _type switch
    {
        DeltaDecimal type => Decimal(ref reader, type),
        DeltaPrimitive { Kind: DeltaPrimitiveKind.Date } => reader.TokenType == JsonTokenType.String && DeltaText.TryParseDate(reader.GetString()!, out int days) && days >= FirstDay && days <= LastDay ? days : null,
        DeltaPrimitive { Kind: var kind } when reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long value) => kind switch
        {
            DeltaPrimitiveKind.Byte => value is >= sbyte.MinValue and <= sbyte.MaxValue ? value : null,
            DeltaPrimitiveKind.Short => value is >= short.MinValue and <= short.MaxValue ? value : null,
            DeltaPrimitiveKind.Integer => value is >= int.MinValue and <= int.MaxValue ? value : null,
            DeltaPrimitiveKind.Long => value,
            _ => null,
        },
        _ => null,
    };

    private static Int128? Decimal(ref Utf8JsonReader reader, DeltaDecimal type)
    {
        if (type.Precision > MostDigits || reader.TokenType is not (JsonTokenType.Number or JsonTokenType.String))
        {
            return null;
        }

        string text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : Encoding.UTF8.GetString(reader.ValueSpan);
        return DeltaText.TryParseDecimal(text, type.Scale, roundUp: true, out Int128 above) && DeltaText.TryParseDecimal(text, type.Scale, roundUp: false, out Int128 below)
            && above == below && Int128.Abs(above) < (Int128)BigInteger.Pow(10, type.Precision)
            ? above
            : null;
    }
}

/// <summary>What statistics tell of a column in a file.</summary>
/// <param name="Nulls">Rows without a value; -1 for unknown.</param>
/// <param name="Least">The least value: a number, days since 1970-01-01, or a decimal at its scale; null for unknown.</param>
/// <param name="Greatest">The greatest, likewise; both are known or none.</param>
public readonly record struct FileFacts(long Nulls, Int128? Least, Int128? Greatest)
{
    /// <summary>Nothing.</summary>
    public static FileFacts Unknown { get; } = new(-1, null, null);
}
