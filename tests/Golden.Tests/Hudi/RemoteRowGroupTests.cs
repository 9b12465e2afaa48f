using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Of files in a remote store the row groups that cannot hold needed rows are left out: the answers are those of the folder.</summary>
public sealed class RemoteRowGroupTests
{
    [Theory]
    [InlineData("cow_wide_types_v9")]
    [InlineData("mor_log_updates_deletes_v9")]
    public async Task A_slice_alone_gives_the_rows_that_it_gives_from_a_folder(string name)
    {
        await using HudiCase golden = HudiCase.Open(name);
        // Without the index nothing but the footers tells.
        string path = golden.Path("table/.hoodie/hoodie.properties");
        File.WriteAllLines(path, File.ReadAllLines(path).Where(l => !l.StartsWith("hoodie.table.metadata.partitions", StringComparison.Ordinal)));
        HudiSnapshot local = await golden.LoadAsync(SnapshotSelector.Latest);
        HudiSnapshot remote = await golden.LoadAsync(SnapshotSelector.Latest, table: golden.RemoteTable);
        long leftOut = 0;
        foreach (FileSlice slice in remote.Slices)
        {
            var unit = new UnitSelection(new HashSet<string> { HudiOrigins.UnitOf(slice) });
            await using TableScan all = await golden.Reader.PlanAsync(local, new ScanRequest { Units = unit });
            foreach (Field field in local.Schema.FieldsList.Where(f => f.DataType is not (StructType or ListType or MapType)))
            {
                string column = SqlText.Identifier(field.Name);
                foreach (string end in (string[])["min", "max"])
                {
                    foreach (string text in golden.Texts($"SELECT CAST({end}({column}) AS VARCHAR) FROM ({all.Sql}) HAVING {end}({column}) IS NOT NULL"))
                    {
                        if (HudiPruningTests.Literal(field.DataType, text) is not { } literal)
                        {
                            continue;
                        }

                        // Less than the least and greater than the greatest leave everything out, the others nothing.
                        foreach ((ScanComparison comparison, string sign) in HudiPruningTests.Comparisons.Where(c => c.Item1 is ScanComparison.Less or ScanComparison.Greater or ScanComparison.Equal))
                        {
                            string where = $"{column} {sign} CAST({SqlText.Literal(text)} AS {SqlText.TypeOf(field)})";
                            await using TableScan pruned = await golden.Reader.PlanAsync(
                                remote, new ScanRequest { Units = unit, Filter = new ScanFilter.Compare(field.Name, comparison, literal) });
                            leftOut += pruned.RowGroupsLeftOut;
                            Assert.True(golden.Count($"SELECT 1 FROM ({all.Sql}) WHERE {where}") == golden.Count($"SELECT 1 FROM ({pruned.Sql}) WHERE {where}"), where);
                        }
                    }
                }
            }
        }

        Assert.InRange(leftOut, 1, long.MaxValue);
    }
}
