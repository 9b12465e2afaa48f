// usage: node query.js PORT FOLDER < requests: runs each request ({name, sql}, one JSON a line) by a Flight SQL client written in Rust and writes its answer, an
// Arrow IPC file, to FOLDER/name.arrow; prints a line {name, error} for each request that failed.
const { createFlightSqlClient } = require("@lakehouse-rs/flight-sql-client");
const fs = require("node:fs");
const path = require("node:path");

async function main() {
  const [port, folder] = process.argv.slice(2);
  const client = await createFlightSqlClient({ headers: [], tls: false, host: "127.0.0.1", port: Number(port) });
  for (const line of fs.readFileSync(0, "utf8").split("\n").filter((text) => text.length > 0)) {
    const { name, sql } = JSON.parse(line);
    try {
      fs.writeFileSync(path.join(folder, `${name}.arrow`), await client.query(sql));
    } catch (error) {
      console.log(JSON.stringify({ name, error: String(error) }));
    }
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
