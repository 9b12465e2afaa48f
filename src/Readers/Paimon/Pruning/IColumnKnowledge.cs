using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon.Pruning;

/// <summary>What is known of a column's values in a file. In doubt everything may be.</summary>
internal interface IColumnKnowledge
{
    /// <summary>Whether some value may be NULL.</summary>
    bool MayBeNull { get; }

    /// <summary>Whether some value may not be NULL.</summary>
    bool MayBeNotNull { get; }

    /// <summary>Whether a comparison can be true for some row.</summary>
    bool MayMatch(ScanComparison comparison, ScanLiteral literal);

    /// <summary>Whether a string may begin with a prefix.</summary>
    bool MayStartWith(string prefix);
}
