using System.Buffers.Binary;
using System.Globalization;
using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Lays out tables with a primary key and dynamic buckets, file by file; the key is the first column, an INT.</summary>
internal sealed class TableOfRuns(EngineDatabase engine, LocalFolderStore store, string folder, IReadOnlyList<string> columns, IReadOnlyList<PaimonType> types)
{
    /// <summary>A table without partitions.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="runs">Bucket and rows of each file, in the order of their positions.</param>
    /// <param name="dead">Rows that deletion vectors kill.</param>
    /// <param name="options">The table's options.</param>
    public PaimonSnapshot Write(string name, IEnumerable<(int Bucket, List<ModelRow> Rows)> runs, IReadOnlySet<ModelRow> dead, IReadOnlyDictionary<string, string> options)
    {
        string table = name + "/";
        var files = new List<PaimonDataFile>();
        var vectors = new Dictionary<(string, int, string), PaimonDeletionVector>();
        foreach ((int bucket, List<ModelRow> rows) in runs)
        {
            string file = $"data-{files.Count}.parquet";
            string path = $"bucket-{bucket}/{file}";
            Directory.CreateDirectory(Path.Combine(folder, table, $"bucket-{bucket}"));
            WriteFile(Path.Combine(folder, table, path), rows);
            files.Add(new PaimonDataFile
            {
                PartitionBytes = new byte[12],
                Partition = [],
                Bucket = bucket,
                TotalBuckets = -1,
                Name = file,
                SizeBytes = new FileInfo(Path.Combine(folder, table, path)).Length,
                RowCount = rows.Count,
                MinKey = Key((int)rows[0].Values[0]!),
                MaxKey = Key((int)rows[^1].Values[0]!),
                ValueStatistics = PaimonStatistics.None,
                MinSequenceNumber = rows.Min(r => r.Sequence),
                MaxSequenceNumber = rows.Max(r => r.Sequence),
                SchemaId = 0,
                Level = rows[0].Level,
                DeleteRowCount = rows.Count(r => r.Kind is not (0 or 2)),
                FileSource = rows[0].Level == 0 ? 0 : 1,
                Path = path,
            });
            ushort[] positions = [.. rows.Select((r, i) => (r, i)).Where(r => dead.Contains(r.r)).Select(r => (ushort)r.i)];
            if (positions.Length > 0)
            {
                string index = $"index-{files.Count}";
                byte[] bytes = Vector(positions);
                File.WriteAllBytes(Path.Combine(folder, table, index), bytes);
                string partition = Convert.ToBase64String(files[^1].PartitionBytes);
                vectors[(partition, bucket, file)] = new PaimonDeletionVector(partition, bucket, file, index, 1, bytes.Length - 9, positions.Length);
            }
        }

        var schema = new PaimonSchema
        {
            Id = 0,
            Version = 3,
            Fields = [.. columns.Select((c, i) => new PaimonField(i, c, types[i]))],
            PartitionKeys = [],
            PrimaryKeys = [columns[0]],
            Options = options,
        };
        return new PaimonSnapshot
        {
            Table = new LakeTable("s", "d", name, "paimon", new TableRoot(store, table)),
            Id = new SnapshotId("1"),
            CommittedAt = null,
            Schema = new Schema([.. schema.Fields.Select(PaimonArrowTypes.ToField)], null),
            PartitionColumns = [],
            PrimaryKey = schema.PrimaryKeys,
            Commit = null,
            Branch = "main",
            TableSchema = schema,
            Schemas = new Dictionary<long, PaimonSchema> { [0] = schema },
            Files = [.. files],
            DeletionVectors = vectors,
        };
    }

    /// <summary>The rows of a relation as <see cref="Text"/> gives them, in the order of these texts.</summary>
    public static List<string> Read(EngineDatabase engine, string sql, IEnumerable<string> columns)
    {
        using DuckDBConnection connection = engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT {string.Join(" || '|' || ", columns.Select(c => $"coalesce(CAST({c} AS VARCHAR), '-')"))} FROM ({sql})";
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0));
        }

        rows.Sort(StringComparer.Ordinal);
        return rows;
    }

    /// <summary>The values of a row as one text.</summary>
    public static string Text(object?[] row) => string.Join("|", row.Select(v => v switch
    {
        null => "-",
        bool b => b ? "true" : "false",
        double d => double.IsNaN(d) ? "nan" : d.ToString("0.0", CultureInfo.InvariantCulture),
        _ => Convert.ToString(v, CultureInfo.InvariantCulture),
    }));

    private void WriteFile(string path, List<ModelRow> rows)
    {
        static string Literal(object? value) => value switch
        {
            null => "NULL",
            string text => SqlText.Literal(text),
            bool b => b ? "true" : "false",
            double d => double.IsNaN(d) ? "'NaN'::DOUBLE" : d.ToString("0.0e0", CultureInfo.InvariantCulture),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
        string[] sqlTypes = [.. types.Select(t => t.Kind switch { PaimonTypeKind.VarChar => "VARCHAR", PaimonTypeKind.Boolean => "BOOLEAN", PaimonTypeKind.Double => "DOUBLE", _ => "INTEGER" })];
        IEnumerable<string> values = rows.Select((r, i) => $"({string.Join(", ", r.Values.Select(Literal))}, {r.Sequence}::BIGINT, {r.Kind}::TINYINT, {i})");
        using DuckDBConnection connection = engine.OpenConnection();
        EngineDatabase.Execute(
            connection,
            $"COPY (SELECT {string.Join(", ", columns.Select((c, i) => $"{c}::{sqlTypes[i]} AS {c}"))}, \"_SEQUENCE_NUMBER\", \"_VALUE_KIND\" FROM (VALUES {string.Join(", ", values)}) "
            + $"v({string.Join(", ", columns)}, \"_SEQUENCE_NUMBER\", \"_VALUE_KIND\", pos) ORDER BY pos) TO {SqlText.Literal(path)} (FORMAT parquet, DICTIONARY_SIZE_LIMIT 0)");
    }

    // Version, then length, magic, bitmap with one container, checksum.
    private static byte[] Vector(ushort[] positions)
    {
        const int Head = 9;
        byte[] bytes = new byte[Head + 16 + (2 * positions.Length) + 4];
        bytes[0] = 1;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), bytes.Length - Head);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(5), 1_581_511_376);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Head), 12346);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Head + 4), 1);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(Head + 10), (ushort)(positions.Length - 1));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Head + 12), 16);
        for (int i = 0; i < positions.Length; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(Head + 16 + (2 * i)), positions[i]);
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(bytes.Length - 4), System.IO.Hashing.Crc32.HashToUInt32(bytes.AsSpan(5, bytes.Length - Head)));
        return bytes;
    }

    // Arity, header, one slot.
    private static byte[] Key(int value)
    {
        byte[] bytes = new byte[20];
        BinaryPrimitives.WriteInt32BigEndian(bytes, 1);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), value);
        return bytes;
    }
}
