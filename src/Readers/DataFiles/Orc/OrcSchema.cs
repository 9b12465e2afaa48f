using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog;

namespace LakeHolo.Readers.DataFiles.Orc;

/// <summary>From ORC types to Arrow types.</summary>
internal sealed class OrcSchema(IReadOnlyList<OrcType> types, OrcReadOptions options, string path)
{
    internal Schema Build() => new([.. SelectedFields(types, options.Columns).Select(f => FieldOf(f.Name, f.Id, TypeOf(f.Id, f.Name)))], null);

    internal static IEnumerable<(string Name, int Id)> SelectedFields(IReadOnlyList<OrcType> types, IReadOnlyCollection<string>? columns) =>
        types[0].FieldNames.Select((name, i) => (name, types[0].Children[i])).Where(f => columns is null || columns.Contains(f.name));

    /// <summary>Ids of the selected columns and all below them.</summary>
    internal static HashSet<int> SelectedIds(IReadOnlyList<OrcType> types, IReadOnlyCollection<string>? columns)
    {
        var ids = new HashSet<int>();
        foreach ((_, int id) in SelectedFields(types, columns))
        {
            Add(id);
        }

        return ids;

        void Add(int id)
        {
            ids.Add(id);
            foreach (int child in types[id].Children)
            {
                Add(child);
            }
        }
    }

    /// <summary>The Arrow type of a type of the tree, in the top-level column of the given name.</summary>
    internal IArrowType TypeOf(int id, string column)
    {
        OrcType type = types[id];
        TimeUnit unit = options.NanosecondColumns.Contains(column) ? TimeUnit.Nanosecond : TimeUnit.Microsecond;
        return type.Kind switch
        {
            OrcKind.Boolean => BooleanType.Default,
            OrcKind.Byte => Int8Type.Default,
            OrcKind.Short => Int16Type.Default,
            OrcKind.Int => Int32Type.Default,
            OrcKind.Long => Int64Type.Default,
            OrcKind.Float => FloatType.Default,
            OrcKind.Double => DoubleType.Default,
            OrcKind.String or OrcKind.Varchar or OrcKind.Char => StringType.Default,
            OrcKind.Binary => BinaryType.Default,
            OrcKind.Timestamp => new TimestampType(unit, (string?)null),
            // The engine has no instants in nanoseconds; these are the UTC wall clock.
            OrcKind.TimestampInstant => new TimestampType(unit, unit == TimeUnit.Nanosecond ? null : "UTC"),
            OrcKind.Date => Date32Type.Default,
            OrcKind.Decimal => DecimalOf(type),
            OrcKind.List => new ListType(FieldOf("element", type.Children[0], TypeOf(type.Children[0], column))),
            OrcKind.Map => new MapType(
                new Field("key", TypeOf(type.Children[0], column), nullable: false), FieldOf("value", type.Children[1], TypeOf(type.Children[1], column))),
            OrcKind.Struct when type.Children.Count > 0 => new StructType([.. type.Children.Select((child, i) => FieldOf(type.FieldNames[i], child, TypeOf(child, column)))]),
            _ => throw LakeException.FeatureUnsupported($"The ORC column '{column}' is or holds {(type.Kind == OrcKind.Union ? "a union" : "a struct without fields")}, which is not supported", path),
        };
    }

    private Decimal128Type DecimalOf(OrcType type)
    {
        // Hive 0.11 wrote decimals without a precision; it and its successors read them so.
        (int precision, int scale) = type.Precision == 0 ? (38, 18) : (type.Precision, type.Scale);
        return precision <= 38 && scale <= precision
            ? new Decimal128Type(precision, scale)
            : throw LakeException.FeatureUnsupported($"The ORC type decimal({precision},{scale}) is not supported", path);
    }

    private Field FieldOf(string name, int id, IArrowType type) =>
        types[id].Attributes.Count == 0 ? new Field(name, type, nullable: true) : new Field(name, type, nullable: true, types[id].Attributes);
}

