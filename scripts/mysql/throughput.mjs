// node scripts/mysql/throughput.mjs: durable POSTs a second, 64 clients on one room, on a folder and on real databases,
// and beside them single INSERTs, one after another, on the same server. The rounds alternate, because machines are
// noisy: only ratios within one run mean anything. Needs the servers of scripts/mysql/servers.sh. Prints a Markdown table.
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mysql from 'mysql2/promise';
import { build } from '../build.mjs';
import { compileTests, installPackages } from '../lib.mjs';

const clientCount = 64;
const roundMs = Number(process.env.ROUND_MS || 4000);
const roundCount = Number(process.env.ROUNDS || 5);

installPackages();
build();
compileTests();
const built = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '.build', 'test');
const { startDatabase } = await import(join(built, 'mysql', 'database.js'));
const { startServer } = await import(join(built, 'support', 'server.js'));
const { engines, findEngineRoot } = await import(join(built, 'support', 'databases.js'));

console.log('| store | POSTs/s | of the folder | of the bare INSERTs |\n|---|---|---|---|');
const folder = await startServer();
for (const engine of engines) {
  if (findEngineRoot(engine) !== undefined) await compare(engine);
}
await folder.stop();

async function compare(engine) {
  const database = await startDatabase(engine);
  const server = await startServer({ store: await database.makeStore() });
  const bare = await openBareTable(database);
  const rates = { folder: [], service: [], bare: [] };
  for (let round = 0; round <= roundCount; round += 1) {
    const now = {
      folder: await postAll(folder.port),
      service: await postAll(server.port),
      bare: await insertAlone(bare),
    };
    // The first round only warms up.
    if (round > 0) for (const name of Object.keys(rates)) rates[name].push(now[name]);
  }
  const [inFolder, inService, alone] = Object.values(rates).map(toMedian);
  console.log(`| folder | ${Math.round(inFolder)} | 1 | |`);
  const shares = `${(inService / inFolder).toFixed(2)} | ${(inService / alone).toFixed(1)}`;
  console.log(`| ${engine} ${database.version} | ${Math.round(inService)} | ${shares} |`);
  console.log(`| bare INSERTs, one after another, ${engine} | ${Math.round(alone)} | | 1 |`);
  await bare.end();
  await server.stop();
  await database.remove();
}

/** Runs clients that each send the next message when the last one is acknowledged. */
async function postAll(port) {
  const body = 'username=bench&message=a+message+of+middling+length%2C+as+people+write+them';
  const head = `POST /chat/bench HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n`;
  const type = 'Content-Type: application/x-www-form-urlencoded\r\n\r\n';
  const request = Buffer.from(head + type + body);
  const endMs = performance.now() + roundMs;
  const counts = await Promise.all(
    Array.from({ length: clientCount }, () => runClient(port, request, endMs)),
  );
  return (counts.reduce((sum, count) => sum + count, 0) / roundMs) * 1000;
}

function runClient(port, request, endMs) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    let count = 0;
    let text = '';
    socket.setNoDelay(true);
    socket.on('error', reject);
    socket.on('close', () => resolve(count));
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (text.length < end + 4 + length) return;
      if (!text.startsWith('HTTP/1.1 201 ')) reject(new Error(text));
      text = '';
      if (performance.now() >= endMs) return void socket.end();
      count += 1;
      socket.write(request);
    });
  });
}

async function openBareTable(database) {
  const {
    hostname: host,
    port,
    username: user,
    password,
    pathname,
  } = new URL(await database.makeStore());
  const options = { host, port: Number(port), user, password: decodeURIComponent(password) };
  const connection = await mysql.createConnection({ ...options, database: pathname.slice(1) });
  await connection.query(
    'CREATE TABLE bare (id BIGINT AUTO_INCREMENT PRIMARY KEY, at DATETIME, username VARCHAR(64), message VARCHAR(4000))',
  );
  return connection;
}

/** Inserts one row after another, each with its own commit. */
async function insertAlone(connection) {
  const sql = 'INSERT INTO bare (at, username, message) VALUES (NOW(), ?, ?)';
  const values = ['bench', 'a message of middling length, as people write them'];
  const endMs = performance.now() + roundMs;
  let count = 0;
  for (; performance.now() < endMs; count += 1) await connection.query(sql, values);
  return (count / roundMs) * 1000;
}

function toMedian(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
