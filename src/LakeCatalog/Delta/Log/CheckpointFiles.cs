using System.Globalization;
using System.Numerics;
using System.Text.Json;
using LakeHolo.LakeCatalog.Delta.Files;
using ParquetSharp;

namespace LakeHolo.LakeCatalog.Delta.Log;

/// <summary>Copies the <c>add</c> rows of one checkpoint file into a block, column by column.</summary>
internal sealed class CheckpointFiles(ParquetFileReader reader, FileBlock.Builder builder)
{
    private readonly CheckpointColumns _columns = new(reader);

    public void Read()
    {
        for (int g = 0; g < reader.FileMetaData.NumRowGroups; g++)
        {
            using RowGroupReader group = reader.RowGroup(g);
            ReadGroup(group);
        }
    }

    private void ReadGroup(RowGroupReader group)
    {
        if (_columns.Read(group, "add.path") is not { } path)
        {
            return;
        }

        var sizes = new LeafCursor(_columns.Read(group, "add.size"));
        var stats = new LeafCursor(_columns.Read(group, "add.stats"));
        var baseRowIds = new LeafCursor(_columns.Read(group, "add.baseRowId"));
        var rowVersions = new LeafCursor(_columns.Read(group, "add.defaultRowCommitVersion"));
        var storageTypes = new LeafCursor(_columns.Read(group, "add.deletionVector.storageType"));
        var vectorPaths = new LeafCursor(_columns.Read(group, "add.deletionVector.pathOrInlineDv"));
        var offsets = new LeafCursor(_columns.Read(group, "add.deletionVector.offset"));
        var vectorSizes = new LeafCursor(_columns.Read(group, "add.deletionVector.sizeInBytes"));
        var cardinalities = new LeafCursor(_columns.Read(group, "add.deletionVector.cardinality"));
        using var parsedStats = new ParsedStats(group, _columns);
        var partitions = new MapCursor(group, _columns, builder);
        int value = 0;
        for (int row = 0; row < path.Def.Length; row++)
        {
            bool present = path.Def[row] == path.MaxDef;
            int size = sizes.Next(row);
            int stat = stats.Next(row);
            int baseRowId = baseRowIds.Next(row);
            int rowVersion = rowVersions.Next(row);
            int storageType = storageTypes.Next(row);
            int vectorPath = vectorPaths.Next(row);
            int offset = offsets.Next(row);
            int vectorSize = vectorSizes.Next(row);
            int cardinality = cardinalities.Next(row);
            ReadOnlySpan<byte> parsed = parsedStats.Next(row, needed: present && stat < 0);
            if (!present)
            {
                partitions.Skip();
                continue;
            }

            DeletionVectorDescriptor? vector = storageType < 0 ? null : new DeletionVectorDescriptor(
                storageTypes.Text(storageType),
                vectorPath < 0 ? string.Empty : vectorPaths.Text(vectorPath),
                offset < 0 ? null : checked((int)offsets.Long(offset)),
                vectorSize < 0 ? -1 : checked((int)vectorSizes.Long(vectorSize)),
                cardinality < 0 ? -1 : cardinalities.Long(cardinality));
            builder.Add(
                path.Bytes(value++),
                size < 0 ? -1 : sizes.Long(size),
                stat < 0 ? parsed : stats.Bytes(stat),
                null,
                vector,
                baseRowId < 0 ? null : baseRowIds.Long(baseRowId),
                rowVersion < 0 ? null : rowVersions.Long(rowVersion));
            partitions.Read();
        }
    }

    /// <summary>Walks a leaf that has one level per row.</summary>
    private sealed class LeafCursor(ParquetLeaf? leaf)
    {
        private int _value;

        /// <summary>The index of the row's value, or -1.</summary>
        public int Next(int row) => leaf is not null && leaf.Def[row] == leaf.MaxDef ? _value++ : -1;

        public long Long(int value) => leaf!.Longs[value];

