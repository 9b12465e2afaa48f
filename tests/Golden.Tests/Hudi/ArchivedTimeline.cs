using System.Buffers.Binary;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi;
using ParquetSharp;
using Encoding = System.Text.Encoding;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>Lays out archived timelines as the specification says (sections 2.7 and 7), with the bytes of real instants.</summary>
internal static class ArchivedTimeline
{
    /// <summary>Archives completed cleans.</summary>
    /// <param name="golden">The table.</param>
    /// <param name="properties">Its properties, which tell the layout.</param>
    /// <param name="cleans">Their instants and the bytes of their completed files.</param>
    public static void Write(HudiCase golden, HudiProperties properties, IReadOnlyList<(string Time, byte[] Content)> cleans)
    {
        string folder = golden.Path("table/" + (properties.TimelineLayout == 2 ? properties.HistoryFolder : properties.ArchiveFolder));
        Directory.CreateDirectory(folder);
        if (properties.TimelineLayout == 2)
        {
            WriteHistory(folder, cleans);
        }
        else
        {
            File.WriteAllBytes(Path.Combine(folder, ".commits_.archive.1_1-0-1"), [.. cleans.SelectMany(c => Block(c.Time, c.Content))]);
        }
    }

    private static void WriteHistory(string folder, IReadOnlyList<(string Time, byte[] Content)> cleans)
    {
        string name = $"{cleans[0].Time}_{cleans[^1].Time}_0.parquet";
        using (var writer = new ParquetFileWriter(
            Path.Combine(folder, name), [new Column<string>("instantTime"), new Column<string>("completionTime"), new Column<string>("action"), new Column<byte[]>("metadata"), new Column<byte[]>("plan"), new Column<int>("version")]))
        {
            using RowGroupWriter rows = writer.AppendRowGroup();
            Put(rows, cleans.Select(c => c.Time));
            Put(rows, cleans.Select(c => c.Time));
            Put(rows, cleans.Select(_ => "clean"));
            Put(rows, cleans.Select(c => c.Content));
            Put(rows, cleans.Select(_ => (byte[]?)null));
            Put(rows, cleans.Select(_ => 1));
            writer.Close();
        }

        string json = $$"""{"files":[{"fileName":"{{name}}","fileLen":{{new FileInfo(Path.Combine(folder, name)).Length}}}]}""";
        File.WriteAllText(Path.Combine(folder, "manifest_1"), json);
        File.WriteAllText(Path.Combine(folder, "_version_"), "1");
    }

    private static void Put<T>(RowGroupWriter rows, IEnumerable<T> values)
    {
        using LogicalColumnWriter<T> column = rows.NextColumn().LogicalWriter<T>();
        column.WriteBatch([.. values]);
    }

    // A log block of one entry: {hoodieCleanMetadata, commitTime, actionType, actionState}.
    private static byte[] Block(string time, byte[] container)
    {
        AvroContainer clean = AvroContainer.Open(container, time);
        string schema = """{"type":"record","name":"HoodieArchivedMetaEntry","fields":[{"name":"hoodieCleanMetadata","type":["null",""" + Encoding.UTF8.GetString(clean.Metadata["avro.schema"])
            + """]},{"name":"commitTime","type":["null","string"]},{"name":"actionType","type":["null","string"]},{"name":"actionState","type":["null","string"]}]}""";
        byte[] datum = [2, .. Assert.Single(clean.ReadBlocks()).Data.Span, .. Text(time), .. Text("clean"), .. Text("COMPLETED")];
        byte[] content = [.. Int32(3), .. Int32(1), .. Int32(datum.Length), .. datum];
        byte[] body =
        [
            .. Int32(1), .. Int32(3), .. Int32(2), .. Int32(0), .. Int32(time.Length), .. Encoding.UTF8.GetBytes(time), .. Int32(2), .. Int32(Encoding.UTF8.GetByteCount(schema)), .. Encoding.UTF8.GetBytes(schema),
            .. Int64(content.Length), .. content, .. Int32(0),
        ];
        long size = body.Length + 8;
        return [.. "#HUDI#"u8, .. Int64(size), .. body, .. Int64(size + 6)];

        static byte[] Text(string text) => [2, (byte)(text.Length << 1), .. Encoding.UTF8.GetBytes(text)];
    }

    private static byte[] Int32(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Int64(long value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, value);
        return bytes;
    }
}
