using System.Globalization;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Data;

/// <summary>Tables like TPC-H's: the same columns, vocabulary and relations between the tables, values by hash of the row's number.</summary>
internal static class TpchData
{
    private const string Words =
        "['special','requests','pending','deposits','packages','accounts','express','ironic','final','regular','bold','quick','silent','even','furious','careful','slyly','blithely','theodolites','instructions','foxes','pinto','beans','asymptotes','platelets','dependencies','excuses','ideas','courts','dolphins','sauternes','warhorses']";

    private const string Colors =
        "['almond','antique','aquamarine','azure','beige','bisque','black','blanched','blue','blush','brown','burlywood','chartreuse','chiffon','chocolate','coral','cream','cyan','dark','deep','dim','dodger','drab','firebrick','floral','forest','frosted','gainsboro','ghost','goldenrod','green','grey','honeydew','hot','indian','ivory','khaki','lace','lavender','lemon']";

    private static readonly string[] Nations =
    [
        "ALGERIA 0", "ARGENTINA 1", "BRAZIL 1", "CANADA 1", "EGYPT 4", "ETHIOPIA 0", "FRANCE 3", "GERMANY 3", "INDIA 2", "INDONESIA 2", "IRAN 4", "IRAQ 4", "JAPAN 2", "JORDAN 4",
        "KENYA 0", "MOROCCO 0", "MOZAMBIQUE 0", "PERU 1", "CHINA 2", "ROMANIA 3", "SAUDI ARABIA 4", "VIETNAM 2", "RUSSIA 3", "UNITED KINGDOM 3", "UNITED STATES 1",
    ];

    /// <summary>Schemas <c>plain_tpch</c>, <c>delta_tpch</c> and <c>hive_tpch</c>; scale 1 is 1.5 million orders.</summary>
    public static Task<string> MakeAsync(BenchContext bench, double scale) =>
        bench.Data.MakeAsync(string.Create(CultureInfo.InvariantCulture, $"tpch-{scale}"), 1, (sql, folder) =>
        {
            Generate(sql, scale);
            foreach ((string table, string order, int files) in new[]
            {
                ("lineitem", "l_orderkey", 8), ("orders", "o_orderkey", 4), ("customer", "c_custkey", 1), ("part", "p_partkey", 1), ("partsupp", "ps_partkey", 2),
                ("supplier", "s_suppkey", 1), ("nation", "n_nationkey", 1), ("region", "r_regionkey", 1),
            })
            {
                Layouts.WritePlain(sql, table, order, files, $"{folder}/plain_tpch/{table}");
                Layouts.WriteDelta(sql, $"{folder}/plain_tpch/{table}", $"{folder}/delta_tpch/{table}");
                string? year = table switch { "lineitem" => "year(l_shipdate) AS l_shipyear", "orders" => "year(o_orderdate) AS o_orderyear", _ => null };
                Layouts.WriteHive(sql, $"{folder}/plain_tpch/{table}", year, $"{folder}/hive_tpch/{table}");
            }
        });

