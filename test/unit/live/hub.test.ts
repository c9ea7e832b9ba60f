// The hub alone, with a store and sockets that do exactly what a test says, in the order it says.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, suite, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ServiceError } from '../../../lib/errors.ts';
import { Hub, PING_MS } from '../../../lib/live/hub.ts';
import type { Format, Sink } from '../../../lib/live/subscriber.ts';
import { Log } from '../../../lib/ops/log.ts';
import { toEpoch } from '../../../lib/room/cursor.ts';
import type { Receipt, Snapshot, Store } from '../../../lib/store/store.ts';

/** A store of one text, whose looks and reads can be held up or fail. */
class ScriptedStore implements Store {
  readonly description = 'a script';
  text = '';
  isSettled = true;
  viewCount = 0;
  readCount = 0;
  watchCount = 0;
  /** Looks and reads wait for these; what a look finds is what there was when it began. */
  viewGate: Promise<void> | undefined;
  readGate: Promise<void> | undefined;
  failure: Error | undefined;
  readFailure: Error | undefined;

  async snapshot(): Promise<Snapshot> {
    this.viewCount += 1;
    const view = this.#look();
    await this.viewGate;
    if (this.failure) throw this.failure;
    return view;
  }

  #look(): Snapshot {
    const bytes = Buffer.from(this.text);
    const completeBytes = bytes.lastIndexOf(0x0a) + 1;
    const store = this;
    return {
      etag: '"x"',
      sizeBytes: bytes.length,
      completeBytes,
      epoch: toEpoch(bytes),
      isSettled: this.isSettled,
      tail: Buffer.alloc(0),
      async *read(from, to) {
        store.readCount += 1;
        await store.readGate;
        if (store.readFailure) throw store.readFailure;
        yield bytes.subarray(from, to);
      },
    };
  }

  watch(): () => void {
    this.watchCount += 1;
    return () => {
      this.watchCount -= 1;
    };
  }

  append(): Promise<Receipt> {
    throw new Error('nobody appends here');
  }
  etag(): string {
    return '"x"';
  }
  async check(): Promise<void> {}
  async close(): Promise<void> {}
}

const textFormat: Format = {
  lines: (text) => Buffer.from(text),
  reset: Buffer.from('RESET\n'),
  ping: Buffer.from('PING\n'),
};
const plainFormat: Format = {
  lines: (text) => Buffer.from(text),
  reset: undefined,
  ping: undefined,
};

/** A socket that takes all, or one frame at a time. */
class ScriptedSink implements Sink {
  readonly frames: Buffer[] = [];
  isFull = false;
  endCount = 0;
  destroyCount = 0;

  write(frame: Buffer): boolean {
    assert.equal(this.endCount + this.destroyCount, 0, `${frame} was written behind the end`);
    this.frames.push(frame);
    return !this.isFull;
  }
  end(): void {
    this.endCount += 1;
  }
  destroy(): void {
    this.destroyCount += 1;
  }
  get text(): string {
    return Buffer.concat(this.frames).toString();
  }
}

let store: ScriptedStore;
let live: Hub;
let logged: string[];

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  store = new ScriptedStore();
  logged = [];
  live = new Hub(store, new Log('info', (line) => logged.push(line)));
});

afterEach(() => {
  live.close();
  mock.timers.reset();
});

function join(offset = 0, format = textFormat, { isFull = false } = {}) {
  const sink = new ScriptedSink();
  sink.isFull = isFull;
  const epoch = toEpoch(Buffer.from(store.text));
  return { sink, ...live.join('room', offset, epoch, format, sink) };
}

