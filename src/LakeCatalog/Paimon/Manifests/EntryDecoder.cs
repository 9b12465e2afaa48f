using System.Runtime.CompilerServices;
using LakeHolo.LakeCatalog.Avro;

namespace LakeHolo.LakeCatalog.Paimon.Manifests;

/// <summary>Decodes of a manifest's entries what a list of files holds of all of them, and steps over the rest.</summary>
internal sealed class EntryDecoder
{
    private readonly Step[] _entry;
    private readonly int _nullBranch;
    private readonly string _path;
    private readonly FileIdentity _identity = new();

    /// <param name="schema">The manifest's schema.</param>
    /// <param name="path">The manifest, for errors.</param>
    /// <exception cref="LakeException">FormatInvalid if a field that is decoded has another type than it may have.</exception>
    public EntryDecoder(AvroSchema schema, string path)
    {
        _path = path;
        // Up to 0.8 the whole file is of a union of null and the record.
        _nullBranch = NullBranchOf(schema);
        _entry = StepsOf(schema.NonNull, isFile: false);
    }

    private enum Slot
    {
        None,
        Version,
        Kind,
        Partition,
        Bucket,
        TotalBuckets,
        File,
        Name,
        Size,
        RowCount,
        MinKey,
        Level,
        ExtraFiles,
        DeleteRowCount,
        EmbeddedIndex,
        ExternalPath,
        FirstRowId,
        WriteColumns,
    }

    /// <summary>Decodes the next entry.</summary>
    public DecodedEntry Read(ref AvroCursor cursor)
    {
        if (_nullBranch >= 0 && cursor.ReadIndex(2) == _nullBranch)
        {
            throw LakeException.FormatInvalid("An entry of the manifest is no record", _path);
        }

        var entry = new DecodedEntry { TotalBuckets = -1 };
        Read(_entry, ref cursor, ref entry);
        foreach (Slot slot in (ReadOnlySpan<Slot>)[Slot.Version, Slot.Kind, Slot.Partition, Slot.Bucket, Slot.File, Slot.Name, Slot.Size, Slot.RowCount, Slot.Level])
        {
            if (!Has(entry, slot))
            {
                throw LakeException.FormatInvalid($"A manifest entry has no {NameOf(slot)}", _path);
            }
        }

        entry.Identity = _identity.Close(
            entry.Partition, entry.Bucket, entry.Level, entry.Name, entry.ExtraFiles, entry.ExternalPath, Has(entry, Slot.ExternalPath), entry.EmbeddedIndex, Has(entry, Slot.EmbeddedIndex));
        entry.NameHash = FileIdentity.NameHash(Has(entry, Slot.ExternalPath) ? entry.ExternalPath : entry.Name);
        entry.Flags |= (Has(entry, Slot.FirstRowId) ? EntryFlags.HasRowIds : 0) | (Has(entry, Slot.FirstRowId) && Has(entry, Slot.WriteColumns) ? EntryFlags.IsPart : 0)
            | (entry.MayHoldDeletes || !Has(entry, Slot.DeleteRowCount) ? EntryFlags.MayHoldDeletes : 0);
        return entry;
    }

    private static bool Has(in DecodedEntry entry, Slot slot) => (entry.Seen & (1 << (int)slot)) != 0;

