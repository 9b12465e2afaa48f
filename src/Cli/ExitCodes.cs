using LakeHolo.LakeCatalog;

namespace LakeHolo.Cli;

/// <summary>What the process ends with; documented in <c>lakeholo --help</c>.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;
    public const int Query = 1;
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int Unsupported = 4;
    public const int Storage = 5;
    public const int Resources = 6;
    public const int Internal = 70;
    public const int Interrupted = 130;

    /// <summary>For the help text.</summary>
    public const string Help =
        "Exit codes: 0 ok, 1 the query or its data is wrong, 2 usage, 3 not found, 4 unsupported feature, 5 storage or server unreachable, 6 a limit was reached, 70 internal, 130 interrupted";

    public static int Of(LakeErrorKind kind) => kind switch
    {
        LakeErrorKind.NotFound => NotFound,
        LakeErrorKind.FeatureUnsupported => Unsupported,
        LakeErrorKind.StorageUnavailable => Storage,
        LakeErrorKind.ResourcesExhausted => Resources,
        LakeErrorKind.Internal => Internal,
        _ => Query,
    };
}
