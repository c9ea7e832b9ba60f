// The hub alone, with a store and sinks that do exactly what a test says, in the order it says.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, suite, test } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import { ServiceError } from '../../../lib/errors.ts';
import { Hub, PING_MS, type Subscription } from '../../../lib/live/hub.ts';
import type { Format, Sink } from '../../../lib/live/subscriber.ts';
import { Log } from '../../../lib/ops/log.ts';
import { toEpoch } from '../../../lib/room/cursor.ts';
import type { Snapshot, Store } from '../../../lib/store/store.ts';

/** A store of one text, whose snapshots and reads can be held up or fail. */
class ScriptedStore implements Pick<Store, 'snapshot' | 'watch'> {
  text = '';
  isSettled = true;
  /** Whether snapshots have the text in memory, as those of a folder's small rooms have. */
  hasTail = false;
  snapshotCount = 0;
  readCount = 0;
  watchCount = 0;
  /** Snapshots and reads wait for these. A snapshot shows the text as it was when it began. */
  snapshotGate: Promise<void> | undefined;
  readGate: Promise<void> | undefined;
  snapshotFailure: Error | undefined;
  readFailure: Error | undefined;
  #onChange: (room: string) => void = () => {};

  /** Tells the hub that a room may have changed. */
  report(room = 'room'): void {
    this.#onChange(room);
  }

  async snapshot(): Promise<Snapshot> {
    this.snapshotCount += 1;
    const snapshot = this.#toSnapshot();
    await this.snapshotGate;
    if (this.snapshotFailure) throw this.snapshotFailure;
    return snapshot;
  }

  #toSnapshot(): Snapshot {
    const bytes = Buffer.from(this.text);
    const store = this;
    return {
      etag: '"x"',
      sizeBytes: bytes.length,
      completeBytes: bytes.lastIndexOf('\n') + 1,
      epoch: toEpoch(bytes),
      isSettled: this.isSettled,
      tail: this.hasTail ? bytes : Buffer.alloc(0),
      async *read(from, to) {
        store.readCount += 1;
        await store.readGate;
        if (store.readFailure) throw store.readFailure;
        yield bytes.subarray(from, to);
      },
    };
  }

  watch(_rooms: () => Iterable<string>, onChange: (room: string) => void): () => void {
    this.watchCount += 1;
    this.#onChange = onChange;
    return () => {
      this.watchCount -= 1;
      this.#onChange = () => {};
    };
  }
}

const textFormat: Format = {
  frameLines: (text) => Buffer.from(text),
  reset: Buffer.from('RESET\n'),
  ping: Buffer.from('PING\n'),
};
/** As `?follow`: neither a reset nor a ping. */
const bareFormat: Format = { ...textFormat, reset: undefined, ping: undefined };

/** A socket that takes all, or one frame at a time; it closes when it is destroyed. */
class ScriptedSink implements Sink {
  readonly frames: Buffer[] = [];
  isFull = false;
  endCount = 0;
  destroyCount = 0;
  onClose = () => {};

  write(frame: Buffer): boolean {
    assert.equal(this.endCount + this.destroyCount, 0, `${frame} was written after the end`);
    this.frames.push(frame);
    return !this.isFull;
  }
  end(): void {
    this.endCount += 1;
  }
  destroy(): void {
    this.destroyCount += 1;
    this.onClose();
  }
  get text(): string {
    return Buffer.concat(this.frames).toString();
  }
}

let store: ScriptedStore;
let hub: Hub;
let logged: string[];

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  store = new ScriptedStore();
  logged = [];
  hub = new Hub(store as unknown as Store, new Log('info', (line) => logged.push(line)));
});

afterEach(() => {
  hub.close();
  mock.timers.reset();
});

interface SubscribeOptions {
  offset?: number;
  format?: Format;
  /** Takes one frame, and then nothing until it resumes. */
  isSlow?: boolean;
  room?: string;
}

function subscribe(options: SubscribeOptions = {}): Subscription & { sink: ScriptedSink } {
  const { offset = 0, format = textFormat, isSlow = false, room = 'room' } = options;
  const sink = new ScriptedSink();
  sink.isFull = isSlow;
  const start = { epoch: toEpoch(Buffer.from(store.text)), offset };
  const subscription = hub.subscribe(room, start, format, sink);
  sink.onClose = subscription.unsubscribe;
  return { sink, ...subscription };
}

/** Subscribes, and waits until all that there is was delivered. */
async function subscribeAndRun(options: SubscribeOptions = {}) {
  const subscriber = subscribe(options);
  await runPending();
  return subscriber;
}

