using System.Text;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Hudi.Metadata;

/// <summary>How two records of one key in the metadata table become one.</summary>
internal static class MetadataMerge
{
    private const int AllPartitions = 1, Files = 2, ColumnStats = 3, PartitionStats = 6;

    /// <summary>A partition's (or the list of partitions') files: name to size; null marks a removed one.</summary>
    public sealed record Listing(IReadOnlyDictionary<string, long?> Files);

    /// <summary>Statistics whose parts have been put together; null where they do not fit each other, and then nothing is known until they are written anew.</summary>
    public sealed record Statistics(ColumnStatistics? Value);

    /// <summary>Merges.</summary>
    /// <param name="older">What is known so far: a record, a <see cref="Listing"/>, <see cref="Statistics"/>, or null.</param>
    /// <param name="newer">The newer record; null if the key was deleted.</param>
    public static object? Merge(object? older, AvroRecord? newer) => newer?.GetIntOrNull("type") switch
    {
        null => null,
        AllPartitions or Files => Merge(older as Listing, newer.GetMap("filesystemMetadata")),
        ColumnStats or PartitionStats => Merge(older as Statistics, ColumnStatistics.Of(newer.GetRecordOrNull("ColumnStatsMetadata"))),
        _ => newer,
    };

    /// <summary>Merges records of the partition <c>files</c>, read as they come.</summary>
    /// <param name="older">What <see cref="Merge(object?, AvroRecord?)"/> or this made; it is changed.</param>
    /// <param name="schema">The writer's schema.</param>
    /// <param name="newer">The newer record.</param>
    /// <param name="path">For messages.</param>
    public static object? MergeFiles(object? older, AvroSchema schema, ReadOnlySpan<byte> newer, string path)
    {
        int map = schema.IndexOfField("filesystemMetadata");
        int kind = schema.IndexOfField("type");
        if (schema.Kind != AvroKind.Record || kind < 0 || map < kind || schema.Fields[map].Type.NonNull is not { Kind: AvroKind.Map, Items: { Kind: AvroKind.Record } info }
            || schema.Fields[kind].Type.Kind != AvroKind.Int || info.Fields is not [{ Name: "size", Type.Kind: AvroKind.Long }, { Name: "isDeleted", Type.Kind: AvroKind.Boolean }])
        {
            return Merge(older, AvroDatum.DecodeRecord(schema, newer, path));
        }

        var cursor = new AvroCursor(newer, path);
        long type = -1;
        var files = (older as Listing)?.Files as Dictionary<string, long?> ?? new Dictionary<string, long?>(StringComparer.Ordinal);
        for (int i = 0; i < schema.Fields.Count; i++)
        {
            AvroSchema field = schema.Fields[i].Type;
            if (i == kind)
            {
                type = cursor.ReadInt();
            }
            else if (i != map || type is not (AllPartitions or Files))
            {
                cursor.Skip(field);
            }
            else if (field.Kind == AvroKind.Map || field.Branches[cursor.ReadIndex(field.Branches.Count)].Kind == AvroKind.Map)
            {
                AddFiles(files, ref cursor);
            }
        }

        return cursor.Remaining > 0 ? throw cursor.Invalid($"has {cursor.Remaining} bytes after the last value") : type is AllPartitions or Files ? new Listing(files) : null;
    }

    private static void AddFiles(Dictionary<string, long?> files, ref AvroCursor cursor)
    {
        for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
        {
            files.EnsureCapacity(Math.Min(files.Count + count, 1 << 20));
            for (; count > 0; count--)
            {
                string name = Encoding.UTF8.GetString(cursor.ReadBytes());
                Add(files, name, cursor.ReadLong(), cursor.ReadBoolean());
            }
        }
    }

    private static void Add(Dictionary<string, long?> files, string name, long size, bool isDeleted)
    {
        bool isKnown = files.TryGetValue(name, out long? known);
        if (!isDeleted)
        {
            files[name] = known is { } other ? Math.Max(other, size) : size;
        }
        else if (known is not null)
        {
            files.Remove(name);
        }
        else if (!isKnown)
        {
            // Nothing is there to remove: the file may still be named by an older record of another writer.
            files[name] = null;
        }
    }

    private static Listing Merge(Listing? older, IReadOnlyDictionary<string, object?> entries)
    {
        var files = new Dictionary<string, long?>(StringComparer.Ordinal);
        if (older is not null)
        {
            foreach ((string name, long? size) in older.Files)
            {
                files[name] = size;
            }
        }

        foreach ((string name, object? entry) in entries)
        {
            if (entry is not AvroRecord file)
            {
                continue;
            }

            Add(files, name, file.GetLongOrNull("size") ?? 0, file.GetBooleanOrNull("isDeleted") == true);
        }

        return new Listing(files);
    }

    private static Statistics Merge(Statistics? older, ColumnStatistics? newer)
        => newer is null || newer.IsDeleted || newer.IsTight ? new Statistics(newer)
            : older is { Value: null } ? older
            : new Statistics(older?.Value is { IsDeleted: false } known ? known.With(newer) : newer);
}
