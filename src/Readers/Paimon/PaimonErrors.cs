using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon;

/// <summary>Errors of the engine while files are merged.</summary>
internal static class PaimonErrors
{
    public static LakeException Translate(DuckDBException e, PaimonSnapshot snapshot) => e.Message.Contains("Out of Memory", StringComparison.OrdinalIgnoreCase)
        ? LakeException.ResourcesExhausted($"Merging {snapshot.Table.FullName} does not fit into the engine's memory")
        : LakeException.FormatInvalid($"The files of the table cannot be merged: {e.Message}", snapshot.Table.Root.Location, e);
}
