using System.Text.Json;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.HotTier;

/// <summary>What a copy's rows are: the snapshot they stand at, and how its columns are stored. Lies in the copy's own database and changes in the
/// transaction that changes the rows, so that the two agree whatever happens.</summary>
internal sealed record HotStamp
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>That snapshot's <see cref="LakeCatalog.Snapshots.Snapshot.Identity"/>: what the copy is compared by.</summary>
    public required string Identity { get; init; }

    /// <summary>When that was committed.</summary>
    public DateTimeOffset? CommittedAt { get; init; }

    /// <summary>What the units of the rows are; null for a table that cannot be followed.</summary>
    public UnitKind? Units { get; init; }

    /// <summary>The columns in the table's order.</summary>
    public required IReadOnlyList<StoredColumn> Columns { get; init; }

    /// <summary>Rows.</summary>
    public required long Rows { get; init; }

    /// <summary>Whether <see cref="LakeCatalog.Snapshots.Snapshot.RowCount"/> agreed when the generation was built, so that it may check what followed.</summary>
    public bool CountsAgree { get; init; }

    /// <summary>Rows deleted since the generation was built; their room is not all given back.</summary>
    public long DeadRows { get; init; }

    /// <summary>Bytes that the rows took when the generation was built.</summary>
    public long FreshBytes { get; init; }

    /// <summary>Bytes of its file then; more than those where the engine put parts of it together once more at the end.</summary>
    public long BuiltBytes { get; init; }

    /// <summary>Rows of the generation when it was built.</summary>
    public long FreshRows { get; init; }

    /// <summary>The next number of a unit.</summary>
    public int NextUnit { get; init; }

    /// <summary>The next number of a stored column.</summary>
    public int NextColumn { get; init; }

    /// <summary>Of a roll-up that is kept current group by group: the statement of its groups' states.</summary>
    public string? RollUp { get; init; }

    /// <summary>Columns that are stored besides, for the groups' states.</summary>
    public IReadOnlyList<string> Hidden { get; init; } = [];

    /// <summary>How the last refresh was applied.</summary>
    public RefreshReport? LastRefresh { get; init; }

    public string ToText() => JsonSerializer.Serialize(this, Json);

    public static HotStamp Parse(string text) => JsonSerializer.Deserialize<HotStamp>(text, Json) ?? throw new JsonException("empty");
}

/// <summary>A column of the table and where it is stored. Renaming and dropping change this list alone.</summary>
/// <param name="Name">Its name in the table.</param>
/// <param name="Type">Its type for the engine; what is stored may be wider.</param>
/// <param name="Identity">See <see cref="Snapshot.ColumnIdentity"/>.</param>
/// <param name="Stored">Its name in the copy.</param>
internal sealed record StoredColumn(string Name, string Type, string Identity, string Stored);

/// <summary>How a refresh was applied, and what it cost.</summary>
/// <param name="How">nothing, files, positions, keys, buckets, slices, partitions, groups, columns (joined by <c>+</c>), or <c>rebuild: why</c>.</param>
/// <param name="RowsDeleted">Rows that were deleted.</param>
/// <param name="RowsInserted">Rows that were inserted.</param>
/// <param name="Milliseconds">Time taken, from knowing the snapshot to being visible.</param>
public sealed record RefreshReport(string How, long RowsDeleted, long RowsInserted, double Milliseconds);
