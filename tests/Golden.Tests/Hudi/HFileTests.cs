using System.Buffers.Binary;
using System.Text;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Avro;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.HFiles;
using LakeHolo.LakeCatalog.Hudi.LogFiles;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Golden.Tests.Hudi;

public sealed class HFileTests
{
    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    [InlineData(false, 3)]
    public async Task Keys_and_prefixes_are_found_as_in_a_sorted_list(bool isCompressed, int levels)
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        for (int seed = 0; seed < 30; seed++)
        {
            var random = new Random(seed);
            (string Key, byte[] Value)[] cells = [.. Enumerable.Range(0, random.Next(60)).Select(_ => (Key: Text(random), Value: Encoding.UTF8.GetBytes("v" + random.Next(1000))))
                .OrderBy(c => c.Key, StringComparer.Ordinal)];
            byte[] bytes = new HFileWriter(isCompressed, 1 + random.Next(5), 2 + random.Next(3), levels).Write(cells);
            HFileReader file = await HFileReader.OpenAsync(bytes, "f", cancel);
            Assert.Equal(cells.Select(Show), (await file.ReadAllAsync(cancel)).Select(Show));
            string[] wanted = [.. Enumerable.Range(0, 5).Select(_ => Text(random)).Distinct()];
            Assert.Equal(
                cells.Where(c => wanted.Contains(c.Key)).Select(Show),
                (await file.FindAsync(wanted.Select(Encoding.UTF8.GetBytes), false, cancel)).Select(Show));
            Assert.Equal(
                cells.Where(c => wanted.Any(w => w.Length == 2 && c.Key.StartsWith(w, StringComparison.Ordinal))).Select(Show),
                (await file.FindAsync(wanted.Where(w => w.Length == 2).Select(Encoding.UTF8.GetBytes), true, cancel)).Select(Show));
        }
    }

    [Theory]
    [InlineData("mor_log_updates_deletes_v6", true)]
    [InlineData("mor_log_updates_deletes_v9", false)]
    [InlineData("mor_virtual_keys_v6", true)]
    public async Task Log_blocks_as_HFiles_give_the_rows_of_Avro_blocks(string name, bool isCompressed)
    {
        await using HudiCase golden = HudiCase.Open(name);
        HudiSnapshot before = await golden.LoadAsync(SnapshotSelector.Latest);
        string keyColumn = before.Properties.PopulatesMetaFields ? "_hoodie_record_key" : before.Properties.RecordKeyFields[0];
        int rewritten = Directory.GetFiles(golden.Path("table"), ".*.log.*", SearchOption.AllDirectories).Count(f => Rewrite(f, keyColumn, isCompressed));
        Assert.True(rewritten > 0);

        HudiSnapshot snapshot = await golden.LoadAsync(SnapshotSelector.Latest);
        await using TableScan scan = await golden.PlanAsync(snapshot);
        Assert.Null(golden.Difference(scan.Sql, "expected/latest.parquet", snapshot));
    }

    [Fact]
    public async Task Other_versions_codecs_and_encryption_are_refused_by_name()
    {
        byte[] good = new HFileWriter(false, 4, 4, 1).Write([("a", [1])]);
        byte[] version = [.. good];
        version[^1] = 2;
        Assert.Contains("HFile version 2", (await Refusal(version)).Message, StringComparison.Ordinal);
        byte[] codec = [.. good];
        int trailer = good.Length - 4096;
        codec[Array.IndexOf(codec, (byte)(12 << 3), trailer) + 1] = 3;
        Assert.Contains("codec 3", (await Refusal(codec)).Message, StringComparison.Ordinal);
        // A field 13 behind the others.
        byte[] encrypted = [.. good];
        int end = trailer + 9 + encrypted[trailer + 8];
        ((byte[])[(13 << 3) | 2, 1, 9]).CopyTo(encrypted, end);
        encrypted[trailer + 8] += 3;
        Assert.Contains("encrypted", (await Refusal(encrypted)).Message, StringComparison.Ordinal);
        Assert.Contains("memstore timestamps", (await Refusal(new HFileWriter(false, 4, 4, 1).Write([("a", [1])], withStamps: true))).Message, StringComparison.Ordinal);

        static async Task<LakeException> Refusal(byte[] file)
        {
            LakeException error = await Assert.ThrowsAsync<LakeException>(async () => await (await HFileReader.OpenAsync(file, "f")).ReadAllAsync());
            Assert.Equal(LakeErrorKind.FeatureUnsupported, error.Kind);
            return error;
        }
    }

    private static string Text(Random random) => new([.. Enumerable.Range(0, 1 + random.Next(3)).Select(_ => (char)('a' + random.Next(4)))]);

    private static string Show((string Key, byte[] Value) cell) => cell.Key + "=" + Encoding.UTF8.GetString(cell.Value);

    private static string Show(HFileCell cell) => Encoding.UTF8.GetString(cell.Key.Span) + "=" + Encoding.UTF8.GetString(cell.Value.Span);

    // Puts every Avro block of a log file into an HFile, with the key column empty, as Hudi's writer does.
    private static bool Rewrite(string path, string keyColumn, bool isCompressed)
    {
        byte[] file = File.ReadAllBytes(path);
        var output = new MemoryStream();
        bool isChanged = false;
        foreach (LogBlock block in LogFileParser.Parse(file, path))
        {
            byte[] content = file[block.ContentOffset..(block.ContentOffset + block.ContentLength)];
            if (block.Type == LogBlockType.AvroData)
            {
                content = new HFileWriter(isCompressed, 3, 3, 1).Write(Cells(content, AvroSchema.Parse(block.Headers[LogHeader.Schema], path), keyColumn).OrderBy(c => c.Item1, StringComparer.Ordinal));
                isChanged = true;
            }

            int type = block.Type == LogBlockType.AvroData ? (int)LogBlockType.HFileData : (int)block.Type;
            byte[] headers = [.. HFileWriter.Big(block.Headers.Count), .. block.Headers.SelectMany(h => (byte[])[.. HFileWriter.Big((int)h.Key), .. HFileWriter.Big(Encoding.UTF8.GetByteCount(h.Value)), .. Encoding.UTF8.GetBytes(h.Value)])];
            byte[] body = [.. HFileWriter.Big(1), .. HFileWriter.Big(type), .. headers, .. HFileWriter.Big((long)content.Length), .. content, .. HFileWriter.Big(0)];
            output.Write([.. "#HUDI#"u8, .. HFileWriter.Big(body.Length + 8L), .. body, .. HFileWriter.Big(body.Length + 14L)]);
        }

        File.WriteAllBytes(path, output.ToArray());
        return isChanged;
    }

    private static List<(string, byte[])> Cells(byte[] content, AvroSchema schema, string keyColumn)
    {
        var cells = new List<(string, byte[])>();
        int position = 8;
        while (position < content.Length)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(content.AsSpan(position));
            ReadOnlySpan<byte> datum = content.AsSpan(position + 4, length);
            var cursor = new AvroCursor(datum, "f");
            int column = schema.IndexOfField(keyColumn);
            for (int i = 0; i < column; i++)
            {
                cursor.Skip(schema.Fields[i].Type);
            }

            if (schema.Fields[column].Type.Kind == AvroKind.Union)
            {
                cursor.ReadIndex(2);
            }

            int start = cursor.Position;
            string key = Encoding.UTF8.GetString(cursor.ReadBytes());
            cells.Add((key, [.. datum[..start], 0, .. datum[cursor.Position..]]));
            position += 4 + length;
        }

        return cells;
    }
}
