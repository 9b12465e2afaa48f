using System.Globalization;
using System.Numerics;
using System.Text;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.LakeCatalog.Tests.Paimon;

/// <summary>How Paimon stores rows, names folders and writes types: the vectors of its own documents and unit tests, and what is refused.</summary>
public sealed class StoredFormsTests
{
    [Theory]
    [InlineData("INT, STRING", "00000002 0000000000000000 0100000000000000 3100000000000081", "1|1")]
    [InlineData("STRING", "00000001 0000000000000000 0b00000010000000 68656c6c6f2d776f 726c640000000000", "hello-world")]
    [InlineData("DECIMAL(20; 2)", "00000001 0000000000000000 0200000010000000 3039000000000000 0000000000000000", "12345")]
    [InlineData("DECIMAL(20; 2)", "00000001 0001000000000000 0000000010000000 0000000000000000 0000000000000000", "NULL")]
    [InlineData("TIMESTAMP(6)", "00000001 0000000000000000 40f5060010000000 7bf451c28c010000", "1704067200123+456000")]
    [InlineData("INT, DOUBLE, STRING", "00000003 0002000000000000 0700000000000000 0000000000000000 0800000020000000 6162636465666768", "7|NULL|abcdefgh")]
    [InlineData("", "00000000 0000000000000000", "")]
    public void A_stored_row_is_decoded(string types, string hex, string expected)
    {
        PaimonType[] parsed = [.. types.Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(t => Type(t.Replace(';', ',')))];
        Assert.Equal(expected, string.Join('|', BinaryRow.Decode(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), parsed, "m").Select(Show)));
    }

    [Theory]
    [InlineData("00000002 0000000000000000 0100000000000000", "2 fields, expected 1")]
    [InlineData("00000001 0000000000000000", "only 8 bytes")]
    [InlineData("00000001 0000000000000000 0900000010000000 6100000000000000", "outside")]
    public void A_stored_row_that_does_not_fit_is_refused(string hex, string named)
    {
        LakeException error = Assert.Throws<LakeException>(() => BinaryRow.Decode(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), [Type("STRING")], "m"));
        Assert.Equal(LakeErrorKind.FormatInvalid, error.Kind);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DATE", 19723L, "19723", "2024-01-01")]
    [InlineData("INT", -7L, "-7", "-7")]
    [InlineData("BOOLEAN", true, "true", "true")]
    [InlineData("STRING", "a/b:c=d%e[f]^ g\u00fc", "a%2Fb%3Ac%3Dd%25e%5Bf%5D%5E g\u00fc", "a%2Fb%3Ac%3Dd%25e%5Bf%5D%5E g\u00fc")]
    [InlineData("STRING", "", "__DEFAULT_PARTITION__", "__DEFAULT_PARTITION__")]
    [InlineData("STRING", " \u001c", "__DEFAULT_PARTITION__", "__DEFAULT_PARTITION__")]
    [InlineData("STRING", "\u00a0", "\u00a0", "\u00a0")]
    [InlineData("STRING", null, "__DEFAULT_PARTITION__", "__DEFAULT_PARTITION__")]
    [InlineData("DOUBLE", 1e10, "1.0E10", "1.0E10")]
    [InlineData("DOUBLE", 0.001, "0.001", "0.001")]
    [InlineData("DOUBLE", 12345678.5, "1.23456785E7", "1.23456785E7")]
    [InlineData("DOUBLE", double.NegativeInfinity, "-Infinity", "-Infinity")]
    [InlineData("TIME(3)", 3_661_500L, "3661500", "01%3A01%3A01.5")]
    [InlineData("TIME(0)", 3_661_000L, "3661000", "01%3A01%3A01")]
    public void A_partition_folder_is_named_as_the_writer_names_it(string type, object? value, string legacy, string other)
    {
        object? stored = value is string text ? Encoding.UTF8.GetBytes(text) : value;
        Assert.Equal($"p={legacy}/bucket-0/", Folder(type, stored, []));
        Assert.Equal($"p={other}/bucket-0/", Folder(type, stored, new() { ["partition.legacy-name"] = "false" }));
        Assert.Equal($"p={other}/bucket-0/", PaimonPaths.BucketFolder(SchemaOf(type, []), [Type(type)], [stored], 0, otherSpelling: true));
    }

    [Theory]
    [InlineData(0, 0, 3, "1970-01-01T00%3A00", "1970-01-01 00%3A00%3A00.000")]
    [InlineData(1_704_103_872_000, 0, 0, "2024-01-01T10%3A11%3A12", "2024-01-01 10%3A11%3A12")]
    [InlineData(1_704_103_872_120, 0, 6, "2024-01-01T10%3A11%3A12.120", "2024-01-01 10%3A11%3A12.120000")]
    [InlineData(1_704_103_872_120, 1_000, 6, "2024-01-01T10%3A11%3A12.120001", "2024-01-01 10%3A11%3A12.120001")]
    [InlineData(-1, 999_999, 9, "1969-12-31T23%3A59%3A59.999999999", "1969-12-31 23%3A59%3A59.999999999")]
    public void A_folder_of_a_moment_has_the_digits_that_its_writer_gives_it(long millis, int nanos, int precision, string legacy, string other)
    {
        string type = string.Create(CultureInfo.InvariantCulture, $"TIMESTAMP({precision})");
        Assert.Equal($"p={legacy}/bucket-0/", Folder(type, new PaimonTimestamp(millis, nanos), []));
        Assert.Equal($"p={other}/bucket-0/", Folder(type, new PaimonTimestamp(millis, nanos), new() { ["partition.legacy-name"] = "false" }));
    }

    [Fact]
    public void Options_say_where_buckets_lie_and_what_a_missing_value_is_called()
    {
        var options = new Dictionary<string, string> { ["data-file.path-directory"] = "data/", ["partition.default-name"] = "none" };
        Assert.Equal("data/p=none/bucket-postpone/", PaimonPaths.BucketFolder(SchemaOf("STRING", options), [Type("STRING")], [null], -2));
        Assert.Equal("p=\u0001/bucket-3/", PaimonPaths.BucketFolder(SchemaOf("BYTES", new() { ["partition.legacy-name"] = "false" }), [Type("BYTES")], [new byte[] { 1 }], 3).Replace("%01", "\u0001", StringComparison.Ordinal));
        LakeException error = Assert.Throws<LakeException>(() => PaimonPaths.BucketFolder(SchemaOf("BYTES", []), [Type("BYTES")], [new byte[] { 1 }], 3));
        Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
        Assert.Contains("'p'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("varchar( 3 ) not null", PaimonTypeKind.VarChar, 3, 0, false)]
    [InlineData("CHAR", PaimonTypeKind.Char, 1, 0, true)]
    [InlineData("Numeric(12,3) NULL", PaimonTypeKind.Decimal, 12, 3, true)]
    [InlineData("dec", PaimonTypeKind.Decimal, 10, 0, true)]
    [InlineData("DOUBLE  PRECISION", PaimonTypeKind.Double, 0, 0, true)]
    [InlineData("TIME(9) WITHOUT TIME ZONE", PaimonTypeKind.Time, 9, 0, true)]
    [InlineData("TIMESTAMP WITH LOCAL TIME ZONE NOT NULL", PaimonTypeKind.TimestampLtz, 6, 0, false)]
    [InlineData("TIMESTAMP_LTZ(3)", PaimonTypeKind.TimestampLtz, 3, 0, true)]
    [InlineData("TIMESTAMP(0)", PaimonTypeKind.Timestamp, 0, 0, true)]
    [InlineData("INT ARRAY", PaimonTypeKind.Array, 0, 0, true)]
    [InlineData("INT MULTISET NOT NULL", PaimonTypeKind.Multiset, 0, 0, false)]
    [InlineData("TIMESTAMP WITH TIME ZONE", PaimonTypeKind.Unknown, 0, 0, true)]
    [InlineData("GEOMETRY(OGC:CRS84)", PaimonTypeKind.Unknown, 0, 0, true)]
    public void A_type_is_read_whatever_its_spelling(string text, PaimonTypeKind kind, int length, int scale, bool nullable)
    {
        PaimonType type = Type(text);
        Assert.Equal((kind, length, scale, nullable), (type.Kind, type.Length, type.Scale, type.Nullable));
    }

    [Fact]
    public void Versions_beyond_those_known_are_refused_and_defaults_of_old_ones_are_filled_in()
    {
        LakeException snapshot = Assert.Throws<LakeException>(() => PaimonCommit.Parse(Encoding.UTF8.GetBytes("""{"version":4,"id":1,"schemaId":0}"""), "snapshot-1"));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (snapshot.Kind, snapshot.Message.Contains("snapshot version 4", StringComparison.Ordinal)));
        LakeException schema = Assert.Throws<LakeException>(() => Schema("""{"version":4,"fields":[]}"""));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (schema.Kind, schema.Message.Contains("schema version 4", StringComparison.Ordinal)));
        Assert.Equal(["bucket=1", "file.format=orc"], Options("""{"fields":[]}"""));
        Assert.Equal(["file.format=orc"], Options("""{"version":2,"fields":[]}"""));
        Assert.Equal(["bucket=4", "file.format=avro"], Options("""{"version":1,"fields":[],"options":{"bucket":"4","file.format":"avro"}}"""));
        Assert.Empty(Options("""{"version":3,"fields":[],"unknown":{"x":[1]}}"""));
    }

    [Fact]
    public void Columns_that_differ_in_case_only_in_the_files_of_an_older_schema_are_refused_where_they_are_wanted()
    {
        PaimonSchema old = Schema("""{"version":3,"fields":[{"id":0,"name":"a","type":"INT"},{"id":1,"name":"A","type":"INT"},{"id":2,"name":"b","type":"INT"}]}""");
        old.CheckNamesOf(new HashSet<int> { 2 }, "f");
        LakeException error = Assert.Throws<LakeException>(() => old.CheckNamesOf(new HashSet<int> { 1, 2 }, "f"));
        Assert.Equal((LakeErrorKind.FeatureUnsupported, true), (error.Kind, error.Message.Contains("'A'", StringComparison.Ordinal)));
    }

    private static string Folder(string type, object? value, Dictionary<string, string> options) =>
        PaimonPaths.BucketFolder(SchemaOf(type, options), [Type(type)], [value], 0);

    private static PaimonSchema SchemaOf(string type, Dictionary<string, string> options) =>
        new() { Id = 0, Version = 3, Fields = [new PaimonField(0, "p", Type(type), null)], PartitionKeys = ["p"], PrimaryKeys = [], Options = options };

    private static PaimonType Type(string text) => Schema($$"""{"version":3,"fields":[{"id":0,"name":"c","type":"{{text}}"}]}""").Fields[0].Type;

    private static PaimonSchema Schema(string json) => PaimonSchema.Parse(Encoding.UTF8.GetBytes(json), 0, "schema-0");

    private static string[] Options(string json) => [.. Schema(json).Options.Select(o => $"{o.Key}={o.Value}").Order(StringComparer.Ordinal)];

    private static string Show(object? value) => value switch
    {
        null => "NULL",
        byte[] text => Encoding.UTF8.GetString(text),
        PaimonTimestamp t => string.Create(CultureInfo.InvariantCulture, $"{t.Millis}+{t.NanoOfMilli}"),
        BigInteger n => n.ToString(CultureInfo.InvariantCulture),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
