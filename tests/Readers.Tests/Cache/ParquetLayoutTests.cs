using CsCheck;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache.Sparse;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Readers.Tests.Cache;

public sealed class ParquetLayoutTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Chunks_and_bloom_filters_are_where_the_engine_says()
    {
        byte[] file = WriteFile();
        ParquetLayout layout = ParquetLayout.Parse(FooterOf(file), file.Length);

        List<ByteRange> ranges = [.. layout.RangesOf(["a"])];

        List<long[]> expected = Ask(
            "SELECT least(data_page_offset, coalesce(dictionary_page_offset, data_page_offset)), total_compressed_size, bloom_filter_offset, bloom_filter_length "
            + $"FROM parquet_metadata('{_folder.File("t.parquet")}') WHERE path_in_schema = 'a'");
        Assert.Equal(3, expected.Count);
        foreach (long[] chunk in expected)
        {
            Assert.Contains(ranges, r => r.Offset == chunk[0] && r.Length >= chunk[1]);
            Assert.Contains(new ByteRange(chunk[2], chunk[3]), ranges);
        }

        Assert.Equal(7, ranges.Count);
        Assert.Equal(new ByteRange(file.Length - FooterOf(file).Length, FooterOf(file).Length), ranges[0]);
        Assert.Single(layout.RangesOf([]));
    }

    [Fact]
    public void A_tail_without_the_magic_or_with_an_impossible_length_is_no_plain_Parquet()
    {
        Assert.Equal(18, ParquetLayout.FooterBytes([10, 0, 0, 0, .. "PAR1"u8], 18));
        Assert.Null(ParquetLayout.FooterBytes([10, 0, 0, 0, .. "PAR1"u8], 17));
        Assert.Null(ParquetLayout.FooterBytes([255, 255, 255, 255, .. "PAR1"u8], 1 << 20));
        Assert.Null(ParquetLayout.FooterBytes([10, 0, 0, 0, .. "PARE"u8], 1000));
    }

    [Fact]
    public void A_damaged_footer_gives_ranges_inside_the_file_or_is_refused_as_such()
    {
        byte[] file = WriteFile();
        byte[] footer = FooterOf(file);
        Gen<byte[]> damaged = Gen.Select(Gen.Int[0, footer.Length - 1], Gen.Byte, Gen.Int[8, footer.Length], Gen.Bool).Select((at, value, length, cut) =>
        {
            byte[] copy = cut ? [.. footer[..(length - 8)], .. footer[^8..]] : [.. footer];
            copy[Math.Min(at, copy.Length - 1)] = value;
            return copy;
        });

        damaged.Sample(bytes =>
        {
            try
            {
                Assert.All(
                    ParquetLayout.Parse(bytes, file.Length).RangesOf(["a", "b"]),
                    r => Assert.True(r.Offset >= 0 && r.Length >= 0 && r.Offset + r.Length <= file.Length));
            }
            catch (LakeException e)
            {
                Assert.Equal(LakeErrorKind.FormatInvalid, e.Kind);
            }
        }, iter: 20_000);
    }

    [Fact]
    public void Deep_nesting_is_refused_before_the_stack_ends()
    {
        byte[] nested = [.. Enumerable.Repeat((byte)0x1C, 1 << 20), .. new byte[8]]; // field 1 is a struct, whose field 1 is a struct, …

        Assert.Equal(LakeErrorKind.FormatInvalid, Assert.Throws<LakeException>(() => ParquetLayout.Parse(nested, nested.Length)).Kind);
    }

    [Fact]
    public void What_is_missing_and_what_is_there_make_up_what_is_wanted() =>
        Gen.Select(RangesGen, RangesGen).Sample((wanted, present) =>
        {
            Segment[] segments = [.. present.Select(r => new Segment(r.Offset, r.Length, 0))];
            List<ByteRange> missing = Ranges.Missing(wanted, segments);
            HashSet<long> want = BytesOf(wanted), have = BytesOf(present), miss = BytesOf(missing);

            Assert.True(miss.SetEquals(want.Except(have)));
            Assert.Equal(missing.Sum(m => m.Length), miss.Count);
            Assert.True(BytesOf(Ranges.Requests(missing, 7)).IsSupersetOf(miss));
            Assert.All(Ranges.Requests(missing, 7), r => Assert.InRange(r.Length, 1, 7));
            Assert.Equal(
                segments.Where(s => BytesOf([new ByteRange(s.Offset, s.Length)]).Overlaps(want)).Order(BySegment), Ranges.Touched(wanted, segments).Order(BySegment));
        });

    private static readonly Comparer<Segment> BySegment = Comparer<Segment>.Create((a, b) => (a.Offset, a.Length).CompareTo((b.Offset, b.Length)));

    private static readonly Gen<ByteRange[]> RangesGen =
        Gen.Select(Gen.Long[0, 60], Gen.Long[1, 12]).Select((offset, length) => new ByteRange(offset, length)).Array[0, 8];

    private static HashSet<long> BytesOf(IEnumerable<ByteRange> ranges) => [.. ranges.SelectMany(r => Enumerable.Range(0, (int)r.Length).Select(i => r.Offset + i))];

    private static byte[] FooterOf(byte[] file) => file[^(int)ParquetLayout.FooterBytes(file.AsSpan(^8..), file.Length)!.Value..];

    private byte[] WriteFile()
    {
        Ask($"COPY (SELECT i % 50 AS a, 'b' || i AS b FROM range(6000) r(i)) TO '{_folder.File("t.parquet")}' (FORMAT parquet, ROW_GROUP_SIZE 2048)");
        return File.ReadAllBytes(_folder.File("t.parquet"));
    }

    private List<long[]> Ask(string sql)
    {
        using var engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.Path] });
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<long[]>();
        while (reader.Read())
        {
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => Convert.ToInt64(reader.GetValue(i), System.Globalization.CultureInfo.InvariantCulture))]);
        }

        return rows;
    }
}
