using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LakeHolo.Bench.Harness;
using LakeHolo.Bench.Suites;

namespace LakeHolo.Bench.Data;

/// <summary>Paimon tables of many files in 1,000 partitions, as Paimon 1.x writes their metadata: of two snapshots, of which the second adds one file.</summary>
/// <remarks>Only the files of the probed partition are there; the others stand in the manifests only.</remarks>
internal static class ScaledPaimon
{
    private const int Partitions = 1_000;
    private const int Buckets = 10;
    private const int FilesPerManifest = 25_000; // some 8 MB, the default of manifest.target-file-size
    private const int IdsPerFile = 1_000;
    private const string Counts = """{"type":"array","items":["null","long"]}""";

    private static readonly string ListSchema = $$$"""
        {"type":"record","name":"record","namespace":"org.apache.paimon.avro.generated","fields":[{"name":"_VERSION","type":"int"},{"name":"_FILE_NAME","type":"string"},{"name":"_FILE_SIZE","type":"long"},
        {"name":"_NUM_ADDED_FILES","type":"long"},{"name":"_NUM_DELETED_FILES","type":"long"},{"name":"_PARTITION_STATS","type":{{{Statistics("_PARTITION_STATS")}}}},{"name":"_SCHEMA_ID","type":"long"}]}
        """;

    private static readonly string ManifestSchema = $$$"""
        {"type":"record","name":"record","namespace":"org.apache.paimon.avro.generated","fields":[{"name":"_VERSION","type":"int"},{"name":"_KIND","type":"int"},{"name":"_PARTITION","type":"bytes"},
        {"name":"_BUCKET","type":"int"},{"name":"_TOTAL_BUCKETS","type":"int"},{"name":"_FILE","type":{"type":"record","name":"record__FILE","fields":[{"name":"_FILE_NAME","type":"string"},
        {"name":"_FILE_SIZE","type":"long"},{"name":"_ROW_COUNT","type":"long"},{"name":"_MIN_KEY","type":"bytes"},{"name":"_MAX_KEY","type":"bytes"},{"name":"_KEY_STATS","type":{{{Statistics("_FILE__KEY_STATS")}}}},
        {"name":"_VALUE_STATS","type":{{{Statistics("_FILE__VALUE_STATS")}}}},{"name":"_MIN_SEQUENCE_NUMBER","type":"long"},{"name":"_MAX_SEQUENCE_NUMBER","type":"long"},{"name":"_SCHEMA_ID","type":"long"},
        {"name":"_LEVEL","type":"int"},{"name":"_EXTRA_FILES","type":{"type":"array","items":"string"}},{"name":"_CREATION_TIME","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null},
        {"name":"_DELETE_ROW_COUNT","type":["null","long"],"default":null},{"name":"_EMBEDDED_FILE_INDEX","type":["null","bytes"],"default":null},{"name":"_FILE_SOURCE","type":["null","int"],"default":null},
        {"name":"_VALUE_STATS_COLS","type":["null",{"type":"array","items":"string"}],"default":null},{"name":"_EXTERNAL_PATH","type":["null","string"],"default":null},
        {"name":"_FIRST_ROW_ID","type":["null","long"],"default":null},{"name":"_WRITE_COLS","type":["null",{"type":"array","items":"string"}],"default":null}]}}]}
        """;

