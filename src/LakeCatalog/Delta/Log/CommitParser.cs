using System.Text.Json;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>Decodes a commit: whitespace-separated JSON objects, each with one key that names an action. What is unknown is ignored.</summary>
internal static class CommitParser
{
    // Free-form parts (operation parameters) may be nested deeply; the schema stands in a string and does not count.
    private const int MaxDepth = 512;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static CommitActions Parse(ReadOnlySpan<byte> utf8, long version, string path)
    {
        if (utf8.StartsWith(ByteOrderMark))
        {
            utf8 = utf8[ByteOrderMark.Length..];
        }

        var commit = new CommitActions { Version = version };
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { AllowMultipleValues = true, MaxDepth = MaxDepth });
        try
        {
            bool first = true;
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.StartObject)
                {
                    throw new JsonException($"an action object was expected, found {reader.TokenType}");
                }

                while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                {
                    ParseAction(ref reader, commit, first, path);
                    first = false;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or OverflowException or KeyNotFoundException)
        {
            throw LakeException.FormatInvalid($"Invalid JSON in commit {version}: {e.Message}", path, e);
        }

        return commit;
    }

    /// <summary>Parses a protocol object, also of checksum files and JSON checkpoints.</summary>
    public static ProtocolAction ParseProtocol(JsonElement e) => new(
        JsonNumber.Int32(e.GetProperty("minReaderVersion")) ?? throw new JsonException("a protocol has no minReaderVersion"),
        e.TryGetProperty("minWriterVersion", out JsonElement writer) ? JsonNumber.Int32(writer) ?? 1 : 1,
        Strings(e, "readerFeatures"),
        Strings(e, "writerFeatures"));

    /// <summary>Parses a metaData object.</summary>
    public static MetadataAction ParseMetadata(JsonElement e) => new()
    {
        Id = e.TryGetProperty("id", out JsonElement id) && id.ValueKind == JsonValueKind.String ? id.GetString()! : string.Empty,
        Provider = e.TryGetProperty("format", out JsonElement format) && format.ValueKind == JsonValueKind.Object
            && format.TryGetProperty("provider", out JsonElement provider) ? provider.GetString() ?? "parquet" : "parquet",
        SchemaString = e.TryGetProperty("schemaString", out JsonElement schema) ? schema.GetString() : null,
        PartitionColumns = Strings(e, "partitionColumns") ?? [],
        Configuration = e.TryGetProperty("configuration", out JsonElement configuration) && configuration.ValueKind == JsonValueKind.Object
            ? configuration.EnumerateObject().Where(p => p.Value.ValueKind != JsonValueKind.Null)
                .GroupBy(p => p.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => Text(g.Last().Value), StringComparer.Ordinal)
            : new Dictionary<string, string>(),
    };

    private static void ParseAction(ref Utf8JsonReader reader, CommitActions commit, bool first, string path)
    {
        if (reader.ValueTextEquals("add"u8))
        {
            reader.Read();
            AddIfPresent(commit.Adds, ParseFile(ref reader));
        }
        else if (reader.ValueTextEquals("remove"u8))
        {
            reader.Read();
            AddIfPresent(commit.Removes, ParseFile(ref reader));
        }
        else if (reader.ValueTextEquals("cdc"u8))
        {
            reader.Read();
            if (ParseFile(ref reader) is { } file)
            {
                commit.ChangeFiles.Add(new ChangeFileAction(file.Path, file.PartitionValues ?? new Dictionary<string, string?>(), file.SizeBytes));
            }
        }
        else if (reader.ValueTextEquals("protocol"u8))
        {
            ParseObject(ref reader, e => commit.Protocol = commit.Protocol is null
                ? ParseProtocol(e)
                : throw LakeException.FormatInvalid($"Commit {commit.Version} holds two protocol actions", path));
        }
        else if (reader.ValueTextEquals("metaData"u8))
        {
            ParseObject(ref reader, e => commit.Metadata = commit.Metadata is null
                ? ParseMetadata(e)
                : throw LakeException.FormatInvalid($"Commit {commit.Version} holds two metaData actions", path));
        }
        else if (reader.ValueTextEquals("commitInfo"u8))
        {
            ParseObject(ref reader, e => commit.CommitInfo ??= ParseCommitInfo(e, first));
        }
        else if (reader.ValueTextEquals("sidecar"u8))
        {
            // Only JSON checkpoints hold these; the callers that read commits ignore them.
            ParseObject(ref reader, e => commit.Sidecars.Add(e.GetProperty("path").GetString() ?? string.Empty));
        }
        else
        {
            reader.Read();
            reader.Skip();
        }
    }

    private static void AddIfPresent(List<FileAction> files, FileAction? file)
    {
        if (file is not null)
        {
            files.Add(file);
        }
    }

    private static void ParseObject(ref Utf8JsonReader reader, Action<JsonElement> use)
    {
        reader.Read();
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        if (document.RootElement.ValueKind == JsonValueKind.Object)
        {
            use(document.RootElement);
        }
    }

    private static CommitInfoAction ParseCommitInfo(JsonElement e, bool first)
    {
        string operation = e.TryGetProperty("operation", out JsonElement o) && o.ValueKind == JsonValueKind.String ? o.GetString()! : "UNKNOWN";
        return new CommitInfoAction
        {
            Operation = operation,
            InCommitTimestamp = e.TryGetProperty("inCommitTimestamp", out JsonElement t) && t.ValueKind == JsonValueKind.Number && t.TryGetInt64(out long millis) ? millis : null,
            IsFirstAction = first,
            ChangesNoRows = operation == "MERGE" && e.TryGetProperty("operationMetrics", out JsonElement metrics)
                && metrics.ValueKind == JsonValueKind.Object
                && IsZero(metrics, "numTargetRowsInserted") && IsZero(metrics, "numTargetRowsUpdated") && IsZero(metrics, "numTargetRowsDeleted"),
            Json = e.GetRawText(),
        };
    }

    private static bool IsZero(JsonElement metrics, string name) =>
        metrics.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.ValueEquals("0"u8);

    private static FileAction? ParseFile(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("a file action must be an object");
        }

        string? path = null;
        long size = -1;
        bool dataChange = true;
        byte[]? stats = null;
        Dictionary<string, string?>? partitionValues = null;
        DeletionVectorDescriptor? vector = null;
        long? baseRowId = null;
        long? rowCommitVersion = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("path"u8))
            {
                reader.Read();
                path = reader.GetString();
            }
            else if (reader.ValueTextEquals("size"u8))
            {
                size = ReadLong(ref reader) ?? -1;
            }
            else if (reader.ValueTextEquals("dataChange"u8))
            {
                reader.Read();
                dataChange = reader.TokenType != JsonTokenType.False;
            }
            else if (reader.ValueTextEquals("stats"u8))
            {
                reader.Read();
                stats = ReadBytes(ref reader);
            }
            else if (reader.ValueTextEquals("partitionValues"u8))
            {
                reader.Read();
                partitionValues = ReadMap(ref reader);
            }
            else if (reader.ValueTextEquals("deletionVector"u8))
            {
                reader.Read();
                vector = ParseDeletionVector(ref reader);
            }
            else if (reader.ValueTextEquals("baseRowId"u8))
            {
                baseRowId = ReadLong(ref reader);
            }
            else if (reader.ValueTextEquals("defaultRowCommitVersion"u8))
            {
                rowCommitVersion = ReadLong(ref reader);
            }
            else
            {
                reader.Read();
                reader.Skip();
            }
        }

        return new FileAction
        {
            Path = path ?? throw new JsonException("a file action has no path"),
            SizeBytes = size,
            DataChange = dataChange,
            Stats = stats,
            PartitionValues = partitionValues,
            DeletionVector = vector,
            BaseRowId = baseRowId,
            DefaultRowCommitVersion = rowCommitVersion,
        };
    }

    private static DeletionVectorDescriptor? ParseDeletionVector(ref Utf8JsonReader reader)
    {
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        JsonElement e = document.RootElement;
        return e.ValueKind == JsonValueKind.Null
            ? null
            : new DeletionVectorDescriptor(
                e.GetProperty("storageType").GetString() ?? throw new JsonException("a deletion vector has no storageType"),
                e.GetProperty("pathOrInlineDv").GetString() ?? throw new JsonException("a deletion vector has no pathOrInlineDv"),
                e.TryGetProperty("offset", out JsonElement offset) ? JsonNumber.Int32(offset) : null,
                JsonNumber.Int32(e.GetProperty("sizeInBytes")) ?? -1,
                JsonNumber.Int64(e.GetProperty("cardinality")) ?? -1);
    }

    private static long? ReadLong(ref Utf8JsonReader reader)
    {
        reader.Read();
        return JsonNumber.Int64(ref reader);
    }

    private static byte[]? ReadBytes(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            reader.Skip();
            return null;
        }

        byte[] buffer = new byte[reader.ValueSpan.Length];
        int length;
        try
        {
            length = reader.CopyString(buffer);
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair: statistics that cannot be read count as absent (Delta PROTOCOL.md, "Per-file Statistics").
            return null;
        }

        return length == 0 ? null : length == buffer.Length ? buffer : buffer[..length];
    }

    private static Dictionary<string, string?>? ReadMap(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("partitionValues must be an object");
        }

        var map = new Dictionary<string, string?>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            map[key] = reader.TokenType is JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False
                ? System.Text.Encoding.UTF8.GetString(reader.ValueSpan)
                : reader.GetString();
        }

        return map;
    }

    private static List<string>? Strings(JsonElement e, string name) =>
        e.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Select(i => i.GetString() ?? string.Empty)]
            : null;

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
}
