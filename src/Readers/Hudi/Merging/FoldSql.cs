using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;
using LakeHolo.LakeCatalog.Hudi;
using LakeHolo.Readers.Engine;

namespace LakeHolo.Readers.Hudi.Merging;

/// <summary>Merging two records column by column, as an expression over two structs. Used only where the winner takes values from the loser, or where the first of equal ones wins.</summary>
internal sealed class FoldSql(HudiSnapshot snapshot, MergeRules rules, RecordSql records)
{
    /// <summary>The fields of a record's struct, in order.</summary>
    public IEnumerable<string> Fields =>
        [RecordSql.Order, RecordSql.IsDelete, RecordSql.IsReset, RecordSql.Present, .. snapshot.Schema.FieldsList.Select(f => f.Name)];

    /// <summary>Packs columns of these names into a struct.</summary>
    public string Pack() => "struct_pack(" + string.Join(", ", Fields.Select(f => $"{SqlText.Identifier(f)} := {SqlText.Identifier(f)}")) + ")";

    /// <summary>The record that two versions of one key become.</summary>
    /// <param name="older">Struct of the earlier version.</param>
    /// <param name="newer">Struct of the later version.</param>
    /// <param name="withBase">The earlier version is a base row.</param>
    public string Merge(string older, string newer, bool withBase)
    {
        // A base row is compared by its ordering value; what a log record beats unseen is decided among log records. Where the first one wins, a deletion of the same value wins as elsewhere.
        string atOneValue = rules.FirstWins ? $"AND ({Get(newer, RecordSql.Order)} <> {Get(older, RecordSql.Order)} OR {Get(newer, RecordSql.IsDelete)} OR {Get(older, RecordSql.IsDelete)})" : "";
        string newerWins = records.IsCommitTime
            ? "true"
            : $"coalesce({Get(newer, RecordSql.IsReset)} OR {Get(older, RecordSql.IsReset)} OR ({Get(newer, RecordSql.Order)} >= {Get(older, RecordSql.Order)} {atOneValue}), true)";
        string whole = $"CASE WHEN {newerWins} THEN {newer} ELSE {older} END";
        if (rules.Fill == FillMode.None || (rules.FillsFromBaseOnly && !withBase))
        {
            return whole;
        }

        string filled = $"CASE WHEN {newerWins} THEN {Fill(newer, older, newer)} ELSE {Fill(older, newer, rules.StampsLater ? newer : older)} END";
        return $"CASE WHEN {Get(older, RecordSql.IsDelete)} OR {Get(newer, RecordSql.IsDelete)} THEN {whole} ELSE {filled} END";
    }

    private string Fill(string winner, string loser, string stamp)
    {
        string present = $"CASE WHEN {Get(winner, RecordSql.Present)} IS NULL OR {Get(loser, RecordSql.Present)} IS NULL THEN NULL"
            + $" ELSE list_distinct(list_concat({Get(winner, RecordSql.Present)}, {Get(loser, RecordSql.Present)})) END";
        IEnumerable<string> columns = snapshot.Schema.FieldsList.Select(f => f.Name is "_hoodie_commit_time" or "_hoodie_commit_seqno" or "_hoodie_file_name"
            ? $"{SqlText.Identifier(f.Name)} := {Get(stamp, f.Name)}"
            : $"{SqlText.Identifier(f.Name)} := CASE WHEN {Lacks(winner, f)} THEN {Get(loser, f.Name)} ELSE {Get(winner, f.Name)} END");
        return "struct_pack("
            + $"{SqlText.Identifier(RecordSql.Order)} := {Get(winner, RecordSql.Order)}, {SqlText.Identifier(RecordSql.IsDelete)} := false, "
            + $"{SqlText.Identifier(RecordSql.IsReset)} := {Get(winner, RecordSql.IsReset)}, {SqlText.Identifier(RecordSql.Present)} := {present}, "
            + string.Join(", ", columns) + ")";
    }

    private string Lacks(string record, Field field)
    {
        string value = Get(record, field.Name);
        switch (rules.Fill)
        {
            case FillMode.Absent:
                return $"NOT coalesce(list_contains({Get(record, RecordSql.Present)}, {SqlText.Literal(field.Name)}), true)";
            case FillMode.Unavailable:
                return field.DataType switch
                {
                    StringType => $"coalesce({value} = {SqlText.Literal(rules.UnavailableValue)}, false)",
                    BinaryType => $"coalesce({value} = encode({SqlText.Literal(rules.UnavailableValue)}), false)",
                    _ => "false",
                };
            default:
                return EqualsDefault(field, value);
        }
    }

    // Java compares references: true for nulls, booleans and small whole numbers only.
    private string EqualsDefault(Field field, string value)
    {
        string? text = snapshot.Columns.FirstOrDefault(c => c.Name == field.Name)?.DefaultJson;
        if (text is null)
        {
            return $"{value} IS NULL";
        }

        using JsonDocument document = JsonDocument.Parse(text);
        return document.RootElement switch
        {
            { ValueKind: JsonValueKind.True or JsonValueKind.False } when field.DataType is BooleanType => $"coalesce({value} = {text}, false)",
            { ValueKind: JsonValueKind.Number } e when field.DataType is Int32Type or Int64Type && e.TryGetInt64(out long number) && number is >= -128 and <= 127
                => $"coalesce({value} = {SliceScan.Text(number)}, false)",
            _ => "false",
        };
    }

    private static string Get(string record, string field) => $"struct_extract({record}, {SqlText.Literal(field)})";
}
