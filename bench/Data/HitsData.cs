using System.Globalization;
using System.Text;
using LakeHolo.Bench.Harness;

namespace LakeHolo.Bench.Data;

/// <summary>A wide table like ClickBench's: 100 columns, sorted by counter, strings that repeat as strings do.</summary>
internal static class HitsData
{
    private const int Columns = 100;

    private const string Words = "['купить','google','дом','авто','новости','погода','карта','фото','видео','отдых','работа','цена','москва','game','shop','news','hotel','music','film','travel']";

    /// <summary>Schemas <c>plain_hits</c>, <c>delta_hits</c> and <c>hive_hits</c> with the table <c>hits</c>.</summary>
    public static Task<string> MakeAsync(BenchContext bench, long rows, int files) =>
        bench.Data.MakeAsync(string.Create(CultureInfo.InvariantCulture, $"hits-{rows}"), 1, (sql, folder) =>
        {
            Generate(sql, rows);
            Layouts.WritePlain(sql, "hits", "row_number", files, $"{folder}/plain_hits/hits", "EXCLUDE (row_number)");
            Layouts.WriteDelta(sql, $"{folder}/plain_hits/hits", $"{folder}/delta_hits/hits");
            Layouts.WriteHive(sql, $"{folder}/plain_hits/hits", "EventDate AS event_day", $"{folder}/hive_hits/hits");
        });

    private static void Generate(DataSql sql, long rows)
    {
        string n = rows.ToString(CultureInfo.InvariantCulture);
        var columns = new StringBuilder($"""
            i AS row_number, (h(i, 1) >> 1)::BIGINT AS WatchID, 1 - (pick(i, 2, 50) = 0)::SMALLINT AS JavaEnable, words(skew(i, 3, 40000, 2)) AS Title, (pick(i, 4, 30) = 0)::SMALLINT AS GoodEvent,
            (day + INTERVAL 1 SECOND * pick(i, 5, 86400))::TIMESTAMPTZ AS EventTime, day AS EventDate, (pow(i / {n}, 2) * 6000)::INTEGER AS CounterID, pick(i, 6, 1000000) AS ClientIP,
            skew(i, 7, 5000, 4)::INTEGER AS RegionID, (hash(skew(i, 8, {n} // 8, 2)) >> 1)::BIGINT AS UserID, pick(i, 9, 3)::SMALLINT AS CounterClass, skew(i, 10, 50, 3)::SMALLINT AS OS,
            skew(i, 11, 80, 3)::SMALLINT AS UserAgent, url(i, 12) AS URL, CASE WHEN pick(i, 13, 3) = 0 THEN '' ELSE url(i, 14) END AS Referer,
            (pick(i, 15, 8) = 0)::SMALLINT AS IsRefresh, [0, 800, 1024, 1280, 1366, 1440, 1600, 1920][1 + pick(i, 16, 8)]::SMALLINT AS ResolutionWidth,
            [0, 600, 768, 800, 900, 1024, 1080][1 + pick(i, 17, 7)]::SMALLINT AS ResolutionHeight, CASE WHEN pick(i, 18, 30) = 0 THEN pick(i, 19, 90) ELSE 0 END::SMALLINT AS MobilePhone,
            CASE WHEN pick(i, 18, 30) = 0 THEN 'Phone ' || skew(i, 19, 60, 3) ELSE '' END AS MobilePhoneModel, skew(i, 20, 10, 3)::SMALLINT AS TraficSourceID,
            CASE WHEN pick(i, 21, 7) = 0 THEN 1 + pick(i, 22, 60) ELSE 0 END::SMALLINT AS SearchEngineID,
            CASE WHEN pick(i, 21, 7) = 0 THEN words(skew(i, 23, 60000, 3)) || ' ' || skew(i, 23, 60000, 3) ELSE '' END AS SearchPhrase,
            CASE WHEN pick(i, 24, 160) = 0 THEN 1 + pick(i, 25, 18) ELSE 0 END::SMALLINT AS AdvEngineID, (pick(i, 26, 20) = 0)::SMALLINT AS DontCountHits,
            (hash(url(i, 12)) >> 1)::BIGINT AS URLHash, pick(i, 27, 2000)::SMALLINT AS WindowClientWidth
            """);
        for (int c = 28; c <= Columns; c++)
        {
            string column = string.Create(CultureInfo.InvariantCulture, $"p{c:D3}");
            string seed = c.ToString(CultureInfo.InvariantCulture);
            columns.Append(",\n").Append((c % 8) switch
            {
                0 => $"CASE WHEN pick(i, {seed}, 10) = 0 THEN 'value ' || skew(i, {seed}, 300, 2) ELSE '' END AS {column}",
                1 or 2 or 3 => $"skew(i, {seed}, 100, 3)::SMALLINT AS {column}",
                4 => $"pick(i, {seed}, 100000) AS {column}",
                5 => $"CASE WHEN pick(i, {seed}, 5) = 0 THEN (h(i, {seed}) >> 1)::BIGINT ELSE 0 END AS {column}",
                6 => $"(pick(i, {seed}, 2) = 0)::SMALLINT AS {column}",
                _ => $"skew(i, {seed}, 1000, 2)::INTEGER AS {column}",
            });
        }

        sql.Run($"""
            CREATE MACRO h(i, s) AS hash((i)::BIGINT * 1000003 + s);
            CREATE MACRO pick(i, s, n) AS (h(i, s) % n)::INTEGER;
            CREATE MACRO skew(i, s, n, power) AS floor(pow((h(i, s) % 1000000) / 1000000, power) * (n))::BIGINT;
            CREATE MACRO one_of(i, s, list) AS list[1 + pick(i, s, len(list))];
            CREATE MACRO words(i) AS concat_ws(' ', one_of(i, 91, {Words}), one_of(i, 92, {Words}), one_of(i, 93, {Words}), CASE WHEN pick(i, 94, 100) = 0 THEN 'Google' END);
            CREATE MACRO url(i, s) AS 'http://' || CASE WHEN pick(i, s + 500, 300) = 0 THEN 'www.google.ru' ELSE 'site' || skew(i, s, 2000, 3) || '.ru' END || '/' || one_of(skew(i, s + 100, 100000, 2), 95, {Words})
              || '/catalog/' || skew(i, s + 100, 100000, 2) || '.html?from=' || skew(i, s + 200, 30, 3);
            CREATE TABLE hits AS SELECT {columns} FROM (SELECT i, DATE '2013-07-01' + pick(i, 90, 31) AS day FROM range({n}) t(i));
            """);
    }
}
