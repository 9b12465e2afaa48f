using System.Globalization;
using DuckDB.NET.Data;
using LakeHolo.LakeCatalog;
using LakeHolo.LakeCatalog.Paimon;
using LakeHolo.Readers.Engine;
using LakeHolo.Readers.Merging;
using LakeHolo.Readers.Paimon.MergeEngines;

namespace LakeHolo.Readers.Paimon;

/// <summary>The outcome of merging the overlapping files of some buckets, kept in the engine: which positions are superseded, and the rows that took
/// their place. Serves every query until a bucket's files change.</summary>
/// <remarks>The large run of a section is read only for its keys, and only rows whose key a newer run holds are looked at: the rest passes through.</remarks>
internal sealed class MergeBatch : IMergeResult
{
    private const long MaxUncopiedKeys = 1L << 18;

    private readonly List<EngineTable> _tables = [];
    private readonly Dictionary<int, int> _bucketOfFile;

    private MergeBatch(IReadOnlyDictionary<PaimonDataFile, int> numbers, IReadOnlyDictionary<PaimonDataFile, int> groups, IReadOnlyDictionary<string, int> buckets)
    {
        _bucketOfFile = numbers.ToDictionary(n => n.Value, n => groups[n.Key]);
        FileNumbers = numbers;
        Members = buckets;
    }

    /// <summary>Numbers of the files in <see cref="Dead"/>.</summary>
    public IReadOnlyDictionary<PaimonDataFile, int> FileNumbers { get; }

    /// <summary>Numbers of the buckets in <see cref="Merged"/>, by their identity.</summary>
    public IReadOnlyDictionary<string, int> Members { get; }

    /// <summary>Table (g, k0, …, and others) of keys that newer runs hold, once a run, where that alone decides: every row of the large runs with such a key is superseded, and
    /// those runs were not even looked at. Null where positions tell.</summary>
    public EngineTable? Keys { get; private set; }

    /// <summary>Numbers of the files of large runs that <see cref="Keys"/> is for.</summary>
    public HashSet<int> KeyedFiles { get; } = [];

    /// <summary>What is live, where memory of ours tells it: <see cref="Keys"/> and <see cref="Dead"/> are null then, and <see cref="KeyedFiles"/> says which files it tells by key.</summary>
    public NewestRows? Newest { get; private set; }

    /// <summary>Whether deletion vectors are among the dead positions.</summary>
    public bool HasVectors { get; private set; }

    /// <summary>Table (f, pos) of positions that are superseded or deleted.</summary>
    public EngineTable? Dead { get; private set; }

    /// <summary>Table (g, kept, c0, c1, …) of merged rows in the order of the snapshot's columns; null where merging picks one of the versions. Rows that delete
    /// their key are there only if asked for, with <c>kept</c> false.</summary>
    public EngineTable? Merged { get; private set; }

    /// <summary>The number of the bucket of a file, by the file's number.</summary>
    public int BucketOf(int file) => _bucketOfFile[file];

    /// <summary>Columns that cannot be merged, with the reason; refused when a query needs them.</summary>
    public IReadOnlyDictionary<string, string> Refused { get; private set; } = new Dictionary<string, string>();

