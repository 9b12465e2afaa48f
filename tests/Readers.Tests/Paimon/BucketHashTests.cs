using System.Text;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Paimon.Pruning;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Vectors of Paimon's own unit tests.</summary>
public sealed class BucketHashTests
{
    private static readonly PaimonType Int = new() { Kind = PaimonTypeKind.Int };
    private static readonly PaimonType Text = new() { Kind = PaimonTypeKind.VarChar, Length = PaimonType.MaxLength };

    [Theory]
    [InlineData(new long[] { 5 }, 260196596)]
    [InlineData(new long[] { 5, 6 }, 131015827)]
    [InlineData(new long[] { 5, 6, 7 }, 1805332940)]
    [InlineData(new long[] { 1 }, 1465514398)]
    public void Integer_keys_hash_as_the_writer_hashes_them(long[] key, int hash) =>
        Assert.Equal(hash, BucketHash.Hash([.. key.Select(k => (object)k)], [.. key.Select(_ => Int)]));

    [Theory]
    [InlineData("a", 943281246)]
    [InlineData("hello", 243722546)]
    [InlineData("hello-world", 76085436)]
    [InlineData("", 302122119)]
    public void String_keys_hash_as_the_writer_hashes_them(string key, int hash) => Assert.Equal(hash, BucketHash.Hash([Encoding.UTF8.GetBytes(key)], [Text]));

    [Fact]
    public void A_date_and_a_composite_key_fall_into_the_writers_buckets()
    {
        Assert.Equal(-1439008885, BucketHash.Hash([19723L], [new PaimonType { Kind = PaimonTypeKind.Date }]));
        Assert.Equal(864884294, BucketHash.Hash([1L, Encoding.UTF8.GetBytes("20240101")], [Int, Text]));
        Assert.Equal(6, BucketHash.BucketOf([1L, Encoding.UTF8.GetBytes("20240101")], [Int, Text], 8));
    }
}
