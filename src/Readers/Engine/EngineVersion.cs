using DuckDB.NET.Data;

namespace LakeHolo.Readers.Engine;

/// <summary>The embedded engine's version.</summary>
public static class EngineVersion
{
    /// <summary>As the engine says it, <c>v1.5.6</c>.</summary>
    public static string Text
    {
        get
        {
            using var connection = new DuckDBConnection("DataSource=:memory:");
            connection.Open();
            return connection.ServerVersion;
        }
    }
}
