using LakeHolo.Golden.Tests.Harness;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Every table in a store without local paths, read while its files are under way: the rows are those of the folder.</summary>
public sealed class EarlyFilesTests
{
    [Fact]
    public async Task Tables_whose_files_are_under_way_give_the_rows_of_the_folder()
    {
        int begun = 0;
        foreach (string name in Directory.GetFiles(HudiCase.Folder, "*.zip").Select(f => Path.GetFileNameWithoutExtension(f)))
        {
            await using HudiCase golden = HudiCase.Open(name);
            begun += await EarlyScans.CompareAsync(golden, golden.TableFormat, golden.Reader) ?? 0;
        }

        Assert.InRange(begun, 20, int.MaxValue);
    }
}