        public string Text(int value) => leaf!.Text(value);

        public ReadOnlySpan<byte> Bytes(int value) => leaf!.Bytes(value);
    }

    /// <summary>Walks the entries of <c>add.partitionValues</c> row by row.</summary>
    private sealed class MapCursor
    {
        private readonly ParquetLeaf? _keys;
        private readonly ParquetLeaf? _values;
        private readonly FileBlock.Builder _builder;
        private readonly byte[][] _names;
        private readonly int[] _row; // index of the value, -1 for NULL
        private int _at;
        private int _key;
        private int _value;

        public MapCursor(RowGroupReader group, CheckpointColumns columns, FileBlock.Builder builder)
        {
            _builder = builder;
            _names = [.. builder.PartitionNames.Select(System.Text.Encoding.UTF8.GetBytes)];
            _row = new int[builder.PartitionNames.Count];
            ParquetLeaf[] leaves = _row.Length == 0
                ? []
                : [.. columns.Below("add.partitionValues").Select(l => ParquetLeaf.Read(group, l.Index))];
            if (leaves.Length >= 2)
            {
                (_keys, _values) = (leaves[0], leaves[1]);
            }
        }

        public void Skip() => Walk();

        public void Read()
        {
            Array.Fill(_row, -1);
            Walk();
            for (int i = 0; i < _row.Length; i++)
            {
                _builder.Partitions[i].Add(_row[i] < 0 ? [] : _values!.Bytes(_row[i]));
            }
        }

        private void Walk()
        {
            if (_keys is null || _values is null)
            {
                return;
            }

            // The first entry of a row has repetition level 0.
            do
            {
                bool hasKey = _keys.Def[_at] == _keys.MaxDef;
                bool hasValue = _values.Def[_at] == _values.MaxDef;
                if (hasKey && hasValue)
                {
                    Set(_keys.Bytes(_key), _value);
                }

                _key += hasKey ? 1 : 0;
                _value += hasValue ? 1 : 0;
                _at++;
            }
            while (_at < _keys.Rep.Length && _keys.Rep[_at] != 0);
        }

        private void Set(ReadOnlySpan<byte> key, int value)
        {
            for (int i = 0; i < _names.Length; i++)
            {
                if (key.SequenceEqual(_names[i]))
                {
                    _row[i] = value;
                    return;
                }
            }

            string name = System.Text.Encoding.UTF8.GetString(key);
            for (int i = 0; i < _names.Length; i++)
            {
                if (string.Equals(_builder.PartitionNames[i], name, StringComparison.OrdinalIgnoreCase))
                {
                    _row[i] = value;
                    return;
                }
            }
        }
    }

    /// <summary>Turns <c>add.stats_parsed</c> into the JSON form, for files that have no other statistics.</summary>
    private sealed class ParsedStats : IDisposable
    {
        private static readonly int UnixEpochDay = new DateOnly(1970, 1, 1).DayNumber;

        private readonly List<(string[] Path, ParquetLeaf Leaf, LeafCursor Cursor)> _leaves = [];
        private readonly MemoryStream _buffer = new();

        public ParsedStats(RowGroupReader group, CheckpointColumns columns)
        {
            foreach ((string name, int index) in columns.Below("add.stats_parsed"))
            {
                using ColumnReader column = group.Column(index);
                if (column.ColumnDescriptor.MaxRepetitionLevel == 0)
                {
                    ParquetLeaf leaf = ParquetLeaf.Read(group, index);
                    _leaves.Add((column.ColumnDescriptor.Path.ToDotVector()[2..], leaf, new LeafCursor(leaf)));
                }
            }
        }

