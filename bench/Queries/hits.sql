-- h01
SELECT count(*) AS n FROM hits
-- h02
SELECT count(*) AS n FROM hits WHERE AdvEngineID <> 0
-- h03
SELECT sum(AdvEngineID) AS a, count(*) AS n, avg(ResolutionWidth) AS w FROM hits
-- h04
SELECT avg(UserID) AS u FROM hits
-- h05
SELECT count(DISTINCT UserID) AS n FROM hits
-- h06
SELECT count(DISTINCT SearchPhrase) AS n FROM hits
-- h07
SELECT min(EventDate) AS a, max(EventDate) AS b FROM hits
-- h08
SELECT AdvEngineID, count(*) AS n FROM hits WHERE AdvEngineID <> 0 GROUP BY AdvEngineID ORDER BY n DESC, AdvEngineID
-- h09
SELECT RegionID, count(DISTINCT UserID) AS u FROM hits GROUP BY RegionID ORDER BY u DESC, RegionID LIMIT 10
-- h10
SELECT RegionID, sum(AdvEngineID) AS a, count(*) AS c, avg(ResolutionWidth) AS w, count(DISTINCT UserID) AS u FROM hits GROUP BY RegionID ORDER BY c DESC, RegionID LIMIT 10
-- h11
SELECT MobilePhoneModel, count(DISTINCT UserID) AS u FROM hits WHERE MobilePhoneModel <> '' GROUP BY MobilePhoneModel ORDER BY u DESC, MobilePhoneModel LIMIT 10
-- h12
SELECT MobilePhone, MobilePhoneModel, count(DISTINCT UserID) AS u FROM hits WHERE MobilePhoneModel <> '' GROUP BY MobilePhone, MobilePhoneModel ORDER BY u DESC, MobilePhone, MobilePhoneModel LIMIT 10
-- h13
SELECT SearchPhrase, count(*) AS c FROM hits WHERE SearchPhrase <> '' GROUP BY SearchPhrase ORDER BY c DESC, SearchPhrase LIMIT 10
-- h14
SELECT SearchPhrase, count(DISTINCT UserID) AS u FROM hits WHERE SearchPhrase <> '' GROUP BY SearchPhrase ORDER BY u DESC, SearchPhrase LIMIT 10
-- h15
SELECT SearchEngineID, SearchPhrase, count(*) AS c FROM hits WHERE SearchPhrase <> '' GROUP BY SearchEngineID, SearchPhrase ORDER BY c DESC, SearchEngineID, SearchPhrase LIMIT 10
-- h16
SELECT UserID, count(*) AS n FROM hits GROUP BY UserID ORDER BY n DESC, UserID LIMIT 10
-- h17
SELECT UserID, SearchPhrase, count(*) AS n FROM hits GROUP BY UserID, SearchPhrase ORDER BY n DESC, UserID, SearchPhrase LIMIT 10
-- h18
SELECT UserID, extract(minute FROM EventTime) AS m, SearchPhrase, count(*) AS n FROM hits GROUP BY UserID, m, SearchPhrase ORDER BY n DESC, UserID, m, SearchPhrase LIMIT 10
-- h19
SELECT SearchPhrase, min(URL) AS url, count(*) AS c FROM hits WHERE URL LIKE '%google%' AND SearchPhrase <> '' GROUP BY SearchPhrase ORDER BY c DESC, SearchPhrase LIMIT 10
-- h20
SELECT SearchPhrase, min(URL) AS url, min(Title) AS title, count(*) AS c, count(DISTINCT UserID) AS u FROM hits
WHERE Title LIKE '%Google%' AND URL NOT LIKE '%.google.%' AND SearchPhrase <> '' GROUP BY SearchPhrase ORDER BY c DESC, SearchPhrase LIMIT 10
-- h21
SELECT SearchPhrase, EventTime FROM hits WHERE SearchPhrase <> '' ORDER BY EventTime, SearchPhrase LIMIT 10
-- h22
SELECT SearchPhrase FROM hits WHERE SearchPhrase <> '' ORDER BY SearchPhrase LIMIT 10
-- h23
SELECT CounterID, avg(length(URL)) AS l, count(*) AS c FROM hits WHERE URL <> '' GROUP BY CounterID HAVING count(*) > 1000 ORDER BY l DESC, CounterID LIMIT 25
-- h24
SELECT sum(ResolutionWidth) AS s0, sum(ResolutionWidth + 1) AS s1, sum(ResolutionWidth + 2) AS s2, sum(ResolutionWidth + 3) AS s3, sum(ResolutionWidth + 4) AS s4,
  sum(ResolutionWidth + 5) AS s5, sum(ResolutionWidth + 6) AS s6, sum(ResolutionWidth + 7) AS s7, sum(ResolutionWidth + 8) AS s8, sum(ResolutionWidth + 9) AS s9 FROM hits
-- h25
SELECT SearchEngineID, ClientIP, count(*) AS c, sum(IsRefresh) AS r, avg(ResolutionWidth) AS w FROM hits WHERE SearchPhrase <> '' GROUP BY SearchEngineID, ClientIP
ORDER BY c DESC, SearchEngineID, ClientIP LIMIT 10
-- h26
SELECT WatchID, ClientIP, count(*) AS c, sum(IsRefresh) AS r, avg(ResolutionWidth) AS w FROM hits WHERE SearchPhrase <> '' GROUP BY WatchID, ClientIP ORDER BY c DESC, WatchID, ClientIP LIMIT 10
-- h27
SELECT URL, count(*) AS c FROM hits GROUP BY URL ORDER BY c DESC, URL LIMIT 10
-- h28
SELECT URL, count(*) AS views FROM hits WHERE CounterID = 62 AND EventDate >= DATE '2013-07-01' AND EventDate <= DATE '2013-07-31' AND DontCountHits = 0 AND IsRefresh = 0 AND URL <> ''
GROUP BY URL ORDER BY views DESC, URL LIMIT 10
-- h29
SELECT TraficSourceID, SearchEngineID, AdvEngineID, count(*) AS views FROM hits
WHERE CounterID = 62 AND EventDate >= DATE '2013-07-01' AND EventDate <= DATE '2013-07-31' AND IsRefresh = 0
GROUP BY TraficSourceID, SearchEngineID, AdvEngineID ORDER BY views DESC, TraficSourceID, SearchEngineID, AdvEngineID LIMIT 10 OFFSET 5
-- h30
SELECT date_trunc('minute', EventTime) AS m, count(*) AS views FROM hits
WHERE CounterID = 62 AND EventDate >= DATE '2013-07-14' AND EventDate <= DATE '2013-07-15' AND IsRefresh = 0 AND DontCountHits = 0 GROUP BY m ORDER BY m LIMIT 10
-- point_watch
SELECT WatchID, EventTime, URL, Title FROM hits WHERE WatchID = (SELECT max(WatchID) FROM hits WHERE CounterID = 62)
-- point_user
SELECT count(*) AS n, min(EventTime) AS a, max(EventTime) AS b FROM hits WHERE UserID = 435090932899640449
-- like_url
SELECT count(*) AS n FROM hits WHERE URL LIKE '%google%'
-- top_time
SELECT EventTime, WatchID, UserID FROM hits ORDER BY EventTime DESC, WatchID LIMIT 10
