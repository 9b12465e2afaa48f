using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Delete blocks of version 2, which hold what Kryo made of Java objects. The bytes come from Kryo itself (2.20, as Debian packages it), of classes with the names and fields of Hudi 0.12's.</summary>
public sealed class KryoDeletesTests
{
    // Two records of one partition, whose name the second refers to; both with the ordering value Integer 0.
    private const string Two =
        "01005b4c6f72672e6170616368652e687564692e636f6d6d6f6e2e6d6f64656c2e44656c6574655265636f7264bb010301016f72672e6170616368652e687564692e636f6d6d6f6e2e6d6f64656c2e44656c6574655265636f72e40101026f72672e6170616368652e687564692e636f6d6d6f6e2e6d6f64656c2e486f6f6469654b65f9010165f5016b3030b1020001010101020105016b3030b20200";

    // Ordering values of the classes Long, Double, String, Boolean and Float, and none; keys that are no ASCII, empty, and longer than 63 characters.
    private const string Various =
        "01005b4c6f72672e6170616368652e687564692e636f6d6d6f6e2e6d6f64656c2e44656c6574655265636f7264bb010701016f72672e6170616368652e687564692e636f6d6d6f6e2e6d6f64656c2e44656c6574655265636f72e40101026f72672e6170616368652e687564692e636f6d6d6f6e2e6d6f64656c2e486f6f6469654b65f90101810183c3bc310980c8afa0250101010102010501826b0abff8000000000000010101010201018278050301826f010101010201000189656d6f6a6920eda0bdedb88005010101010102010165f501c70130313233343536373839303132333435363738393031323334353637383930313233343536373839303132333435363738393031323334353637383930313233343536373839043fc000000101010102011301826e00";

    [Fact]
    public void Keys_and_ordering_values_are_read()
    {
        Assert.Equal(["k001 -", "k002 -"], Read(Two, "eu/f"));
        Assert.Equal(
            ["\u00fc1 5000000000 in ", "k -1.5 in ", " o in x", "emoji \U0001F600 true in null", new string([.. Enumerable.Range(0, 70).Select(i => (char)('0' + (i % 10)))]) + " 1.5 in eu", "n - in eu"],
            KryoDeletes.Decode(Convert.FromHexString(Various), "f").Select(k => $"{Text(k.Key)} in {k.Partition ?? "null"}"));
    }

    [Fact]
    public void A_record_of_another_partition_is_refused()
        => Assert.Equal(LakeErrorKind.FormatInvalid, Assert.Throws<LakeException>(() => Read(Two, "us/f")).Kind);

    [Fact]
    public void Objects_of_other_classes_are_refused_by_name()
    {
        LakeException error = Assert.Throws<LakeException>(() => Read(Two.Replace("486f6f6469654b65f9", "486f6f6469654b66f9", StringComparison.Ordinal), "eu/f"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("HoodieKey", error.Message, StringComparison.Ordinal);
        // Avro's text, which Hudi 0.13 gave a number of its own.
        error = Assert.Throws<LakeException>(() => Read(Two[..^4] + "1d00", "eu/f"));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("Kryo's class 29", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_cut_or_too_many_are_refused()
    {
        for (int length = 0; length < Two.Length; length += 2)
        {
            Assert.Throws<LakeException>(() => Read(Two[..length], "eu/f"));
        }

        Assert.Throws<LakeException>(() => Read(Two + "00", "eu/f"));
        Fuzz.Run(20_000, [Convert.FromHexString(Two), Convert.FromHexString(Various)], bytes => KryoDeletes.Decode(bytes, "f"));
    }

    private static string[] Read(string hex, string path)
    {
        byte[] bytes = Convert.FromHexString(hex);
        byte[] block = [0, 0, 0, 2, 0, 0, (byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];
        return [.. DeleteBlock.Decode(block, path).Select(Text)];
    }

    private static string Text(DeletedKey key) => $"{key.Key} {(key.Ordering is null ? "-" : Assert.Single(key.Ordering))}";
}