    private static void Generate(DataSql sql, double scale)
    {
        long orders = (long)(1_500_000 * scale), customers = (long)(150_000 * scale), parts = (long)(200_000 * scale), suppliers = (long)(10_000 * scale);
        string N(long n) => n.ToString(CultureInfo.InvariantCulture);
        string supplierOf = $"((p + j * ({N(suppliers)} // 4 + (p - 1) // {N(suppliers)})) % {N(suppliers)} + 1)::BIGINT";
        sql.Run($"""
            CREATE MACRO h(i, s) AS hash((i)::BIGINT * 1000003 + s);
            CREATE MACRO pick(i, s, n) AS (h(i, s) % n)::INTEGER;
            CREATE MACRO one_of(i, s, list) AS list[1 + pick(i, s, len(list))];
            CREATE MACRO word(i, s) AS one_of(i, s, {Words});
            CREATE MACRO comment(i, s) AS concat_ws(' ', word(i, s), word(i, s + 1), word(i, s + 2), word(i, s + 3), CASE WHEN pick(i, s, 2) = 0 THEN word(i, s + 4) END);
            CREATE MACRO cents(n) AS (n / 100)::DECIMAL(15, 2);
            CREATE MACRO phone(i, nation) AS (nation + 10) || '-' || (100 + pick(i, 61, 900)) || '-' || (100 + pick(i, 62, 900)) || '-' || (1000 + pick(i, 63, 9000));
            CREATE MACRO retail(p) AS (90000 + (p // 10) % 20001 + 100 * (p % 1000));
            CREATE TABLE region AS SELECT i::INTEGER AS r_regionkey, ['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'][i + 1] AS r_name, comment(i, 1000) AS r_comment FROM range(5) t(i);
            CREATE TABLE nation (n_nationkey INTEGER, n_name VARCHAR, n_regionkey INTEGER, n_comment VARCHAR);
            """);
        for (int i = 0; i < Nations.Length; i++)
        {
            int space = Nations[i].LastIndexOf(' ');
            sql.Run($"INSERT INTO nation VALUES ({N(i)}, '{Nations[i][..space]}', {Nations[i][(space + 1)..]}, comment({N(i)}, 1100))");
        }

        sql.Run($"""
            CREATE TABLE supplier AS SELECT i AS s_suppkey, 'Supplier#' || lpad(i::VARCHAR, 9, '0') AS s_name, 'street ' || pick(i, 1, 100000) AS s_address, pick(i, 2, 25) AS s_nationkey,
              phone(i, pick(i, 2, 25)) AS s_phone, cents(pick(i, 3, 1100000) - 100000) AS s_acctbal,
              comment(i, 1200) || CASE WHEN pick(i, 4, 200) = 0 THEN ' Customer some Complaints' ELSE '' END AS s_comment FROM range(1, {N(suppliers)} + 1) t(i);
            CREATE TABLE customer AS SELECT i AS c_custkey, 'Customer#' || lpad(i::VARCHAR, 9, '0') AS c_name, 'street ' || pick(i, 11, 1000000) AS c_address, pick(i, 12, 25) AS c_nationkey,
              phone(i, pick(i, 12, 25)) AS c_phone, cents(pick(i, 13, 1100000) - 100000) AS c_acctbal,
              one_of(i, 14, ['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD']) AS c_mktsegment, comment(i, 1300) AS c_comment FROM range(1, {N(customers)} + 1) t(i);
            CREATE TABLE part AS SELECT i AS p_partkey, concat_ws(' ', one_of(i, 21, {Colors}), one_of(i, 22, {Colors}), one_of(i, 23, {Colors}), one_of(i, 24, {Colors})) AS p_name,
              'Manufacturer#' || (1 + pick(i, 25, 5)) AS p_mfgr, 'Brand#' || (1 + pick(i, 25, 5)) || (1 + pick(i, 26, 5)) AS p_brand,
              concat_ws(' ', one_of(i, 27, ['STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO']), one_of(i, 28, ['ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED']),
                one_of(i, 29, ['TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER'])) AS p_type, 1 + pick(i, 30, 50) AS p_size,
              concat_ws(' ', one_of(i, 31, ['SM', 'LG', 'MED', 'JUMBO', 'WRAP']), one_of(i, 32, ['CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK', 'CAN', 'DRUM'])) AS p_container,
              cents(retail(i)) AS p_retailprice, comment(i, 1400) AS p_comment FROM range(1, {N(parts)} + 1) t(i);
            CREATE TABLE partsupp AS SELECT p AS ps_partkey, {supplierOf} AS ps_suppkey, 1 + pick(p * 4 + j, 41, 9999) AS ps_availqty, cents(100 + pick(p * 4 + j, 42, 100000)) AS ps_supplycost,
              comment(p * 4 + j, 1500) AS ps_comment FROM range(1, {N(parts)} + 1) t(p), range(4) u(j);
            CREATE TABLE orders AS SELECT i AS o_orderkey, 1 + (h(i, 51) % {N(customers)})::BIGINT // 3 * 3 AS o_custkey,
              CASE WHEN d < DATE '1995-03-10' THEN 'F' WHEN d > DATE '1995-06-20' THEN 'O' ELSE 'P' END AS o_orderstatus, cents(90000 + pick(i, 52, 50000000)) AS o_totalprice, d AS o_orderdate,
              one_of(i, 53, ['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW']) AS o_orderpriority, 'Clerk#' || lpad((pick(i, 54, 1000))::VARCHAR, 9, '0') AS o_clerk, 0 AS o_shippriority,
              comment(i, 1600) AS o_comment FROM (SELECT i, DATE '1992-01-01' + pick(i, 55, 2406) AS d FROM range(1, {N(orders)} + 1) t(i));
            CREATE TABLE lineitem AS SELECT o AS l_orderkey, p AS l_partkey, {supplierOf} AS l_suppkey, n AS l_linenumber, q::DECIMAL(15, 2) AS l_quantity, cents(q * retail(p)) AS l_extendedprice,
              cents(pick(k, 71, 11)) AS l_discount, cents(pick(k, 72, 9)) AS l_tax,
              CASE WHEN r > DATE '1995-06-17' THEN 'N' WHEN pick(k, 73, 2) = 0 THEN 'R' ELSE 'A' END AS l_returnflag, CASE WHEN s > DATE '1995-06-17' THEN 'O' ELSE 'F' END AS l_linestatus,
              s AS l_shipdate, d + 30 + pick(k, 74, 61) AS l_commitdate, r AS l_receiptdate,
              one_of(k, 75, ['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN']) AS l_shipinstruct,
              one_of(k, 76, ['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB']) AS l_shipmode, comment(k, 1700) AS l_comment
            FROM (SELECT *, s + 1 + pick(k, 77, 30) AS r FROM (
              SELECT o_orderkey AS o, n::INTEGER AS n, o_orderkey * 8 + n AS k, o_orderdate AS d, 1 + (h(o_orderkey * 8 + n, 78) % {N(parts)})::BIGINT AS p, pick(o_orderkey * 8 + n, 79, 4) AS j,
                1 + pick(o_orderkey * 8 + n, 80, 50) AS q, o_orderdate + 1 + pick(o_orderkey * 8 + n, 81, 121) AS s
              FROM orders, range(1, 8) u(n) WHERE n <= 1 + pick(o_orderkey, 82, 7)));
            """);
    }
}
