-- The tables of recorded/habits.txt for a PostgreSQL with TimeZone UTC and the collation C.UTF-8: those of ShopServer.
CREATE SCHEMA dwd;
CREATE TABLE dwd.orders AS SELECT n::bigint AS order_id, 'customer ' || n % 7 AS customer, (n * 1.25)::numeric(12,2) AS amount, n % 2 = 0 AS paid, n / 3::float8 AS weight, date '2024-01-01' + n AS order_date,
  timestamp '2024-01-01 10:00:00' + interval '1 hour' * n AS created_at, timestamptz '2024-01-01 10:00:00+00' + interval '1 minute' * n AS updated_at, n::smallint AS small FROM generate_series(0, 99) n;
CREATE TABLE dwd.products AS SELECT n::integer AS product_id, 'p' || n AS name FROM generate_series(0, 9) n;
