using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Hudi;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>Which values of the winning record are taken from the losing one.</summary>
internal enum FillMode
{
    /// <summary>None: the winner stands as it is.</summary>
    None,

    /// <summary>Those that equal the column's default.</summary>
    Defaults,

    /// <summary>Those that equal a configured "not known" text.</summary>
    Unavailable,

    /// <summary>Those that the record does not hold.</summary>
    Absent,
}

/// <summary>How two versions of a record become one.</summary>
internal sealed record MergeRules
{
    private const string EventTimeStrategy = "eeb8d96f-b1e4-49fd-bbf8-28ac514178e5";
    private const string CommitTimeStrategy = "ce9acb64-bde0-424c-9b91-f6ebba25356d";
    private const string PayloadStrategy = "00000000-0000-0000-0000-000000000000";
    private const string Unavailable = "__debezium_unavailable_value";

    /// <summary>Columns that decide which version is newer; empty: the later commit wins.</summary>
    public IReadOnlyList<string> Ordering { get; init; } = [];

    /// <summary>The ordering column is text of two numbers, <c>file.position</c>.</summary>
    public bool IsSequenceText { get; init; }

    /// <summary>Of two records of one ordering value the earlier one stays.</summary>
    public bool FirstWins { get; init; }

    /// <summary>Whether versions have to be combined one after the other: the winner takes values from the loser, or cannot be told by the greatest ordering value.</summary>
    public bool AreFolded => Fill != FillMode.None || FirstWins;

    /// <summary>What the winner takes from the loser.</summary>
    public FillMode Fill { get; init; }

    /// <summary>Log records fill only from base rows, not from each other: Hudi 0.15 combined log records by taking one whole.</summary>
    public bool FillsFromBaseOnly { get; init; }

    /// <summary>Where the earlier record wins, the result bears the commit time and file name of the later one, whose values it may have taken.</summary>
    public bool StampsLater { get; init; }

    /// <summary>The text that stands for a value that is not known.</summary>
    public string UnavailableValue { get; init; } = Unavailable;

    /// <summary>A record whose column has this text is a deletion.</summary>
    public (string Column, string Marker)? Delete { get; init; }

    /// <summary>Columns that may say that a record is a deletion.</summary>
    public IReadOnlyList<string> DeletingColumns => ["_hoodie_is_deleted", "_hoodie_operation", .. Delete is var (column, _) ? (string[])[column] : []];

    /// <summary>What merging looks at of a record whose versions are not combined: key, ordering values, and what may say that it is a deletion.</summary>
    public IEnumerable<string> ColumnsOf(HudiSnapshot snapshot) => [.. snapshot.Properties.RecordKeyFields, "_hoodie_record_key", .. DeletingColumns, .. Ordering];

    /// <summary>The marker's case does not matter.</summary>
    public bool IgnoresMarkerCase { get; init; }

    /// <summary>The rules of a table.</summary>
    /// <exception cref="LakeException">FeatureUnsupported names the payload class, merger strategy or mode.</exception>
    public static MergeRules Of(HudiSnapshot snapshot)
    {
        HudiProperties properties = snapshot.Properties;
        string? mode = properties.Text("hoodie.record.merge.mode")?.ToUpperInvariant();
        MergeRules rules = mode switch
        {
            "COMMIT_TIME_ORDERING" => CommitTime(),
            "EVENT_TIME_ORDERING" => EventTime(properties),
            "CUSTOM" => Custom(properties, snapshot.Table.FullName),
            _ => ByPayloadOrStrategy(properties, snapshot.Table.FullName),
        };
        rules = properties.Text("hoodie.table.partial.update.mode")?.ToUpperInvariant() switch
        {
            "IGNORE_DEFAULTS" => rules with { Fill = FillMode.Defaults, FillsFromBaseOnly = false },
            // Without the text there is nothing to fill.
            "FILL_UNAVAILABLE" => (MergeProperty(properties, "hoodie.write.partial.update.unavailable.value") ?? MergeProperty(properties, "partial.update.unavailable.value")) is { } text
                ? rules with { Fill = FillMode.Unavailable, FillsFromBaseOnly = false, UnavailableValue = text }
                : rules with { Fill = FillMode.None },
            "KEEP_VALUES" => rules with { Fill = FillMode.Absent },
            _ => rules,
        };
        return WithDelete(WithKnownOrdering(rules, snapshot), properties);
    }

