// usage: node postgres.js PORT USER DATABASE: runs three PostgreSQL clients against a lake and prints what they read, one JSON line each.
const { Client } = require("pg");
const postgres = require("postgres");
const knex = require("knex");

async function main() {
  const [port, user, database] = process.argv.slice(2);
  const where = { host: "127.0.0.1", port: Number(port), user, database };
  const print = (name, value) => console.log(JSON.stringify({ name, value }));

  const pg = new Client(where);
  await pg.connect();
  print("pg parameters", (await pg.query("SELECT product_id, price_eur, tags FROM dwd.products WHERE product_id = $1 AND name LIKE $2", [1001, "Garden%"])).rows);
  print("pg values", (await pg.query(
    "SELECT $1::text AS a, $2::jsonb AS b, $3::int[] AS c, $4::bool AS d, $5::numeric(6,2) AS e, $6::timestamptz AS f, $7::bytea AS g",
    ["", { x: 1 }, [1, 2], true, "1.50", new Date(0), Buffer.from("ab")])).rows);
  for (const low of [1001, 1239]) {
    print(`pg prepared ${low}`, (await pg.query({ name: "n", text: "SELECT count(*)::int AS n FROM dwd.products WHERE product_id >= $1", values: [low] })).rows[0].n);
  }
  print("pg error", await pg.query("SELECT x FROM nothing").then(() => "none", (error) => error.code));
  print("pg several", (await pg.query("SELECT 1 AS x; SELECT 2 AS y")).map((r) => r.rows[0]));
  await pg.end();

  const sql = postgres({ ...where, username: user });
  print("postgres.js list", (await sql`SELECT name FROM dwd.products WHERE product_id IN ${sql([1001, 1002])} ORDER BY product_id`).length);
  let rows = 0;
  await sql`SELECT order_id FROM dwd.orders`.cursor(5000, (part) => { rows += part.length; });
  print("postgres.js cursor", rows);
  await sql.end();

  const builder = knex({ client: "pg", connection: where });
  print("knex count", Number((await builder("dwd.products").count("* as n").where("price_eur", ">", 10))[0].n));
  print("knex table", await builder.schema.withSchema("dwd").hasTable("orders"));
  await builder.destroy();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
