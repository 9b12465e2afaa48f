using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>The Avro forms of commits and plans.</summary>
internal static class CommitAvro
{
    /// <summary>A completed commit, delta commit or replace commit of layout 2.</summary>
    public static CommitMetadata ReadCommit(ReadOnlyMemory<byte> container, string path)
    {
        // Of a large commit nearly all is its list of writes, which is read as it comes.
        AvroContainer file = AvroContainer.Open(container, path);
        if (file.Schema.Kind != AvroKind.Record || file.ReadBlocks().FirstOrDefault() is not { RecordCount: > 0 } block)
        {
            throw LakeException.FormatInvalid($"The Avro container holds {file.Schema}, or nothing", path);
        }

        WriteStatList writes = WriteStatList.Empty;
        var values = new object?[file.Schema.Fields.Count];
        var cursor = new AvroCursor(block.Data.Span, path);
        for (int i = 0; i < values.Length; i++)
        {
            AvroField field = file.Schema.Fields[i];
            if (field.Name == "partitionToWriteStats")
            {
                writes = WriteStatAvro.Read(field.Type, ref cursor);
            }
            else
            {
                values[i] = AvroDatum.Read(field.Type, ref cursor, path);
            }
        }

        var root = new AvroRecord(file.Schema, values, path);
        var replaced = new List<(string, string)>();
        foreach ((string partition, object? ids) in root.GetMap("partitionToReplaceFileIds"))
        {
            replaced.AddRange((ids as object?[] ?? []).OfType<string>().Select(id => (partition, id)));
        }

        IReadOnlyDictionary<string, object?> extra = root.GetMap("extraMetadata");
        return new CommitMetadata
        {
            Operation = root.GetStringOrNull("operationType") ?? "",
            Schema = extra.GetValueOrDefault("schema") as string,
            LatestSchema = extra.GetValueOrDefault("latestSchema") as string,
            Writes = writes,
            Replaced = replaced,
        };
    }

    /// <summary>The file groups of a compaction plan.</summary>
    public static IReadOnlyList<(string Partition, string FileId)> ReadPlan(ReadOnlyMemory<byte> container, string path) =>
        [.. Records(Single(container, path)["operations"]).Select(o => (o.GetStringOrNull("partitionPath") ?? "", o.GetStringOrNull("fileId") ?? ""))];

    /// <summary>What a completed clean says it removed.</summary>
    public static CleanMetadata ReadClean(ReadOnlyMemory<byte> container, string path) => ReadClean(Single(container, path));

    /// <summary>Likewise, from the record itself.</summary>
    public static CleanMetadata ReadClean(AvroRecord root)
    {
        var deleted = new List<(string, string)>();
        foreach ((string partition, object? value) in root.GetMap("partitionMetadata"))
        {
            if (value is AvroRecord of)
            {
                string folder = of.GetStringOrNull("partitionPath") ?? partition;
                deleted.AddRange(Names(of, "deletePathPatterns").Concat(Names(of, "successDeleteFiles")).Select(name => (folder, name[(name.LastIndexOf('/') + 1)..])).Distinct());
            }
        }

        return new CleanMetadata(root.GetStringOrNull("earliestCommitToRetain") is { Length: > 0 } earliest ? earliest : null, deleted);

        static IEnumerable<string> Names(AvroRecord record, string field) => record.Has(field) ? record.GetArray(field).OfType<string>() : [];
    }

    /// <summary>The commits that a rollback, or the rollbacks of a restore, undid.</summary>
    public static IReadOnlyList<string> ReadRolledBack(ReadOnlyMemory<byte> container, string path)
    {
        var commits = new List<string>();
        AddRolledBack(Single(container, path), commits);
        return commits;
    }

    private static void AddRolledBack(AvroRecord record, List<string> commits)
    {
        if (record.Has("commitsRollback"))
        {
            commits.AddRange(record.GetArray("commitsRollback").OfType<string>());
        }

        if (record.Has("hoodieRestoreMetadata"))
        {
            foreach (AvroRecord nested in record.GetMap("hoodieRestoreMetadata").Values.SelectMany(Records))
            {
                AddRolledBack(nested, commits);
            }
        }
    }

    private static AvroRecord Single(ReadOnlyMemory<byte> container, string path) =>
        AvroContainer.ReadRecords(container, path).FirstOrDefault() ?? throw LakeException.FormatInvalid("The Avro container is empty", path);

    private static IEnumerable<AvroRecord> Records(object? list) => (list as object?[] ?? []).OfType<AvroRecord>();
}
