using System.Text.Json;

namespace LakeHolo.Accelerator.Execution;

/// <summary>What each answer says of itself: a JSON object <c>{"queryId":…,"tables":[{"table":…,"tier":…,"snapshot":…,"committedAt":…,"ageMs":…,…}]}</c>.</summary>
public static class AppMetadata
{
    internal static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web);

    /// <summary>UTF-8 bytes of the object.</summary>
    public static byte[] Encode(long queryId, IReadOnlyList<TableUse> tables) => JsonSerializer.SerializeToUtf8Bytes(new { queryId, tables }, Json);
}