    /// <summary>Merges buckets.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="buckets">Identity and sections of each bucket.</param>
    /// <param name="opener">Opens the files.</param>
    /// <param name="vectors">Positions that deletion vectors kill.</param>
    /// <param name="keepsDeletes">Whether rows that delete their key are kept.</param>
    /// <param name="maxFolded">Versions that are combined at once.</param>
    /// <param name="cancellationToken">Observed inside storage reads and between statements.</param>
    public static async ValueTask<MergeBatch> MergeAsync(
        EngineDatabase engine,
        PaimonSnapshot snapshot,
        IReadOnlyList<(string Identity, IReadOnlyList<MergeSection> Sections)> buckets,
        PaimonFileOpener opener,
        IReadOnlyDictionary<PaimonDataFile, List<long>> vectors,
        bool keepsDeletes,
        long maxFolded,
        CancellationToken cancellationToken)
    {
        var numbers = new Dictionary<PaimonDataFile, int>(ReferenceEqualityComparer.Instance);
        var groups = new Dictionary<PaimonDataFile, int>(ReferenceEqualityComparer.Instance);
        var newer = new HashSet<PaimonDataFile>(ReferenceEqualityComparer.Instance);
        var names = new Dictionary<string, int>();
        foreach ((string identity, IReadOnlyList<MergeSection> sections) in buckets)
        {
            names[identity] = names.Count;
            foreach (MergeSection section in sections)
            {
                newer.UnionWith(section.Newer);
                foreach (PaimonDataFile file in section.Base.Concat(section.Newer))
                {
                    numbers[file] = numbers.Count;
                    groups[file] = names[identity];
                }
            }
        }

        var batch = new MergeBatch(numbers, groups, names);
        var leases = new List<IAsyncDisposable>();
        try
        {
            var options = new MergeOptions(snapshot) { KeepsDeletes = keepsDeletes };
            var sql = new MergeSql(snapshot, options);
            IReadOnlyList<PaimonField> columns = options.PicksOneVersion ? sql.KeyColumns : snapshot.TableSchema.Fields;
            IReadOnlyList<PaimonFileGroup> opened = await opener.OpenAsync(snapshot, numbers.Keys, columns, leases, cancellationToken);
            using DuckDBConnection connection = engine.OpenConnection();
            bool newestWins = options.NewestWins && buckets.SelectMany(b => b.Sections).All(s => s.Base.Max(f => f.MaxSequenceNumber) < s.Newer.Min(f => f.MinSequenceNumber));
            if (newestWins)
            {
                batch.KeyedFiles.UnionWith(numbers.Where(n => !newer.Contains(n.Key)).Select(n => n.Value));
                batch.Newest = vectors.Keys.Any(numbers.ContainsKey) ? null : NewestRows.TryRead(connection, sql, opened, newer, numbers, groups);
            }

            if (batch.Newest is not null)
            {
                return batch;
            }

            EngineTable? dv = vectors.Count == 0
                ? null
                : batch.Keep(EngineTable.OfPositions(engine, connection, vectors.Where(v => numbers.ContainsKey(v.Key)).Select(v => (numbers[v.Key], v.Value))));
            string KeysOf(bool isNewer) => string.Join(
                " UNION ALL ", opened.Select(g => sql.Keys(g, numbers, groups, f => newer.Contains(f) == isNewer, dv?.Name)).Where(s => s.Length > 0));

            // Versions of every key that a newer run holds; f and pos say where each lies.
            EngineTable touched = batch.Keep(EngineTable.Reserve(engine, "touched"));
            string newKeys = KeysOf(isNewer: true);
            EngineDatabase.Execute(connection, $"CREATE TABLE {touched.Name} AS {newKeys}");
            if (newestWins)
            {
                // Of few keys a copy costs more than the columns beside them.
                batch.Keys = newer.Sum(f => f.RowCount) <= MaxUncopiedKeys ? touched : batch.Keep(EngineTable.Reserve(engine, "keys"));
                if (batch.Keys != touched)
                {
                    EngineDatabase.Execute(connection, $"CREATE TABLE {batch.Keys.Name} AS SELECT g, {sql.KeyList} FROM {touched.Name}");
                }
            }
            else
            {
                string baseKeys = KeysOf(isNewer: false);
                EngineDatabase.Execute(
                    connection,
                    $"INSERT INTO {touched.Name} SELECT b.* FROM ({baseKeys}) b SEMI JOIN (SELECT DISTINCT g, {sql.KeyList} FROM {touched.Name}) n ON b.g = n.g AND {sql.KeysEqual("b", "n")}");
            }

            cancellationToken.ThrowIfCancellationRequested();
            if (options.PicksOneVersion)
            {
                sql.CheckFirstRow(connection, touched.Name);
                batch.Dead = batch.Keep(EngineTable.Reserve(engine, "dead"));
                EngineDatabase.Execute(connection, $"CREATE TABLE {batch.Dead.Name} AS {(batch.Keys is null ? sql.Losers(touched.Name) : sql.NewestLosers(touched.Name))}");
            }
            else
            {
                batch.MergeRows(engine, connection, sql, touched, opened, numbers, groups, maxFolded, cancellationToken);
            }

            batch.HasVectors = dv is not null;
            if (dv is not null)
            {
                EngineDatabase.Execute(connection, $"INSERT INTO {batch.Dead!.Name} SELECT f, pos FROM {dv.Name}");
            }

            foreach (EngineTable helper in new[] { touched, dv }.OfType<EngineTable>().Where(t => t != batch.Keys))
            {
                batch.Drop(helper);
            }

            return batch;
        }
        catch (DuckDBException e) when (!cancellationToken.IsCancellationRequested)
        {
            batch.Dispose();
            throw PaimonErrors.Translate(e, snapshot);
        }
        catch
        {
            batch.Dispose();
            throw;
        }
        finally
        {
            foreach (IAsyncDisposable lease in leases)
            {
                await lease.DisposeAsync();
            }
        }
    }

