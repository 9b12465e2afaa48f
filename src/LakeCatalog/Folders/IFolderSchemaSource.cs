using Apache.Arrow;
using LakeHolo.LakeCatalog.Snapshots;

namespace LakeHolo.LakeCatalog.Folders;

/// <summary>Works out the columns of a folder's files; what opens files stands above this project.</summary>
public interface IFolderSchemaSource
{
    /// <summary>The union of the columns of all files, by name, and the number of rows where it costs nothing to know.</summary>
    /// <param name="table">The table; its format says what the files are.</param>
    /// <param name="folderFiles">At least one file.</param>
    /// <param name="cancellationToken">Observed inside storage reads.</param>
    /// <exception cref="LakeException">FeatureUnsupported for columns that have no common type; FormatInvalid for a broken file.</exception>
    ValueTask<FolderSchema> ReadSchemaAsync(LakeTable table, IReadOnlyList<FolderFile> folderFiles, CancellationToken cancellationToken = default);
}

/// <summary>Columns of a folder's files.</summary>
/// <param name="Schema">Their names and types.</param>
/// <param name="RowCount">Exact number of rows, or null.</param>
/// <param name="IsConfigured">The columns come from the configuration; CSV files have no header then.</param>
public sealed record FolderSchema(Schema Schema, long? RowCount, bool IsConfigured = false);
