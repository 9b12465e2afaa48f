using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Delta.DeletionVectors;
using LakeHolo.LakeCatalog.Delta.Log;
using LakeHolo.LakeCatalog.Delta.Schema;
using LakeHolo.Readers.Delta;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>Real bytes, changed at random: whatever comes, it is parsed or refused with a <see cref="LakeException"/>.</summary>
public class DeltaFuzzTests
{
    private static readonly TimeSpan Budget = TimeSpan.FromSeconds(3);

    [Fact]
    public void A_damaged_commit_is_parsed_or_refused() => Fuzz(
        [.. Entries("dv_delete_update_merge", "_delta_log/", ".json"), .. Entries("log_unknown_things", "_delta_log/", ".json")],
        bytes => CommitParser.Parse(bytes, 1, "fuzz"));

    [Fact]
    public void A_damaged_deletion_vector_is_decoded_or_refused() => Fuzz(
        [.. Entries("dv_random_prefix_purge", "deletion_vector_", ".bin").Concat(Entries("dv_delete_update_merge", "deletion_vector_", ".bin")).Select(b => b[5..^4])],
        bytes => DeletionVectorDecoder.Decode(bytes, 1000, "fuzz"));

    [Fact]
    public void A_damaged_schema_is_parsed_or_refused()
    {
        const string Schema = """{"type":"struct","fields":[{"name":"a","type":{"type":"array","elementType":{"type":"map","keyType":"string","valueType":"decimal(10,2)","valueContainsNull":true},"containsNull":true},"nullable":true,"metadata":{"delta.typeChanges":[{"fromType":"integer","toType":"long"}]}}]}""";
        Fuzz([Encoding.UTF8.GetBytes(Schema)], bytes => DeltaSchemaParser.Parse(Encoding.UTF8.GetString(bytes), ColumnMappingMode.None, "fuzz"));
    }

    [Fact]
    public void A_damaged_variant_is_decoded_or_refused()
    {
        byte[] metadata = [0x01, 0x01, 0x00, 0x03, 0x6B, 0x65, 0x79];
        Assert.Equal("""{"key":5}""", VariantText.ToJson(metadata, [0x02, 0x01, 0x00, 0x00, 0x02, 0x0C, 0x05]));
        Fuzz([[0x02, 0x01, 0x00, 0x00, 0x02, 0x0C, 0x05], [0x03, 0x02, 0x00, 0x02, 0x04, 0x0C, 0x01, 0x0C, 0x02]], bytes => VariantText.ToJson(metadata, bytes));
    }

    [Fact]
    public void Inline_vectors_and_paths_decode_as_the_specification_says()
    {
        byte[] data = DeletionVectorDecoder.DecodeZ85("^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "fuzz");
        Assert.Equal([3, 4, 7, 11, 18, 29], DeletionVectorDecoder.Decode(data.AsSpan(0, 44), 6, "fuzz"));
        Assert.Equal("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin", DeletionVectorReader.RelativePath("ab^-aqEH.-t@S}K{vb[*k^", "fuzz"));
        Assert.Equal("deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin", DeletionVectorReader.RelativePath("vBn[lx{q8@P<9BNH/isA", "fuzz"));
    }

    private static void Fuzz(IReadOnlyList<byte[]> seeds, Action<byte[]> parse)
    {
        var random = new Random(20261125);
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < Budget)
        {
            byte[] bytes = Mutate(seeds[random.Next(seeds.Count)], random);
            try
            {
                parse(bytes);
            }
            catch (LakeException)
            {
                // A refusal is what damaged bytes deserve.
            }
        }
    }

    private static byte[] Mutate(byte[] seed, Random random)
    {
        byte[] bytes = [.. seed];
        for (int i = random.Next(1, 6); i > 0 && bytes.Length > 0; i--)
        {
            int at = random.Next(bytes.Length);
            switch (random.Next(5))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes = bytes[..at];
                    break;
                case 3:
                    bytes = [.. bytes[..at], .. bytes[random.Next(at + 1)..]];
                    break;
                default:
                    bytes[at] = random.Next(2) == 0 ? (byte)0 : byte.MaxValue;
                    break;
            }
        }

        return bytes;
    }

    private static List<byte[]> Entries(string golden, string part, string extension)
    {
        using ZipArchive zip = ZipFile.OpenRead(Path.Combine(GoldenCases.Folder("delta"), golden + ".zip"));
        var contents = new List<byte[]>();
        foreach (ZipArchiveEntry entry in zip.Entries.Where(e => e.FullName.Contains(part, StringComparison.Ordinal)
            && e.FullName.EndsWith(extension, StringComparison.Ordinal)))
        {
            using Stream stream = entry.Open();
            using var copy = new MemoryStream();
            stream.CopyTo(copy);
            contents.Add(copy.ToArray());
        }

        return contents;
    }
}