        public ReadOnlySpan<byte> Next(int row, bool needed)
        {
            if (_leaves.Count == 0)
            {
                return [];
            }

            _buffer.SetLength(0);
            using (var writer = new Utf8JsonWriter(_buffer))
            {
                writer.WriteStartObject();
                string[] open = [];
                bool any = false;
                foreach ((string[] path, ParquetLeaf leaf, LeafCursor cursor) in _leaves)
                {
                    int value = cursor.Next(row);
                    if (value >= 0 && needed)
                    {
                        open = MoveTo(writer, open, path);
                        any |= WriteValue(writer, path[^1], leaf, value);
                    }
                }

                foreach (string _ in open)
                {
                    writer.WriteEndObject();
                }

                writer.WriteEndObject();
                if (!any)
                {
                    return [];
                }
            }

            return _buffer.GetBuffer().AsSpan(0, (int)_buffer.Length);
        }

        public void Dispose() => _buffer.Dispose();

        // Leaves of one group follow each other, so each object is opened once.
        private static string[] MoveTo(Utf8JsonWriter writer, string[] open, string[] path)
        {
            int common = 0;
            while (common < open.Length && common < path.Length - 1 && open[common] == path[common])
            {
                common++;
            }

            for (int i = open.Length; i > common; i--)
            {
                writer.WriteEndObject();
            }

            for (int i = common; i < path.Length - 1; i++)
            {
                writer.WriteStartObject(path[i]);
            }

            return path[..^1];
        }

        private static bool WriteValue(Utf8JsonWriter writer, string name, ParquetLeaf leaf, int value)
        {
            switch (leaf.Physical)
            {
                case PhysicalType.Float or PhysicalType.Double:
                    double number = leaf.Doubles[value];
                    if (double.IsFinite(number))
                    {
                        writer.WriteNumber(name, number);
                    }
                    else
                    {
                        writer.WriteString(name, double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
                    }

                    return true;
                case PhysicalType.Boolean:
                    writer.WriteBoolean(name, leaf.Longs[value] != 0);
                    return true;
                case PhysicalType.Int32 or PhysicalType.Int64 or PhysicalType.Int96:
                    WriteInteger(writer, name, leaf, leaf.Longs[value]);
                    return true;
                case PhysicalType.ByteArray or PhysicalType.FixedLenByteArray when leaf.LogicalKind == LogicalTypeEnum.Decimal:
                    writer.WritePropertyName(name);
                    writer.WriteRawValue(DecimalText(new BigInteger(leaf.Bytes(value), isUnsigned: false, isBigEndian: true), leaf.Scale));
                    return true;
                case PhysicalType.ByteArray when leaf.LogicalKind == LogicalTypeEnum.String:
                    writer.WriteString(name, leaf.Bytes(value));
                    return true;
                default:
                    return false;
            }
        }

        // Timestamps stay microseconds: the parser of bounds takes such numbers. Dates become text, so that they are dates also where the column is a timestamp by now.
        private static void WriteInteger(Utf8JsonWriter writer, string name, ParquetLeaf leaf, long value)
        {
            if (leaf.LogicalKind == LogicalTypeEnum.Date)
            {
                if (value >= DateOnly.MinValue.DayNumber - UnixEpochDay && value <= DateOnly.MaxValue.DayNumber - UnixEpochDay)
                {
                    writer.WriteString(name, DateOnly.FromDayNumber((int)value + UnixEpochDay).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
                }
                else
                {
                    writer.WriteNull(name);
                }

                return;
            }

            if (leaf.LogicalKind == LogicalTypeEnum.Decimal && leaf.Scale > 0)
            {
                writer.WritePropertyName(name);
                writer.WriteRawValue(DecimalText(value, leaf.Scale));
                return;
            }

            writer.WriteNumber(name, leaf.TimeUnit switch
            {
                ParquetSharp.TimeUnit.Millis => checked(value * 1000),
                ParquetSharp.TimeUnit.Nanos => value / 1000,
                _ => value,
            });
        }

        private static string DecimalText(BigInteger unscaled, int scale) =>
            unscaled.ToString(CultureInfo.InvariantCulture) + (scale == 0 ? "" : "e-" + scale.ToString(CultureInfo.InvariantCulture));
    }
}