/// <summary>From a stripe's streams to column readers.</summary>
internal sealed class OrcColumnFactory(
    IReadOnlyList<OrcType> types,
    OrcStripeFooter footer,
    Dictionary<(int Column, OrcStreamKind Kind), ReadOnlyMemory<byte>> streams,
    OrcPostScript postScript,
    OrcReadOptions options,
    string path)
{
    private readonly OrcSchema _schema = new(types, options, path);
    private OrcTimeZone? _zone;

    internal OrcColumn[] CreateAll() => [.. OrcSchema.SelectedFields(types, options.Columns).Select(f => Create(f.Id, f.Name))];

    private OrcColumn Create(int id, string column)
    {
        OrcType type = types[id];
        IArrowType arrow = _schema.TypeOf(id, column);
        OrcBits? present = streams.ContainsKey((id, OrcStreamKind.Present)) ? new OrcBits(Bytes(id, OrcStreamKind.Present)) : null;
        switch (type.Kind)
        {
            case OrcKind.Boolean:
                return new OrcBooleanColumn(present, new OrcBits(Bytes(id, OrcStreamKind.Data)), path);
            case OrcKind.Byte:
                return new OrcByteColumn(present, new OrcByteRuns(Bytes(id, OrcStreamKind.Data)), path);
            case OrcKind.Short or OrcKind.Int or OrcKind.Long or OrcKind.Date:
                return new OrcIntegerColumn(arrow, present, Integers(id, OrcStreamKind.Data, isSigned: true), path);
            case OrcKind.Float or OrcKind.Double:
                return new OrcFloatColumn(arrow, present, Bytes(id, OrcStreamKind.Data), path);
            case OrcKind.Decimal:
                return new OrcDecimalColumn((Decimal128Type)arrow, present, Bytes(id, OrcStreamKind.Data), Integers(id, OrcStreamKind.Secondary, isSigned: true), path);
            case OrcKind.Timestamp or OrcKind.TimestampInstant:
                return new OrcTimestampColumn(
                    (TimestampType)arrow, Rules(type.Kind), present, Integers(id, OrcStreamKind.Data, isSigned: true), Integers(id, OrcStreamKind.Secondary, isSigned: false), path);
            case OrcKind.List or OrcKind.Map:
                return new OrcListColumn(arrow, present, Integers(id, OrcStreamKind.Length, isSigned: false), [.. type.Children.Select(c => Create(c, column))], path);
            case OrcKind.Struct:
                return new OrcStructColumn((StructType)arrow, present, [.. type.Children.Select(c => Create(c, column))], path);
            default:
                return Text(id, type, arrow, present);
        }
    }

    private OrcColumn Text(int id, OrcType type, IArrowType arrow, OrcBits? present)
    {
        OrcEncoding encoding = footer.Encodings[id];
        bool trims = type.Kind == OrcKind.Char;
        OrcIntegers lengths = Integers(id, OrcStreamKind.Length, isSigned: false);
        return encoding.IsDictionary
            ? new OrcDictionaryColumn(arrow, trims, present, Integers(id, OrcStreamKind.Data, isSigned: false), Stream(id, OrcStreamKind.DictionaryData), lengths, encoding.DictionarySize, path)
            : new OrcDirectBytesColumn(arrow, trims, present, Bytes(id, OrcStreamKind.Data), lengths, path);
    }

    private OrcTimestampRules Rules(OrcKind kind)
    {
        if (kind == OrcKind.TimestampInstant && !options.LegacyInstants)
        {
            return OrcTimestampRules.Instant;
        }

        _zone ??= OrcTimeZone.Find(string.IsNullOrEmpty(footer.WriterTimeZone) ? options.DefaultWriterZone : footer.WriterTimeZone, path);
        return kind == OrcKind.Timestamp ? OrcTimestampRules.Local(_zone) : OrcTimestampRules.LegacyInstant(_zone);
    }

    private OrcIntegers Integers(int id, OrcStreamKind kind, bool isSigned) => OrcIntegers.Create(Bytes(id, kind), isSigned, footer.Encodings[id]);

    private OrcBytes Bytes(int id, OrcStreamKind kind) => new(Stream(id, kind), path);

    /// <summary>A stream that is not there is empty: a column of nulls has no values to store.</summary>
    private ReadOnlyMemory<byte> Stream(int id, OrcStreamKind kind) =>
        streams.TryGetValue((id, kind), out ReadOnlyMemory<byte> stream) ? OrcCompression.Decompress(postScript, stream, path) : default;
}
