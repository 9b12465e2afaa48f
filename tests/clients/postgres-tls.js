// usage: node postgres-tls.js PORT USER PASSWORD DATABASE CA: reads over TLS, with SCRAM; without trust in the certificate it must not; one JSON line each.
// The hashes have more iterations than the client takes unless it is told to.
const fs = require("fs");
const { Client } = require("pg");

async function main() {
  const [port, user, password, database, ca] = process.argv.slice(2);
  const read = async (name, ssl, secret) => {
    const client = new Client({ host: "127.0.0.1", port: Number(port), user, password: secret, database, ssl, scramMaxIterations: 0 });
    try {
      await client.connect();
      console.log(JSON.stringify({ name, value: (await client.query("SELECT count(*)::int AS n FROM dwd.products")).rows[0].n }));
    } catch (error) {
      console.log(JSON.stringify({ name, error: error.code || error.message }));
    } finally {
      await client.end().catch(() => {});
    }
  };
  await read("trusted", { ca: fs.readFileSync(ca) }, password);
  await read("not trusted", true, password);
  await read("wrong password", { ca: fs.readFileSync(ca) }, "wrong");
}

main();