    // Writers of the time before version 8 named a field (ts) whether the table had it or not: every record's value is then 0, and the later one wins.
    private static MergeRules WithKnownOrdering(MergeRules rules, HudiSnapshot snapshot)
        => snapshot.Properties is { TableVersion: < 8, OrderingFields: [var only] } && rules is { Ordering: [var used], FirstWins: false } && used == only
            && !only.Contains('.', StringComparison.Ordinal) && snapshot.Columns.All(c => c.Name != only)
                ? rules with { Ordering = [] }
                : rules;

    private static MergeRules Custom(HudiProperties properties, string table)
    {
        string strategy = properties.MergeStrategyId ?? PayloadStrategy;
        return strategy == PayloadStrategy
            ? ByPayload(properties, properties.PayloadClass ?? properties.Text("hoodie.table.legacy.payload.class") ?? "(none)", table)
            : throw LakeException.FeatureUnsupported($"Hudi: merge strategy {strategy} is not supported", table);
    }

    private static MergeRules ByPayloadOrStrategy(HudiProperties properties, string table)
    {
        string? strategy = properties.MergeStrategyId;
        bool strategyDecides = properties.TableVersion >= 8 && strategy is not null && strategy != PayloadStrategy;
        if (properties.PayloadClass is { } payload && !strategyDecides)
        {
            return ByPayload(properties, payload, table);
        }

        return strategy switch
        {
            EventTimeStrategy => EventTime(properties),
            CommitTimeStrategy => CommitTime(),
            // Its writers had another default than those of version 6.
            null when properties.TableVersion == 5 => throw LakeException.FeatureUnsupported("Hudi: log files of table version 5 without a payload class are not supported", table),
            null => EventTime(properties),
            _ => throw LakeException.FeatureUnsupported($"Hudi: merge strategy {strategy} is not supported", table),
        };
    }

    private static MergeRules ByPayload(HudiProperties properties, string payload, string table) => payload[(payload.LastIndexOf('.') + 1)..] switch
    {
        _ when !payload.StartsWith("org.apache.hudi.", StringComparison.Ordinal) => throw UnknownPayload(payload, table),
        "OverwriteWithLatestAvroPayload" or "AWSDmsAvroPayload" => CommitTime(),
        "DefaultHoodieRecordPayload" or "EventTimeAvroPayload" => EventTime(properties),
        "FirstValueAvroPayload" => properties.OrderingFields.Count > 0
            ? EventTime(properties) with { FirstWins = true }
            : throw LakeException.FeatureUnsupported($"Hudi: payload class {payload} without an ordering field is not supported", table),
        "OverwriteNonDefaultsWithLatestAvroPayload" => CommitTime() with { Fill = FillMode.Defaults, FillsFromBaseOnly = properties.TableVersion < 8 },
        "PartialUpdateAvroPayload" => EventTime(properties) with { Fill = FillMode.Defaults, StampsLater = true },
        "PostgresDebeziumAvroPayload" => new MergeRules { Ordering = ["_event_lsn"], Fill = FillMode.Unavailable, FillsFromBaseOnly = properties.TableVersion < 8 },
        "MySqlDebeziumAvroPayload" => new MergeRules { Ordering = ["_event_seq"], IsSequenceText = true },
        _ => throw UnknownPayload(payload, table),
    };

    private static LakeException UnknownPayload(string payload, string table) => LakeException.FeatureUnsupported($"Hudi: payload class {payload} is not supported", table);

    private static MergeRules CommitTime() => new();

    private static MergeRules EventTime(HudiProperties properties) => new() { Ordering = properties.OrderingFields };

    private static MergeRules WithDelete(MergeRules rules, HudiProperties properties)
    {
        string? field = MergeProperty(properties, "hoodie.payload.delete.field") ?? properties.Text("hoodie.payload.delete.field");
        string? marker = MergeProperty(properties, "hoodie.payload.delete.marker") ?? properties.Text("hoodie.payload.delete.marker");
        if (field is not null && marker is not null)
        {
            return rules with { Delete = (field, marker) };
        }

        // Below version 9 the marker follows from the payload class.
        string payload = properties.PayloadClass ?? properties.Text("hoodie.datasource.write.payload.class") ?? properties.Text("hoodie.table.legacy.payload.class") ?? "";
        return payload[(payload.LastIndexOf('.') + 1)..] switch
        {
            "AWSDmsAvroPayload" => rules with { Delete = ("Op", "D"), IgnoresMarkerCase = true },
            "PostgresDebeziumAvroPayload" or "MySqlDebeziumAvroPayload" => rules with { Delete = ("_change_operation_type", "d") },
            _ => rules,
        };
    }

    private static string? MergeProperty(HudiProperties properties, string key) => properties.Text("hoodie.record.merge.property." + key);
}
