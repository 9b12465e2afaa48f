using LakeHolo.Accelerator.Execution;
using LakeHolo.Accelerator.Sessions;

namespace LakeHolo.Accelerator.Tests.Execution;

public sealed class QueryLogTests
{
    private const int Kept = 10_000;

    private static readonly QuerySession Session = new("s", new SessionIdentity("ana", "127.0.0.1", "test"));

    [Fact]
    public void The_last_ten_thousand_statements_are_kept_and_those_about_the_catalog_drive_none_out()
    {
        var log = new QueryLog();
        for (int i = 1; i <= Kept + 5; i++)
        {
            log.Put(log.NewEntry(Session, $"statement {i}", default));
        }

        for (int i = 1; i <= 3_000; i++)
        {
            log.Put(log.NewCatalogEntry(Session, $"catalog {i}", default));
        }

        QueryLogEntry[] statements = [.. log.Entries.Where(e => !e.IsCatalog)];
        Assert.Equal(Enumerable.Range(6, Kept).Select(i => $"statement {i}"), statements.Select(e => e.Sql));
        Assert.Equal(Enumerable.Range(2_001, 1_000).Select(i => $"catalog {i}"), log.Entries.Where(e => e.IsCatalog).Select(e => e.Sql));
        Assert.Equal(log.Entries.Select(e => e.Id).Order(), log.Entries.Select(e => e.Id));
    }

    [Fact]
    public void A_statement_that_ends_after_ten_thousand_others_takes_no_place_of_theirs()
    {
        var log = new QueryLog();
        QueryLogEntry old = log.NewEntry(Session, "old", default);
        log.Put(old);
        Assert.Equal("old", Assert.Single(log.Entries).Sql);
        for (int i = 0; i < Kept; i++)
        {
            log.Put(log.NewEntry(Session, "new", default));
        }

        log.Put(old with { State = "done" });
        log.Forget(old);
        Assert.Equal(Kept, log.Entries.Count(e => e.Sql == "new"));
        Assert.Equal(Kept, log.Entries.Count);
    }

    [Fact]
    public void What_becomes_of_a_statement_replaces_what_it_was_and_a_forgotten_one_is_gone()
    {
        var log = new QueryLog();
        QueryLogEntry first = log.NewEntry(Session, "first", default);
        QueryLogEntry second = log.NewEntry(Session, "second", default);
        log.Put(first);
        log.Put(second);
        log.Put(first with { State = "done" });
        log.Forget(second);
        QueryLogEntry left = Assert.Single(log.Entries);
        Assert.Equal(("first", "done"), (left.Sql, left.State));
    }
}
