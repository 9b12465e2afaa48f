using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Paimon;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Deletion vectors of both versions, as Paimon's own tests have them, and what is refused.</summary>
public sealed class DeletionVectorsTests
{
    private const string First = "00000016 5e43f2d0 3a300000 01000000 0000 0000 10000000 0100 fa2b5192";
    private const string Second = "00000022 d1d33964 0100000000000000 00000000 3a300000 01000000 0000 0000 10000000 0100 eebd85f4";

    [Theory]
    [InlineData(First, 22, null)]
    [InlineData(First, 22, 1L)]
    [InlineData(Second, 42, 1L)]
    public void The_magic_number_tells_the_version_and_what_the_length_counts(string hex, long length, long? cardinality)
        => Assert.Equal([1L], Decode(hex, length, cardinality, 10));

    [Theory]
    [InlineData(First, 30, null, LakeErrorKind.FormatInvalid, "index manifest says 30")]
    [InlineData(Second, 34, null, LakeErrorKind.FormatInvalid, "index manifest says 34")]
    [InlineData(First, 22, 2L, LakeErrorKind.FormatInvalid, "1 positions, its manifest says 2")]
    [InlineData("00000016 5e43f2d0 3a300000 01000000 0000 0000 10000000 0200 fa2b5192", 22, null, LakeErrorKind.FormatInvalid, "checksum")]
    [InlineData("00000016 5e43f2d1 3a300000 01000000 0000 0000 10000000 0100 fa2b5192", 22, null, LakeErrorKind.FeatureUnsupported, "magic")]
    [InlineData("00000016 5e43f2d0", 22, null, LakeErrorKind.FormatInvalid, "only 8 bytes")]
    public void A_vector_that_contradicts_its_manifest_or_itself_is_refused(string hex, long length, long? cardinality, LakeErrorKind kind, string named)
    {
        LakeException error = Assert.Throws<LakeException>(() => Decode(hex, length, cardinality, 10));
        Assert.Equal(kind, error.Kind);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_version_of_the_index_file_is_refused()
    {
        LakeException error = Assert.Throws<LakeException>(() => DeletionVectors.CheckFileVersion(2, "index/i"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("version 2", error.Message, StringComparison.Ordinal);
    }

    private static List<long> Decode(string hex, long length, long? cardinality, long rows) => DeletionVectors.Decode(
        Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), new PaimonDeletionVector("", 0, "f", "index/i", 0, length, cardinality), rows);
}
