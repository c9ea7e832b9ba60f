// migrate copies every room either way, byte for byte, with the same cursors.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { toFileStem } from '../../lib/room/name.ts';
import { engines } from '../support/databases.ts';
import { get, post, read } from '../support/http.ts';
import { need } from '../support/need.ts';
import { makeTempFolder, projectFolder } from '../support/paths.ts';
import {
  type Exit,
  type Server,
  type ServerProcess,
  spawnServer,
  startServer,
  waitUntil,
  withDeadline,
} from '../support/server.ts';
import { openLive } from '../support/sse.ts';
import { type Database, startDatabase, storePassword } from './database.ts';

for (const engine of engines) {
  suite(`migrate, ${engine}`, { skip: need(engine) }, () => {
    let database: Database;
    before(async () => {
      database = await startDatabase(engine);
    });
    after(() => database?.remove());

    test('folder → database → folder gives the same bytes and the same cursors', async () => {
      const first = makeRooms();
      const address = await database.makeStore();
      const last = makeTempFolder('rooms');
      const original = await observe(first);
      await migrate(first, address);
      assert.deepEqual(await observe(address, [...original.keys()]), original);
      const copied = await migrate(address, last);
      assert.match(copied, /\d{7,} bytes were copied/);
      assert.deepEqual(await observe(last), original);
      assert.deepEqual(hashFiles(last), hashFiles(first));
      assert.match(await migrate(first, address), / 0 bytes were copied/);
      assert.match(await migrate(address, last), / 0 bytes were copied/);
    });

    test('messages after the move join the same room, and move back', async () => {
      const first = makeRooms();
      const address = await database.makeStore();
      await migrate(first, address);
      const server = await startServer({ store: address });
      for (const room of listRooms(first)) {
        const answer = await post(server, room, { username: 'u', message: 'after the move' });
        assert.equal(answer.status, 201);
      }
      const now = await observe(address, listRooms(first), server);
      await server.stop();
      await migrate(address, first);
      assert.deepEqual(await observe(first), now);
    });

    test('a live reader resumes at its cursor', async () => {
      const folder = makeTempFolder('rooms');
      const address = await database.makeStore();
      const before = await startServer({ store: folder });
      for (let n = 0; n < 10; n += 1) {
        await post(before, 'live', { username: 'u', message: `before ${n}` });
      }
      const old = await openLive(before, 'live', {});
      const { lastEventId: cursor } = await old.waitFor('before 6', ({ data }) =>
        /before 6/.test(data),
      );
      old.close();
      await before.stop();
      await migrate(folder, address);
      const server = await startServer({ store: address });
      const live = await openLive(server, 'live', { lastEventId: cursor });
      await post(server, 'live', { username: 'u', message: 'after 0' });
      await live.waitFor('after 0', ({ data }) => /after 0/.test(data));
      const expected = ['before 7', 'before 8', 'before 9', 'after 0'];
      assert.deepEqual(
        live.events.filter(({ type }) => type === 'message').map(({ data }) => data.split(': ')[1]),
        expected,
      );
      assert.ok(!live.events.some(({ type }) => type === 'reset'));
      live.close();
      await server.stop();
    });

    test('a copy that is killed can be resumed, and each byte is there once', async () => {
      const folder = makeTempFolder('rooms');
      const line = '[2018-02-25 14:00:51] omri: some words of no great interest\n';
      writeFileSync(join(folder, 'long.txt'), line.repeat(100_000));
      const address = await database.makeStore();
      let kills = 0;
      for (const killAfterPercent of [10, 30, 60]) {
        const copy = spawnMigrate(folder, address);
        const percent = new RegExp(`^chat: ${killAfterPercent} %`);
        const isThere = () => copy.stderr.some((text) => percent.test(text));
        await waitUntil(
          'a copy that came so far',
          () => isThere() || copy.child.exitCode !== null,
          120_000,
        );
        if (copy.child.exitCode === null) kills += 1;
        await copy.kill();
      }
      assert.ok(kills > 0, 'at least one copy was killed before its end');
      await migrate(folder, address);
      const back = makeTempFolder('rooms');
      await migrate(address, back);
      assert.deepEqual(hashFiles(back), hashFiles(folder));
    });

    test('a room of the target with another text is left alone, and the others are copied', async () => {
      const folder = makeTempFolder('rooms');
      writeFileSync(join(folder, 'same.txt'), 'one\ntwo\n');
      writeFileSync(join(folder, 'other.txt'), 'one\ntwo\n');
      const address = await database.makeStore();
      await migrate(folder, address);
      writeFileSync(join(folder, 'other.txt'), 'one\nTWO\nthree\n');
      writeFileSync(join(folder, 'shorter.txt'), 'one\n');
      writeFileSync(join(folder, 'same.txt'), 'one\ntwo\nthree\n');
      const copy = spawnMigrate(folder, address);
      assert.deepEqual(await end(copy), { code: 1, signal: null });
      assert.match(copy.stdout.join('\n'), /left the target's room "other"/);
      const rooms = await observe(address, ['same', 'other', 'shorter']);
      assert.equal(rooms.get('same')?.text, 'one\ntwo\nthree\n');
      assert.equal(rooms.get('other')?.text, 'one\ntwo\n');
      assert.equal(rooms.get('shorter')?.text, 'one\n');
      writeFileSync(join(folder, 'other.txt'), 'one\n');
      const shorter = spawnMigrate(folder, address);
      assert.equal((await end(shorter)).code, 1, 'a target that is longer');
    });

    test('each message is a row with its room, time, username and message', async () => {
      const folder = makeTempFolder('rooms');
      const text =
        '[2018-02-25 14:00:51] omri: hi everybody!\nby hand\r\n[2018-02-25 14:00:59] Ö: ↵ 😀\n';
      writeFileSync(join(folder, `${toFileStem('Ünï')}.txt`), text);
      const address = await database.makeStore();
      await migrate(folder, address);
      const sql = 'SELECT room, end_offset, at, username, message, raw FROM messages';
      const rows = await database.run(`${sql} ORDER BY room, end_offset`, address);
      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [
          toRow(42, '2018-02-25 14:00:51', 'omri', 'hi everybody!'),
          { ...toRow(51, null, null, null), raw: Buffer.from('by hand\r\n') },
          toRow(86, '2018-02-25 14:00:59', 'Ö', '↵ 😀'),
        ],
      );
      const named = "SELECT message FROM messages WHERE room = 'Ünï' AND username = 'omri'";
      assert.equal((await database.run(named, address)).length, 1);
    });

    test('the password may come from a file, and is never shown', async () => {
      const folder = makeTempFolder('rooms');
      writeFileSync(join(folder, 'a.txt'), 'one\n');
      const address = new URL(await database.makeStore());
      address.password = '';
      const file = join(makeTempFolder('secret'), 'password');
      writeFileSync(file, `${storePassword}\n`);
      const env = { CHAT_STORE_PASSWORD_FILE: file };
      const copy = spawnServer({ args: ['migrate', folder, address.href], env });
      assert.deepEqual(await end(copy), { code: 0, signal: null }, copy.stderr.join('\n'));
      const server = await startServer({ store: address.href, env });
      assert.equal((await read(server, 'a')).text, 'one\n');
      const shown = [copy, server]
        .flatMap(({ stdout, stderr }) => [...stdout, ...stderr])
        .join('\n');
      assert.doesNotMatch(shown, /test password/);
      await server.stop();
      writeFileSync(file, 'wrong');
      const denied = spawnServer({ args: ['migrate', folder, address.href], env });
      assert.equal((await end(denied)).code, 1);
    });
  });
}

