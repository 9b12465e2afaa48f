namespace LakeHolo.LakeCatalog;

/// <summary>What a caller can act on; one kind maps to one exit code and one gRPC status.</summary>
public enum LakeErrorKind
{
    /// <summary>A table, snapshot, file or column that was asked for is not there.</summary>
    NotFound,

    /// <summary>Bytes contradict the format's specification or their own metadata.</summary>
    FormatInvalid,

    /// <summary>The table uses a feature that this reader refuses; the message names it.</summary>
    FeatureUnsupported,

    /// <summary>The storage does not answer, refuses access, or fails.</summary>
    StorageUnavailable,

    /// <summary>A configured bound was reached (memory, disk, queue, time).</summary>
    ResourcesExhausted,

    /// <summary>The SQL text is wrong or not allowed.</summary>
    QueryInvalid,

    /// <summary>A defect of LakeHolo's own.</summary>
    Internal,

    /// <summary>The user lacks a right.</summary>
    PermissionDenied,
}

/// <summary>The one exception that LakeHolo throws on purpose. Wrong arguments throw <see cref="ArgumentException"/>;
/// cancellation is <see cref="OperationCanceledException"/>.</summary>
public sealed class LakeException : Exception
{
    /// <summary>Creates an exception; prefer the factory methods.</summary>
    public LakeException(LakeErrorKind kind, string message, string? path = null, bool isTransient = false, Exception? innerException = null)
        : base(path is null ? message : $"{message} [{path}]", innerException)
    {
        Kind = kind;
        Path = path;
        IsTransient = isTransient;
    }

    /// <summary>What a caller can act on.</summary>
    public LakeErrorKind Kind { get; }

    /// <summary>The file, table or object concerned, if there is one.</summary>
    public string? Path { get; }

    /// <summary>Whether the same call may succeed later.</summary>
    public bool IsTransient { get; }

    /// <summary>Something asked for is not there.</summary>
    public static LakeException NotFound(string message, string? path = null, Exception? innerException = null)
        => new(LakeErrorKind.NotFound, message, path, innerException: innerException);

    /// <summary>Bytes contradict the format; the message says what was expected and what was found.</summary>
    public static LakeException FormatInvalid(string message, string? path = null, Exception? innerException = null)
        => new(LakeErrorKind.FormatInvalid, message, path, innerException: innerException);

    /// <summary>A feature is refused; the message names it.</summary>
    public static LakeException FeatureUnsupported(string message, string? path = null)
        => new(LakeErrorKind.FeatureUnsupported, message, path);

    /// <summary>Storage does not answer or refuses.</summary>
    public static LakeException StorageUnavailable(string message, string? path = null, bool isTransient = true, Exception? innerException = null)
        => new(LakeErrorKind.StorageUnavailable, message, path, isTransient, innerException);

    /// <summary>A configured bound was reached.</summary>
    public static LakeException ResourcesExhausted(string message, bool isTransient = true)
        => new(LakeErrorKind.ResourcesExhausted, message, isTransient: isTransient);

    /// <summary>The SQL text is wrong or not allowed.</summary>
    public static LakeException QueryInvalid(string message, Exception? innerException = null)
        => new(LakeErrorKind.QueryInvalid, message, innerException: innerException);

    /// <summary><see cref="LakeErrorKind.PermissionDenied"/>.</summary>
    public static LakeException PermissionDenied(string message) => new(LakeErrorKind.PermissionDenied, message);
}