    public void Dispose()
    {
        foreach (EngineTable table in _tables)
        {
            table.Dispose();
        }

        _tables.Clear();
        Newest?.Dispose();
    }

    private void MergeRows(
        EngineDatabase engine, DuckDBConnection connection, MergeSql sql, EngineTable touched, IReadOnlyList<PaimonFileGroup> opened,
        IReadOnlyDictionary<PaimonDataFile, int> numbers, IReadOnlyDictionary<PaimonDataFile, int> groups, long maxFolded, CancellationToken cancellationToken)
    {
        // A key with a single version is that version, untouched; only the others are merged.
        EngineTable versions = Keep(EngineTable.Reserve(engine, "versions"));
        EngineDatabase.Execute(
            connection,
            $"CREATE TABLE {versions.Name} AS SELECT *, {sql.KeepsForMerge} AS used FROM (SELECT *, count(*) OVER (PARTITION BY g, {sql.KeyList}) AS n FROM {touched.Name}) WHERE n > 1");
        Dead = Keep(EngineTable.Reserve(engine, "dead"));
        EngineDatabase.Execute(connection, $"CREATE TABLE {Dead.Name} AS SELECT f, pos FROM {versions.Name}");
        bool hasRetracts = Scalar(connection, $"SELECT count(*) FROM {versions.Name} WHERE used AND v IN (1, 3)") > 0;
        var fold = new MergeFold(sql.Snapshot, sql.Options, hasRetracts);
        string rows = string.Join(" UNION ALL ", opened.Select(g => sql.Rows(g, numbers, groups, versions.Name)));
        Merged = Keep(EngineTable.Reserve(engine, "merged"));
        long parts = (Scalar(connection, $"SELECT count(*) FROM {versions.Name}") + maxFolded - 1) / maxFolded;
        if (parts <= 1)
        {
            EngineDatabase.Execute(connection, $"CREATE TABLE {Merged.Name} AS {fold.Merge(rows, sql)}");
            Drop(versions);
            Refused = fold.Refusals(connection, Merged.Name);
            return;
        }

        // The engine can write tables to disk when memory is short, but not the lists that versions are folded in: so they are folded part by part.
        EngineTable read = Keep(EngineTable.Reserve(engine, "rows"));
        EngineDatabase.Execute(connection, $"CREATE TABLE {read.Name} AS SELECT hash(g, {sql.KeyList}) % {parts} AS part, x.* FROM ({rows}) x");
        Drop(versions);
        for (long part = 0; part < parts; part++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string some = fold.Merge($"SELECT * FROM {read.Name} WHERE part = {part}", sql);
            EngineDatabase.Execute(connection, part == 0 ? $"CREATE TABLE {Merged.Name} AS {some}" : $"INSERT INTO {Merged.Name} {some}");
        }

        Drop(read);
        Refused = fold.Refusals(connection, Merged.Name);
    }

    internal static long Scalar(DuckDBConnection connection, string sql)
    {
        using DuckDBCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    private EngineTable Keep(EngineTable table)
    {
        _tables.Add(table);
        return table;
    }

    private void Drop(EngineTable table)
    {
        table.Dispose();
        _tables.Remove(table);
    }
}
