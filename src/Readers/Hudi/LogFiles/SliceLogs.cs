using System.IO.Hashing;
using System.Text;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.FileSlices;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.LogFiles;

/// <summary>A slice with the log blocks that a snapshot holds.</summary>
/// <param name="Slice">The slice.</param>
/// <param name="Live">The blocks, oldest first.</param>
/// <param name="Identity">Names everything that its merged rows depend on: table, columns and rules, files, and blocks; not the snapshot, so that the outcome serves later ones.</param>
internal sealed record SliceLogs(FileSlice Slice, IReadOnlyList<LiveBlock> Live, string Identity)
{
    /// <summary>Whether a block holds changed columns only.</summary>
    public bool HasPartial => Live.Any(b => b.Block.IsPartial);

    /// <summary>Whether the blocks tell where their records lie in the base file.</summary>
    public bool TellsPositions => RecordPositions.Tell(Slice, Live);

    /// <summary>What the identities of a snapshot's slices begin with.</summary>
    public static string TableIdentityOf(HudiSnapshot snapshot)
    {
        var hash = new Identifier();
        hash.Add(snapshot.Table.Root.Location);
        foreach ((string key, string value) in snapshot.Properties.Values.OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            hash.Add(key);
            hash.Add(value);
        }

        foreach (string name in snapshot.Schema.FieldsList.Select(f => f.Name + " " + SqlText.TypeOf(f)))
        {
            hash.Add(name);
        }

        foreach (HudiColumn column in snapshot.Columns)
        {
            hash.Add($"{column.Name} {column.LogicalType} {column.DefaultJson}");
            hash.Add(string.Join(' ', column.MillisecondInstants.Concat(column.LocalMilliseconds).Order(StringComparer.Ordinal)));
        }

        // Columns by id: which file's columns they are depends on the whole history.
        hash.Add(snapshot.SchemaHistory is null ? "" : snapshot.Id.Text);
        return hash.ToString();
    }

    /// <summary>A slice with its blocks.</summary>
    public static SliceLogs Of(string tableIdentity, FileSlice slice, IReadOnlyList<LiveBlock> live)
    {
        var hash = new Identifier();
        hash.Add(tableIdentity);
        hash.Add(slice.Partition);
        hash.Add(slice.FileId);
        if (slice.Base is { } file)
        {
            hash.Add($"{file.Path} {SliceScan.Text(file.SizeBytes)}");
        }

        foreach (LiveBlock block in live)
        {
            hash.Add($"{block.Log.File.Path} {SliceScan.Text(block.Log.File.SizeBytes)} {SliceScan.Text(block.Block.Offset)}");
        }

        return new SliceLogs(slice, live, hash.ToString());
    }

    private sealed class Identifier
    {
        private readonly XxHash128 _hash = new();

        public void Add(string text)
        {
            _hash.Append(Encoding.UTF8.GetBytes(text));
            _hash.Append([0]);
        }

        public override string ToString() => Convert.ToHexString(_hash.GetCurrentHash());
    }
}
