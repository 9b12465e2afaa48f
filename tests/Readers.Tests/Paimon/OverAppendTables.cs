using Apache.Arrow;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Tests.Paimon;

/// <summary>Append tables laid out file by file, with what each file holds as SQL.</summary>
public abstract class OverAppendTables : OverOneFolder
{
    /// <summary>What tables are read from.</summary>
    protected virtual IObjectStore TableStore => Store;

    internal static PaimonSchema Schema(long id, PaimonField[] fields, string? option) => new()
    {
        Id = id,
        Version = 3,
        Fields = fields,
        PartitionKeys = [],
        PrimaryKeys = [],
        Options = (option ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries).ToDictionary(o => o.Split('=')[0], o => o.Contains('=', StringComparison.Ordinal) ? o.Split('=')[1] : "true"),
    };

    internal PaimonDataFile File(string name, string sql)
    {
        string path = $"bucket-0/{name}.parquet";
        Directory.CreateDirectory(Path.Combine(Folder, "bucket-0"));
        using DuckDBConnection connection = Engine.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY ({sql}) TO {SqlText.Literal(Path.Combine(Folder, path))} (FORMAT parquet)");
        return new PaimonDataFile
        {
            PartitionBytes = new byte[12],
            Partition = [],
            Bucket = 0,
            TotalBuckets = -1,
            Name = name + ".parquet",
            SizeBytes = new FileInfo(Path.Combine(Folder, path)).Length,
            RowCount = 1,
            MinKey = new byte[12],
            MaxKey = new byte[12],
            ValueStatistics = PaimonStatistics.None,
            MinSequenceNumber = 0,
            MaxSequenceNumber = 1,
            SchemaId = 0,
            Level = 0,
            Path = path,
        };
    }

    internal PaimonSnapshot Table(PaimonField[] fields, string? option, PaimonDataFile[] files, PaimonSchema? old = null, string[]? key = null)
    {
        PaimonSchema schema = Schema(old is null ? 0 : 1, fields, option) with { PrimaryKeys = key ?? [] };
        return new PaimonSnapshot
        {
            Table = new LakeTable("s", "d", "t", "paimon", new TableRoot(TableStore, "")),
            Id = new SnapshotId("1"),
            CommittedAt = null,
            Schema = new Schema([.. schema.Fields.Select(PaimonArrowTypes.ToField)], null),
            PartitionColumns = [],
            PrimaryKey = schema.PrimaryKeys,
            Commit = null,
            Branch = "main",
            TableSchema = schema,
            Schemas = new Dictionary<long, PaimonSchema> { [schema.Id] = schema, [0] = old ?? schema },
            Files = [.. files],
            DeletionVectors = new Dictionary<(string, int, string), PaimonDeletionVector>(),
        };
    }

    internal Task<List<string>> ReadAsync(PaimonSnapshot snapshot, params string[] columns) => ReadAsync(snapshot, columns, columns);

    internal async Task<List<string>> ReadAsync(PaimonSnapshot snapshot, string[] columns, params string[] expressions)
    {
        await using TableScan scan = await Reader.PlanAsync(snapshot, new ScanRequest { Columns = columns });
        return TableOfRuns.Read(Engine, scan.Sql, expressions);
    }
}
