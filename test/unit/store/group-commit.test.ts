// Group commit: batches, order, limits, and whole refusals.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ServiceError } from '../../../lib/errors.ts';
import type { Entry } from '../../../lib/room/message.ts';
import {
  type Commit,
  GroupCommit,
  MAX_BATCH_BYTES,
  MAX_COMMITS,
  MAX_ROOM_MESSAGES,
  MAX_WAITING_BYTES,
} from '../../../lib/store/group-commit.ts';
import type { Receipt } from '../../../lib/store/store.ts';

interface Call {
  readonly room: string;
  readonly messages: string[];
  finish(): void;
  fail(error: Error): void;
}

/** A commit that takes note of its batches, and ends each when the test says so. */
function makeCommit(): { commit: Commit; calls: Call[] } {
  const calls: Call[] = [];
  const commit: Commit = (room, posts) =>
    new Promise((resolve, reject) => {
      const messages = posts.map(({ entry }) => entry.message);
      const receipts: Receipt[] = messages.map((message, index) => ({
        line: message,
        cursor: `${room}-${calls.length}-${index}`,
        isRepeat: false,
      }));
      calls.push({
        room,
        messages,
        finish: () => resolve(receipts),
        fail: reject,
      });
    });
  return { commit, calls };
}

const say = (message: string): Entry => ({ username: 'a', message });

/** Lets everything run that waits for nothing but its tick. */
async function runTicks(): Promise<void> {
  for (let tick = 0; tick < 6; tick += 1) await new Promise(setImmediate);
}

suite('a room’s queue', () => {
  test('puts all that came in one tick into the first batch, in order', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const receipts = ['1', '2', '3'].map((message) => queue.append('r', say(message)));
    await runTicks();
    assert.deepEqual(
      calls.map(({ messages }) => messages),
      [['1', '2', '3']],
    );
    calls[0]!.finish();
    assert.deepEqual(
      (await Promise.all(receipts)).map(({ line }) => line),
      ['1', '2', '3'],
    );
  });

  test('gathers the next batch while one is being committed, and never commits two at once', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const first = queue.append('r', say('1'));
    await runTicks();
    const later = ['2', '3'].map((message) => queue.append('r', say(message)));
    await runTicks();
    later.push(queue.append('r', say('4')));
    await runTicks();
    assert.equal(calls.length, 1);
    calls[0]!.finish();
    await first;
    await runTicks();
    assert.deepEqual(
      calls.map(({ messages }) => messages),
      [['1'], ['2', '3', '4']],
    );
    calls[1]!.finish();
    assert.deepEqual(
      (await Promise.all(later)).map(({ cursor }) => cursor),
      ['r-1-0', 'r-1-1', 'r-1-2'],
    );
  });

  test('takes what a sender says right after its receipt into the very next batch', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const first = queue.append('r', say('1'));
    await runTicks();
    const waiting = queue.append('r', say('2'));
    // As a client does whose answer arrives: its next message comes a tick later.
    const next = first.then(async () => {
      await new Promise(setImmediate);
      return queue.append('r', say('3'));
    });
    calls[0]!.finish();
    await runTicks();
    assert.deepEqual(
      calls.map(({ messages }) => messages),
      [['1'], ['2', '3']],
    );
    calls[1]!.finish();
    await Promise.all([waiting, next]);
  });

  test('refuses the whole batch where its commit fails, and goes on with the next', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const batch = ['1', '2'].map((message) => queue.append('r', say(message)));
    await runTicks();
    const next = queue.append('r', say('3'));
    const failure = new Error('disk full');
    calls[0]!.fail(failure);
    for (const one of await Promise.allSettled(batch)) {
      assert.deepEqual(one, { status: 'rejected', reason: failure });
    }
    await runTicks();
    calls[1]!.finish();
    assert.equal((await next).line, '3');
  });

  test('refuses all the same where the commit throws at once', async () => {
    const queue = new GroupCommit(() => {
      throw new Error('at once');
    });
    await assert.rejects(queue.append('r', say('1')), /at once/);
    await assert.rejects(queue.append('r', say('2')), /at once/);
    await queue.idle();
  });

  test('bounds a batch in bytes, whatever the characters are', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const message = '\u20ac'.repeat(4000);
    const receipts = Array.from({ length: 200 }, () => queue.append('r', say(message)));
    for (let index = 0; index < 200; index += 1) {
      await runTicks();
      const call = calls[index];
      if (call === undefined) break;
      assert.ok(Buffer.byteLength(call.messages.join('')) <= MAX_BATCH_BYTES);
      assert.ok(call.messages.length >= 1);
      call.finish();
    }
    assert.equal((await Promise.all(receipts)).length, 200);
    assert.ok(calls.length >= 3 && calls.length < 10, `${calls.length} batches`);
  });

  test('commits a message alone that is larger than a batch', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const receipts = [say('x'.repeat(MAX_BATCH_BYTES)), say('small')].map((entry) =>
      queue.append('r', entry),
    );
    await runTicks();
    assert.equal(calls[0]!.messages.length, 1);
    calls[0]!.finish();
    await runTicks();
    calls[1]!.finish();
    assert.equal((await Promise.all(receipts)).length, 2);
  });

  test('refuses one message more than may wait as busy, and no other room’s', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const first = queue.append('r', say('first'));
    await runTicks();
    const waiting = Array.from({ length: MAX_ROOM_MESSAGES }, () => queue.append('r', say('m')));
    await assert.rejects(
      queue.append('r', say('m')),
      (error) => error instanceof ServiceError && error.code === 'busy',
    );
    const other = queue.append('other', say('m'));
    await runTicks();
    assert.deepEqual(
      calls.map(({ room }) => room),
      ['r', 'other'],
    );
    for (let index = 0; index < calls.length; index += 1) {
      calls[index]!.finish();
      await runTicks();
    }
    await Promise.all([first, other, ...waiting]);
    const again = queue.append('r', say('again'));
    await runTicks();
    calls.at(-1)!.finish();
    assert.equal((await again).line, 'again');
  });
});

