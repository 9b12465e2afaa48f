using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.Hudi;

/// <summary>What the engine says about a file it cannot open, in LakeHolo's terms.</summary>
internal static class EngineErrors
{
    public static LakeException OfFile(DuckDBException error, string path)
    {
        if (error.Message.Contains("encrypt", StringComparison.OrdinalIgnoreCase))
        {
            return LakeException.FeatureUnsupported("Hudi: encrypted Parquet is not supported", path);
        }

        return error.Message.Contains("No files found", StringComparison.Ordinal) || error.Message.Contains("Cannot open file", StringComparison.Ordinal)
            ? LakeException.NotFound("Hudi: missing base file", path, error)
            : LakeException.FormatInvalid("The file is not the Parquet it should be: " + error.Message, path, error);
    }
}