test('mysql:// without the package is one line that says what to install, and exit code 2', async () => {
  const folder = makeTempFolder('bare');
  for (const name of ['dist', 'static', 'package.json']) {
    cpSync(join(projectFolder, name), join(folder, name), { recursive: true });
  }
  const script = join(folder, 'dist', 'server.js');
  const bare = spawnServer({ script, store: 'mysql://u:s3cret@127.0.0.1/chat' });
  assert.deepEqual(await end(bare), { code: 2, signal: null });
  assert.equal(bare.stderr.length, 1, bare.stderr.join('\n'));
  assert.match(bare.stderr[0]!, /npm install mysql2/);
  assert.doesNotMatch(bare.stderr[0]!, /s3cret/);
  const served = await startServer({ script });
  assert.equal((await get(served, '/-/ready')).status, 200, 'a folder needs no package');
  await served.stop();
});

test('what only serving needs may be wrong: a copy does not read it', async () => {
  const env = {
    PORT: 'http',
    HOST: '999.1.1.1',
    TZ: 'Mars/Olympus',
    CHAT_STORE: 'postgres://host/db',
    CHAT_STATIC: join(makeTempFolder('none'), 'missing'),
    CHAT_STORE_PASSWORD_FILE: join(makeTempFolder('none'), 'missing'),
    CHAT_SERVER_NAME: 'two\nlines',
    CHAT_DURABILITY: 'tape',
  };
  const [from, to] = [makeRooms(), makeTempFolder('rooms')];
  const copy = spawnServer({ args: ['migrate', from, to], env });
  assert.deepEqual(await end(copy), { code: 0, signal: null }, copy.stderr.join('\n'));
  assert.deepEqual(hashFiles(to), hashFiles(from));
});

