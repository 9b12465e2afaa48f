using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.Readers.Paimon.MergeEngines;

/// <summary>Columns protected by a common sequence (partial-update).</summary>
/// <param name="Sequence">The columns that decide which row is newer.</param>
/// <param name="Protected">The columns they protect.</param>
internal sealed record SequenceGroup(IReadOnlyList<string> Sequence, IReadOnlyList<string> Protected)
{
    public bool Has(string column) => Sequence.Contains(column) || Protected.Contains(column);
}

/// <summary>A table's options on merging, parsed.</summary>
internal sealed class MergeOptions
{
    private readonly PaimonSchema _schema;

    public MergeOptions(PaimonSnapshot snapshot)
    {
        _schema = snapshot.TableSchema;
        Engine = snapshot.MergeEngine;
        IgnoreDelete = snapshot.IgnoresDelete;
        SequenceFields = Split(_schema.Option("sequence.field"));
        Descending = string.Equals(_schema.Option("sequence.field.sort-order")?.Trim(), "descending", StringComparison.OrdinalIgnoreCase);
        RemoveOnDelete = _schema.Flag(Engine == "aggregation" ? "aggregation.remove-record-on-delete" : "partial-update.remove-record-on-delete");
        RemoveOnSequenceGroup = Split(_schema.Option("partial-update.remove-record-on-sequence-group"));
        bool lookup = string.Equals(_schema.Option("changelog-producer")?.Trim(), "lookup", StringComparison.OrdinalIgnoreCase);
        UsesLookupRule = Engine != "first-row" && (lookup || snapshot.HasDeletionVectorsEnabled || _schema.Flag("force-lookup"));
        SnapshotOrdering = _schema.Flag("sequence.snapshot-ordering");
        Groups = Engine == "partial-update" ? ParseGroups() : [];
        foreach (string field in SequenceFields)
        {
            _schema.Field(field);
        }
    }

    /// <summary>Whether a key whose newest row deletes it keeps that row (view <c>audit_log</c>).</summary>
    public bool KeepsDeletes { get; init; }

    public string Engine { get; }

    public bool IgnoreDelete { get; }

    public IReadOnlyList<string> SequenceFields { get; }

    public bool Descending { get; }

    public bool RemoveOnDelete { get; }

    public IReadOnlyList<string> RemoveOnSequenceGroup { get; }

    /// <summary>Rows of level 0 count all, of the levels above only the one on the smallest level: it holds the merged state of those below it.</summary>
    public bool UsesLookupRule { get; }

    public bool SnapshotOrdering { get; }

    public IReadOnlyList<SequenceGroup> Groups { get; }

    /// <summary>Whether merged rows are one of the versions, unchanged.</summary>
    public bool PicksOneVersion => Engine is "deduplicate" or "first-row";

    /// <summary>Whether of two rows the one with the larger sequence number wins, whatever they hold.</summary>
    public bool NewestWins => Engine == "deduplicate" && SequenceFields.Count == 0 && !SnapshotOrdering && !((UsesLookupRule || KeepsDeletes) && IgnoreDelete);

    public string? FieldOption(string column, string option) => _schema.Option($"fields.{column}.{option}");

    public bool FieldFlag(string column, string option) => _schema.Flag($"fields.{column}.{option}");

    public string? DefaultFunction => _schema.Option("fields.default-aggregate-function");

    public static IReadOnlyList<string> Split(string? list) =>
        list is null ? [] : [.. list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];

    private List<SequenceGroup> ParseGroups()
    {
        const string Prefix = "fields.";
        const string Suffix = ".sequence-group";
        var groups = new List<SequenceGroup>();
        foreach ((string key, string value) in _schema.Options.OrderBy(o => o.Key, StringComparer.Ordinal))
        {
            if (!key.StartsWith(Prefix, StringComparison.Ordinal) || !key.EndsWith(Suffix, StringComparison.Ordinal) || key.Length <= Prefix.Length + Suffix.Length)
            {
                continue;
            }

            var group = new SequenceGroup(Split(key[Prefix.Length..^Suffix.Length]), Split(value));
            foreach (string column in group.Sequence.Concat(group.Protected))
            {
                if (groups.Any(g => g.Has(column)))
                {
                    throw LakeException.FeatureUnsupported($"The column '{column}' belongs to two sequence groups ({key})");
                }

                _schema.Field(column);
            }

            groups.Add(group);
        }

        return groups;
    }
}
