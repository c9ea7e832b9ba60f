// The handler of all requests on real connections, over a store that a test makes up.
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { ServiceError } from '../../../lib/errors.ts';
import { createApp } from '../../../lib/http/app.ts';
import type { Assets } from '../../../lib/http/assets.ts';
import { Listener } from '../../../lib/http/listener.ts';
import { Reply } from '../../../lib/http/response/reply.ts';
import { Hub } from '../../../lib/live/hub.ts';
import { Log } from '../../../lib/ops/log.ts';
import { Registry } from '../../../lib/ops/metrics.ts';
import type { Receipt, Snapshot, Store } from '../../../lib/store/store.ts';
import { openWire, type Wire } from '../../support/http.ts';
import { waitUntil } from '../../support/server.ts';

const form = 'username=omri&message=hi';
const postHead = [
  'POST /chat/hall HTTP/1.1',
  'Host: a',
  'Content-Type: application/x-www-form-urlencoded',
  `Content-Length: ${form.length}\r\n\r\n`,
].join('\r\n');
const receipt: Receipt = {
  line: '[2018-02-25 14:00:51] omri: hi\n',
  cursor: '0123abcd-31',
  isRepeat: false,
};
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

interface App {
  open(): Promise<Wire>;
  log: string[];
  registry: Registry;
  /** Waits until so many requests of a route, method and status have been counted. */
  waitForCount(method: string, status: number, count?: number): Promise<void>;
}

async function serve(t: TestContext, store: Partial<Store>): Promise<App> {
  const lines: string[] = [];
  const log = new Log('error', (text) => lines.push(text));
  const registry = new Registry();
  const whole = { watch: () => () => undefined, ...store } as Store;
  const reply = new Reply('brave-otter (host)', () => false);
  const handler = createApp({
    store: whole,
    live: new Hub(whole, log),
    assets: {} as Assets,
    ...{ reply, registry, log, timeZone: 'UTC', isDraining: () => false },
  });
  const listener = new Listener({ handler, common: reply.common });
  const port = await listener.listen(0, '127.0.0.1');
  t.after(() => listener.drain(0));
  const open = async () => {
    const wire = await openWire({ port });
    t.after(() => wire.close());
    return wire;
  };
  const waitForCount = (method: string, status: number, count = 1): Promise<void> => {
    const labels = `route="room",method="${method}",status="${status}"`;
    const sample = `chat_http_requests_total{${labels}} ${count}\n`;
    return waitUntil(sample, () => registry.show().includes(sample));
  };
  return { open, log: lines, registry, waitForCount };
}

/** A store whose messages a test stores or refuses when it likes. */
function makeSlowStore() {
  const waiting: { resolve(receipt: Receipt): void; reject(error: unknown): void }[] = [];
  const append = (): Promise<Receipt> =>
    new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  const waitFor = (count: number) =>
    waitUntil('the store has them', () => waiting.length === count);
  return { store: { append }, waiting, waitFor };
}

/** A store with one large room, whose text comes in chunks as the test gives them. */
function makeLargeStore(read: () => AsyncIterable<Buffer>, sizeBytes: number): Partial<Store> {
  const snapshot: Snapshot = {
    ...{ etag: '"1"', epoch: '0123abcd', isSettled: true, tail: Buffer.alloc(0) },
    ...{ sizeBytes, completeBytes: sizeBytes, read },
  };
  return { snapshot: async () => snapshot };
}

suite('a request that every page refuses', () => {
  const refused: Record<string, [head: string, status: number, words: RegExp]> = {
    'no Host': ['GET / HTTP/1.1', 400, /Host field is missing/],
    'two Hosts': ['GET / HTTP/1.1\r\nHost: a\r\nHost: a', 400, /several Host fields/],
    'a Host with a space': ['GET / HTTP/1.1\r\nHost: bad host', 400, /Host field is "bad host"/],
    'a Host with a path': ['GET / HTTP/1.1\r\nHost: a/b', 400, /Host field/],
    'a Host with a user': ['GET / HTTP/1.1\r\nHost: user@h', 400, /Host field/],
    'an empty Host': ['GET / HTTP/1.1\r\nHost: ', 400, /Host field/],
    'no version': ['GET /\r\nHost: a', 400, /version/],
    'version 2.0': ['GET / HTTP/2.0\r\nHost: a', 505, /HTTP\/2\.0/],
    'another expectation': ['GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle', 417, /expectation/],
  };
  for (const [what, [head, status, words]] of Object.entries(refused)) {
    test(`for ${what} gets ${status} with one line of text`, async (t) => {
      const { open } = await serve(t, {});
      const wire = await open();
      wire.send(`${head}\r\n\r\n`);
      const text = await wire.waitFor(/\r\n\r\n.*\n$/);
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.match(text, /\r\nChat-Server: brave-otter \(host\)\r\n/);
      assert.match(text.slice(text.indexOf('\r\n\r\n') + 4), words);
    });
  }

  test('stores nothing', async (t) => {
    const { open } = await serve(t, { append: () => assert.fail('it was stored') });
    for (const line of ['Host: a/b', 'Host: a\r\nHost: a', 'Host: a\r\nExpect: more']) {
      const wire = await open();
      wire.send(postHead.replace('Host: a', line) + form);
      await wire.waitFor(/^HTTP\/1\.1 4\d\d /);
    }
    const wire = await open();
    wire.send(postHead.replace(' HTTP/1.1', '') + form);
    await wire.waitFor(/^HTTP\/1\.1 400 /);
  });
});

