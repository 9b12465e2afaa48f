namespace LakeHolo.FlightServer.Tests.Postgres;

/// <summary>Functions of the catalog give what PostgreSQL 15 gives.</summary>
public sealed class CatalogFunctionsTests : IAsyncLifetime
{
    private PgShop _shop = null!;

    public async ValueTask InitializeAsync() => _shop = await PgShop.StartAsync();

    public async ValueTask DisposeAsync() => await _shop.DisposeAsync();

    [Fact]
    public async Task Names_are_quoted_where_they_are_words_of_the_language()
    {
        using PgWire wire = await _shop.LoginAsync();
        Assert.Equal(
            "abc|\"Ab\"|\"select\"|\"order\"|\"coalesce\"|\"verbose\"|text|day|\"a b\"",
            await wire.TextAsync("select quote_ident('abc'), quote_ident('Ab'), quote_ident('select'), quote_ident('order'), quote_ident('coalesce'), quote_ident('verbose'), quote_ident('text'), quote_ident('day'), quote_ident('a b') from pg_class where relname = 'orders'"));
    }

    [Theory]
    [InlineData("select 'nope'::regproc", "42883")]
    [InlineData("select 'nope'::pg_catalog.regproc::pg_catalog.oid", "42883")]
    [InlineData("select 'nope'::regclass", "42P01")]
    [InlineData("select 'nope'::regtype", "42704")]
    public async Task A_name_that_nothing_has_is_an_error(string sql, string state)
    {
        using PgWire wire = await _shop.LoginAsync();
        List<PgMessage> answers = await wire.QueryAsync(sql);
        Assert.Equal(state, answers.Single(m => m.Type == 'E').Field('C'));
        Assert.Contains("\"nope\" does not exist", answers.Single(m => m.Type == 'E').Field('M'), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_that_are_there_and_questions_for_names_are_no_errors()
    {
        using PgWire wire = await _shop.LoginAsync();
        Assert.Equal("array_in|dwd.orders|int4", await wire.TextAsync("select 'array_in'::regproc, 'dwd.orders'::regclass, (select typname from pg_type where oid = 'integer'::regtype)"));
        Assert.Equal("t|t|t", await wire.TextAsync("select to_regclass('nope') is null, to_regtype('nope') is null, to_regproc('nope') is null"));
    }

    [Fact]
    public async Task Comparing_with_any_element_is_unknown_where_NULLs_make_it_so()
    {
        using PgWire wire = await _shop.LoginAsync();
        Assert.Equal(
            "t|t|t|f",
            await wire.TextAsync("select ('a' = any(reloptions)) is null, (not 'a' = any(reloptions)) is null, 'public' = any(current_schemas(true)), 'x' = any(current_schemas(true)) from pg_class where relname = 'orders'"));
    }

    [Fact]
    public async Task Rights_are_those_of_a_reader()
    {
        using PgWire wire = await _shop.LoginAsync();
        Assert.Equal(
            "t|t|f|f|t|f|t|f",
            await wire.TextAsync("select has_table_privilege('dwd.orders', 'select'), has_table_privilege('dwd.orders', 'INSERT, SELECT'), has_table_privilege('dwd.orders', 'insert'), has_table_privilege('dwd.orders', 'select with grant option'), has_schema_privilege('dwd', 'usage'), has_schema_privilege('dwd', 'create'), has_database_privilege('lake', 'connect'), has_database_privilege('lake', 'temp')"));
    }
}
