// usage: node habits.js PORT USER DATABASE < FILE, after habits.sql where the server is PostgreSQL: prints a file of recorded statements (tests/FlightServer.Tests/Postgres/recorded/habits.txt) with this server's answers in the place of the recorded ones.
const { Client } = require("pg");
const { readFileSync } = require("fs");

// The value of a json, whatever blanks, order of names and zeros it was written with.
const sorted = (v) => (Array.isArray(v) ? v.map(sorted) : v && typeof v === "object" ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : v);

async function main() {
  const [port, user, database] = process.argv.slice(2);
  const client = new Client({ host: "127.0.0.1", port: Number(port), user, database, types: { getTypeParser: () => (text) => text } });
  await client.connect();
  const names = new Map((await client.query("SELECT oid::text, typname FROM pg_type")).rows.map((row) => [row.oid, row.typname]));
  const name = (field) => (names.get(String(field.dataTypeID)) ?? `${field.dataTypeID}`).replace(/^jsonb$/, "json");
  for (const block of readFileSync(0, "utf8").replace(/(\n;;)?\n$/, "").split("\n;;\n")) {
    const [statement, recorded = ""] = block.split("\n=> ");
    const difference = recorded.indexOf("\n<> ");
    const sql = statement.split("\n").filter((line) => !line.startsWith("# ")).join("\n");
    const answer = await client.query({ text: sql, rowMode: "array" }).then(
      ({ fields, rows }) => [fields.map((f) => `${f.name} ${name(f)}`), ...rows.map((r) => r.map((v, i) => (v === null ? "∅" : name(fields[i]) === "json" ? JSON.stringify(sorted(JSON.parse(v))) : v)))].map((r) => r.join("|")).join("\n"),
      (error) => `ERROR ${error.code}${process.env.MESSAGES ? " " + error.message : ""}`);
    process.stdout.write(`${statement}\n=> ${answer}${difference < 0 ? "" : recorded.slice(difference)}\n;;\n`);
  }
  await client.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
