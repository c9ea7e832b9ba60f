// What every store promises (lib/store/store.ts), held to it on each kind of store by the same
// tests. Two stores on one address are two replicas.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { findPart } from '../../lib/room/line-reader.ts';
import { formatLine, parseLine } from '../../lib/room/message.ts';
import type { Snapshot, Store } from '../../lib/store/store.ts';
import { pause, waitUntil } from '../support/server.ts';
import { testRepeats } from './repeats.ts';
import { listStoreKinds, openStore, type StoreKind, type TestStore } from './stores.ts';

const LF = 0x0a;

/** Texts that people make with an editor, none of which a store may change or trip over. */
const handMade: [name: string, bytes: Buffer][] = [
  ['no final line feed', Buffer.from('[2018-02-25 14:00:51] omri: hi\nand more')],
  ['one line without its line feed', Buffer.from('hello')],
  ['CR LF', Buffer.from('one\r\ntwo\r\n')],
  ['invalid UTF-8', Buffer.concat([Buffer.of(0xff, 0xfe, 0x80, LF), Buffer.from('ok\n')])],
  [
    'a message with invalid UTF-8',
    Buffer.from('[2018-02-25 14:00:51] omri: \xe9t\xe9\n', 'latin1'),
  ],
  ['a message on a day that never was', Buffer.from('[2018-02-30 14:00:51] omri: hi\n')],
  ['a message in the year 17', Buffer.from('[0017-02-03 14:00:51] omri: hi\n')],
  ['a NUL, a lone CR and a tab', Buffer.from('a\0b\rc\td\n')],
  ['empty lines', Buffer.from('\n\n\n')],
  ['a byte order mark', Buffer.from('\ufeff[2018-02-25 14:00:51] omri: hi\n')],
  ['lines longer than a row', Buffer.from(`${'x'.repeat(200_000)}\n${'y'.repeat(70_000)}`)],
];

for (const kind of listStoreKinds()) {
  suite(`a store on ${kind.name}`, { skip: kind.skip }, () => testStore(kind));
}

