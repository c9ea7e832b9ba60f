// A room of any size is served in bounded memory, to slow readers as well (contract §5).
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { openWire, post, read } from '../../support/http.ts';
import { need } from '../../support/need.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { pause, type Server, startServer } from '../../support/server.ts';

const mebibyte = 1_048_576;
const roomBytes = 500 * mebibyte;
const growthBytes = 48 * mebibyte;

let server: Server;
let path: string;
let wholeHash: string;

const skip = need('linux');

before(async () => {
  if (skip) return;
  const store = makeTempFolder('big');
  path = join(store, 'big.txt');
  wholeHash = writeRoom(path);
  server = await startServer({ store });
  // What any process needs for its first requests is no growth by a room.
  for (let n = 0; n < 200; n += 1) await post(server, 'small', { username: 'a', message: `${n}` });
  await read(server, 'small');
  await read(server, 'big', { range: 'bytes=-65536' });
});

/** Writes 500 MiB of lines, no two of them alike, and gives their hash. */
function writeRoom(target: string): string {
  const hash = createHash('sha256');
  const file = openSync(target, 'w');
  const filling = 'lorem ipsum dolor sit amet '.repeat(30);
  let sizeBytes = 0;
  for (let block = 0; sizeBytes < roomBytes; block += 1) {
    let text = '';
    for (let n = 0; text.length < mebibyte; n += 1) {
      text += `[2018-02-25 14:00:51] omri: ${block}/${n} ${filling.slice(n % 400)}\n`;
    }
    sizeBytes += writeSync(file, text);
    hash.update(text);
  }
  closeSync(file);
  return hash.digest('hex');
}

/** Runs a load and gives by how much the server's resident memory grew at its highest. */
async function measureGrowth(load: () => Promise<void>): Promise<number> {
  const status = () => readFileSync(`/proc/${server.pid}/status`, 'utf8');
  const readKib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status())![1]);
  await pause(300);
  // Sets the high-water mark back to what is resident now (proc(5)).
  writeFileSync(`/proc/${server.pid}/clear_refs`, '5');
  const beforeKib = readKib('VmRSS');
  await load();
  const growth = (readKib('VmHWM') - beforeKib) * 1024;
  assert.ok(growth < growthBytes, `grew by ${(growth / mebibyte).toFixed(1)} MiB`);
  return growth;
}

function openBig(headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: server.port,
      path: '/chat/big',
      headers,
      agent: false,
    };
    request(options, resolve).on('error', reject).end();
  });
}

async function hashOf(stream: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

suite('a room of 500 MB grows the server by less than 48 MB', { skip }, () => {
  test('read as a whole, byte for byte', async (t) => {
    const growth = await measureGrowth(async () => {
      const answer = await openBig();
      assert.equal(answer.headers['content-length'], String(statSync(path).size));
      assert.equal(await hashOf(answer), wholeHash);
    });
    t.diagnostic(`grew by ${(growth / mebibyte).toFixed(1)} MiB`);
  });

  test('read by four at once', async (t) => {
    const growth = await measureGrowth(async () => {
      const readers = [0, 1, 2, 3].map(async () => hashOf(await openBig()));
      assert.deepEqual(new Set(await Promise.all(readers)), new Set([wholeHash]));
    });
    t.diagnostic(`grew by ${(growth / mebibyte).toFixed(1)} MiB`);
  });

  test('read slowly by many', async (t) => {
    const growth = await measureGrowth(async () => {
      const wires = await Promise.all(Array.from({ length: 20 }, () => openWire(server)));
      for (const wire of wires) {
        wire.socket.pause();
        wire.send('GET /chat/big HTTP/1.1\r\nHost: a\r\n\r\n');
      }
      for (let n = 0; n < 60; n += 1) {
        await pause(50);
        for (const { socket } of wires) socket.read(65_536);
      }
      for (const wire of wires) wire.close();
    });
    t.diagnostic(`grew by ${(growth / mebibyte).toFixed(1)} MiB`);
  });

  test('read in parts of every size', async () => {
    const size = statSync(path).size;
    const file = openSync(path, 'r');
    const slice = (from: number, to: number) => {
      const bytes = Buffer.alloc(to - from);
      readSync(file, bytes, 0, bytes.length, from);
      return createHash('sha256').update(bytes).digest('hex');
    };
    await measureGrowth(async () => {
      const parts: [range: string, from: number, to: number][] = [
        ['bytes=-65536', size - 65_536, size],
        ['bytes=0-0', 0, 1],
        [`bytes=${size - 1}-`, size - 1, size],
        [`bytes=1000-${100 * mebibyte}`, 1000, 100 * mebibyte + 1],
        [`bytes=${size - 50 * mebibyte}-`, size - 50 * mebibyte, size],
      ];
      for (const [range, from, to] of parts) {
        const answer = await openBig({ range });
        assert.equal(answer.statusCode, 206, range);
        assert.equal(answer.headers['content-range'], `bytes ${from}-${to - 1}/${size}`);
        assert.equal(await hashOf(answer), slice(from, to), range);
      }
    });
    closeSync(file);
  });

  test('polled, posted to, and posted to while it is being read', async () => {
    await measureGrowth(async () => {
      const sizeBefore = statSync(path).size;
      const slow = await openBig();
      slow.pause();
      const { status, body, headers } = await post(server, 'big', { username: 'a', message: 'm' });
      assert.equal(status, 201);
      assert.match(String(headers['chat-cursor']), new RegExp(`-${sizeBefore + body.length}$`));
      const news = await read(server, 'big', { range: `bytes=${sizeBefore}-` });
      assert.equal(news.text, body.toString());
      const tag = news.headers.etag!;
      for (let n = 0; n < 100; n += 1) {
        assert.equal((await read(server, 'big', { 'if-none-match': tag })).status, 304);
      }
      // The slow one gets what its head promised: the room as it was.
      assert.equal(slow.headers['content-length'], String(sizeBefore));
      assert.equal(await hashOf(slow), wholeHash);
    });
  });

  test('with one reader cut off in the middle, and the server goes on', async () => {
    await measureGrowth(async () => {
      for (let n = 0; n < 10; n += 1) {
        const answer = await openBig();
        await new Promise((resolve) => answer.once('data', resolve));
        answer.destroy();
      }
    });
    assert.equal((await read(server, 'small')).status, 200);
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    assert.deepEqual(server.stderr, []);
  });
});
