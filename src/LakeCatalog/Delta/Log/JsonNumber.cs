using System.Globalization;
using System.Text.Json;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>Whole numbers of actions. Writers' own readers take <c>"12"</c> and <c>12.0</c> for 12, so logs may have them.</summary>
internal static class JsonNumber
{
    /// <summary>The number the reader stands at; null for null.</summary>
    /// <exception cref="JsonException">It is no whole number of 64 bits.</exception>
    public static long? Int64(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.Null => null,
        JsonTokenType.Number when reader.TryGetInt64(out long value) => value,
        JsonTokenType.Number when reader.TryGetDecimal(out decimal value) => Whole(value),
        JsonTokenType.String => Parse(reader.GetString()!),
        _ => throw new JsonException("a whole number was expected"),
    };

    /// <summary>The same of an element.</summary>
    public static long? Int64(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Number when element.TryGetInt64(out long value) => value,
        JsonValueKind.Number when element.TryGetDecimal(out decimal value) => Whole(value),
        JsonValueKind.String => Parse(element.GetString()!),
        _ => throw new JsonException("a whole number was expected"),
    };

    /// <summary>A number of 32 bits.</summary>
    public static int? Int32(JsonElement element) => checked((int?)Int64(element));

    private static long Parse(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : throw new JsonException($"'{text}' is no whole number");

    private static long Whole(decimal value) =>
        decimal.Truncate(value) == value && value is >= long.MinValue and <= long.MaxValue ? (long)value : throw new JsonException($"{value} is no whole number of 64 bits");
}
