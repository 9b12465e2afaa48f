namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>Queries that look like statements about the catalog, and statements about the catalog with more than the catalog's own clients write: rewriting by tokens does not change what they say (answers of PostgreSQL 15).</summary>
public sealed class CatalogLookalikesTests : IAsyncLifetime
{
    private PgShop _shop = null!;

    public async ValueTask InitializeAsync() => _shop = await PgShop.StartAsync();

    public async ValueTask DisposeAsync() => await _shop.DisposeAsync();

    [Fact]
    public async Task They_give_what_PostgreSQL_gives()
    {
        using PgWire wire = await _shop.LoginAsync();
        var wrong = new List<string>();
        foreach ((string sql, string expected) in new[]
        {
            // Of the lake, with the catalog's words.
            ("select 'pg_class' as relname, count(*) as pg_type from dwd.products", "pg_class|10"),
            ("with tables as (select 7 as relname) select relname from tables", "7"),
            ("select t.pg_class from (select 1 as pg_class) t", "1"),
            ("select count(*) from dwd.orders where customer = 'from pg_class' or customer = 'customer 3' -- from pg_type", "14"),

            // Array literals: quotes, commas, nulls.
            ("select count(*) from pg_type where typname = any('{int4,\"a,b\",text}'::text[])", "2"),
            ("select array_length('{\"a,b\",c}'::text[], 1), ('{x,NULL}'::text[])[2] is null from pg_type where typname = 'int4'", "2|t"),
            ("select '{2,10}'::int[] from pg_type where typname = 'int4'", "{2,10}"),

            // What stands before a cast is all of it.
            ("select case when typname = 'int4' then 1 else 2 end::text || 'x' from pg_type where typname = 'int4'", "1x"),
            ("select count(*) filter (where typname = 'int4')::text || 'x', (count(*) over ())::text from pg_type where typname in ('int4', 'int8') group by typname order by 1 desc limit 1", "1x|2"),
            ("select sum(1) over ()::text || 'x' from pg_type where typname = 'int4'", "1x"),
            ("select 'abc'::varchar(2), 'abc'::char, 'abc'::\"char\", cast('abc' as character varying(1)), 'abc'::char(2) from pg_type where typname = 'int4'", "ab|a|a|a|ab"),

            // Patterns: case is ignored with every operand, a dot is a line's end too.
            ("select count(*) from pg_type where typname ~* upper('^int4$')", "1"),
            ("select count(*) from pg_type where typname !~* ('^I' || 'NT4$') and typname = 'int4'", "0"),
            ("select 'abc' similar to 'b', 'abc' similar to '%b%' from pg_type where typname = 'int4'", "f|t"),

            // = ANY takes the whole operand on its left.
            ("select 1 + relnatts = any(conkey) from pg_class, (select [3::smallint] as conkey) k where relname = 'pg_am' and relnatts = 4", "f"),
            ("select 'a' || typname = any(names) from pg_type, (select ['aint4'] as names) n where typname = 'int4'", "t"),
            ("select typname = any(names) from pg_type, (select ['int4'] as names) n where typname = 'int4'", "t"),
            ("select typname as user from pg_type where typname = 'int4'", "int4"),
            ("select array_upper(typs, 2) is null, array_upper(typs, 1) from (select ['a', 'b'] as typs from pg_type limit 1) t", "t|2"),
            ("select 'dwd.orders'::regclass::oid = (select oid from pg_class where relname = 'orders'), 'pg_class'::regclass::oid", "t|1259"),
        })
        {
            string actual = await wire.TextAsync(sql);
            if (actual != expected)
            {
                wrong.Add($"{sql}\n  {actual}\n  {expected}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }
}