    /// <summary>Makes a table, append-only or with the primary key (<c>p</c>, <c>id</c>) and everything compacted.</summary>
    public static void Make(DataSql sql, string directory, int files, bool hasKey)
    {
        foreach (string folder in (string[])["schema", "snapshot", "manifest"])
        {
            Directory.CreateDirectory(Path.Combine(directory, folder));
        }

        string keys = hasKey ? "\"p\",\"id\"" : "";
        File.WriteAllText($"{directory}/schema/schema-0", $$$"""
            {"version":3,"id":0,"fields":[{"id":0,"name":"id","type":"BIGINT NOT NULL"},{"id":1,"name":"price","type":"DOUBLE"},{"id":2,"name":"name","type":"STRING"},{"id":3,"name":"at","type":"TIMESTAMP(6)"},
            {"id":4,"name":"p","type":"INT NOT NULL"}],"highestFieldId":4,"partitionKeys":["p"],"primaryKeys":[{{{keys}}}],"options":{"bucket":"{{{(hasKey ? Buckets : -1)}}}"},"comment":"","timeMillis":1700000000000}
            """);
        var names = new List<string>();
        foreach (int[] part in Enumerable.Range(0, files).Chunk(FilesPerManifest))
        {
            names.Add(string.Create(CultureInfo.InvariantCulture, $"manifest-{Uuid(names.Count)}-0"));
            AvroFile.Write($"{directory}/manifest/{names[^1]}", ManifestSchema, part.Select(i => Entry(i, hasKey)), compressed: true);
        }

        string added = $"manifest-{Uuid(files)}-0";
        AvroFile.Write($"{directory}/manifest/{added}", ManifestSchema, [Entry((files / Partitions * Partitions) + Partitions - 1, hasKey)], compressed: true);
        Commit(directory, 1, names, []);
        Commit(directory, 2, names, [added]);
        for (int i = (int)TableScale.ProbedPartition; i < files; i += Partitions)
        {
            string folder = $"{directory}/p={TableScale.ProbedPartition}/bucket-{BucketOf(i, hasKey)}";
            Directory.CreateDirectory(folder);
            string system = hasKey ? string.Create(CultureInfo.InvariantCulture, $"{i * (long)IdsPerFile}::BIGINT AS _KEY_id, {i}::BIGINT AS _SEQUENCE_NUMBER, 0::TINYINT AS _VALUE_KIND, ") : "";
            sql.Run(string.Create(
                CultureInfo.InvariantCulture,
                $"COPY (SELECT {system}{i * (long)IdsPerFile}::BIGINT AS id, 1.0::DOUBLE AS price, 'x' AS name, TIMESTAMP '2024-01-01 00:00:00' AS at, {TableScale.ProbedPartition}::INTEGER AS p) TO '{folder}/{NameOf(i)}'"));
        }
    }

    private static string Statistics(string name) => $$$"""
        {"type":"record","name":"record_{{{name}}}","fields":[{"name":"_MIN_VALUES","type":"bytes"},{"name":"_MAX_VALUES","type":"bytes"},{"name":"_NULL_COUNTS","type":["null",{{{Counts}}}],"default":null}]}
        """;

    private static string NameOf(int file) => $"data-{Uuid(file)}-0.parquet";

    private static int BucketOf(int file, bool hasKey) => hasKey ? file / Partitions % Buckets : 0;

    private static string Uuid(int seed) => new Guid(Hash(seed).AsSpan(0, 16)).ToString();

    private static byte[] Hash(int seed) => SHA256.HashData(BitConverter.GetBytes(seed));

    private static AvroBytes Entry(int file, bool hasKey)
    {
        byte[] hash = Hash(file);
        long low = file * (long)IdsPerFile;
        byte[] partition = new Row(1).Number(file % Partitions).Stored;
        byte[] nothing = new Row(0).Stored;
        (byte[] first, byte[] last) = hasKey ? (new Row(1).Number(low).Stored, new Row(1).Number(low + IdsPerFile - 1).Stored) : (nothing, nothing);
        const long Day = 86_400_000L;
        (byte[] least, byte[] greatest) = (
            new Row(5).Number(low).Real(hash[16] / 100.0).Text(Convert.ToHexStringLower(hash.AsSpan(17, 6))).Moment(1_704_067_200_000, 0).Number(file % Partitions).Stored,
            new Row(5).Number(low + IdsPerFile - 1).Real(100 + (hash[23] / 100.0)).Text(Convert.ToHexStringLower(hash.AsSpan(24, 6))).Moment(1_704_067_200_000 + (365 * Day), 999_000).Number(file % Partitions).Stored);
        AvroBytes entry = new AvroBytes().Int(2).Int(0).Bytes(partition).Int(BucketOf(file, hasKey)).Int(hasKey ? Buckets : -1)
            .Text(NameOf(file)).Int(1_000_000 + BinaryPrimitives.ReadUInt16LittleEndian(hash)).Int(IdsPerFile).Bytes(first).Bytes(last);
        Stats(entry, first, last, hasKey ? 1 : 0);
        Stats(entry, least, greatest, 5);
        return entry.Int(low).Int(low + IdsPerFile - 1).Int(0).Int(hasKey ? 5 : 0).Int(0)
            .Int(1).Int(1_700_000_000_000 + file).Int(1).Int(0).Int(0).Int(1).Int(hasKey ? 1 : 0).Int(0).Int(0).Int(0).Int(0);
    }

