using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json.Nodes;
using LakeHolo.Bench.Harness;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Paimon.Manifests;
using LakeHolo.LakeCatalog.Storage;

namespace LakeHolo.Bench.Data;

/// <summary>A copy of the golden Paimon table <c>lineitem</c> (primary key, 4 buckets), by links, to which a run commits files of level 0.</summary>
internal sealed class GrowingPaimon
{
    private const int Buckets = 4;
    private const int RowsPerFile = 100;
    private const long FirstSequence = 1L << 40; // newer than all rows of the table
    private static readonly string ListSchema = $$$$"""
        {"type":"record","name":"list","fields":[{"name":"_VERSION","type":"int"},{"name":"_FILE_NAME","type":"string"},{"name":"_FILE_SIZE","type":"long"},{"name":"_NUM_ADDED_FILES","type":"long"},
        {"name":"_NUM_DELETED_FILES","type":"long"},{"name":"_PARTITION_STATS","type":{{{{Statistics("partition_stats")}}}}},{"name":"_SCHEMA_ID","type":"long"}]}
        """;

    private static readonly string ManifestSchema = $$$$"""
        {"type":"record","name":"entry","fields":[{"name":"_VERSION","type":"int"},{"name":"_KIND","type":"int"},{"name":"_PARTITION","type":"bytes"},{"name":"_BUCKET","type":"int"},
        {"name":"_TOTAL_BUCKETS","type":"int"},{"name":"_FILE","type":{"type":"record","name":"file","fields":[{"name":"_FILE_NAME","type":"string"},{"name":"_FILE_SIZE","type":"long"},
        {"name":"_ROW_COUNT","type":"long"},{"name":"_MIN_KEY","type":"bytes"},{"name":"_MAX_KEY","type":"bytes"},{"name":"_KEY_STATS","type":{{{{Statistics("key_stats")}}}}},
        {"name":"_VALUE_STATS","type":{{{{Statistics("value_stats")}}}}},{"name":"_MIN_SEQUENCE_NUMBER","type":"long"},{"name":"_MAX_SEQUENCE_NUMBER","type":"long"},{"name":"_SCHEMA_ID","type":"long"},
        {"name":"_LEVEL","type":"int"},{"name":"_EXTRA_FILES","type":{"type":"array","items":"string"}},{"name":"_DELETE_ROW_COUNT","type":"long"},
        {"name":"_VALUE_STATS_COLS","type":{"type":"array","items":"string"}}]}}]}
        """;

    private static readonly byte[] EmptyRow = new byte[12];

    private readonly string _folder;
    private readonly List<string> _manifests;
    private readonly JsonObject _snapshot;

    private GrowingPaimon(string folder, IEnumerable<string> manifests, JsonObject snapshot)
    {
        _folder = folder;
        _manifests = [.. manifests];
        _snapshot = snapshot;
    }