suite('a fault of the server', () => {
  test('is 500 and in the log with its method and path, but not its query', async (t) => {
    const { open, log, waitForCount } = await serve(t, {
      snapshot: async () => {
        throw new TypeError('a bug');
      },
    });
    const wire = await open();
    wire.send(get('/chat/hall?secret=1'));
    assert.match(await wire.waitFor(/log\n$/), /^HTTP\/1\.1 500 /);
    await waitForCount('GET', 500);
    assert.match(log.join(''), /method="GET" path="\/chat\/hall" error=".*a bug/);
    assert.doesNotMatch(log.join(''), /secret/);
  });

  for (const [what, error, status] of [
    ['a bug', new TypeError('a bug'), 500],
    ['the store', new ServiceError('unavailable', 'the text was cut'), 503],
  ] as const) {
    test(`(${what}) in the middle of an answer cuts it and counts as ${status}`, async (t) => {
      async function* read(): AsyncIterable<Buffer> {
        yield Buffer.from('half');
        throw error;
      }
      const { open, log, waitForCount } = await serve(t, makeLargeStore(read, 8));
      const wire = await open();
      wire.send(get('/chat/hall'));
      const text = await wire.waitForEnd().catch(() => wire.received());
      assert.match(text, /^HTTP\/1\.1 200 [\s\S]*half$/);
      await waitForCount('GET', status);
      const isLogged = /method="GET" path="\/chat\/hall" error=".*a bug/.test(log.join(''));
      assert.equal(isLogged, status === 500, log.join(''));
    });
  }

  test('while a request is concluded does not keep the others of its tick from their answers', async (t) => {
    const { open, log, registry } = await serve(t, {});
    registry.counter = () => {
      Reflect.deleteProperty(registry, 'counter');
      throw new Error('a bug in the metrics');
    };
    const wire = await open();
    wire.send(get('/-/healthy').repeat(3));
    await wire.waitFor(/(?:[\s\S]*?healthy\n){3}$/);
    assert.match(log.join(''), /a bug in the metrics/);
    assert.equal(log.length, 1);
  });
});

suite('a client that goes away before its answer counts as 499', () => {
  test('in the middle of its body', async (t) => {
    const { open, log, waitForCount } = await serve(t, {});
    const wire = await open();
    wire.send(`${postHead}username=`);
    wire.socket.end();
    await waitForCount('POST', 499);
    assert.deepEqual(log, []);
  });

  test('while its message is stored or refused', async (t) => {
    const { store, waiting, waitFor } = makeSlowStore();
    const { open, log, waitForCount } = await serve(t, store);
    for (const count of [1, 2]) {
      const wire = await open();
      wire.send(postHead + form);
      await waitFor(count);
      const closed = new Promise((resolve) => wire.socket.once('close', resolve));
      wire.socket.end();
      await closed;
    }
    waiting[0]!.resolve(receipt);
    waiting[1]!.reject(new ServiceError('unavailable', 'no disk'));
    await waitForCount('POST', 499, 2);
    assert.deepEqual(log, []);
  });

  test('in the middle of a large room, and whatever it asked for behind that', async (t) => {
    let readers = 0;
    async function* read(): AsyncIterable<Buffer> {
      readers += 1;
      try {
        for (;;) yield Buffer.alloc(65_536);
      } finally {
        readers -= 1;
      }
    }
    const { open, log, waitForCount } = await serve(t, makeLargeStore(read, 2 ** 40));
    const wire = await open();
    wire.socket.pause();
    wire.send(get('/chat/hall').repeat(3));
    await waitUntil('all of them are read', () => readers === 3);
    wire.close();
    await waitForCount('GET', 499, 3);
    assert.equal(readers, 0, 'no file stays open');
    assert.deepEqual(log, []);
  });
});

test('answers come in the order of their requests, whichever is ready first', async (t) => {
  const { store, waiting, waitFor } = makeSlowStore();
  const { open } = await serve(t, store);
  const wire = await open();
  wire.send((postHead + form).repeat(3));
  await waitFor(3);
  waiting[1]!.reject(new ServiceError('busy', 'too many messages wait'));
  waiting[2]!.resolve({ ...receipt, cursor: '0123abcd-62' });
  waiting[0]!.resolve(receipt);
  const text = await wire.waitFor(/(?:[\s\S]*?HTTP\/1\.1){3}[\s\S]*omri: hi\n$/);
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  assert.deepEqual(statuses, ['201', '503', '201']);
});
