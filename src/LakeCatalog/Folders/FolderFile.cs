namespace LakeHolo.LakeCatalog.Folders;

/// <summary>A data file of a plain folder.</summary>
/// <param name="Path">Relative to the table's folder.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="ModifiedAt">Its last change.</param>
/// <param name="ETag">Changes whenever the content does.</param>
/// <param name="Partition">Values of the partition columns, in their order, decoded; null for NULL.</param>
public sealed record FolderFile(string Path, long SizeBytes, DateTimeOffset ModifiedAt, string ETag, IReadOnlyList<string?> Partition);