    /// <summary>Makes files of 100 rows of the table each, whose <c>l_suppkey</c> is the negative of their number; file n belongs into bucket n % 4.</summary>
    public static void WriteFiles(DataSql sql, string table, string directory, int files)
    {
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            string largest = Directory.GetFiles(Path.Combine(table, Bucket(bucket)), "*.parquet").MaxBy(f => new FileInfo(f).Length)!;
            sql.Run($"CREATE OR REPLACE TEMP TABLE bucket AS SELECT row_number() OVER (ORDER BY l_orderkey, l_linenumber) - 1 AS row, * FROM read_parquet('{largest}')");
            for (int n = bucket == 0 ? Buckets : bucket; n <= files; n += Buckets)
            {
                sql.Run(string.Create(
                    CultureInfo.InvariantCulture,
                    $"""
                    COPY (
                        SELECT * EXCLUDE (row) REPLACE ({FirstSequence + (n * RowsPerFile)} + row % {RowsPerFile} AS _SEQUENCE_NUMBER, 0::TINYINT AS _VALUE_KIND, (-{n})::INTEGER AS l_suppkey)
                        FROM bucket WHERE row // {RowsPerFile} = {n / Buckets} ORDER BY row
                    ) TO '{directory}/{DataFile(n)}' (FORMAT parquet, COMPRESSION zstd)
                    """));
                sql.Run($"COPY (SELECT min({{'o': _KEY_l_orderkey, 'l': _KEY_l_linenumber}}) AS low, max({{'o': _KEY_l_orderkey, 'l': _KEY_l_linenumber}}) AS high FROM '{directory}/{DataFile(n)}') TO '{directory}/{DataFile(n)}.json'");
            }
        }
    }

    /// <summary>Copies the table.</summary>
    public static async Task<GrowingPaimon> CopyAsync(string table, string folder)
    {
        foreach (string file in Directory.GetFiles(table, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(folder, Path.GetRelativePath(table, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            if (Path.GetFileName(file) == "LATEST" || NativeFiles.Link(file, copy) != 0)
            {
                File.Copy(file, copy);
            }
        }

        string newest = await File.ReadAllTextAsync(Path.Combine(folder, "snapshot", "LATEST"));
        JsonObject snapshot = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "snapshot", "snapshot-" + newest)))!.AsObject();
        var root = new TableRoot(new LocalFolderStore(folder), string.Empty);
        const string schemaFile = "schema/schema-0";
        var reader = new ManifestReader(root, PaimonSchema.Parse(await File.ReadAllBytesAsync(Path.Combine(folder, schemaFile)), 0, schemaFile), new PartitionPool());
        var manifests = new List<string>();
        foreach (string list in (string[])["baseManifestList", "deltaManifestList"])
        {
            manifests.AddRange(await reader.ReadListAsync((string)snapshot[list]!, CancellationToken.None));
        }

        return new GrowingPaimon(folder, manifests, snapshot);
    }

    /// <summary>Appends a file of <see cref="WriteFiles"/> to its bucket and commits.</summary>
    public void Append(string directory, int number)
    {
        string name = DataFile(number);
        string file = Path.Combine(directory, name);
        if (NativeFiles.Link(file, Path.Combine(_folder, Bucket(number % Buckets), name)) != 0)
        {
            File.Copy(file, Path.Combine(_folder, Bucket(number % Buckets), name));
        }

        JsonNode keys = JsonNode.Parse(File.ReadAllText(file + ".json"))!;
        (byte[] low, byte[] high) = (Key(keys["low"]!), Key(keys["high"]!));
        long sequence = FirstSequence + (number * (long)RowsPerFile);
        var entry = new AvroBytes();
        entry.Int(2).Int(0).Bytes(EmptyRow).Int(number % Buckets).Int(Buckets);
        entry.Text(name).Int(new FileInfo(file).Length).Int(RowsPerFile).Bytes(low).Bytes(high);
        entry.Bytes(low).Bytes(high).Int(2).Int(0).Int(0).Int(0); // statistics of the keys: no NULLs
        entry.Bytes(EmptyRow).Bytes(EmptyRow).Int(0); // of no values
        entry.Int(sequence).Int(sequence + RowsPerFile - 1).Int(0).Int(0).Int(0).Int(0).Int(0);
        string manifest = WriteContainer($"manifest-growing-{number}", ManifestSchema, [entry]);
        string baseList = WriteContainer($"manifest-list-growing-{number}-base", ListSchema, _manifests.Select(ListEntry));
        string deltaList = WriteContainer($"manifest-list-growing-{number}-delta", ListSchema, [ListEntry(manifest)]);
        _manifests.Add(manifest);

        long id = (long)_snapshot["id"]! + 1;
        _snapshot["id"] = id;
        _snapshot["baseManifestList"] = baseList;
        _snapshot["deltaManifestList"] = deltaList;
        _snapshot.Remove("baseManifestListSize");
        _snapshot.Remove("deltaManifestListSize");
        _snapshot["commitIdentifier"] = number;
        _snapshot["timeMillis"] = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        _snapshot["totalRecordCount"] = (long)_snapshot["totalRecordCount"]! + RowsPerFile;
        _snapshot["deltaRecordCount"] = RowsPerFile;
        Replace(string.Create(CultureInfo.InvariantCulture, $"snapshot-{id}"), _snapshot.ToJsonString());
        Replace("LATEST", id.ToString(CultureInfo.InvariantCulture));
    }

    private static string Statistics(string name) => $$$$"""
        {"type":"record","name":"{{{{name}}}}","fields":[{"name":"_MIN_VALUES","type":"bytes"},{"name":"_MAX_VALUES","type":"bytes"},{"name":"_NULL_COUNTS","type":{"type":"array","items":"long"}}]}
        """;

    private static AvroBytes ListEntry(string manifest)
        => new AvroBytes().Int(2).Text(manifest).Int(0).Int(1).Int(0).Bytes(EmptyRow).Bytes(EmptyRow).Int(0).Int(0);

    private static string DataFile(int number) => string.Create(CultureInfo.InvariantCulture, $"data-growing-{number}.parquet");

    private static string Bucket(int bucket) => string.Create(CultureInfo.InvariantCulture, $"bucket-{bucket}");

    // A BinaryRow of BIGINT and INT with its number of fields in front: header and bits of NULLs, then eight bytes for each field.
    private static byte[] Key(JsonNode key)
    {
        byte[] row = new byte[4 + 8 + 16];
        long[] values = [.. key.AsObject().Select(v => (long)v.Value!)];
        BinaryPrimitives.WriteInt32BigEndian(row, values.Length);
        BinaryPrimitives.WriteInt64LittleEndian(row.AsSpan(12), values[0]);
        BinaryPrimitives.WriteInt32LittleEndian(row.AsSpan(20), (int)values[1]);
        return row;
    }

    private void Replace(string name, string text)
    {
        string path = Path.Combine(_folder, "snapshot", name);
        File.WriteAllText(path + ".tmp", text);
        File.Move(path + ".tmp", path, overwrite: true);
    }

    private string WriteContainer(string name, string schema, IEnumerable<AvroBytes> records)
    {
        AvroFile.Write(Path.Combine(_folder, "manifest", name), schema, records);
        return name;
    }
}
