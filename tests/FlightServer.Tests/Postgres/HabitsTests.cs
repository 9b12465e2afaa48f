namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>What PostgreSQL's clients write by habit gives what it gives there (PostgreSQL 15).</summary>
public sealed class HabitsTests : IAsyncLifetime
{
    private PgShop _shop = null!;

    public async ValueTask InitializeAsync() => _shop = await PgShop.StartAsync();

    public async ValueTask DisposeAsync() => await _shop.DisposeAsync();

    [Fact]
    public async Task Statements_give_what_PostgreSQL_gives()
    {
        using PgWire wire = await _shop.LoginAsync();
        var wrong = new List<string>();
        foreach ((string sql, string expected) in new[]
        {
            ("select '1'::int, 'x'::varchar(3), 2::numeric(6,2), '2024-01-02'::date", "1|x|2.00|2024-01-02"),
            ("select 'Abc' ILIKE 'a%', 'abc' LIKE '_b%'", "t|t"),
            ("select * from generate_series(1, 3)", "1\n2\n3"),
            ("select now() > timestamptz '2024-01-01', now()::date = current_date", "t|t"),
            ("select to_char(timestamp '2024-02-03 14:05:06.007', 'YYYY-MM-DD HH24:MI:SS.MS')", "2024-02-03 14:05:06.007"),
            ("select to_char(date '2024-02-03', 'FMDD. Mon YYYY'), to_char(date '2024-02-03', 'FMMonth \"in\" YY')", "3. Feb 2024|February in 24"),
            ("select to_char(date '2024-05-04', 'Month') || '|', to_char(timestamp '2024-02-03 14:05', 'HH12:MI AM')", "May      ||02:05 PM"),
            ("select to_date('03/02/2024', 'DD/MM/YYYY'), to_timestamp('2024-02-03 04:05', 'YYYY-MM-DD HH24:MI')", "2024-02-03|2024-02-03 04:05:00+00"),
            ("select to_timestamp(0)", "1970-01-01 00:00:00+00"),
            ("select date_trunc('month', timestamp '2024-02-03 10:00')", "2024-02-01 00:00:00"),
            ("select extract(year from order_date) from dwd.orders order by order_id limit 1 offset 1", "2024"),
            ("select \"order_id\" as \"Order\" from \"dwd\".\"orders\" where order_id = 7", "7"),
            ("select '{\"a\": [1]}'::jsonb, 'n'::name, 5::oid", "{\"a\": [1]}|n|5"),
            ("select current_schema(), current_database(), current_user", "public|lake|ana"),
            ("select name from (select customer as name from dwd.orders where order_id = 3) t", "customer 3"),
            ("with x as (select order_id as oid, customer as name from dwd.orders) select oid, max(name) from x where oid = 3 group by oid", "3|customer 3"),
            ("select cast(order_id as name), cast(7 as oid) from dwd.orders where order_id = 3", "3|7"),
            ("select string_agg(name, ',' order by product_id) from dwd.products where product_id < 3", "p0,p1,p2"),
            ("select count(*) filter (where paid), array_agg(small order by small) from dwd.orders where order_id < 3", "2|{0,1,2}"),
            ("select distinct on (paid) paid, order_id from dwd.orders order by paid, order_id", "f|1\nt|0"),
            ("select date '2024-01-03' - date '2024-01-01', timestamp '2024-01-31' + interval '1 month'", "2|2024-02-29 00:00:00"),
            ("select split_part('a,b', ',', 2), position('b' in 'abc'), substring('abc' from 2 for 1), trim(both ' ' from ' a ')", "b|2|b|a"),
            ("values (1, 'a')", "1|a"),

            // Texts are cut; blanks of a CHAR are written and do not count.
            ("select customer::varchar(3), cast(customer as char(3)), customer::char(12), upper(customer)::pg_catalog.bpchar x from dwd.orders where order_id = 3", "cus|cus|customer 3  |CUSTOMER 3"),
            ("select 'abc'::varchar(2), varchar(2) 'abc', 'äöü'::character varying(2), cast('abc' as character varying(1)), 12345::varchar(3), (1 + 1)::text::varchar(5), null::varchar(3)", "ab|ab|äö|a|123|2|∅"),
            ("select 'x'::bpchar, 'abc'::char, bpchar 'y', 'ab'::character(3), 'abc'::char(2)::text, 'x'::bpchar = 'x', upper('a'::bpchar) || 'b'", "x|a|y|ab |ab|t|Ab"),
            ("select count(*) from dwd.orders where order_id < 7 and customer = 'customer 3'::bpchar and customer = any(array['customer 3']::varchar[])", "1"),
            ("select order_id from dwd.orders where order_id < 7 and customer::varchar(10) = 'customer 3' and left(customer::varchar(10), 1) = 'c'", "3"),
            ("select char from (select 'a' as char) t", "a"),

            // Patterns are searched for, a dot is a line's end too.
            ("select 'abc' ~ 'b', 'abc' ~* 'B', 'abc' !~ 'b', 'abc' !~* 'X', E'a\nb' ~ 'a.b'", "t|t|f|t|t"),
            ("select 'abc' ~ '^b', 'abc' ~ '^ab', 'abc' ~ 'c$', 'abc' ~ '^abc$', 'abc' ~ 'x|c', 'a b' ~ '\\yb', 'a.c' ~ '\\.', 'ABC' ~ '(?i)b'", "f|t|t|t|t|t|t|t"),
            ("select 'a1' ~ '[0-9]+' and not 'a' ~ '[0-9]', 'abc' ~ ('^' || 'ab'), 'abc' ~ 'b'::text, ('a' || 'b') ~ 'ab', ~5", "t|t|t|t|-6"),
            ("select count(*), count(*) filter (where customer !~ '1') from dwd.orders where customer ~* 'CUSTOMER [12]'", "29|14"),
            ("select 'abc' similar to '%b%', 'abc' similar to 'b', 'abc' similar to '_b(c|d)', 'a.c' similar to 'a.c', 'abc' similar to 'a.c', 'abc' not similar to 'a%', '100%' similar to '100\\%'", "t|f|t|t|f|f|t"),
            ("select 'x' ~~ 'x', 'x' !~~ 'y', 'X' ~~* 'x', 'X' !~~* 'x'", "t|t|t|f"),

            // A backslash escapes in LIKE.
            (@"select 'a_c' like 'a\_c', 'abc' like 'a\_c', 'a%' not like 'a\%', 'A_C' ilike 'a\_c', 'a_c' like 'a!_c' escape '!', 'abc' like 'a%'", "t|f|f|t|t|t"),
            ("select 'a5' like 'a' || 5, 'ab' like (case when true then 'a%' end), decode('ab'::bytea)", "t|t|ab"),
            (@"select count(*) from dwd.orders where customer like 'customer' || '\_' || '%' or customer like (select 'x\%') and order_id < 7", "0"),
            (@"select count(*) from (values ('a\_c', 'a_c'), ('a\_c', 'abc')) t(p, x) where x like p and not x like '\%' || p", "1"),

            // format, parts of seconds, lengths of arrays, base64.
            ("select format('v%s-%s%%', 3, null) || format('x'), lpad('abc', 5) || rpad('abc', 2), array_length(array[]::int[], 1), array_length(array[1, 2], 1), decode('YWJj', 'base64')", @"v3-%x|  abcab|∅|2|\x616263"),
            ("select extract(second from timestamp '2024-01-01 00:00:12.345'), date_part('milliseconds', timestamp '2024-01-01 00:01:12.345678'), extract(minute from timestamp '2024-01-01 00:07:12')", "12.345|12345.678|7"),
            ("select clock_timestamp() >= now() - interval '1 minute', extract(second from interval '1 minute 2.5 seconds')", "t|2.5"),

            // NULLs come first in a falling order, float is double precision, bytes are written in hexadecimal digits, series in a select list are rows.
            ("select x from (values (1), (null), (2)) t(x) order by x desc", "∅\n2\n1"),
            ("select x from (values (1), (null), (2)) t(x) order by x desc nulls last", "2\n1\n∅"),
            ("select array_agg(x order by x desc), percentile_disc(0.5) within group (order by x desc) from (values (1), (null), (2)) t(x)", "{NULL,2,1}|2"),
            ("select 1::float / 3, cast(1 as float), '\\x00ff'::bytea, cast('\\x41' as bytea), bytea '\\x'", "0.3333333333333333|1|\\x00ff|\\x41|\\x"),
            ("select generate_series(2, 3) as n, g from generate_series(1, 2) g where g > 1", "2|2\n3|2"),

            // Digits of a numeric are kept.
            ("select '1.23456'::numeric, 1.23456::numeric, cast('1.5' as numeric), '1e-5'::numeric, cast('-1.25e1' as decimal), numeric '0.12345', '7'::pg_catalog.numeric", "1.23456|1.23456|1.5|0.00001|-12.5|0.12345|7"),
            ("select round(1.2345::float8::numeric, 2), 1.005::numeric(5,2), (0.1234567::float8)::numeric = 0.1234567", "1.23|1.01|t"),
            ("select '1.23456'::numeric, pg_backend_pid() > 0", "1.23456|t"),
        })
        {
            string actual = await wire.TextAsync(sql);
            if (actual != expected)
            {
                wrong.Add($"{sql}\n  {actual}\n  {expected}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.StartsWith("PostgreSQL 15.0", await wire.TextAsync("select version()"), StringComparison.Ordinal);
        Assert.Equal("25006", (await wire.QueryAsync("select * from dwd.orders for update"))[0].Field('C'));
        foreach (string refused in new[]
        {
            "select 'a' ~ any(array['a'])", "select 'a' ~ '(?x)a'", "select 'a' ~ '\\mb'", "select 'a' similar to 'b' escape 'c'", "select 'a' similar to (select 'b')",
            "select 'a' ~ 'b' + 1", "select '1e-50'::numeric", "select row(1, 'a')", "explain (format json) select 1", "select '\\001'::bytea",
            "select 'ab'::char(3) || 'c'", "select 1 from dwd.orders where customer::char(20) = 'x'", "select 'x '::bpchar = 'x'", "select distinct customer::bpchar from dwd.orders", "select array['a']::char(3)[]",
            "select '[1,2]'::json -> '1'::int", "select '[1,2]'::json ->> '1'::bigint",
            "select B'101'", "select X'1F'", "select format(customer) from dwd.orders", "select format('%I', 'x')", "select format('%s')", "select decode('a', 'escape')", "select to_char(now(), customer) from dwd.orders", "select 'a' like case when true then 'a' end", "select 'a' like any(array['a'])",
            "select case when true then 'a' end::varchar(3)", "select x from (select customer::char(20) as x from dwd.orders) t",
        })
        {
            Assert.True((await wire.QueryAsync(refused))[0].Field('C') == "0A000", refused);
        }

        // Of a word that is there several times the place is meant that the error speaks of.
        const string Twice = "select 'ü', 1 from dwd.orders where order_id in (select 2 from from x) order by 1";
        Assert.Equal((Twice.IndexOf("from x", StringComparison.Ordinal) + 1).ToString(System.Globalization.CultureInfo.InvariantCulture), (await wire.QueryAsync(Twice))[0].Field('P'));
    }
}