function testStore(kind: StoreKind): void {
  let testStore: TestStore;
  let one: Store;
  let other: Store;

  before(async () => {
    await kind.start();
    testStore = await kind.make();
    [one, other] = [await openStore(testStore.address), await openStore(testStore.address)];
  });

  after(async () => {
    await Promise.all([one?.close(), other?.close()]);
    await kind.stop();
  });

  test('takes writes, and says so', async () => {
    await one.check();
    await other.check();
  });

  test('shows no password', () => {
    assert.doesNotMatch(one.description, /password|@/);
  });

  test('a room without messages is an empty one', async () => {
    const snapshot = await one.snapshot('empty');
    assert.deepEqual(
      [snapshot.sizeBytes, snapshot.completeBytes, snapshot.epoch, snapshot.isSettled],
      [0, 0, '00000000', true],
    );
    assert.equal(snapshot.etag, await other.etag('empty'));
    assert.equal((await readAll(snapshot)).length, 0);
  });

  test('a message is its line, and the other replica has it at once', async () => {
    const entry = { username: 'omri', message: 'hi everybody!' };
    for (let n = 0; n < 20; n += 1) {
      const [writer, reader] = n % 2 === 0 ? [one, other] : [other, one];
      const before = await reader.snapshot('talk');
      const { line, cursor } = await writer.append('talk', entry);
      assert.equal(line, formatLine(parseLine(line)!.time, entry));
      const snapshot = await reader.snapshot('talk');
      assert.equal(snapshot.sizeBytes, before.sizeBytes + Buffer.byteLength(line));
      assert.equal(cursor, `${snapshot.epoch}-${snapshot.sizeBytes}`);
      assert.equal(snapshot.completeBytes, snapshot.sizeBytes);
      assert.notEqual(snapshot.etag, before.etag);
      assert.equal(await writer.etag('talk'), snapshot.etag);
      assert.ok((await readAll(snapshot)).toString().endsWith(line));
      // A snapshot does not change any more.
      const again = await readAll(before);
      assert.ok((await readAll(snapshot)).subarray(0, again.length).equals(again));
    }
  });

  test('whatever a message holds comes back byte for byte', async () => {
    const messages = [
      `'; DROP TABLE rooms; -- " \\ \\' \\n ? ?? :name %s $1 \``,
      'a\tb\u00a0c \ufffd \ufeff \u200b',
      '\u{1f600}'.repeat(4000),
      'e\u0301 é ß SS ﬁ I İ ı',
      'trailing space ',
      '\u21b5\u21b5',
      '\uffff\ufffe\u{10ffff}',
    ];
    let text = '';
    for (const message of messages) {
      const username = message === messages[2] ? '\u{1f600}'.repeat(64) : 'Ö "q" \\';
      text += (await one.append('bytes', { username, message })).line;
    }
    assert.deepEqual(
      text
        .trimEnd()
        .split('\n')
        .map((line) => parseLine(line)?.message),
      messages,
    );
    assert.equal((await readAll(await other.snapshot('bytes'))).toString(), text);
    const fresh = await openStore(testStore.address);
    assert.equal((await readAll(await fresh.snapshot('bytes'))).toString(), text);
    await fresh.close();
  });

  test('names that look alike are rooms of their own', async () => {
    const names = [
      'a',
      'A',
      'a ',
      'á',
      'a\u0301',
      'ss',
      'ß',
      'ﬁ',
      'fi',
      '%',
      '\\',
      "'",
      '😀',
      '😁',
    ];
    names.push('x'.repeat(99), 'x'.repeat(100), 'general', 'general\u00a0');
    for (const name of names) await one.append(name, { username: 'u', message: `in ${name}.` });
    for (const name of names) {
      const text = (await readAll(await other.snapshot(name))).toString();
      assert.equal(parseLine(text)?.message, `in ${name}.`, JSON.stringify(name));
    }
  });

  test('any part of a room can be read', async () => {
    const lines: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      lines.push((await one.append('parts', { username: 'u', message: `né ${n}` })).line);
    }
    const text = Buffer.from(lines.join(''));
    const fresh = await openStore(testStore.address);
    const snapshot = await fresh.snapshot('parts');
    for (let from = 0; from <= text.length; from += 1) {
      for (let to = from; to <= text.length; to += 7) {
        assert.ok(
          (await readPart(snapshot, from, to)).equals(text.subarray(from, to)),
          `${from}-${to}`,
        );
      }
    }
    await fresh.close();
  });

  test('a large room is read in chunks of bounded size', async () => {
    const line = '[2018-02-25 14:00:51] omri: ';
    const parts: string[] = [];
    for (let n = 0; n < 4000; n += 1) parts.push(`${line}${n} ${'é'.repeat(n % 700)}\n`);
    const text = Buffer.from(parts.join(''));
    await testStore.plant('large', text);
    const snapshot = await one.snapshot('large');
    assert.equal(snapshot.sizeBytes, text.length);
    assert.ok(snapshot.tail.length <= 64 << 10, `${snapshot.tail.length} bytes in memory`);
    const pieces: Buffer[] = [];
    for await (const chunk of snapshot.read(0, snapshot.sizeBytes)) {
      assert.ok(chunk.length <= 384 << 10, `a chunk of ${chunk.length} bytes`);
      pieces.push(Buffer.from(chunk));
    }
    assert.ok(Buffer.concat(pieces).equals(text));
    for (let from = 0; from < text.length; from += 99_991) {
      const to = Math.min(text.length, from + 150_001);
      assert.ok(
        (await readPart(snapshot, from, to)).equals(text.subarray(from, to)),
        `${from}-${to}`,
      );
    }
  });

  test('messages of many come in one order, one after another, with the cursors that were given', async () => {
    const writers = Array.from({ length: 12 }, (_, n) => n);
    const given: { line: string; cursor: string }[] = [];
    const seen: Buffer[] = [];
    let isDone = false;
    const reading = (async () => {
      for (let n = 0; !isDone; n += 1) {
        await pause(1);
        seen.push(Buffer.from(await readAll(await (n % 2 ? one : other).snapshot('crowd'))));
      }
    })();
    await Promise.all(
      writers.map(async (writer) => {
        for (let n = 0; n < 40; n += 1) {
          const entry = { username: `w${writer}`, message: `${n} ${'é'.repeat(n)}` };
          given.push(await ((writer + n) % 2 ? one : other).append('crowd', entry));
        }
      }),
    );
    isDone = true;
    await reading;
    const snapshot = await one.snapshot('crowd');
    const text = await readAll(snapshot);
    assert.ok(text.equals(await readAll(await other.snapshot('crowd'))));
    const offsets = new Map<string, string>();
    let offset = 0;
    for (const line of text.toString().split('\n').slice(0, -1)) {
      offset += Buffer.byteLength(line) + 1;
      offsets.set(`${snapshot.epoch}-${offset}`, `${line}\n`);
    }
    assert.equal(offsets.size, 480);
    for (const { line, cursor } of given) assert.equal(offsets.get(cursor), line);
    for (const earlier of seen) assert.ok(text.subarray(0, earlier.length).equals(earlier));
    for (const writer of writers) {
      const own = given.filter(({ line }) => parseLine(line)?.username === `w${writer}`);
      const places = own.map(({ cursor }) => Number(cursor.split('-')[1]));
      assert.deepEqual(
        places,
        [...places].sort((a, b) => a - b),
      );
    }
  });

  test('a watch reports a change by another replica, and no room without a change', async () => {
    await one.append('watched', { username: 'u', message: 'first' });
    const told: string[] = [];
    const stop = other.watch(
      () => ['watched', 'quiet'],
      (room) => told.push(room),
    );
    await pause(1200);
    told.length = 0;
    await one.append('watched', { username: 'u', message: 'second' });
    await waitUntil('told', () => told.includes('watched'), 5000);
    stop();
    assert.ok(!told.includes('quiet'), 'a room without a change');
  });

  test('a watch reports a commit of its own process before the sender has the receipt', async () => {
    const told: string[] = [];
    const stop = one.watch(
      () => [],
      (room) => told.push(room),
    );
    await one.append('own commit', { username: 'u', message: 'm' });
    stop();
    assert.deepEqual(new Set(told), new Set(['own commit']));
  });

  testRepeats(() => ({ one, other, testStore }));

  for (const [name, bytes] of handMade) {
    test(`a text made by hand is served as it is: ${name}`, async () => {
      const room = `hand made ${name}`;
      await testStore.plant(room, bytes);
      const snapshot = await one.snapshot(room);
      assert.equal(snapshot.sizeBytes, bytes.length);
      assert.equal(snapshot.completeBytes, bytes.lastIndexOf(LF) + 1);
      assert.ok((await readAll(snapshot)).equals(bytes));
      const { line, cursor } = await other.append(room, { username: 'u', message: 'next' });
      const gap = bytes.at(-1) === LF ? '' : '\n';
      const after = await one.snapshot(room);
      const expected = Buffer.concat([bytes, Buffer.from(gap + line)]);
      assert.ok((await readAll(after)).equals(expected));
      assert.equal(cursor, `${after.epoch}-${expected.length}`);
      assert.equal(after.epoch, epochs.get(name) ?? after.epoch, 'the same epoch in every store');
      assert.notEqual(after.epoch, '00000000');
      epochs.set(name, after.epoch);
    });
  }
}

const epochs = new Map<string, string>();

function readAll(snapshot: Snapshot): Promise<Buffer> {
  return readPart(snapshot, 0, snapshot.sizeBytes);
}

async function readPart(snapshot: Snapshot, from: number, to: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of snapshot.read(from, to)) parts.push(Buffer.from(chunk));
  const bytes = Buffer.concat(parts);
  // What is in memory must be the same as what is read.
  const part = findPart(snapshot, from, to);
  if (part) assert.ok(part.equals(bytes));
  return bytes;
}