/** Runs everything that waits for no timer and no gate. */
async function runPending(): Promise<void> {
  for (let tick = 0; tick < 10; tick += 1) await nextTick();
}

/** Changes the room's text, tells the hub, and waits until it was delivered. */
async function change(text: string): Promise<void> {
  store.text = text;
  store.report();
  await runPending();
}

function makeGate(): { gate: Promise<void>; open: () => void } {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { gate, open };
}

suite('delivery', () => {
  test('one read and one buffer serve all subscribers at one offset', async () => {
    store.text = 'one\ntwo\n';
    const subscribers = Array.from({ length: 50 }, () => subscribe());
    await runPending();
    for (const { sink } of subscribers) assert.equal(sink.text, 'one\ntwo\n');
    // The first subscriber was alone when the hub took its snapshot; the others share a buffer.
    const shared = subscribers[1]!.sink.frames[0];
    for (const { sink } of subscribers.slice(1)) assert.equal(sink.frames[0], shared);
    assert.equal(store.readCount, 2);
    await change('one\ntwo\nthree\n');
    const next = subscribers[0]!.sink.frames[1];
    for (const { sink } of subscribers) assert.equal(sink.frames[1], next);
    assert.equal(String(next), 'three\n');
    assert.equal(store.readCount, 3);
  });

  test('no snapshot is taken of a room without subscribers', async () => {
    await subscribeAndRun();
    const { snapshotCount } = store;
    store.report('another room');
    await runPending();
    assert.equal(store.snapshotCount, snapshotCount);
  });

  test('a room that is cut and has grown again unseen is sent from its beginning', async () => {
    store.hasTail = true;
    const [one, two, three] = ['[2026-01-01 00:00:00] a: one\n', 'b\n', '[later] a: 3\n'];
    const copies = {
      'in lines of the same length': one + three + two,
      'in lines of other lengths': `${one}${'c\n'.repeat(20)}`,
      'in a line that ends where another one did': `${one}c\n${'d'.repeat(two.length + three.length - 3)}\ne\n`,
      'in a longer last line': `${one}${'d'.repeat(two.length + three.length - 1)}\ne\n`,
    };
    for (const [words, copy] of Object.entries(copies)) {
      store.text = one + two + three;
      const old = await subscribeAndRun();
      const late = await subscribeAndRun({ offset: store.text.length });
      await change(`${copy}${one}`);
      assert.equal(old.sink.text, `${one}${two}${three}RESET\n${copy}${one}`, words);
      assert.equal(late.sink.text, `RESET\n${copy}${one}`, words);
      old.unsubscribe();
      late.unsubscribe();
    }
  });

  test('another text of the last message, as long as it was, resets nothing', async () => {
    store.hasTail = true;
    store.text = 'first\n[2026-01-01 00:00:00] a: secret\n';
    const { sink } = await subscribeAndRun({ offset: store.text.length });
    await change('first\n[2026-01-01 00:00:00] a: [remov\n');
    await change(`${store.text}next\n`);
    assert.equal(sink.text, 'next\n');
    assert.equal(store.readCount, 0, 'all of it was in memory');
  });

  test('a change that is reported during a snapshot is not lost', async () => {
    const { sink } = await subscribeAndRun();
    const { gate, open } = makeGate();
    store.snapshotGate = gate;
    store.report();
    await nextTick();
    store.text = 'one\n';
    store.report();
    open();
    await runPending();
    assert.equal(sink.text, 'one\n');
  });

  test('a change that is reported during a read is not lost', async () => {
    store.text = 'one\n';
    const { gate, open } = makeGate();
    store.readGate = gate;
    const { sink } = await subscribeAndRun();
    store.text += 'two\n';
    store.report();
    open();
    await runPending();
    assert.equal(sink.text, 'one\ntwo\n');
  });

  test('a room that changes without a pause is delivered nevertheless', async () => {
    const { sink } = await subscribeAndRun();
    store.text = 'one\n';
    for (let n = 0; n < 50; n += 1) {
      const { gate, open } = makeGate();
      store.snapshotGate = gate;
      store.report();
      await nextTick();
      store.report();
      open();
      await nextTick();
      if (sink.text !== '') return;
    }
    assert.fail('nothing was delivered from 50 snapshots');
  });

  test('a subscriber that joins during a snapshot is not reset by what the snapshot shows', async () => {
    store.text = 'one\n';
    const first = await subscribeAndRun();
    const { gate, open } = makeGate();
    store.snapshotGate = gate;
    store.report();
    await nextTick();
    store.text += 'two\n';
    const second = subscribe({ offset: 8 });
    open();
    await runPending();
    assert.equal(second.sink.text, '');
    await change('one\ntwo\nthree\n');
    assert.equal(second.sink.text, 'three\n');
    assert.equal(first.sink.text, 'one\ntwo\nthree\n');
  });

  test('a room in the middle of a write is checked again unasked, at most every 16 ms', async () => {
    store.text = 'one\n';
    store.isSettled = false;
    const { sink } = await subscribeAndRun({ offset: 4 });
    for (let n = 0; n < 200; n += 1) store.report();
    await runPending();
    const before = store.snapshotCount;
    for (let ms = 0; ms < 1000; ms += 1) {
      mock.timers.tick(1);
      await nextTick();
    }
    const count = store.snapshotCount - before;
    assert.ok(count >= 1000 / 16 - 5 && count <= 1000 / 16 + 10, `${count} snapshots in a second`);
    store.text += 'two\n';
    store.isSettled = true;
    mock.timers.tick(16);
    await runPending();
    assert.equal(sink.text, 'two\n');
    const { snapshotCount } = store;
    mock.timers.tick(5000);
    await runPending();
    assert.equal(store.snapshotCount, snapshotCount, 'not checked once the write is over');
  });
});

