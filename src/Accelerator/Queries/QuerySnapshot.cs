using System.Security.Cryptography;
using System.Text;
using LakeHolo.Accelerator.Catalog;
using LakeHolo.LakeCatalog.Snapshots;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Scanning;

namespace LakeHolo.Accelerator.Queries;

/// <summary>A promoted query at one snapshot of each table that it reads.</summary>
public sealed class QuerySnapshot : Snapshot
{
    /// <summary>The query.</summary>
    public required PromotedQuery Query { get; init; }

    /// <summary>Its tables and their snapshots, in the order of <see cref="PromotedQuery.Tables"/>.</summary>
    public required IReadOnlyList<(CatalogTable Table, Snapshot Snapshot)> Tables { get; init; }

    /// <summary>Which tier its tables are read from: <c>lake</c>, or <c>auto</c> where hot copies of them may serve the same snapshots.</summary>
    public string Tier { get; init; } = "lake";

    /// <summary>Runs it.</summary>
    public required ITableReader Reader { get; init; }

    /// <inheritdoc/>
    public override string Identity => field ??= IdentityOf(Query, Tables);

    /// <inheritdoc/>
    public override long FileCount => 0;

    /// <inheritdoc/>
    public override long SizeBytes => 0;

    /// <inheritdoc/>
    public override long? RowCount => null;

    /// <inheritdoc/>
    public override IEnumerable<DataFileInfo> EnumerateFiles() => [];

    /// <summary>The same, read from another tier.</summary>
    public QuerySnapshot ReadFrom(string tier) => new()
    {
        Table = Table,
        Id = Id,
        CommittedAt = CommittedAt,
        Schema = Schema,
        PartitionColumns = PartitionColumns,
        Query = Query,
        Tables = Tables,
        Reader = Reader,
        Tier = tier,
    };

    /// <summary>The same over another snapshot of its one table, of the same columns.</summary>
    public QuerySnapshot At(Snapshot snapshot)
    {
        IReadOnlyList<(CatalogTable, Snapshot)> tables = [(Tables[0].Table, snapshot)];
        return new QuerySnapshot
        {
            Table = Table,
            Id = IdOf(tables),
            CommittedAt = snapshot.CommittedAt,
            Schema = Schema,
            PartitionColumns = PartitionColumns,
            Query = Query,
            Tables = tables,
            Reader = Reader,
            Tier = Tier,
        };
    }

    /// <summary>The version as users see it: <c>orders@12, items@7</c>.</summary>
    internal static SnapshotId IdOf(IEnumerable<(CatalogTable Table, Snapshot Snapshot)> tables)
        => new(string.Join(", ", tables.Select(t => $"{t.Table.Table.Name}@{t.Snapshot.Id.Text}")));

    /// <summary>Differs where the text, a table, its content or its columns do: a column can change without a commit.</summary>
    internal static string IdentityOf(PromotedQuery query, IEnumerable<(CatalogTable Table, Snapshot Snapshot)> tables)
    {
        var text = new StringBuilder($"{query.Sql}\0{query.DefaultCatalog}\0{query.DefaultSchema}");
        foreach ((CatalogTable table, Snapshot snapshot) in tables)
        {
            text.Append('\u0001').Append(table.Table.Root.Location).Append('\0').Append(snapshot.Identity);
            foreach (Apache.Arrow.Field field in snapshot.Schema.FieldsList)
            {
                text.Append('\0').Append(field.Name).Append('\u0002').Append(SqlText.TypeOf(field)).Append('\u0002').Append(snapshot.ColumnIdentity(field.Name));
            }
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }
}
