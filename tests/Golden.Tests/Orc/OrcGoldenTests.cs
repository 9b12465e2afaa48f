using System.IO.Compression;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Orc;
using LakeHolo.Readers.Engine;
using LakeHolo.Tests.Shared;

namespace LakeHolo.Golden.Tests.Orc;

/// <summary>ORC files of real writers, in tables whose rows are those of their files: decoded, and compared by the engine.</summary>
public sealed class OrcGoldenTests
{
    [Theory]
    [InlineData("append_all_types_orc", true)]
    [InlineData("orc_timestamps_written_in_shanghai", true)]
    [InlineData("orc_timestamps_written_in_shanghai_new_type", false)]
    public async Task Rows_of_all_files_are_the_table(string name, bool legacyInstants)
    {
        using var folder = new TemporaryFolder();
        ZipFile.ExtractToDirectory(Path.Combine(GoldenCases.Folder("orc"), name + ".zip"), folder.Path);
        string? difference = await DifferenceAsync(folder, folder.File("table"), folder.File("expected/latest.parquet"), new OrcReadOptions { LegacyInstants = legacyInstants, NanosecondColumns = ["t9", "z9"] }, name == "append_all_types_orc");
        Assert.True(difference is null, difference);
    }

    [Fact]
    public async Task Free_text_with_nulls_and_quotes_in_zlib_is_the_table()
    {
        using var folder = new TemporaryFolder();
        string lake = Path.Combine(GoldenCases.Root, "sample-lake");
        string? difference = await DifferenceAsync(
            folder, Path.Combine(lake, "lake/ods/legacy_returns"), Path.Combine(lake, "expected/tables/ods.legacy_returns.parquet"), new OrcReadOptions(), hasTime: false);
        Assert.True(difference is null, difference);
    }

    private static async Task<string?> DifferenceAsync(TemporaryFolder folder, string table, string expected, OrcReadOptions options, bool hasTime)
    {
        await using var store = new LocalFolderStore(table);
        var decoded = new List<string>();
        foreach (string file in Directory.GetFiles(table, "*.orc", SearchOption.AllDirectories))
        {
            string target = folder.File($"decoded-{decoded.Count}.parquet");
            await OrcFileDecoder.Create(options)(new CacheableFile(store, Path.GetRelativePath(table, file), new FileInfo(file).Length), target, default);
            decoded.Add(target);
        }

        using var engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [folder.Path, Path.GetDirectoryName(expected)!] });
        // Paimon stores a TIME as milliseconds.
        string columns = hasTime ? "* REPLACE (CAST(make_timestamp(tm * 1000::BIGINT) AS TIME) AS tm)" : "*";
        string ours = $"SELECT {columns} FROM read_parquet({SqlText.LiteralList(decoded)})";
        string theirs = $"SELECT * FROM read_parquet({SqlText.Literal(expected)})";
        return GoldenCases.Difference(engine, ours, theirs);
    }
}