suite('a subscriber that lags', () => {
  test('gets nothing more until it resumes, and then everything', async () => {
    store.text = 'one\n';
    const slow = await subscribeAndRun({ isSlow: true });
    const quick = await subscribeAndRun();
    await change('one\ntwo\n');
    await change('one\ntwo\nthree\n');
    assert.equal(quick.sink.text, 'one\ntwo\nthree\n');
    assert.equal(slow.sink.text, 'one\n');
    slow.resume();
    await runPending();
    assert.equal(slow.sink.text, 'one\ntwo\nthree\n');
  });

  test('is cut off after 30 to 45 s in which it took nothing, and gets no ping before', async () => {
    store.text = 'one\n';
    const { sink } = await subscribeAndRun({ isSlow: true });
    mock.timers.tick(30_000);
    assert.equal(sink.destroyCount, 0);
    mock.timers.tick(15_000);
    assert.equal(sink.destroyCount, 1);
    assert.equal(sink.text, 'one\n');
    mock.timers.tick(60_000);
    assert.equal(sink.destroyCount, 1, 'it is cut off once');
  });

  test('is cut off also if its stream has ended', async () => {
    store.text = 'one\n';
    const { sink } = await subscribeAndRun({ format: bareFormat, isSlow: true });
    await change('other\n');
    assert.equal(sink.endCount, 1);
    mock.timers.tick(45_000);
    assert.equal(sink.destroyCount, 1);
  });

  test('is not cut off if it takes something now and then', async () => {
    store.text = 'one\n';
    const { sink, resume } = await subscribeAndRun({ isSlow: true });
    for (let n = 0; n < 10; n += 1) {
      mock.timers.tick(29_000);
      resume();
      await change(`${store.text}${n}\n`);
    }
    assert.equal(sink.destroyCount, 0);
    assert.ok(sink.text.replaceAll('PING\n', '').endsWith('8\n9\n'));
  });

  test('is reset once, however often its room began anew meanwhile', async () => {
    store.text = 'one\ntwo\n';
    const { sink, resume } = await subscribeAndRun({ isSlow: true });
    for (const text of ['', 'new\n', 'newer\n', '']) await change(text);
    store.text = 'last\n';
    resume();
    await runPending();
    assert.equal(sink.text, 'one\ntwo\nRESET\nlast\n');
  });
});

suite('pings', () => {
  test('each subscriber is pinged every 15 s, and not all in the same second', async () => {
    const subscribers = Array.from({ length: 150 }, () => subscribe());
    await runPending();
    const countPings = () => subscribers.reduce((sum, { sink }) => sum + sink.frames.length, 0);
    for (let second = 1; second <= 30; second += 1) {
      mock.timers.tick(1000);
      assert.equal(countPings(), second * 10);
    }
    for (const { sink } of subscribers) assert.equal(sink.text, 'PING\nPING\n');
    assert.equal(PING_MS, 15_000);
  });

  test('a format without pings gets none, and neither does a subscriber that left', async () => {
    const bare = subscribe({ format: bareFormat });
    const gone = subscribe();
    gone.unsubscribe();
    mock.timers.tick(60_000);
    assert.equal(bare.sink.text + gone.sink.text, '');
  });
});