suite('many rooms', () => {
  test('may not wait with more than fits into memory, and a refusal costs nobody else', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const outcomes: Promise<string>[] = [];
    const send = (room: string): void => {
      const outcome = queue.append(room, say('x'.repeat(4000))).then(
        () => 'stored',
        (error) => (error as ServiceError).code,
      );
      outcomes.push(outcome);
    };
    const count = 2 * Math.ceil(MAX_WAITING_BYTES / 12_000);
    for (let n = 0; n < count; n += 1) send(`r${n}`);
    for (let n = 0; n < calls.length || n === 0; n += 1) {
      await runTicks();
      calls[n]!.finish();
    }
    await queue.idle();
    const all = await Promise.all(outcomes);
    const storedCount = all.filter((outcome) => outcome === 'stored').length;
    assert.ok(
      storedCount * 4000 < MAX_WAITING_BYTES && storedCount > 1000,
      `${storedCount} stored`,
    );
    assert.equal(all.filter((outcome) => outcome === 'busy').length, count - storedCount);
    send('later');
    await runTicks();
    calls.at(-1)!.finish();
    assert.equal(await outcomes.at(-1), 'stored', 'there is room again');
  });

  test('commit side by side, up to the limit; the others wait in line', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const receipts = Array.from({ length: MAX_COMMITS + 2 }, (_, index) =>
      queue.append(`r${index}`, say('m')),
    );
    await runTicks();
    assert.equal(calls.length, MAX_COMMITS);
    calls[5]!.finish();
    await runTicks();
    assert.equal(calls.length, MAX_COMMITS + 1);
    assert.equal(calls.at(-1)!.room, `r${MAX_COMMITS}`);
    for (let index = 0; index < calls.length; index += 1) {
      calls[index]!.finish();
      await runTicks();
    }
    assert.equal((await Promise.all(receipts)).length, MAX_COMMITS + 2);
  });

  test('do not keep the followers of another room out of its next batch', async () => {
    const told: string[] = [];
    const queue = new GroupCommit(async (room, posts) => {
      told.push(`${room} commits ${posts.map(({ entry }) => entry.message)}`);
      for (let tick = 0; tick < 3 && room === 'a'; tick += 1) await new Promise(setImmediate);
      return posts.map(() => ({ line: '', cursor: '', isRepeat: false }));
    });
    const send = async (room: string, message: string): Promise<void> => {
      await queue.append(room, say(message));
      told.push(`${room} answers ${message}`);
    };
    const sent = [send('a', '1')];
    for (let tick = 0; tick < 12; tick += 1) {
      sent.push(send(`b${tick}`, 'm'));
      await new Promise(setImmediate);
      // While the first one is being committed.
      if (tick === 1) sent.push(send('a', '2'));
    }
    await Promise.all(sent);
    const ofA = told.filter((one) => one.startsWith('a '));
    assert.deepEqual(ofA, ['a commits 1', 'a answers 1', 'a commits 2', 'a answers 2']);
  });

  test('get their tick while one room never stops', async () => {
    const committed: string[] = [];
    const queue = new GroupCommit(async (room, posts) => {
      committed.push(room);
      if (room === 'busy' && committed.length < 500) void queue.append('busy', say('m'));
      return posts.map(() => ({ line: '', cursor: '', isRepeat: false }));
    });
    const busy = queue.append('busy', say('m'));
    for (let index = 0; index < MAX_COMMITS * 2; index += 1)
      void queue.append(`r${index}`, say('m'));
    await busy;
    await queue.idle();
    const last = committed.findLastIndex((room) => room.startsWith('r'));
    assert.equal(committed.filter((room) => room.startsWith('r')).length, MAX_COMMITS * 2);
    assert.ok(last < 450, `the last of the others came at ${last}`);
  });
});

suite('idle', () => {
  test('resolves at once where nothing waits, and else when all is answered', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    await queue.idle();
    const answered: string[] = [];
    void queue.append('a', say('1')).then(() => answered.push('1'));
    void queue.append('b', say('2')).catch(() => answered.push('2'));
    await runTicks();
    void queue.append('a', say('3')).then(() => answered.push('3'));
    let isIdle = false;
    const idle = queue.idle().then(() => {
      isIdle = true;
    });
    calls[0]!.finish();
    calls[1]!.fail(new Error('no'));
    await runTicks();
    assert.equal(isIdle, false, 'the third still waits');
    calls[2]!.finish();
    await idle;
    await runTicks();
    assert.deepEqual(answered.sort(), ['1', '2', '3']);
  });

  test('waits for an answer that is ready and has not gone out', async () => {
    const { commit, calls } = makeCommit();
    const queue = new GroupCommit(commit);
    const told: string[] = [];
    const answer = queue.append('a', say('1')).then(() => told.push('answer'));
    await runTicks();
    calls[0]!.finish();
    // Promises resolve, but no tick passes, so the receipt is still to come.
    for (let step = 0; step < 20; step += 1) await undefined;
    const idle = queue.idle().then(() => told.push('idle'));
    await Promise.all([answer, idle]);
    assert.deepEqual(told, ['answer', 'idle']);
  });
});
