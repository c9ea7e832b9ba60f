// The contract as clients meet it, held to the built service on each kind of store by the same
// tests: two replicas, and every answer the same but for who gave it.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type Answer, get, post, read } from '../support/http.ts';
import { type Server, startServer, waitUntil } from '../support/server.ts';
import { followRoom, type LiveStream, openLive } from '../support/sse.ts';
import { listStoreKinds, type StoreKind, type TestStore } from './stores.ts';

const handMade = Buffer.concat([
  Buffer.from('[2018-02-25 14:00:51] omri: hi everybody!\nby hand\r\n'),
  Buffer.from('caf\xe9 \xff\n', 'latin1'),
  Buffer.from('[2018-02-25 14:00:59] Ö: ↵ 😀\nand no line feed'),
]);
const completeBytes = handMade.lastIndexOf(0x0a) + 1;

/** What each kind said of the same text: it has to be the same for all of them. */
const cursors = new Map<string, string>();

for (const kind of listStoreKinds()) {
  suite(`the service on ${kind.name}`, { skip: kind.skip }, () => testService(kind));
}

function testService(kind: StoreKind): void {
  let testStore: TestStore;
  let one: Server;
  let other: Server;

  before(async () => {
    await kind.start();
    testStore = await kind.make();
    [one, other] = [
      await startServer({ store: testStore.address }),
      await startServer({ store: testStore.address }),
    ];
  });

  after(async () => {
    await Promise.all([one?.stop(), other?.stop()]);
    await kind.stop();
  });

  /** Asks both replicas, and gives their answer where it is one. */
  async function readBoth(room: string, headers: Record<string, string> = {}): Promise<Answer> {
    const answers = [await read(one, room, headers), await read(other, room, headers)];
    const [first, second] = answers.map(({ status, headers, text }) => ({
      status,
      text,
      ...pick(headers, ['etag', 'chat-cursor', 'content-range', 'content-length']),
    }));
    assert.deepEqual(first, second, 'one answer, whatever the replica');
    return answers[0]!;
  }

  test('is ready, says where its rooms are, and shows no password', async () => {
    assert.equal((await get(one, '/-/ready')).status, 200);
    assert.match(one.startLine, kind.name === 'folder' ? /rooms in \// : /rooms in mysql:\/\/127/);
    assert.doesNotMatch(one.startLine, /password|user_/);
  });

  test('a message is its line, with its cursor, and everybody has it', async () => {
    const posted = await post(one, 'a room', { username: ' omri ', message: 'one\r\ntwo' });
    assert.equal(posted.status, 201);
    assert.match(posted.text, /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] omri: one↵two\n$/);
    const all = await readBoth('a room');
    assert.equal(all.text, posted.text);
    assert.equal(all.headers['chat-cursor'], posted.headers['chat-cursor']);
  });

  test('the entity tag is the same everywhere, saves the text, and changes with every message', async () => {
    const tags = new Set<string>();
    for (let n = 0; n < 5; n += 1) {
      const { headers } = await readBoth('tags');
      const tag = headers.etag!;
      tags.add(tag);
      const again = await readBoth('tags', { 'if-none-match': tag });
      assert.deepEqual([again.status, again.text], [304, '']);
      assert.equal((await readBoth('tags', { 'if-match': '"other"' })).status, 412);
      await post(n % 2 ? one : other, 'tags', { username: 'u', message: `${n}` });
      assert.equal((await readBoth('tags', { 'if-none-match': tag })).status, 200);
    }
    assert.equal(tags.size, 5);
  });

  test('a text made by hand is served byte for byte, in whole and in parts, with one cursor', async () => {
    await testStore.plant('by hand', handMade);
    const all = await readBoth('by hand');
    assert.ok(all.body.equals(handMade));
    const cursor = String(all.headers['chat-cursor']);
    assert.ok(cursor.endsWith(`-${completeBytes}`), cursor);
    assert.equal(cursor, cursors.get('by hand') ?? cursor, 'the same on every kind of store');
    cursors.set('by hand', cursor);
    for (const [range, from, to] of [
      ['bytes=0-0', 0, 1],
      ['bytes=5-60', 5, 61],
      ['bytes=-17', handMade.length - 17, handMade.length],
      ['bytes=40-', 40, handMade.length],
      ['bytes=3-9999', 3, handMade.length],
    ] as const) {
      const part = await readBoth('by hand', { range });
      assert.equal(part.status, 206, range);
      assert.ok(part.body.equals(handMade.subarray(from, to)), range);
      const changed = { range, 'if-range': '"other"' };
      assert.equal((await readBoth('by hand', changed)).status, 200, 'If-Range of another text');
    }
    assert.equal((await readBoth('by hand', { range: 'bytes=9999-' })).status, 416);
  });

  test('a stream goes on from any cursor, and begins anew where there is none', async () => {
    const cursorsOf: string[] = ['0'];
    const lines: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      const answer = await post(n % 2 ? one : other, 'live', { username: 'u', message: `né ${n}` });
      cursorsOf.push(String(answer.headers['chat-cursor']));
      lines.push(answer.text);
    }
    for (const [n, lastEventId] of cursorsOf.entries()) {
      const stream = await openLive(n % 2 ? one : other, 'live', { lastEventId });
      await waitForLines(stream, lines.slice(n));
      stream.close();
    }
    const [epoch, end] = cursorsOf.at(-1)!.split('-') as [string, string];
    for (const bad of [`${epoch}-3`, `deadbeef-${end}`, `${epoch}-99999`]) {
      const stream = await openLive(one, 'live', { lastEventId: bad });
      await stream.waitFor('a reset', ({ type }) => type === 'reset');
      await waitForLines(stream, lines);
      stream.close();
      const path = `/chat/live?follow&since=${bad}`;
      assert.equal((await get(one, path)).status, 410);
    }
    assert.equal((await get(one, '/chat/live?follow&since=x')).status, 400);
  });

  test('live readers on both replicas hear everything, once and in order', async () => {
    const readers = [followRoom(one, 'heard'), followRoom(other, 'heard')];
    let text = '';
    for (let n = 0; n < 30; n += 1) {
      text += (await post(n % 2 ? one : other, 'heard', { username: 'u', message: `${n}` })).text;
    }
    for (const reader of readers) {
      await reader.waitForText(text);
      assert.deepEqual(reader.failures, []);
      assert.equal(reader.resetCount, 0);
      await reader.stop();
    }
  });

  test('what was stored is counted', async () => {
    await post(one, 'counted', { username: 'u', message: 'x' });
    const { text } = await get(one, '/-/metrics');
    assert.match(text, /^chat_messages_stored_total [1-9]/m);
    assert.match(text, /^chat_batch_messages_count [1-9]/m);
    assert.match(text, /^chat_fsync_seconds_count [1-9]/m);
    assert.match(text, /^chat_lock_wait_seconds_count [1-9]/m);
  });
}

async function waitForLines(stream: LiveStream, lines: readonly string[]): Promise<void> {
  const heard = () =>
    stream.events.filter(({ type }) => type === 'message').map(({ data }) => `${data}\n`);
  await waitUntil('a stream with its lines', () => heard().length >= lines.length);
  assert.deepEqual(heard(), lines);
}

function pick(headers: Record<string, unknown>, names: string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, headers[name]]));
}