    private static string NameOf(Slot slot) => slot switch
    {
        Slot.Version => "_VERSION",
        Slot.Kind => "_KIND",
        Slot.Partition => "_PARTITION",
        Slot.Bucket => "_BUCKET",
        Slot.TotalBuckets => "_TOTAL_BUCKETS",
        Slot.File => "_FILE",
        Slot.Name => "_FILE_NAME",
        Slot.Size => "_FILE_SIZE",
        Slot.RowCount => "_ROW_COUNT",
        Slot.MinKey => "_MIN_KEY",
        Slot.Level => "_LEVEL",
        Slot.ExtraFiles => "_EXTRA_FILES",
        Slot.DeleteRowCount => "_DELETE_ROW_COUNT",
        Slot.EmbeddedIndex => "_EMBEDDED_FILE_INDEX",
        Slot.ExternalPath => "_EXTERNAL_PATH",
        Slot.FirstRowId => "_FIRST_ROW_ID",
        Slot.WriteColumns => "_WRITE_COLS",
        _ => "",
    };

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Read(Step[] steps, ref AvroCursor cursor, ref DecodedEntry entry)
    {
        foreach (Step step in steps)
        {
            if (step.Slot is Slot.None or Slot.WriteColumns)
            {
                int before = cursor.Position;
                step.Skip.Skip(ref cursor);
                // A null of an optional field is its branch alone, an array at least one byte more.
                entry.Seen |= step.Slot == Slot.WriteColumns && cursor.Position > before + (step.NullBranch >= 0 ? 1 : 0) ? 1 << (int)step.Slot : 0;
                continue;
            }

            if (step.NullBranch >= 0 && cursor.ReadIndex(2) == step.NullBranch)
            {
                continue;
            }

            entry.Seen |= 1 << (int)step.Slot;
            switch (step.Slot)
            {
                case Slot.Version:
                    ManifestReader.CheckVersion(cursor.ReadLong(), ManifestReader.ManifestVersion, _path);
                    break;
                case Slot.Kind:
                    entry.Flags |= cursor.ReadLong() switch
                    {
                        0 => 0,
                        1 => EntryFlags.IsDeleted,
                        var kind => throw LakeException.FeatureUnsupported($"A manifest entry has kind {kind}, known are 0 and 1", _path),
                    };
                    break;
                case Slot.Partition:
                    entry.Partition = cursor.ReadBytes();
                    break;
                case Slot.Bucket:
                    entry.Bucket = cursor.ReadInt();
                    break;
                case Slot.TotalBuckets:
                    entry.TotalBuckets = cursor.ReadInt();
                    break;
                case Slot.File:
                    Read(step.Fields, ref cursor, ref entry);
                    break;
                case Slot.Name:
                    entry.Name = cursor.ReadBytes();
                    break;
                case Slot.Size:
                    entry.SizeBytes = cursor.ReadLong();
                    break;
                case Slot.RowCount:
                    entry.RowCount = cursor.ReadLong();
                    break;
                case Slot.MinKey:
                    entry.Flags |= BinaryRow.Arity(cursor.ReadBytes()) > 0 ? EntryFlags.HasKey : 0;
                    break;
                case Slot.Level:
                    entry.Level = cursor.ReadInt();
                    break;
                case Slot.ExtraFiles:
                    for (int count = cursor.ReadBlockCount(); count > 0; count = cursor.ReadBlockCount())
                    {
                        for (entry.ExtraFiles += count; count > 0; count--)
                        {
                            _identity.Add(cursor.ReadBytes());
                        }
                    }

                    break;
                case Slot.DeleteRowCount:
                    entry.MayHoldDeletes = cursor.ReadLong() != 0;
                    break;
                case Slot.EmbeddedIndex:
                    entry.EmbeddedIndex = cursor.ReadBytes();
                    break;
                case Slot.ExternalPath:
                    entry.ExternalPath = cursor.ReadBytes();
                    break;
                default:
                    cursor.ReadLong();
                    break;
            }
        }
    }

    private Step[] StepsOf(AvroSchema record, bool isFile)
    {
        if (record.Kind != AvroKind.Record)
        {
            throw LakeException.FormatInvalid("An entry of the manifest is no record", _path);
        }

        return [.. record.Fields.Select(field =>
        {
            Slot slot = Enum.GetValues<Slot>().FirstOrDefault(s => NameOf(s) == field.Name && s != Slot.None && isFile == s is > Slot.File);
            AvroSchema type = field.Type.NonNull;
            bool fits = slot switch
            {
                Slot.None => true,
                Slot.Partition or Slot.MinKey or Slot.EmbeddedIndex => type.Kind == AvroKind.Bytes,
                Slot.Name or Slot.ExternalPath => type.Kind == AvroKind.String,
                Slot.ExtraFiles or Slot.WriteColumns => type is { Kind: AvroKind.Array, Items.Kind: AvroKind.String },
                Slot.File => type.Kind == AvroKind.Record,
                _ => type.Kind is AvroKind.Int or AvroKind.Long,
            };
            return fits
                ? new Step(slot, NullBranchOf(field.Type), new AvroSkip(field.Type), slot == Slot.File ? StepsOf(type, isFile: true) : [])
                : throw LakeException.FormatInvalid($"The manifest's field {field.Name} is of the type {field.Type}", _path);
        })];
    }

    // -1: no union with null.
    private static int NullBranchOf(AvroSchema schema) => schema.NonNull == schema ? -1 : schema.Branches[0].Kind == AvroKind.Null ? 0 : 1;

    private readonly record struct Step(Slot Slot, int NullBranch, AvroSkip Skip, Step[] Fields);
}

/// <summary>What an entry tells of its file beside the columns of <see cref="ManifestBlock"/>.</summary>
[Flags]
internal enum EntryFlags : byte
{
    None = 0,

    /// <summary>The file is deleted, not added.</summary>
    IsDeleted = 1,

    /// <summary>It has rows of kind -U or -D, or that is not known.</summary>
    MayHoldDeletes = 2,

    /// <summary>It tells the id of its first row.</summary>
    HasRowIds = 4,

    /// <summary>It has some of the columns of its rows, which have ids.</summary>
    IsPart = 8,

    /// <summary>Its smallest key has columns.</summary>
    HasKey = 16,
}

/// <summary>An entry, decoded in part. The spans lie in what was decoded.</summary>
internal ref struct DecodedEntry
{
    public int Seen;
    public EntryFlags Flags;
    public bool MayHoldDeletes;
    public ReadOnlySpan<byte> Partition;
    public int Bucket;
    public int TotalBuckets;
    public ReadOnlySpan<byte> Name;
    public long SizeBytes;
    public long RowCount;
    public int Level;
    public int ExtraFiles;
    public ReadOnlySpan<byte> EmbeddedIndex;
    public ReadOnlySpan<byte> ExternalPath;
    public UInt128 Identity;
    public int NameHash;
}
