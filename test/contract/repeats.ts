// What every store promises of safe repeats. Two stores on one address are two replicas.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ServiceError } from '../../lib/errors.ts';
import { parseCursor, type SentCursor } from '../../lib/room/cursor.ts';
import { readBytes } from '../../lib/room/line-reader.ts';
import { parseLine } from '../../lib/room/message.ts';
import { type Receipt, SEARCH_BYTES, type Store } from '../../lib/store/store.ts';
import type { TestStore } from './stores.ts';

const appender = fileURLToPath(new URL('killed-appender.js', import.meta.url));
const start: SentCursor = { epoch: undefined, offset: 0 };
const say = (message: string, username = 'u') => ({ username, message });

/** Two replicas of the store that is tested. */
export interface Replicas {
  one: Store;
  other: Store;
  testStore: TestStore;
}

/** Registers the tests. The stores are open by the time that the tests run. */
export function testRepeats(get: () => Replicas): void {
  suite('a message that is sent again with a cursor from before', () => {
    test('gets the receipt of the line that is there', async () => {
      const { one, other } = get();
      const first = await one.append('repeat', say('hi'), start);
      assert.equal(first.isRepeat, false);
      for (const store of [one, other, one]) {
        assert.deepEqual(await store.append('repeat', say('hi'), start), repeated(first));
      }
      assert.deepEqual(await readMessages(other, 'repeat'), ['hi']);
    });

    test('is one line, of any number of copies at once on two replicas', async () => {
      const { one, other } = get();
      for (const store of [one, other]) await store.append('copies', say('before'));
      const since = await findEnd(one, 'copies');
      const copies = Array.from({ length: 60 }, (_, number) =>
        (number % 2 ? one : other).append('copies', say('copy'), since),
      );
      const receipts = await Promise.all(copies);
      const stored = receipts.filter(({ isRepeat }) => !isRepeat);
      assert.equal(stored.length, 1);
      for (const receipt of receipts) {
        assert.deepEqual(repeated(receipt), repeated(stored[0]!));
      }
      assert.deepEqual(await readMessages(one, 'copies'), ['before', 'before', 'copy']);
    });

    test('is found however late, and whatever was said meanwhile', async () => {
      const { one, other } = get();
      await one.append('late', say('before'));
      const since = await findEnd(one, 'late');
      const first = await one.append('late', say('é 🦊'), since);
      for (let number = 0; number < 100; number += 1) await other.append('late', say(`${number}`));
      assert.deepEqual(await other.append('late', say('é 🦊'), since), repeated(first));
      assert.equal((await readMessages(one, 'late')).length, 102);
    });

    test('is found when whoever stored it was killed before the answer', async () => {
      const { one, testStore } = get();
      await one.append('killed', say('before'));
      const since = await findEnd(one, 'killed');
      const child = spawn(
        process.execPath,
        [appender, testStore.address, 'killed', 'again', String(since.offset)],
        { stdio: 'inherit' },
      );
      assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
      const { isRepeat } = await one.append('killed', say('again'), since);
      assert.equal(isRepeat, true);
      assert.deepEqual(await readMessages(one, 'killed'), ['before', 'again']);
    });

    test('is told from its batch mates, which are stored', async () => {
      const { one } = get();
      const first = await one.append('mates', say('there'), start);
      const receipts = await Promise.all([
        one.append('mates', say('a'), start),
        one.append('mates', say('there'), start),
        one.append('mates', say('a')),
        one.append('mates', say('a'), start),
        one.append('mates', say('a', 'v'), start),
        one.append('mates', say('there')),
        one.append('mates', say('there'), start),
        assert.rejects(one.append('mates', say('b'), { epoch: 'deadbeef', offset: 1 }), isConflict),
        one.append('mates', say('c'), start),
      ]);
      const known = receipts.filter((receipt): receipt is Receipt => receipt !== undefined);
      const flags = known.map(({ isRepeat }) => isRepeat);
      assert.deepEqual(flags, [false, true, false, true, false, false, true, false]);
      assert.deepEqual(known[1], repeated(first));
      assert.deepEqual(known[3], repeated(known[0]!));
      assert.deepEqual(known[6], repeated(first));
      const messages = ['there', 'a', 'a', 'a', 'there', 'c'];
      assert.deepEqual(await readMessages(one, 'mates'), messages);
    });

    test('is another message behind another cursor: what stands before it does not count', async () => {
      const { one, other } = get();
      const first = await one.append('again', say('ok'), start);
      const second = await other.append('again', say('ok'), parseCursor(first.cursor));
      assert.equal(second.isRepeat, false);
      // Of both, the first answers whoever asks for both.
      assert.deepEqual(await one.append('again', say('ok'), start), repeated(first));
      const third = await one.append('again', say('ok'), parseCursor(first.cursor));
      assert.deepEqual(third, repeated(second));
      assert.deepEqual(await readMessages(one, 'again'), ['ok', 'ok']);
    });

    test('is found behind its own cursor, whatever those of its batch mates are', async () => {
      const { one, other } = get();
      const ok = await one.append('cursors', say('ok'));
      const no = await other.append('cursors', say('no'));
      const [afterOk, afterNo] = [parseCursor(ok.cursor), parseCursor(no.cursor)];
      await one.append('cursors', say('end'));
      const receipts = await Promise.all([
        one.append('cursors', say('ok'), afterNo),
        one.append('cursors', say('no'), afterOk),
        one.append('cursors', say('no'), afterNo),
        one.append('cursors', say('ok'), start),
        one.append('cursors', say('end'), start),
      ]);
      const flags = receipts.map(({ isRepeat }) => isRepeat);
      assert.deepEqual(flags, [false, true, false, true, true]);
      assert.equal(receipts[1].cursor, no.cursor);
      assert.equal(receipts[3].cursor, ok.cursor);
      assert.deepEqual(await readMessages(one, 'cursors'), ['ok', 'no', 'end', 'ok', 'no']);
    });

    test('has the very username and text, and nothing like it', async () => {
      const { one, other } = get();
      const alike = ['é', 'e\u0301', 'É', 'e', 'é ', ' é', 'éé', 'ss', 'ß', 'SS', "é'", 'é\\', '%'];
      const said = [
        ...alike.map((text) => say(text)),
        ...alike.map((text) => say('é', text.trim())),
      ];
      const unique = new Map(said.map((entry) => [JSON.stringify(entry), entry]));
      for (const entry of unique.values()) {
        assert.equal((await one.append('alike', entry, start)).isRepeat, false, entry.message);
        assert.equal((await other.append('alike', entry, start)).isRepeat, true, entry.message);
      }
      const longest = say('\u{1f600}'.repeat(4000), '\u{1f600}'.repeat(64));
      assert.equal((await one.append('alike', longest, start)).isRepeat, false);
      assert.equal((await other.append('alike', longest, start)).isRepeat, true);
    });

    test('without a cursor is stored as often as it is sent', async () => {
      const { one, other } = get();
      await Promise.all([one, other, one].map((store) => store.append('often', say('ok'))));
      assert.deepEqual(await readMessages(one, 'often'), ['ok', 'ok', 'ok']);
    });

    test('is found among lines made by hand, if one of them is the message', async () => {
      const { one, testStore } = get();
      const long = `${'x'.repeat(65_535)}[2018-02-25 14:00:51] u: inside`;
      const lines = [
        'no time, but as long  u: m',
        '[2018-02-25 14:00:51] u: m\r',
        long,
        '[2018-02-30 14:00:51] u: no such day',
        '[2018-02-25 14:00:51] u: half',
      ];
      await testStore.plant('by hand', Buffer.from(lines.join('\n')));
      assert.equal((await one.append('by hand', say('no such day'), start)).isRepeat, true);
      for (const message of ['m', 'inside']) {
        const { isRepeat } = await one.append('by hand', say(message), start);
        assert.equal(isRepeat, false, message);
      }
    });
  });

  test('a message whose line lacks only its line feed is completed by its repeat', async () => {
    const { one, other, testStore } = get();
    for (const [room, before] of [
      ['cut first', ''],
      ['cut', 'one\ntwo\n'],
    ] as const) {
      const line = '[2018-02-25 14:00:51] u: whole';
      await testStore.plant(room, Buffer.from(before + line));
      const since = { ...start, offset: before.length };
      const copies = [one, one, other].map((store) => store.append(room, say('whole'), since));
      for (const receipt of await Promise.all(copies)) {
        const { epoch, completeBytes } = await one.snapshot(room);
        const cursor = `${epoch}-${completeBytes}`;
        assert.deepEqual(receipt, { line: `${line}\n`, cursor, isRepeat: true });
      }
      await one.append(room, say('next'), since);
      assert.deepEqual((await readMessages(other, room)).slice(-2), ['whole', 'next']);
      assert.equal((await readMessages(other, room)).length, before === '' ? 2 : 4);
    }
  });

  suite('a cursor is refused, and nothing is stored,', () => {
    const stale: [name: string, toCursor: (end: number, epoch: string) => SentCursor][] = [
      ['of another epoch', (end) => ({ epoch: '0badcafe', offset: end })],
      ['past the end', (end, epoch) => ({ epoch, offset: end + 1 })],
      ['far past the end', () => ({ epoch: undefined, offset: Number.MAX_SAFE_INTEGER })],
      ['inside a line', (end, epoch) => ({ epoch, offset: end - 1 })],
      ['inside the first line', () => ({ epoch: undefined, offset: 1 })],
    ];
    for (const [name, toCursor] of stale) {
      test(name, async () => {
        const { one, other } = get();
        const room = `stale ${name}`;
        await one.append(room, say('there'));
        const { offset, epoch } = await findEnd(other, room);
        const cursor = toCursor(offset, epoch!);
        await assert.rejects(other.append(room, say('there'), cursor), isConflict);
        assert.deepEqual(await readMessages(one, room), ['there']);
      });
    }

    test('of a room that has no messages any more', async () => {
      const { one } = get();
      const { etag } = await one.snapshot('none');
      const cursor = { epoch: '0badcafe', offset: 42 };
      await assert.rejects(one.append('none', say('m'), cursor), isConflict);
      assert.equal(await one.etag('none'), etag);
    });

    test('behind a last line without its line feed', async () => {
      const { one, testStore } = get();
      await testStore.plant('half', Buffer.from('whole\nhalf'));
      await assert.rejects(one.append('half', say('m'), { ...start, offset: 10 }), isConflict);
      assert.equal((await one.append('half', say('m'), { ...start, offset: 6 })).isRepeat, false);
      assert.equal((await one.append('half', say('m'), { ...start, offset: 6 })).isRepeat, true);
    });

    test('but not at the beginning, which every epoch has', async () => {
      const { one } = get();
      const empty = { epoch: '00000000', offset: 0 };
      assert.equal((await one.append('beginning', say('m'), empty)).isRepeat, false);
      for (const epoch of ['00000000', '0badcafe']) {
        assert.equal((await one.append('beginning', say('m'), { ...empty, epoch })).isRepeat, true);
      }
    });
  });

  suite('with more than 1 MiB behind its cursor', () => {
    const line = (message: string, time = '14:00:51') => `[2018-02-25 ${time}] u: ${message}\n`;
    /** Lines of exactly so many bytes. */
    const fill = (sizeBytes: number) => {
      const filler = line('.'.repeat(1000));
      const rest = sizeBytes % filler.length;
      const last = rest < 30 ? line('.'.repeat(1000 + rest)) : line('.'.repeat(rest - 26));
      const whole = filler.repeat(Math.floor(sizeBytes / filler.length) - (rest < 30 ? 1 : 0));
      return Buffer.from(whole + last);
    };

    test('a message in the first of it is found, and any other is refused', async () => {
      const { one, other, testStore } = get();
      const parts = [
        Buffer.from(line('in the first line')),
        fill(SEARCH_BYTES - 26 - 17),
        Buffer.from(line('on the edge', '14:00:52')),
        Buffer.from(line('behind it')),
        fill(3 << 20),
      ];
      await testStore.plant('far', Buffer.concat(parts));
      assert.equal(Buffer.concat(parts.slice(0, 2)).length, SEARCH_BYTES);
      for (const message of ['in the first line', 'on the edge']) {
        const { line: found, isRepeat } = await other.append('far', say(message), start);
        assert.equal(isRepeat, true, message);
        assert.equal(parseLine(found)?.message, message);
      }
      for (const message of ['behind it', 'nowhere']) {
        await assert.rejects(one.append('far', say(message), start), isConflict, message);
      }
      // Each cursor has a first MiB of its own.
      const later = { ...start, offset: parts[0]!.length };
      assert.equal((await one.append('far', say('behind it'), later)).isRepeat, true);
      await assert.rejects(one.append('far', say('in the first line'), later), isConflict);
      const { sizeBytes } = await one.snapshot('far');
      assert.equal(sizeBytes, Buffer.concat(parts).length);
    });

    test('nothing is stored, and with 1 MiB it still is', async () => {
      const { one, other, testStore } = get();
      await testStore.plant('edge', fill(SEARCH_BYTES));
      const first = await one.append('edge', say('last'), start);
      assert.equal(first.isRepeat, false);
      await assert.rejects(one.append('edge', say('one more'), start), isConflict);
      assert.deepEqual(await other.append('edge', say('last'), start), repeated(first));
    });

    test('what its batch mates put there counts too', async () => {
      const { one, other, testStore } = get();
      await testStore.plant('crowded', fill(SEARCH_BYTES - 3000));
      const texts = Array.from({ length: 6 }, (_, number) => `${number}${'.'.repeat(1000)}`);
      const send = (store: Store) =>
        Promise.allSettled(texts.map((text) => store.append('crowded', say(text), start)));
      const sent = await send(one);
      const again = await send(other);
      assert.deepEqual(
        sent.map(({ status }) => status),
        [...Array(3).fill('fulfilled'), ...Array(3).fill('rejected')],
      );
      for (const [number, outcome] of again.entries()) {
        assert.equal(outcome.status, sent[number]!.status);
        if (outcome.status === 'fulfilled') assert.equal(outcome.value.isRepeat, true);
      }
    });
  });
}

function isConflict(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'conflict';
}

function repeated(receipt: Receipt): Receipt {
  return { ...receipt, isRepeat: true };
}

async function findEnd(store: Store, room: string): Promise<SentCursor> {
  const { epoch, completeBytes } = await store.snapshot(room);
  return { epoch, offset: completeBytes };
}

async function readMessages(store: Store, room: string): Promise<(string | undefined)[]> {
  const snapshot = await store.snapshot(room);
  const text = (await readBytes(snapshot, 0, snapshot.sizeBytes)).toString('utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((one) => parseLine(one)?.message);
}
