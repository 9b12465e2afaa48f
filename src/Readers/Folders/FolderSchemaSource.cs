using System.Collections.Concurrent;
using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Folders;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Cache;
using LakeHolo.Readers.DataFiles.Orc;
using LakeHolo.Readers.DataFiles.SequenceFile;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Folders;

/// <summary>Columns of plain folders: Parquet and CSV by the engine, ORC from footers, SequenceFiles from the configuration or by counting fields.</summary>
/// <param name="engine">Opens Parquet and CSV files.</param>
/// <param name="files">Makes files readable.</param>
/// <param name="options">What the files do not tell.</param>
public sealed class FolderSchemaSource(EngineDatabase engine, IFileMaterializer files, FolderOptions? options = null) : IFolderSchemaSource
{
    // What one file was found to hold; a folder that grows by a file is asked about that file alone.
    private readonly ConcurrentDictionary<(string, string, string), (Schema Schema, long RowCount)> _known = new();

    /// <inheritdoc/>
    public async ValueTask<FolderSchema> ReadSchemaAsync(LakeTable table, IReadOnlyList<FolderFile> folderFiles, CancellationToken cancellationToken = default)
    {
        if (table.Format is "csv" or "sequencefile" && options?.ColumnsOf(table) is { } configured)
        {
            return new FolderSchema(configured, null, IsConfigured: true);
        }

        switch (table.Format)
        {
            case "parquet":
                return await ReadParquetAsync(table, folderFiles, cancellationToken);
            case "csv":
                await using (FileLease lease = await files.OpenAsync([.. folderFiles.Select(f => FolderReader.Cacheable(table, f))], null, cancellationToken))
                {
                    return new FolderSchema(ToSchema(new CsvFiles(engine).Describe(lease.LocalPaths, table.Root.Location), table.Root.Location), null);
                }

            case "orc":
                return await UnionAsync(table, folderFiles, ReadOrcAsync, cancellationToken);
            case "sequencefile":
                return await UnionAsync(table, folderFiles, ReadSequenceFileAsync, cancellationToken);
            default:
                throw LakeException.FeatureUnsupported($"Folders of {table.Format} files are not supported", table.FullName);
        }
    }

    private async ValueTask<FolderSchema> ReadParquetAsync(LakeTable table, IReadOnlyList<FolderFile> folderFiles, CancellationToken cancellationToken)
    {
        await using FileLease lease = await files.OpenAsync([.. folderFiles.Select(f => FolderReader.Cacheable(table, f))], [], cancellationToken);
        using DuckDBConnection connection = engine.OpenConnection();
        string list = SqlText.LiteralList(lease.LocalPaths);
        IReadOnlyList<(string Name, string Type)> columns =
            CsvFiles.Describe(connection, $"SELECT * FROM read_parquet({list}, union_by_name = true, hive_partitioning = false)", table.Root.Location);
        ParquetUnion.Check(connection, lease.LocalPaths, columns, table.Root.Location);
        Schema schema = ToSchema(columns, table.Root.Location);
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({list})";
        return new FolderSchema(schema, Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture));
    }

    private static Schema ToSchema(IReadOnlyList<(string Name, string Type)> columns, string path) =>
        new([.. columns.Select(c => EngineArrowType.ToField(c.Name, c.Type, path))], null);

    private static async ValueTask<(Schema, long)> ReadOrcAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        OrcFile orc = await OrcFile.OpenAsync(file.Store, file.Key, file.SizeBytes, cancellationToken);
        return (orc.Schema, orc.RowCount);
    }

    private static async ValueTask<(Schema, long)> ReadSequenceFileAsync(CacheableFile file, CancellationToken cancellationToken)
    {
        byte[] bytes = await file.Store.ReadAsync(file.Key, cancellationToken: cancellationToken);
        (int fields, long lines) = DelimitedTextDecoder.Measure(SequenceFileReader.Open(bytes, file.Key), file.Key);
        return (DelimitedTextDecoder.SchemaOf(Enumerable.Range(0, Math.Max(fields, 1)).Select(i => string.Create(CultureInfo.InvariantCulture, $"_c{i}"))), lines);
    }

    private async ValueTask<FolderSchema> UnionAsync(
        LakeTable table,
        IReadOnlyList<FolderFile> folderFiles,
        Func<CacheableFile, CancellationToken, ValueTask<(Schema, long)>> read,
        CancellationToken cancellationToken)
    {
        var columns = new Dictionary<string, Field>(StringComparer.Ordinal);
        var order = new List<string>();
        long rows = 0;
        foreach (FolderFile file in folderFiles)
        {
            var key = (table.Root.Location, file.Path, file.ETag);
            if (!_known.TryGetValue(key, out (Schema Schema, long RowCount) found))
            {
                found = await read(FolderReader.Cacheable(table, file), cancellationToken);
                _known[key] = found;
            }

            rows += found.RowCount;
            foreach (Field field in found.Schema.FieldsList)
            {
                if (columns.TryAdd(field.Name, field))
                {
                    order.Add(field.Name);
                }
                else
                {
                    columns[field.Name] = new Field(field.Name, Common(columns[field.Name], field, table), nullable: true);
                }
            }
        }

        return new FolderSchema(new Schema([.. order.Select(n => columns[n])], null), rows);
    }

    private static IArrowType Common(Field one, Field other, LakeTable table)
    {
        string first = SqlText.TypeOf(one.DataType);
        string second = SqlText.TypeOf(other.DataType);
        string[] integers = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"];
        int a = System.Array.IndexOf(integers, first);
        int b = System.Array.IndexOf(integers, second);
        return first == second || (a >= 0 && b >= 0 && a >= b) || (first == "DOUBLE" && second == "FLOAT") ? one.DataType
            : (a >= 0 && b >= 0) || (first == "FLOAT" && second == "DOUBLE") ? other.DataType
            : throw LakeException.FeatureUnsupported($"The files disagree about the type of column '{one.Name}': {first} and {second}", table.Root.Location);
    }
}