test('stores that can’t be copied are refused with one line and exit code 2', async () => {
  const folder = makeTempFolder('rooms');
  const bad: string[][] = [
    ['migrate'],
    ['migrate', folder],
    ['migrate', folder, folder],
    ['migrate', join(folder, 'none'), makeTempFolder('rooms')],
    ['migrate', folder, 'mysql://'],
    ['migrate', 'mysql://u:s3cret@host', folder],
    ['migrate', folder, 'mysql://u:s3cret@host/chat?ssl=1'],
    ['migrate', folder, 'postgres://u:s3cret@host/chat'],
  ];
  for (const args of bad) {
    const process = spawnServer({ args });
    assert.equal((await end(process)).code, 2, args.join(' '));
    assert.equal(process.stderr.length, 1, process.stderr.join('\n'));
    assert.doesNotMatch(process.stderr[0]!, /s3cret/);
  }
});

function toRow(offset: number, at: unknown, username: unknown, message: unknown) {
  return { room: 'Ünï', end_offset: offset, at, username, message, raw: null };
}

/** Makes a folder of rooms as people and the service make them. */
function makeRooms(): string {
  const folder = makeTempFolder('rooms');
  const line = (n: number) => `[2018-02-25 14:00:51] omri: ${n} ${'é😀'.repeat(n % 90)}\n`;
  const lines = Array.from({ length: 9000 }, (_, n) => line(n)).join('');
  const rooms: [string, string | Buffer][] = [
    ['general', lines],
    ['empty', ''],
    ['Second Room', '[2018-02-25 14:00:51] omri: hi\n'],
    ['no final line feed', '[2018-02-25 14:00:51] omri: hi\nand more'],
    ['one line only', 'x'],
    ['crlf', 'one\r\ntwo\r\n'],
    ['not utf-8', Buffer.from('caf\xe9\n[2018-02-25 14:00:51] \xff: \xfe\n', 'latin1')],
    ['random', makeNoise(2_500_000)],
    ['one long line', `${'x'.repeat(3_000_000)}\nend\n`],
    ['looks like messages', '[2018-13-45 99:00:51] a: b\n[2018-02-25 14:00:51] a:: b\n[x] a: b\n'],
  ];
  for (const [room, bytes] of rooms) writeFileSync(join(folder, `${toFileStem(room)}.txt`), bytes);
  mkdirSync(join(folder, 'a folder.txt'));
  return folder;
}

/** Makes bytes that look random and are the same every time. */
function makeNoise(lengthBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let n = 0; n * 64 < lengthBytes; n += 1)
    parts.push(createHash('sha512').update(`${n}`).digest());
  return Buffer.concat(parts).subarray(0, lengthBytes);
}

function spawnMigrate(from: string, to: string) {
  return spawnServer({ args: ['migrate', from, to] });
}

function end(process: ServerProcess): Promise<Exit> {
  return withDeadline(process.exited, 120_000, () => process.stderr.join('\n'));
}

async function migrate(from: string, to: string): Promise<string> {
  const copy = spawnMigrate(from, to);
  const exit = await end(copy);
  assert.deepEqual(exit, { code: 0, signal: null }, copy.stderr.join('\n'));
  return copy.stdout.join('\n');
}

interface Observed {
  hash: string;
  cursor: unknown;
  text: string | undefined;
}

/** What clients see of each room: its bytes and its cursor. */
async function observe(store: string, rooms = listRooms(store), own?: Server) {
  const server = own ?? (await startServer({ store }));
  const seen = new Map<string, Observed>();
  for (const room of rooms) {
    const { status, body, headers } = await read(server, room);
    assert.equal(status, 200);
    const hash = toHash(body);
    const text = body.length < 100 ? body.toString() : undefined;
    seen.set(room, { hash, cursor: headers['chat-cursor'], text });
  }
  if (!own) await server.stop();
  return seen;
}

function listRooms(folder: string): string[] {
  return Object.keys(hashFiles(folder)).map((name) =>
    decodeURIComponent(name.replace(/\.txt$/, '')),
  );
}

function hashFiles(folder: string): Record<string, string> {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map(({ name }) => name).sort();
  return Object.fromEntries(names.map((name) => [name, toHash(readFileSync(join(folder, name)))]));
}

function toHash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
