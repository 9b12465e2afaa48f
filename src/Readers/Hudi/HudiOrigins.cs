using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Hudi.Merging;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Hudi;

/// <summary>Where the rows of a scan come from: file groups, by partition path and file id.</summary>
internal sealed class HudiOrigins
{
    private readonly UnitNumbers _numbers = new();
    private readonly Dictionary<string, int> _byBase = new(StringComparer.Ordinal);

    public HudiOrigins(IEnumerable<FileSlice> slices)
    {
        foreach (FileSlice slice in slices)
        {
            int number = _numbers.Of(UnitOf(slice));
            if (slice.Base is { } file)
            {
                _byBase[file.Path] = number;
            }
        }
    }

    /// <summary>The origin's columns.</summary>
    public static IReadOnlyList<Field> Fields { get; } = [new(RowOrigin.Unit, Int32Type.Default, true), new(RowOrigin.Position, Int64Type.Default, true)];

    public IReadOnlyList<string> Names => _numbers.Names;

    public static string UnitOf(FileSlice slice) => slice.Partition + "/" + slice.FileId;

    /// <summary>The unit of a file as a difference lists it; its folder is the partition.</summary>
    public static string UnitOf(DataFileInfo file) => file.Path[..Math.Max(0, file.Path.LastIndexOf('/'))] + "/" + file.Group;

    /// <summary>The select list's beginning for a scan of base files.</summary>
    public string SqlOf(IReadOnlyList<ReadableFile> group)
        => $"{UnitNumbers.Sql([.. group.Select(f => _byBase[f.Path])], "file_index")} AS {RowOrigin.Unit}, CAST(NULL AS BIGINT) AS {RowOrigin.Position}, ";

    /// <summary>The select list's beginning for a scan of files of slices.</summary>
    public string SqlOfSlices(IEnumerable<FileSlice> slices)
        => $"{UnitNumbers.Sql([.. slices.Select(s => _numbers.Of(UnitOf(s)))], "file_index")} AS {RowOrigin.Unit}, CAST(NULL AS BIGINT) AS {RowOrigin.Position}, ";

    /// <summary>The select list's beginning for merged rows.</summary>
    /// <param name="slices">The slices by the ordinals that the rows bear.</param>
    public string SqlOfMerged(IReadOnlyDictionary<int, FileSlice> slices)
    {
        int[] numbers = [.. Enumerable.Range(0, slices.Keys.Max() + 1).Select(o => slices.TryGetValue(o, out FileSlice? slice) ? _numbers.Of(UnitOf(slice)) : -1)];
        return $"{UnitNumbers.Sql(numbers, RecordSql.Slice)} AS {RowOrigin.Unit}, CAST(NULL AS BIGINT) AS {RowOrigin.Position}, ";
    }
}
