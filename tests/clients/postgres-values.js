// usage: node postgres-values.js PORT USER DATABASE: sends values of every type as texts, with and without a prepared statement, and prints the texts that come back, one JSON line each.
const { Client } = require("pg");

const VALUES = [
  ["int2", "-32768", "32767"], ["int4", "-2147483648", " 7 "], ["int8", "-9223372036854775808", "9223372036854775807"],
  ["float4", "0.1", "NaN", "-Infinity", "1e10"], ["float8", "0.1", "1e-300", "-0", "Infinity"], ["numeric(12,4)", "-0.0001", "12345678.9"],
  ["bool", "t", "off", "1", "true"], ["text", "", "it's \"q\" \\ {}, NULL", "ä€𝄞\n\t"], ["varchar", "x "], ["bytea", "\\x00ff5c78", "\\x", "abc"],
  ["date", "0001-01-01", "1969-12-31", "2024-02-29 10:00:00", "9999-12-31"], ["time", "00:00", "23:59:59.999999"],
  ["timestamp", "2024-02-29 23:59:59.999999", "1969-12-31T23:59:59", "2024-01-01"], ["timestamptz", "2024-02-29 23:59:59.5+02", "2024-01-01T00:00:00Z", "1969-12-31 12:00-08:30"],
  ["interval", "1 year 2 mons -3 days 04:05:06.7", "-00:00:00.000001", "90 minutes"], ["uuid", "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF", "{00000000-0000-0000-0000-000000000007}"],
  ["json", "{\"a\": [1, null]}", "[]"],
  ["int4[]", "{}", "{1,NULL,-3}"], ["text[]", "{a,\"b,c\",\"\",NULL,\"NULL\",\"q\\\"\\\\\"}"], ["bool[]", "{t,f,NULL}"], ["float8[]", "{0.1,NaN}"], ["date[]", "{2024-01-02,NULL}"],
  ["timestamp[]", "{\"2024-01-02 03:04:05\"}"], ["uuid[]", "{00000000-0000-0000-0000-000000000007}"], ["numeric(6,2)[]", "{1.5,-2.25}"], ["int8[]", "{9223372036854775807}"],
];

async function main() {
  const [port, user, database] = process.argv.slice(2);
  const client = new Client({ host: "127.0.0.1", port: Number(port), user, database, types: { getTypeParser: () => (text) => text } });
  await client.connect();
  for (const [type, ...values] of VALUES) {
    for (const value of [...values, null]) {
      for (const name of [undefined, `p ${type}`]) {
        const answer = await client.query({ name, text: `SELECT $1::${type} AS v`, values: [value] }).then(
          (result) => [result.fields[0].dataTypeID, result.rows[0].v], (error) => error.code);
        console.log(JSON.stringify([type, value, answer]));
      }
    }
  }
  await client.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
