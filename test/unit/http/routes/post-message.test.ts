// A POST whose store tells beforehand where the message will stand: that comes true, or it doesn't.
import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { ServiceError } from '../../../../lib/errors.ts';
import { createApp } from '../../../../lib/http/app.ts';
import { Listener } from '../../../../lib/http/listener.ts';
import { Replier } from '../../../../lib/http/response/reply.ts';
import type { Assets } from '../../../../lib/http/routes/assets.ts';
import { Hub } from '../../../../lib/live/hub.ts';
import { Log } from '../../../../lib/ops/log.ts';
import { Registry } from '../../../../lib/ops/metrics.ts';
import type { OnExpected, Receipt, Store } from '../../../../lib/store/store.ts';
import { openWire, type Wire } from '../../../support/http.ts';
import { waitUntil } from '../../../support/server.ts';

/** A message on its way into the store. */
interface Waiting {
  expect: OnExpected;
  store(receipt: Receipt): void;
  refuse(error: Error): void;
}

interface Posts {
  waiting: Waiting[];
  log: string[];
  /** The samples of the metrics page. */
  metrics(): string;
  open(): Promise<Wire>;
  drain(): void;
}

const form = 'username=omri&message=hi';
const post = [
  'POST /chat/hall HTTP/1.1',
  'Host: a',
  'Content-Type: application/x-www-form-urlencoded',
  `Content-Length: ${form.length}`,
  '',
  form,
].join('\r\n');

const line = '[2018-02-25 14:00:51] omri: hi\n';
const here: Receipt = { line, cursor: '0123abcd-31' };
const elsewhere: Receipt = { line, cursor: '4567abcd-62' };

async function serve(t: TestContext): Promise<Posts> {
  const waiting: Waiting[] = [];
  const lines: string[] = [];
  const store: Pick<Store, 'append' | 'watch'> = {
    append: (_, __, onExpected) =>
      new Promise((resolve, reject) => {
        waiting.push({ expect: onExpected!, store: resolve, refuse: reject });
      }),
    watch: () => () => undefined,
  };
  const log = new Log('error', (text) => lines.push(text));
  const registry = new Registry();
  let isDraining = false;
  const replier = new Replier('brave-otter (host)', () => isDraining);
  const live = new Hub(store as Store, log);
  const parts = { store: store as Store, live, replier, registry, log, serverName: 'brave-otter' };
  const handler = createApp({
    ...parts,
    assets: {} as Assets,
    timeZone: 'UTC',
    isDraining: () => isDraining,
  });
  const listener = new Listener({ handler, common: replier.common });
  const port = await listener.listen(0, '127.0.0.1');
  t.after(() => listener.drain(0));
  const open = async () => {
    const wire = await openWire({ port });
    t.after(() => wire.close());
    return wire;
  };
  const drain = (): void => {
    isDraining = true;
  };
  return { waiting, log: lines, metrics: () => registry.show(), open, drain };
}

/** Sends messages at once, and waits until the store has them. */
async function send(posts: Posts, wire: Wire, count = 1): Promise<Waiting[]> {
  const from = posts.waiting.length;
  wire.send(post.repeat(count));
  await waitUntil('the store has them', () => posts.waiting.length === from + count);
  return posts.waiting.slice(from);
}

/** A message whose place is told, and all that its connection carries once the test has gone on. */
async function followOne(
  t: TestContext,
  goOn: (told: Waiting, posts: Posts, wire: Wire) => void,
): Promise<{ posts: Posts; text: string }> {
  const posts = await serve(t);
  const wire = await posts.open();
  const [told] = await send(posts, wire);
  told!.expect(here);
  goOn(told!, posts, wire);
  return { posts, text: await wire.waitForEnd() };
}

const countAnswers = (status: number): string =>
  `chat_http_requests_total{route="room",method="POST",status="${status}"} 1\n`;