/** Lets all that was begun come to its end. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
}

function makeGate(): { gate: Promise<void>; open: () => void } {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { gate, open };
}

suite('sending', () => {
  test('one read and one buffer serve all who stand at one place', async () => {
    store.text = 'one\ntwo\n';
    const readers = Array.from({ length: 50 }, () => join());
    await settle();
    const [first] = readers[0]!.sink.frames;
    assert.equal(String(first), 'one\ntwo\n');
    // The first was there alone when the hub began.
    const last = readers.at(-1)!.sink.frames[0];
    for (const { sink } of readers.slice(1)) assert.equal(sink.frames[0], last);
    for (const { sink } of readers) assert.equal(sink.frames.length, 1);
    assert.equal(store.readCount, 2);
    store.text += 'three\n';
    live.notify('room');
    await settle();
    for (const { sink } of readers) assert.equal(sink.frames[1], readers[0]!.sink.frames[1]);
    assert.equal(store.readCount, 3);
  });

  test('a room without readers is not looked at', async () => {
    live.notify('room');
    await settle();
    assert.equal(store.viewCount, 0);
    const { leave } = join();
    await settle();
    leave();
    const { viewCount } = store;
    live.notify('room');
    await settle();
    assert.equal(store.viewCount, viewCount);
  });

  test('a poke in the middle of a look is not lost', async () => {
    const { sink } = join();
    await settle();
    const { gate, open } = makeGate();
    store.viewGate = gate;
    live.notify('room');
    await nextTurn();
    store.text = 'one\n';
    live.notify('room');
    open();
    await settle();
    assert.equal(sink.text, 'one\n');
  });

  test('a poke in the middle of a read is not lost', async () => {
    store.text = 'one\n';
    const { gate, open } = makeGate();
    store.readGate = gate;
    const { sink } = join();
    await settle();
    store.text += 'two\n';
    live.notify('room');
    open();
    await settle();
    assert.equal(sink.text, 'one\ntwo\n');
  });

  test('pokes without a pause keep nobody waiting', async () => {
    const { sink } = join();
    await settle();
    store.text = 'one\n';
    for (let n = 0; n < 50; n += 1) {
      const { gate, open } = makeGate();
      store.viewGate = gate;
      live.notify('room');
      await nextTurn();
      live.notify('room');
      open();
      await nextTurn();
      if (sink.text !== '') return;
    }
    assert.fail('it got nothing in 50 looks');
  });

  test('who joins in the middle of a look is not reset by what it finds', async () => {
    store.text = 'one\n';
    const first = join();
    await settle();
    const { gate, open } = makeGate();
    store.viewGate = gate;
    live.notify('room');
    await nextTurn();
    store.text += 'two\n';
    const late = join(8);
    open();
    await settle();
    assert.equal(late.sink.text, '');
    store.text += 'three\n';
    live.notify('room');
    await settle();
    assert.equal(late.sink.text, 'three\n');
    assert.equal(first.sink.text, 'one\ntwo\nthree\n');
  });

  test('a room in the middle of a write is looked at again without a poke, and ever more rarely', async () => {
    store.text = 'one\n';
    store.isSettled = false;
    const { sink } = join(4);
    await settle();
    for (let n = 0; n < 200; n += 1) live.notify('room');
    await settle();
    const before = store.viewCount;
    for (let ms = 0; ms < 1000; ms += 1) {
      mock.timers.tick(1);
      await nextTurn();
    }
    const looks = store.viewCount - before;
    assert.ok(looks >= 1000 / 16 - 5 && looks <= 1000 / 16 + 10, `${looks} looks in a second`);
    store.text += 'two\n';
    store.isSettled = true;
    mock.timers.tick(16);
    await settle();
    assert.equal(sink.text, 'two\n');
    const { viewCount } = store;
    mock.timers.tick(5000);
    await settle();
    assert.equal(store.viewCount, viewCount, 'a settled room is left alone');
  });
});

suite('a slow reader', () => {
  test('gets nothing more until it resumes, and then all of it', async () => {
    store.text = 'one\n';
    const slow = join(0, textFormat, { isFull: true });
    const quick = join();
    await settle();
    for (const line of ['two\n', 'three\n']) {
      store.text += line;
      live.notify('room');
      await settle();
    }
    assert.equal(quick.sink.text, 'one\ntwo\nthree\n');
    assert.equal(slow.sink.text, 'one\n');
    slow.resume();
    await settle();
    assert.equal(slow.sink.text, 'one\ntwo\nthree\n');
  });

  test('that takes nothing for 30 to 45 s is cut off, and gets no ping before', async () => {
    store.text = 'one\n';
    const slow = join(0, textFormat, { isFull: true });
    await settle();
    mock.timers.tick(30_000);
    assert.equal(slow.sink.destroyCount, 0);
    mock.timers.tick(15_000);
    assert.equal(slow.sink.destroyCount, 1);
    assert.equal(slow.sink.text, 'one\n');
    mock.timers.tick(60_000);
    assert.equal(slow.sink.destroyCount, 1, 'once is enough');
  });

  test('whose stream was ended is cut off as well', async () => {
    store.text = 'one\n';
    const slow = join(0, plainFormat, { isFull: true });
    await settle();
    store.text = 'other\n';
    live.notify('room');
    await settle();
    assert.equal(slow.sink.endCount, 1);
    mock.timers.tick(45_000);
    assert.equal(slow.sink.destroyCount, 1);
  });

  test('that takes something now and then is not cut off', async () => {
    store.text = 'one\n';
    const slow = join(0, textFormat, { isFull: true });
    await settle();
    for (let n = 0; n < 10; n += 1) {
      mock.timers.tick(29_000);
      slow.resume();
      store.text += `${n}\n`;
      live.notify('room');
      await settle();
    }
    assert.equal(slow.sink.destroyCount, 0);
    assert.ok(slow.sink.text.replaceAll('PING\n', '').endsWith('8\n9\n'));
  });

  test('whose room begins anew meanwhile is reset once', async () => {
    store.text = 'one\ntwo\n';
    const slow = join(0, textFormat, { isFull: true });
    await settle();
    for (const text of ['', 'new\n', 'newer\n', '']) {
      store.text = text;
      live.notify('room');
      await settle();
    }
    store.text = 'last\n';
    slow.resume();
    await settle();
    assert.equal(slow.sink.text, 'one\ntwo\nRESET\nlast\n');
  });
});

suite('pings', () => {
  test('come to each reader every 15 s, and not to all at once', async () => {
    const readers = Array.from({ length: 150 }, () => join());
    await settle();
    const toCount = () => readers.reduce((sum, { sink }) => sum + sink.frames.length, 0);
    for (let second = 1; second <= 30; second += 1) {
      mock.timers.tick(1000);
      assert.equal(toCount(), second * 10);
    }
    for (const { sink } of readers) assert.equal(sink.text, 'PING\nPING\n');
    assert.equal(PING_MS, 15_000);
  });

  test('do not come to a format that has none, nor to who left', async () => {
    const plain = join(0, plainFormat);
    const gone = join();
    gone.leave();
    mock.timers.tick(60_000);
    assert.equal(plain.sink.text + gone.sink.text, '');
  });
});

suite('a store that fails', () => {
  test('is asked again, told of once, and nothing is lost', async () => {
    store.text = 'one\n';
    const { sink } = join();
    await settle();
    store.failure = new ServiceError('unavailable', 'away');
    store.text += 'two\n';
    live.notify('room');
    for (let n = 0; n < 100; n += 1) {
      mock.timers.tick(100);
      await settle();
    }
    assert.equal(logged.length, 1);
    assert.match(logged[0]!, /away/);
    assert.ok(store.viewCount >= 10 && store.viewCount < 30, `${store.viewCount} looks in 10 s`);
    store.failure = undefined;
    mock.timers.tick(1000);
    await settle();
    assert.equal(sink.text, 'one\ntwo\n');
    store.failure = new ServiceError('unavailable', 'away again');
    live.notify('room');
    await settle();
    assert.equal(logged.length, 2, 'the next time is told again');
  });

  test('in the middle of a read sends nothing of it, and all of it later', async () => {
    store.text = 'one\ntwo\n';
    store.readFailure = new ServiceError('unavailable', 'cut');
    const { sink } = join();
    await settle();
    assert.equal(sink.text, '');
    store.readFailure = undefined;
    mock.timers.tick(1000);
    await settle();
    assert.equal(sink.text, 'one\ntwo\n');
  });
});

suite('the end of a stream', () => {
  test('of a format without reset is its last word', async () => {
    store.text = 'one\n';
    const plain = join(0, plainFormat);
    await settle();
    store.text = 'other\n';
    for (let n = 0; n < 3; n += 1) {
      live.notify('room');
      await settle();
    }
    assert.deepEqual([plain.sink.text, plain.sink.endCount], ['one\n', 1]);
  });

  test('by its client in the middle of a read leaves the others alone', async () => {
    store.text = 'one\n';
    const { gate, open } = makeGate();
    const stays = join(4);
    await settle();
    store.readGate = gate;
    const goes = join();
    await settle();
    goes.leave();
    goes.sink.destroy();
    open();
    store.text += 'two\n';
    live.notify('room');
    await settle();
    assert.equal(goes.sink.text, '');
    assert.equal(stays.sink.text, 'two\n');
    assert.equal(live.subscriberCount, 1);
  });

  test('of the last reader ends the watch, and the next reader begins it again', async () => {
    const one = join();
    const other = join();
    await settle();
    assert.equal(store.watchCount, 1);
    one.leave();
    assert.equal(store.watchCount, 1);
    other.leave();
    other.leave();
    assert.equal(store.watchCount, 0);
    const next = join();
    assert.equal(store.watchCount, 1);
    next.leave();
    assert.deepEqual([store.watchCount, live.subscriberCount], [0, 0]);
  });
});

suite('a drain', () => {
  test('ends every stream once, behind what was there, and no late poke writes behind it', async () => {
    const readers = [join(), join(0, plainFormat)];
    await settle();
    store.text = 'one\n';
    live.close();
    await settle();
    store.text += 'two\n';
    live.notify('room');
    await settle();
    for (const { sink } of readers) assert.deepEqual([sink.text, sink.endCount], ['one\n', 1]);
  });

  test('ends a reader that lags at once: it goes on elsewhere', async () => {
    store.text = 'one\n';
    const slow = join(0, textFormat, { isFull: true });
    await settle();
    live.close();
    await settle();
    assert.equal(slow.sink.endCount, 1);
  });

  test('ends a reader in the middle of a long way behind the piece that is on its way', async () => {
    store.text = 'x'.repeat(99).concat('\n').repeat(3000);
    const { gate, open } = makeGate();
    store.readGate = gate;
    const slow = join(0, textFormat, { isFull: true });
    await settle();
    live.close();
    assert.equal(slow.sink.endCount, 0);
    open();
    await settle();
    assert.deepEqual([slow.sink.frames.length, slow.sink.endCount], [1, 1]);
  });

  test('lets who joins have what there is, however slowly it takes it, and ends it then', async () => {
    store.text = 'x'.repeat(99).concat('\n').repeat(3000);
    live.close();
    const late = join(0, textFormat, { isFull: true });
    await settle();
    for (let n = 0; n < 100 && late.sink.endCount === 0; n += 1) {
      late.resume();
      await settle();
    }
    assert.equal(late.sink.text, store.text);
    assert.ok(late.sink.frames.length > 3, 'it took several pieces');
    assert.equal(late.sink.endCount, 1);
  });

  test('ends streams whose store is away', async () => {
    const { sink } = join();
    await settle();
    store.failure = new ServiceError('unavailable', 'away');
    live.close();
    await settle();
    assert.equal(sink.endCount, 1);
  });
});
