namespace LakeHolo.Tests.Shared;

/// <summary>Cells as text for comparing answers.</summary>
internal static class ValueText
{
    /// <summary>Numbers by value: 6.3180 is 6.318. The scale of a decimal is its type's, and a CSV file has no types.</summary>
    public static string Of(string? cell)
    {
        if (cell is null)
        {
            return "NULL";
        }

        int point = cell.IndexOf('.', StringComparison.Ordinal);
        bool isNumber = point > 0 && point < cell.Length - 1 && cell.AsSpan(point + 1).IndexOfAnyExceptInRange('0', '9') < 0
            && cell.AsSpan(cell[0] == '-' ? 1 : 0, point - (cell[0] == '-' ? 1 : 0)) is { Length: > 0 } whole && whole.IndexOfAnyExceptInRange('0', '9') < 0;
        return isNumber ? cell.TrimEnd('0').TrimEnd('.') : cell;
    }
}
