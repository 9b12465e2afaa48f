// ClickHouse in this process: takes lines of {"sql", "keep"} and answers each with a line of {"ms", "rows"} or {"error"}. Times itself.
import { createInterface } from 'node:readline';
import { Session } from 'chdb';

const session = new Session();
for await (const line of createInterface({ input: process.stdin })) {
  const { sql, keep } = JSON.parse(line);
  let answer;
  try {
    const start = process.hrtime.bigint();
    const text = session.query(sql, keep ? 'JSONCompactStringsEachRow' : 'Native');
    const ms = Number(process.hrtime.bigint() - start) / 1e6;
    answer = { ms, rows: keep ? text.split('\n').filter((row) => row).map((row) => JSON.parse(row)) : [] };
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
session.cleanup();
