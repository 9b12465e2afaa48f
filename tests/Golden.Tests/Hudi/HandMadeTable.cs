using System.Text;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.LakeCatalog.Hudi.Timeline;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.LakeCatalog.Storage;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Hudi;

namespace LakeHolo.Golden.Tests.Hudi;

/// <summary>An engine and a folder with Parquet files, and snapshots over them that no writer made.</summary>
internal sealed class HandMadeTable : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("lakeholo-hudi-");
    private readonly ParquetShapes _shapes = new();
    private int _files;

    public HandMadeTable() => Engine = new EngineDatabase(new EngineOptions { Threads = 1, AllowedDirectories = [_folder.FullName] });

    public EngineDatabase Engine { get; }

    public void Dispose()
    {
        Engine.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>A file of the rows of a query.</summary>
    public ReadableFile Write(string sql, string partition = "")
    {
        string path = Path.Combine(_folder.FullName, $"{_files++}.parquet");
        using DuckDBConnection connection = Engine.OpenConnection();
        EngineDatabase.Execute(connection, $"COPY ({sql}) TO {SqlText.Literal(path)} (FORMAT parquet)");
        return new ReadableFile(path, path, partition, _shapes.Of(connection, path, path), null) { Path = path };
    }

    /// <summary>A file of one row of whole numbers, whose columns may have names that the engine does not tell apart.</summary>
    public ReadableFile WriteColumns(params (string Name, int Value)[] columns)
    {
        string path = Path.Combine(_folder.FullName, $"{_files++}.parquet");
        using (var writer = new ParquetSharp.ParquetFileWriter(path, [.. columns.Select(c => new ParquetSharp.Column<int>(c.Name))]))
        {
            using ParquetSharp.RowGroupWriter group = writer.AppendRowGroup();
            foreach ((_, int value) in columns)
            {
                using ParquetSharp.LogicalColumnWriter<int> column = group.NextColumn().LogicalWriter<int>();
                column.WriteBatch([value]);
            }

            writer.Close();
        }

        using DuckDBConnection connection = Engine.OpenConnection();
        return new ReadableFile(path, path, "", _shapes.Of(connection, path, path), null) { Path = path };
    }

    /// <summary>A file of three rows of a Parquet schema of whole numbers: in every column 7, then the value missing at its own level, then the column itself.</summary>
    public ReadableFile WriteSchema(params ParquetSharp.Schema.Node[] columns)
    {
        string path = Path.Combine(_folder.FullName, $"{_files++}.parquet");
        using var root = new ParquetSharp.Schema.GroupNode("schema", ParquetSharp.Repetition.Required, columns);
        using ParquetSharp.WriterProperties properties = ParquetSharp.WriterProperties.GetDefaultWriterProperties();
        using (var writer = new ParquetSharp.ParquetFileWriter(path, root, properties))
        {
            using ParquetSharp.RowGroupWriter group = writer.AppendRowGroup();
            for (int i = 0; i < group.NumColumns; i++)
            {
                var column = (ParquetSharp.ColumnWriter<int>)group.NextColumn();
                short level = column.ColumnDescriptor.MaxDefinitionLevel;
                column.WriteBatch(3, [level, (short)(level - 1), 0], column.ColumnDescriptor.MaxRepetitionLevel > 0 ? [0, 0, 0] : null, [7]);
            }

            writer.Close();
        }

        using DuckDBConnection connection = Engine.OpenConnection();
        return new ReadableFile(path, path, "", _shapes.Of(connection, path, path), null) { Path = path };
    }

    /// <summary>The first column of a query as text, in order of text.</summary>
    public string[] Texts(string sql)
    {
        using DuckDBConnection connection = Engine.OpenConnection();
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        using DuckDBDataReader reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
        {
            rows.Add(reader.GetString(0));
        }

        return [.. rows.Order(StringComparer.Ordinal)];
    }

    /// <summary>A snapshot of no files.</summary>
    /// <param name="properties">Lines of hoodie.properties.</param>
    /// <param name="avroSchema">The table's schema.</param>
    /// <param name="timeline">Its timeline; empty by default.</param>
    /// <param name="instant">Its instant.</param>
    public HudiSnapshot Snapshot(string properties, string avroSchema, HudiTimeline? timeline = null, string instant = "1")
    {
        var parsed = HudiProperties.Parse(Encoding.UTF8.GetBytes(properties));
        IReadOnlyList<HudiColumn> columns = HudiSchema.Parse(avroSchema, "t");
        return new HudiSnapshot
        {
            Table = new LakeTable("s", "d", "t", "hudi", new TableRoot(new LocalFolderStore(_folder.FullName), "")),
            Id = new SnapshotId("1"),
            CommittedAt = null,
            Schema = HudiSchema.ToArrow(columns, withMetaColumns: false),
            PartitionColumns = parsed.PartitionFields,
            Properties = parsed,
            Timeline = timeline ?? HudiTimeline.Parse([], 2),
            Instant = instant,
            ExcludedInstants = new HashSet<string>(),
            Columns = columns,
            Slices = [],
            ReadOptimizedSlices = [],
            Commits = new Dictionary<string, CommitMetadata>(),
        };
    }
}
