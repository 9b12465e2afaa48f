using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Data;

/// <summary>A copy of a Delta table, by links, to which a run commits: new files, inline deletion vectors, compactions.</summary>
internal sealed class GrowingDelta
{
    private static readonly string[] Features = ["deletionVectors"];
    private static readonly JsonSerializerOptions Json = new() { DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    private readonly string _folder;
    private readonly Dictionary<string, string?> _live = new(StringComparer.Ordinal);
    private readonly List<string> _actions = [];
    private int _version = 1;

    public GrowingDelta(string from, string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(Path.Combine(folder, "_delta_log"));
        foreach (string file in Directory.GetFiles(from, "*.parquet"))
        {
            AddFile(file, Path.GetFileName(file));
            _live[Path.GetFileName(file)] = null;
        }

        File.Copy(Path.Combine(from, "_delta_log", "00000000000000000000.json"), Path.Combine(folder, "_delta_log", "00000000000000000000.json"));
        Act(new { protocol = new { minReaderVersion = 3, minWriterVersion = 7, readerFeatures = Features, writerFeatures = Features } });
        Commit();
    }

    /// <summary>Adds a file of rows under a name of its own.</summary>
    /// <returns>The name.</returns>
    public string Add(string file, long rows, bool dataChange = true)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"new-{_version}-{_actions.Count}.parquet");
        AddFile(file, name);
        Act(AddAction(name, rows, null, dataChange));
        _live[name] = null;
        return name;
    }

    /// <summary>Removes a file.</summary>
    public void Remove(string name, bool dataChange = true)
    {
        Act(new { remove = new { path = name, dataChange, deletionTimestamp = 0 } });
        _live.Remove(name);
    }

    /// <summary>Deletes positions of a file; all that are deleted in it so far.</summary>
    public void Delete(string name, long rows, IReadOnlyList<uint> positions)
    {
        byte[] bitmap = Bitmap(positions);
        string vector = Base85(bitmap);
        object removed = _live[name] is { } old
            ? new { path = name, dataChange = true, deletionTimestamp = 0, deletionVector = JsonSerializer.Deserialize<JsonElement>(old) }
            : new { path = name, dataChange = true, deletionTimestamp = 0 };
        Act(new { remove = removed });
        string descriptor = JsonSerializer.Serialize(new { storageType = "i", pathOrInlineDv = vector, sizeInBytes = bitmap.Length, cardinality = positions.Count });
        Act(AddAction(name, rows, JsonSerializer.Deserialize<JsonElement>(descriptor), dataChange: true));
        _live[name] = descriptor;
    }

    /// <summary>Writes what was done as one commit.</summary>
    public void Commit()
    {
        string log = Path.Combine(_folder, "_delta_log", _version.ToString("D20", CultureInfo.InvariantCulture) + ".json");
        File.WriteAllText(log + ".tmp", string.Join('\n', _actions));
        File.Move(log + ".tmp", log);
        _actions.Clear();
        _version++;
    }

    private object AddAction(string name, long rows, JsonElement? vector, bool dataChange) => new
    {
        add = new
        {
            path = name,
            partitionValues = new { },
            size = new FileInfo(Path.Combine(_folder, name)).Length,
            modificationTime = 0,
            dataChange,
            stats = string.Create(CultureInfo.InvariantCulture, $"{{\"numRecords\":{rows}}}"),
            deletionVector = vector,
        },
    };

    private void AddFile(string file, string name)
    {
        if (NativeFiles.Link(file, Path.Combine(_folder, name)) != 0)
        {
            File.Copy(file, Path.Combine(_folder, name));
        }
    }

    private void Act(object action) => _actions.Add(JsonSerializer.Serialize(action, Json));

    // Delta PROTOCOL.md, "Deletion Vector Format": magic, then a 64-bit map of 32-bit roaring bitmaps; here array containers of the first 2^32 positions.
    private static byte[] Bitmap(IReadOnlyList<uint> positions)
    {
        IGrouping<uint, uint>[] containers = [.. positions.Order().GroupBy(p => p >> 16)];
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(1681511377);
        writer.Write(1L);
        writer.Write(0);
        writer.Write(12346);
        writer.Write(containers.Length);
        foreach (IGrouping<uint, uint> container in containers)
        {
            writer.Write((ushort)container.Key);
            writer.Write((ushort)(container.Count() - 1));
        }

        int offset = 8 + (8 * containers.Length);
        foreach (IGrouping<uint, uint> container in containers)
        {
            writer.Write(offset);
            offset += 2 * container.Count();
        }

        foreach (uint position in containers.SelectMany(c => c))
        {
            writer.Write((ushort)position);
        }

        return stream.ToArray();
    }

    private static string Base85(byte[] bytes)
    {
        const string Alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
        byte[] padded = new byte[(bytes.Length + 3) / 4 * 4];
        bytes.CopyTo(padded, 0);
        var text = new StringBuilder();
        Span<char> digits = stackalloc char[5];
        for (int i = 0; i < padded.Length; i += 4)
        {
            uint value = BinaryPrimitives.ReadUInt32BigEndian(padded.AsSpan(i));
            for (int d = 4; d >= 0; d--, value /= 85)
            {
                digits[d] = Alphabet[(int)(value % 85)];
            }

            text.Append(digits);
        }

        return text.ToString();
    }
}