suite('a message whose place is told beforehand', () => {
  test('is answered as one of which nothing was told, and not before it is stored', async (t) => {
    const posts = await serve(t);
    const wire = await posts.open();
    const [plain] = await send(posts, wire);
    plain!.store(here);
    const first = await wire.waitFor(/omri: hi\n$/);
    const [told] = await send(posts, wire);
    told!.expect(here);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(wire.received(), first);
    told!.store(here);
    await waitUntil('the second answer', () => wire.received().length >= 2 * first.length);
    const withoutDate = (text: string): string => text.replace(/Date: .*\r\n/g, '');
    assert.equal(withoutDate(wire.received()), withoutDate(first).repeat(2));
    assert.match(first, /^HTTP\/1\.1 201 Created\r\n/);
    assert.match(first, /\r\nChat-Cursor: 0123abcd-31\r\n/);
  });

  test('is refused all the same where the store fails, and the connection ends', async (t) => {
    const { posts, text } = await followOne(t, (told) => {
      told.refuse(new ServiceError('unavailable', 'the disk is full; try again'));
    });
    assert.match(text, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    for (const field of [
      'Chat-Server: brave-otter \\(host\\)',
      'Retry-After: 1',
      'Connection: close',
    ]) {
      assert.match(text, new RegExp(`\r\n${field}\r\n`));
    }
    assert.match(text, /\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n/);
    assert.match(text, /\r\n\r\nthe disk is full; try again\n$/);
    assert.doesNotMatch(text, /201|Chat-Cursor/);
    assert.ok(posts.metrics().includes(countAnswers(503)));
  });

  test('is answered with the place that it has come to in the end', async (t) => {
    const { posts, text } = await followOne(t, (told) => told.store(elsewhere));
    assert.match(text, /^HTTP\/1\.1 201 Created\r\n/);
    assert.match(text, /\r\nChat-Cursor: 4567abcd-62\r\n/);
    assert.match(text, /\r\nContent-Length: 31\r\n/);
    assert.ok(text.endsWith(`\r\n\r\n${line}`));
    assert.doesNotMatch(text, /0123abcd/);
    assert.ok(posts.metrics().includes(countAnswers(201)));
  });

  test('that is told anew is answered with what came true', async (t) => {
    const { text } = await followOne(t, (told) => {
      told.expect(elsewhere);
      told.store(elsewhere);
    });
    assert.match(text, /^HTTP\/1\.1 201 [\s\S]*\r\nChat-Cursor: 4567abcd-62\r\n/);
  });

  test('and meets a fault of the server is answered with 500, and the fault is logged', async (t) => {
    const { posts, text } = await followOne(t, (told) => told.refuse(new Error('a bug')));
    assert.match(text, /^HTTP\/1\.1 500 /);
    assert.match(posts.log.join(''), /a bug/);
  });

  test('waits for those before it on its connection, whichever way they go', async (t) => {
    const posts = await serve(t);
    const wire = await posts.open();
    const [first, second, third] = await send(posts, wire, 3);
    for (const told of [first, second, third]) told!.expect(here);
    second!.refuse(new ServiceError('busy', 'too many messages wait'));
    third!.store(here);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(wire.received(), '');
    first!.store(here);
    await waitUntil('all three answers', () => wire.received().split('HTTP/1.1 ').length === 4);
    const statuses = [...wire.received().matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    assert.deepEqual(statuses, ['201', '503', '201']);
  });

  test('ends its connection where a drain has begun since', async (t) => {
    const { text } = await followOne(t, (told, posts) => {
      posts.drain();
      told.store(here);
    });
    assert.match(text, /^HTTP\/1\.1 201 Created\r\n/);
    assert.match(text, /\r\nConnection: close\r\n/);
    assert.doesNotMatch(text, /keep-alive/i);
    assert.ok(text.endsWith(`\r\n\r\n${line}`));
  });

  test('where it is refused is the last on its connection: nothing sent after it is stored', async (t) => {
    const { posts, text } = await followOne(t, (told, _, wire) => {
      told.refuse(new ServiceError('unavailable', 'no disk'));
      wire.send(post);
    });
    assert.equal(text.split('HTTP/1.1 ').length, 2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(posts.waiting.length, 1);
  });

  test('whose sender went away is no fault, whether it is stored or not', async (t) => {
    const posts = await serve(t);
    for (const end of ['store', 'refuse', 'elsewhere'] as const) {
      const wire = await posts.open();
      const [told] = await send(posts, wire);
      told!.expect(here);
      wire.close();
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (end === 'store') told!.store(here);
      else if (end === 'refuse') told!.refuse(new ServiceError('unavailable', 'no disk'));
      else told!.store(elsewhere);
    }
    const wire = await posts.open();
    const [next] = await send(posts, wire);
    next!.store(here);
    await wire.waitFor(/omri: hi\n$/);
    assert.deepEqual(posts.log, []);
  });
});
