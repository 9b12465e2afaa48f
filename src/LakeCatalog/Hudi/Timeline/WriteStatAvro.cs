using System.Text;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Hudi.Timeline;

/// <summary>Reads a commit's map of partitions to lists of writes; of each write only the fields that are needed, by the writer's own schema.</summary>
internal static class WriteStatAvro
{
    private enum Part
    {
        Skipped,
        FileId,
        Path,
        Rows,
        Size,
        ChangeLogs,
    }

    /// <summary>Reads the map.</summary>
    /// <exception cref="LakeException">FormatInvalid for broken bytes, and for a schema of another shape.</exception>
    public static WriteStatList Read(AvroSchema type, ref AvroCursor cursor)
    {
        if (Resolve(type, ref cursor) is not { Kind: AvroKind.Map, Items: { } lists })
        {
            return WriteStatList.Empty;
        }

        var writes = new WriteStatList.Builder();
        Dictionary<AvroSchema, (Part Part, AvroSkip Skip)[]> shapes = [];
        for (int partitions = cursor.ReadBlockCount(); partitions > 0; partitions = cursor.ReadBlockCount())
        {
            for (; partitions > 0; partitions--)
            {
                string partition = Encoding.UTF8.GetString(cursor.ReadBytes());
                if (Resolve(lists, ref cursor) is not { } list)
                {
                    continue;
                }

                AvroSchema items = list is { Kind: AvroKind.Array, Items: { } found } ? found : throw cursor.Invalid($"has {list} where a list of writes is expected");
                for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
                {
                    for (; count > 0; count--)
                    {
                        if (Resolve(items, ref cursor) is { } item)
                        {
                            writes.Add(ReadStat(item, partition, shapes, ref cursor));
                        }
                    }
                }
            }
        }

        return writes.Build();
    }

    private static WriteStat ReadStat(AvroSchema stat, string partition, Dictionary<AvroSchema, (Part Part, AvroSkip Skip)[]> shapes, ref AvroCursor cursor)
    {
        if (!shapes.TryGetValue(stat, out (Part Part, AvroSkip Skip)[]? shape))
        {
            shapes[stat] = shape = [.. stat.Fields.Select(f => (PartOf(f.Name), new AvroSkip(f.Type)))];
        }

        string fileId = "", path = "";
        long rows = 0, size = 0;
        (string, long)[] logs = [];
        for (int i = 0; i < shape.Length; i++)
        {
            AvroSchema type = stat.Fields[i].Type;
            switch (shape[i].Part)
            {
                case Part.Skipped:
                    shape[i].Skip.Skip(ref cursor);
                    break;
                case Part.FileId:
                    fileId = Text(type, ref cursor);
                    break;
                case Part.Path:
                    path = Text(type, ref cursor);
                    break;
                case Part.Rows:
                    rows = Number(type, ref cursor);
                    break;
                case Part.Size:
                    size = Number(type, ref cursor);
                    break;
                default:
                    logs = ChangeLogs(type, ref cursor);
                    break;
            }
        }

        return new WriteStat(partition, fileId, path, rows, size, logs);
    }

    private static Part PartOf(string field) => field switch
    {
        "fileId" => Part.FileId,
        "path" => Part.Path,
        "numWrites" => Part.Rows,
        "fileSizeInBytes" => Part.Size,
        "cdcStats" => Part.ChangeLogs,
        _ => Part.Skipped,
    };

    private static string Text(AvroSchema type, ref AvroCursor cursor) => Resolve(type, ref cursor) is not { } value ? ""
        : value.Kind == AvroKind.String ? Encoding.UTF8.GetString(cursor.ReadBytes())
        : throw cursor.Invalid($"has {value} where a text is expected");

    private static long Number(AvroSchema type, ref AvroCursor cursor) => Resolve(type, ref cursor) is not { } value ? 0
        : value.Kind is AvroKind.Int or AvroKind.Long ? cursor.ReadLong()
        : throw cursor.Invalid($"has {value} where a number is expected");

    private static (string, long)[] ChangeLogs(AvroSchema type, ref AvroCursor cursor)
    {
        if (Resolve(type, ref cursor) is not { } map)
        {
            return [];
        }

        AvroSchema sizes = map is { Kind: AvroKind.Map, Items: { } found } ? found : throw cursor.Invalid($"has {map} where sizes of change logs are expected");
        var logs = new List<(string, long)>();
        for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
        {
            for (; count > 0; count--)
            {
                string path = Encoding.UTF8.GetString(cursor.ReadBytes());
                logs.Add((path, Number(sizes, ref cursor)));
            }
        }

        return [.. logs];
    }

    // The type of the value that comes; null for a null.
    private static AvroSchema? Resolve(AvroSchema type, ref AvroCursor cursor)
    {
        AvroSchema value = type.Kind == AvroKind.Union ? type.Branches[cursor.ReadIndex(type.Branches.Count)] : type;
        return value.Kind == AvroKind.Null ? null : value;
    }
}
