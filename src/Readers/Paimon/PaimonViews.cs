using System.Globalization;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Paimon.Evolution;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Readers.Paimon;

/// <summary>Views of a table: <c>ro</c>, the files of the topmost level alone; <c>row_tracking</c>, the rows with their <c>_ROW_ID</c> and <c>_SEQUENCE_NUMBER</c>;
/// <c>audit_log</c>, the merged rows behind their kinds, of deleted keys the rows that deleted them, as long as files have them; <c>binlog</c>, the same with each value as
/// the only one of an array.</summary>
/// <remarks>Source: AuditLogTable.java, BinlogTable.java; a batch read of them keeps what the merge gives as a delete, and only a streaming read makes one row of two versions.</remarks>
internal static class PaimonViews
{
    /// <summary>Name of the view with row kinds.</summary>
    public const string AuditLog = "audit_log";

    /// <summary>Name of the view with row kinds and arrays.</summary>
    public const string Binlog = "binlog";

    private const string KindColumn = "rowkind";

    /// <summary>The columns of a view, or of the table.</summary>
    public static Apache.Arrow.Schema SchemaOf(Snapshot snapshot, string? view) => view switch
    {
        RowTracking.View => new Apache.Arrow.Schema([.. snapshot.Schema.FieldsList, .. RowTracking.Physical.Select(PaimonArrowTypes.ToField)], null),
        AuditLog => new Apache.Arrow.Schema([Kind, .. snapshot.Schema.FieldsList], null),
        Binlog => new Apache.Arrow.Schema([Kind, .. snapshot.Schema.FieldsList.Select(f => new Apache.Arrow.Field(f.Name, ArrayOf(f), nullable: false, f.Metadata))], null),
        _ => snapshot.Schema,
    };

    /// <summary>Whether a view has the rows behind their kinds, and those that delete their key.</summary>
    public static bool TellsKinds(string? view) => view is AuditLog or Binlog;

    /// <summary>The rows of <see cref="Binlog"/>, given those of <see cref="AuditLog"/>.</summary>
    public static string Arrays(string sql, IEnumerable<PaimonField> columns)
        => $"SELECT {string.Join(", ", columns.Select(c => SqlText.Identifier(c.Name)).Select(n => $"[{n}] AS {n}").Prepend(KindColumn))} FROM ({sql})";

    /// <summary>The levels whose files a view reads.</summary>
    /// <exception cref="LakeException">FeatureUnsupported: there is no such view.</exception>
    public static PaimonLevels LevelsOf(PaimonSnapshot snapshot, string? view)
    {
        switch (view)
        {
            case null:
            case "ro" when snapshot.PrimaryKey.Count == 0:
            case RowTracking.View when snapshot.TableSchema.Flag("row-tracking.enabled"):
                return snapshot.VisibleLevels;
            case "ro":
                return snapshot.VisibleLevels with { Only = TopLevel(snapshot.TableSchema) };
            case AuditLog or Binlog:
                CheckLog(snapshot, view);
                return snapshot.VisibleLevels;
            default:
                throw LakeException.FeatureUnsupported($"Paimon tables have no view '{view}'", snapshot.Table.Root.Location);
        }
    }

    private static void CheckLog(PaimonSnapshot snapshot, string view)
    {
        const string SequenceOption = "table-read.sequence-number.enabled";
        if (snapshot.TableSchema.Flag(SequenceOption))
        {
            throw LakeException.FeatureUnsupported($"The view '{view}' of a table with the option {SequenceOption}=true is not supported", snapshot.Table.Root.Location);
        }

        if (snapshot.TableSchema.Fields.Any(f => f.Name.Equals(KindColumn, StringComparison.OrdinalIgnoreCase)))
        {
            throw LakeException.FeatureUnsupported($"The view '{view}' of a table with a column '{KindColumn}' is not supported", snapshot.Table.Root.Location);
        }
    }

    private static Apache.Arrow.Field Kind => new(KindColumn, Apache.Arrow.Types.StringType.Default, nullable: false);

    private static Apache.Arrow.Types.ListType ArrayOf(Apache.Arrow.Field column) => new(new Apache.Arrow.Field("element", column.DataType, nullable: true));

    private static int TopLevel(PaimonSchema schema)
    {
        const int DefaultTrigger = 5;
        int Number(string option, int fallback) => int.TryParse(schema.Option(option), CultureInfo.InvariantCulture, out int n) ? n : fallback;
        return Number("num-levels", Number("num-sorted-run.compaction-trigger", DefaultTrigger) + 1) - 1;
    }
}
