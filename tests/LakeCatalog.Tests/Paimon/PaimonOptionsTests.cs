using LakeHolo.LakeCatalog.Paimon;

namespace LakeHolo.LakeCatalog.Tests.Paimon;

/// <summary>Every option that a release of Paimon knows is either followed, known to change no rows, or refused by its name; so are unknown ones in families that change rows.</summary>
public sealed class PaimonOptionsTests
{
    public static TheoryData<string> Options() => [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Paimon", "options.txt")).Where(l => !l.StartsWith('#'))];

    [Theory]
    [MemberData(nameof(Options))]
    public void An_option_is_refused_by_its_name_or_known(string line)
    {
        bool isRefused = line.StartsWith("refused ", StringComparison.Ordinal);
        string[] option = line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..].Split('=', 2);
        PaimonSchema schema = SchemaOf(["k", "v"], ["k"], new() { ["merge-engine"] = "aggregation", [option[0]] = option[1] });
        LakeException? refusal = Refusal(schema);
        Assert.Equal(isRefused, refusal is not null);
        Assert.True(!isRefused || (refusal!.Kind == LakeErrorKind.FeatureUnsupported && refusal.Message.Contains($"{option[0]}={option[1]}", StringComparison.Ordinal)), refusal?.Message);
    }

    [Fact]
    public void A_column_that_is_told_from_another_by_case_only_is_refused()
        => Assert.Contains("'V'", Refusal(SchemaOf(["k", "v", "V"], ["k"], []))!.Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("file_index")]
    [InlineData("File_Row_Number")]
    public void A_column_with_a_name_of_the_engines_own_is_refused(string name)
        => Assert.Contains(name, Refusal(SchemaOf(["k", name], [], []))!.Message, StringComparison.Ordinal);

    [Fact]
    public void Rows_without_a_key_that_were_written_as_changes_are_refused()
        => Assert.Contains("write-mode=change-log", Refusal(SchemaOf(["v"], [], new() { ["write-mode"] = "change-log" }))!.Message, StringComparison.Ordinal);

    [Fact]
    public void Options_on_deletes_that_contradict_one_another_are_refused()
    {
        Dictionary<string, string> options = new() { ["merge-engine"] = "aggregation", ["aggregation.remove-record-on-delete"] = "true" };
        Assert.Null(Refusal(SchemaOf(["k", "v"], ["k"], options)));
        Assert.Contains("fields.v.ignore-retract", Refusal(SchemaOf(["k", "v"], ["k"], new(options) { ["fields.v.ignore-retract"] = "true" }))!.Message, StringComparison.Ordinal);
        Assert.Contains("ignore-delete", Refusal(SchemaOf(["k", "v"], ["k"], new()
        {
            ["merge-engine"] = "partial-update",
            ["ignore-delete"] = "true",
            ["partial-update.remove-record-on-delete"] = "true",
        }))!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "partial-update.ignore-delete=true")]
    [InlineData(false, "ignore-delete=false", "partial-update.ignore-delete=true")]
    [InlineData(true, "ignore-delete=true", "deduplicate.ignore-delete=false")]
    [InlineData(false)]
    public void The_first_of_the_names_of_an_option_decides(bool expected, params string[] options)
        => Assert.Equal(expected, PaimonFeatures.IgnoresDelete(SchemaOf(["k"], ["k"], options.Select(o => o.Split('=')).ToDictionary(o => o[0], o => o[1]))));

    [Fact]
    public void The_schema_of_a_branch_may_name_its_branch()
    {
        PaimonSchema schema = SchemaOf(["k"], [], new() { ["branch"] = "b" });
        PaimonFeatures.Check(schema, "b", "lake/t");
        Assert.Contains("branch=b", Refusal(schema)!.Message, StringComparison.Ordinal);
    }

    private static LakeException? Refusal(PaimonSchema schema)
    {
        try
        {
            PaimonFeatures.Check(schema, "main", "lake/t");
            return null;
        }
        catch (LakeException e)
        {
            return e;
        }
    }

    private static PaimonSchema SchemaOf(string[] columns, string[] key, Dictionary<string, string> options) => new()
    {
        Id = 0,
        Version = 3,
        Fields = [.. columns.Select((c, i) => new PaimonField(i, c, new PaimonType { Kind = PaimonTypeKind.Int, Text = "INT" }))],
        PartitionKeys = [],
        PrimaryKeys = key,
        Options = options,
    };
}
