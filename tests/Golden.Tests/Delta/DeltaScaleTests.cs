using System.Diagnostics;
using System.Globalization;
using LakeHolo.LakeCatalog.Delta;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Delta;
using LakeHolo.Readers.Scanning;
using LakeHolo.Tests.Shared;
using ParquetSharp;
using ParquetSharp.Schema;

namespace LakeHolo.Golden.Tests.Delta;

/// <summary>A table of 100,000 files: bounds of memory, which hardly depend on the machine, and that following and pruning do not walk the log again.</summary>
public class DeltaScaleTests
{
    private const int Files = 100_000;
    private const int MaxBytesPerFile = 200;

    [Fact]
    public async Task A_hundred_thousand_files_stay_within_two_hundred_bytes_each_and_are_followed_commit_by_commit()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("_delta_log"));
        WriteCheckpoint(folder.File("_delta_log/00000000000000000010.checkpoint.parquet"));
        var table = new LakeTable("golden", "delta", "t", "delta", new TableRoot(new LocalFolderStore(folder.Path), ""));
        var format = new DeltaTableFormat();
        WriteCommit(folder, 11);
        var clock = Stopwatch.StartNew();
        var opened = (DeltaSnapshot)await format.LoadSnapshotAsync(table, SnapshotSelector.Latest, null);
        TestContext.Current.TestOutputHelper!.WriteLine($"cold open {clock.Elapsed.TotalMilliseconds:F0} ms, {opened.Files.HeldBytes / (double)Files:F0} bytes a file");
        Assert.Equal(Files + 1, opened.FileCount);
        Assert.True(opened.Files.HeldBytes < (long)MaxBytesPerFile * Files, $"{opened.Files.HeldBytes} bytes");

        WriteCommit(folder, 12);
        clock.Restart();
        var followed = (DeltaSnapshot)await format.LoadSnapshotAsync(table, SnapshotSelector.Latest, opened);
        TestContext.Current.TestOutputHelper!.WriteLine($"follow {clock.Elapsed.TotalMilliseconds:F1} ms");
        Assert.Equal(Files + 2, followed.FileCount);
        Assert.Same(opened.Files.Blocks[0], followed.Files.Blocks[0]);

        var filter = new ScanFilter.Compare("p", ScanComparison.Equal, new ScanLiteral(7L));
        new DeltaPruner(followed).Prune(filter);
        clock.Restart();
        PruningResult pruned = new DeltaPruner(followed).Prune(filter);
        TestContext.Current.TestOutputHelper!.WriteLine($"prune {clock.Elapsed.TotalMilliseconds:F1} ms");
        Assert.Equal(Files / 100, pruned.Files.Count);

        SnapshotDiff diff = await format.DiffAsync(opened, followed);
        Assert.Single(diff.Added);
        Assert.Empty(diff.Removed);
    }

    private static void WriteCommit(TemporaryFolder folder, int version)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"_delta_log/{version:D20}.json");
        File.WriteAllText(folder.File(name), $$$"""{"add":{"path":"new-{{{version}}}.parquet","partitionValues":{"p":"100"},"size":10,"modificationTime":0,"dataChange":true,"stats":"{\"numRecords\":1}"}}""");
    }

    private static void WriteCheckpoint(string path)
    {
        static Node Text(string name) => new PrimitiveNode(name, Repetition.Optional, LogicalType.String(), PhysicalType.ByteArray);
        static Node Number(string name, PhysicalType type) => new PrimitiveNode(name, Repetition.Optional, LogicalType.None(), type);
        using Node key = new PrimitiveNode("key", Repetition.Required, LogicalType.String(), PhysicalType.ByteArray);
        using Node entry = new GroupNode("key_value", Repetition.Repeated, [key, Text("value")]);
        using Node partitions = new GroupNode("partitionValues", Repetition.Optional, [entry], LogicalType.Map());
        using Node add = new GroupNode("add", Repetition.Optional, [Text("path"), partitions, Number("size", PhysicalType.Int64), Text("stats")]);
        using Node element = Text("element");
        using Node list = new GroupNode("list", Repetition.Repeated, [element]);
        using Node columns = new GroupNode("partitionColumns", Repetition.Optional, [list], LogicalType.List());
        using Node metadata = new GroupNode("metaData", Repetition.Optional, [Text("id"), Text("schemaString"), columns]);
        using Node protocol = new GroupNode("protocol", Repetition.Optional, [Number("minReaderVersion", PhysicalType.Int32), Number("minWriterVersion", PhysicalType.Int32)]);
        using var root = new GroupNode("schema", Repetition.Required, [add, metadata, protocol]);
        using var properties = new WriterPropertiesBuilder().Compression(Compression.Snappy).Build();
        using var file = new ParquetFileWriter(path, root, properties);
        using RowGroupWriter group = file.AppendRowGroup();

        // The last two rows are metadata and protocol.
        WriteTexts(group, i => string.Create(CultureInfo.InvariantCulture, $"p={i % 100}/part-{i:D5}-{Hash(i):x8}-d440-4341-b428-{Hash(i + 7):x12}-c000.snappy.parquet"), 0, Files);
        WriteTexts(group, _ => "p", 0, Files, isMap: true);
        WriteTexts(group, i => string.Create(CultureInfo.InvariantCulture, $"{i % 100}"), 0, Files, isMap: true);
        WriteNumbers<long>(group, i => 1000 + i, 0, Files);
        WriteTexts(group, i => string.Create(CultureInfo.InvariantCulture, $"{{\"numRecords\":{i + 1},\"minValues\":{{\"id\":{i * 10L}}},\"maxValues\":{{\"id\":{(i * 10L) + 9}}},\"nullCount\":{{\"id\":0}}}}"), 0, Files);
        WriteTexts(group, _ => "id", Files, 1);
        WriteTexts(group, _ => """{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"p","type":"integer","nullable":true,"metadata":{}}]}""", Files, 1);
        WriteTexts(group, _ => "p", Files, 1, isMap: true);
        WriteNumbers(group, _ => 1, Files + 1, 1);
        WriteNumbers(group, _ => 2, Files + 1, 1);
        file.Close();
    }

    private static uint Hash(int value) => unchecked((uint)value * 2_654_435_761);

    private static void WriteTexts(RowGroupWriter group, Func<int, string> text, int first, int count, bool isMap = false)
    {
        using var writer = (ColumnWriter<ByteArray>)group.NextColumn();
        using var buffer = new ByteBuffer(1 << 16);
        short[] def = Levels(writer.ColumnDescriptor.MaxDefinitionLevel, first, count);
        ByteArray[] values = new ByteArray[count];
        for (int i = 0; i < values.Length; i++)
        {
            byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(text(i));
            ByteArray copy = buffer.Allocate(utf8.Length);
            System.Runtime.InteropServices.Marshal.Copy(utf8, 0, copy.Pointer, utf8.Length);
            values[i] = copy;
        }

        writer.WriteBatch(def.Length, def, isMap ? new short[def.Length] : [], values);
    }

    private static void WriteNumbers<T>(RowGroupWriter group, Func<int, T> number, int first, int count)
        where T : unmanaged
    {
        using var writer = (ColumnWriter<T>)group.NextColumn();
        short[] def = Levels(writer.ColumnDescriptor.MaxDefinitionLevel, first, count);
        writer.WriteBatch(def.Length, def, [], [.. Enumerable.Range(0, count).Select(number)]);
    }

    private static short[] Levels(short maxDef, int first, int count)
    {
        short[] def = new short[Files + 2];
        Array.Fill(def, maxDef, first, count);
        return def;
    }
}
