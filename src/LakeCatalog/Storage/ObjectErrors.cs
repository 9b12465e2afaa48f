namespace LakeHolo.LakeCatalog.Storage;

/// <summary>Errors that both stores word alike.</summary>
internal static class ObjectErrors
{
    public static LakeException Missing(string path, Exception? innerException = null) =>
        LakeException.NotFound("The object does not exist", path, innerException);

    /// <summary>Transient: whoever asks for the newest snapshot again gets the new object.</summary>
    public static LakeException Rewritten(string path, Exception? innerException = null) =>
        new(LakeErrorKind.NotFound, "The object was rewritten while it was being read", path, isTransient: true, innerException);

    public static void CheckRanges(IReadOnlyList<ByteRange> ranges, long sizeBytes, string path)
    {
        foreach (ByteRange range in ranges)
        {
            if (range.Offset < 0 || range.Length < 0 || range.Length > Array.MaxLength || range.Offset > sizeBytes - range.Length)
            {
                throw LakeException.StorageUnavailable(
                    $"The range at {range.Offset} of {range.Length} bytes reaches past the end of {sizeBytes} bytes", path, isTransient: false);
            }
        }
    }
}