    private static void Stats(AvroBytes entry, byte[] least, byte[] greatest, int columns)
    {
        entry.Bytes(least).Bytes(greatest).Int(1);
        if (columns > 0)
        {
            entry.Int(columns);
            for (int i = 0; i < columns; i++)
            {
                entry.Int(1).Int(0);
            }
        }

        entry.Int(0);
    }

    private static void Commit(string directory, int id, IReadOnlyList<string> before, IReadOnlyList<string> added)
    {
        byte[] nothing = new Row(0).Stored;
        string List(string kind, IReadOnlyList<string> names)
        {
            string list = string.Create(CultureInfo.InvariantCulture, $"manifest-list-{Uuid(-id)}-{kind}");
            AvroFile.Write($"{directory}/manifest/{list}", ListSchema, names.Select(n =>
            {
                AvroBytes entry = new AvroBytes().Int(2).Text(n).Int(new FileInfo($"{directory}/manifest/{n}").Length).Int(1).Int(0);
                Stats(entry, nothing, nothing, 0);
                return entry.Int(0);
            }));
            return list;
        }

        File.WriteAllText($"{directory}/snapshot/snapshot-{id}", $$"""
            {"version":3,"id":{{id}},"schemaId":0,"baseManifestList":"{{List("0", before)}}","deltaManifestList":"{{List("1", added)}}","changelogManifestList":null,
            "commitUser":"bench","commitIdentifier":{{id}},"commitKind":"APPEND","timeMillis":{{1_700_000_000_000 + id}},"totalRecordCount":1,"deltaRecordCount":1}
            """);
        File.WriteAllText($"{directory}/snapshot/LATEST", id.ToString(CultureInfo.InvariantCulture));
        File.WriteAllText($"{directory}/snapshot/EARLIEST", "1");
    }

    /// <summary>A BinaryRow: header and bits of NULLs, eight bytes for each field, then what does not fit into them.</summary>
    private sealed class Row(int fields)
    {
        private readonly List<byte> _bytes = [.. new byte[8 + (8 * fields)]];
        private int _field;

        /// <summary>The row behind its number of fields.</summary>
        public byte[] Stored
        {
            get
            {
                byte[] stored = [0, 0, 0, (byte)fields, .. _bytes];
                return stored;
            }
        }

        public Row Number(long value)
        {
            BitConverter.GetBytes(value).CopyTo(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes)[(8 + (8 * _field++))..]);
            return this;
        }

        public Row Real(double value) => Number(BitConverter.DoubleToInt64Bits(value));

        public Row Text(string value)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(value);
            Number(((long)_bytes.Count << 32) | (uint)utf8.Length);
            _bytes.AddRange(utf8);
            _bytes.AddRange(new byte[(8 - (utf8.Length % 8)) % 8]);
            return this;
        }

        public Row Moment(long millis, int nanos)
        {
            Number(((long)_bytes.Count << 32) | (uint)nanos);
            _bytes.AddRange(BitConverter.GetBytes(millis));
            return this;
        }
    }
}