suite('a store that fails', () => {
  test('is tried again and logged once an outage, and no line is lost', async () => {
    store.text = 'one\n';
    const { sink } = await subscribeAndRun();
    store.snapshotFailure = new ServiceError('unavailable', 'away');
    store.text += 'two\n';
    store.report();
    for (let n = 0; n < 100; n += 1) {
      mock.timers.tick(100);
      await runPending();
    }
    assert.equal(logged.length, 1);
    assert.match(logged[0]!, /away/);
    const { snapshotCount } = store;
    assert.ok(snapshotCount >= 10 && snapshotCount < 30, `${snapshotCount} tries in 10 s`);
    store.snapshotFailure = undefined;
    mock.timers.tick(1000);
    await runPending();
    assert.equal(sink.text, 'one\ntwo\n');
    store.snapshotFailure = new ServiceError('unavailable', 'away again');
    store.report();
    await runPending();
    assert.equal(logged.length, 2, 'the next outage is logged too');
  });

  test('sends nothing of a read that failed, and all of it later', async () => {
    store.text = 'one\ntwo\n';
    store.readFailure = new ServiceError('unavailable', 'cut');
    const { sink } = await subscribeAndRun();
    assert.equal(sink.text, '');
    store.readFailure = undefined;
    mock.timers.tick(1000);
    await runPending();
    assert.equal(sink.text, 'one\ntwo\n');
  });
});

suite('the end of a stream', () => {
  test('a stream whose format has no reset ends when its room begins anew', async () => {
    store.text = 'one\n';
    const { sink } = await subscribeAndRun({ format: bareFormat });
    for (let n = 0; n < 3; n += 1) await change('other\n');
    assert.deepEqual([sink.text, sink.endCount], ['one\n', 1]);
  });

  test('a client that leaves during a read does not disturb the others', async () => {
    store.text = 'one\n';
    const { gate, open } = makeGate();
    const stays = await subscribeAndRun({ offset: 4 });
    store.readGate = gate;
    const goes = await subscribeAndRun();
    goes.sink.destroy();
    open();
    await change('one\ntwo\n');
    assert.equal(goes.sink.text, '');
    assert.equal(stays.sink.text, 'two\n');
    assert.equal(hub.subscriberCount, 1);
  });

  test('the store is watched exactly while there are subscribers', async () => {
    const one = subscribe();
    const other = subscribe({ room: 'another room' });
    await runPending();
    assert.equal(store.watchCount, 1);
    one.unsubscribe();
    assert.equal(store.watchCount, 1);
    other.unsubscribe();
    other.unsubscribe();
    assert.equal(store.watchCount, 0);
    const next = subscribe();
    assert.equal(store.watchCount, 1);
    next.unsubscribe();
    assert.deepEqual([store.watchCount, hub.subscriberCount], [0, 0]);
  });
});

suite('a drain', () => {
  test('ends every stream once, after what was there, and nothing is written after the end', async () => {
    const subscribers = [subscribe(), subscribe({ format: bareFormat })];
    await runPending();
    store.text = 'one\n';
    hub.close();
    await runPending();
    await change('one\ntwo\n');
    for (const { sink } of subscribers) assert.deepEqual([sink.text, sink.endCount], ['one\n', 1]);
  });

  test('ends a subscriber that lags at once, as it can resume on another replica', async () => {
    store.text = 'one\n';
    const { sink } = await subscribeAndRun({ isSlow: true });
    hub.close();
    await runPending();
    assert.equal(sink.endCount, 1);
  });

  test('ends a subscriber that is far behind after the frame that is being made', async () => {
    store.text = 'x'.repeat(99).concat('\n').repeat(3000);
    const { gate, open } = makeGate();
    store.readGate = gate;
    const { sink } = await subscribeAndRun({ isSlow: true });
    hub.close();
    assert.equal(sink.endCount, 0);
    open();
    await runPending();
    assert.deepEqual([sink.frames.length, sink.endCount], [1, 1]);
  });

  test('ends a subscriber that joins during it once it has everything, however slow it is', async () => {
    store.text = 'x'.repeat(99).concat('\n').repeat(3000);
    hub.close();
    const { sink, resume } = await subscribeAndRun({ isSlow: true });
    for (let n = 0; n < 100 && sink.endCount === 0; n += 1) {
      resume();
      await runPending();
    }
    assert.equal(sink.text, store.text);
    assert.ok(sink.frames.length > 3, 'it took several frames');
    assert.equal(sink.endCount, 1);
  });

  test('ends streams whose store fails', async () => {
    const { sink } = await subscribeAndRun();
    store.snapshotFailure = new ServiceError('unavailable', 'away');
    hub.close();
    await runPending();
    assert.equal(sink.endCount, 1);
  });
});
