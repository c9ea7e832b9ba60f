// What everybody does with the service, done through a proxy as different clients do it.
import assert from 'node:assert/strict';
import { Agent, type OutgoingHttpHeaders, request } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { type Answer, ask, get, openWire, post, read } from '../support/http.ts';
import { type Server, waitUntil } from '../support/server.ts';
import { openLive } from '../support/sse.ts';
import { type RunningProxy, site } from './proxy.ts';

/** One thing to do: through the proxy in a room of its own, with a look at the service behind it. */
type Smoke = (proxy: RunningProxy, server: Server, room: string) => Promise<void>;

const host = { host: site };
/** As a browser on plain HTTP, whose site is not localhost: it sends no `Sec-Fetch-Site`. */
const browser = {
  ...host,
  origin: `http://${site}`,
  referer: `http://${site}/lobby`,
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/146.0.0.0 Safari/537.36',
  accept: '*/*',
  'accept-encoding': 'gzip, deflate',
};
const reader = { ...browser, accept: 'text/event-stream' };
const posted = { username: 'ann', message: 'hello' };

/** What the suite does through each proxy, as sentences. */
export const smokes: Record<string, Smoke> = {
  'curl posts': async (proxy, server, room) => {
    const answer = await post(proxy, room, posted, { ...host, 'user-agent': 'curl/8' });
    assert.equal(answer.status, 201, answer.text);
    assert.match(answer.text, /^\[.{19}\] ann: hello\n$/);
    assert.match(String(answer.headers['chat-cursor']), /-33$/);
    assert.equal((await read(server, room)).text, answer.text);
  },

  'a browser posts, or is told what the proxy has to hand on': async (proxy, server, room) => {
    const answer = await post(proxy, room, posted, browser);
    if (proxy.hides === undefined) {
      assert.equal(answer.status, 201, answer.text);
      return;
    }
    assert.equal(answer.status, 403);
    const says = (part: string) => assert.ok(answer.text.includes(part), answer.text);
    says(`its Origin "http://${site}" is neither the Host "${proxy.hides}"`);
    says('nor the X-Forwarded-Host (none)');
    says('let a proxy hand on the Host that its client sent, or name it in X-Forwarded-Host');
    // The field that the words name, from whoever is in between, is enough.
    const mended = await post(proxy, room, posted, { ...browser, 'x-forwarded-host': site });
    assert.equal(mended.status, 201, mended.text);
    assert.equal((await read(server, room)).text, mended.text);
  },

  'a page of another site does not': async (proxy, server, room) => {
    const foreign = { ...browser, origin: 'http://evil.example' };
    const answer = await post(proxy, room, posted, foreign);
    assert.equal(answer.status, 403);
    assert.equal((await read(server, room)).text, '');
  },

  'curl asks before it sends a body': async (proxy, _, room) => {
    const headers = { ...host, expect: '100-continue', 'content-length': 26 };
    const wire = await openWire(proxy);
    const type = 'Content-Type: application/x-www-form-urlencoded\r\n';
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    wire.send(`POST /chat/${room} HTTP/1.1\r\n${lines.join('')}${type}\r\n`);
    // Apache reads the body before it asks anybody else; others hand the expectation on.
    await wire.waitFor(/^HTTP\/1\.1 100 /);
    wire.send('username=ann&message=hello');
    assert.match(await wire.waitFor(/: hello\n/), /\r\n\r\nHTTP\/1\.1 201 /);
    wire.close();
  },

  'the room is read whole, in parts, and not again': async (proxy, server, room) => {
    for (const message of ['one', 'two']) await post(server, room, { username: 'ann', message });
    const whole = await read(proxy, room, host);
    assert.equal(whole.status, 200);
    assert.match(whole.text, /^.+: one\n.+: two\n$/);
    const part = await read(proxy, room, { ...host, range: 'bytes=-4' });
    if (!proxy.isCache || part.status !== 200) {
      assert.deepEqual([part.status, part.text], [206, 'two\n']);
    }
    const none = await read(proxy, room, { ...host, range: 'bytes=64-' });
    assert.equal(none.status, proxy.isCache ? 200 : 416, 'nothing is new');
    const known = { ...host, 'if-none-match': whole.headers.etag };
    assert.equal((await read(proxy, room, known)).status, proxy.isCache ? 200 : 304);
    await post(server, room, { username: 'ann', message: 'three' });
    const changed = await read(proxy, room, known);
    assert.deepEqual([changed.status, changed.text.split('\n').length], [200, 4]);
  },

  'a browser’s poll is answered 304': async (proxy, server, room) => {
    await post(server, room, posted);
    const whole = await read(proxy, room, browser);
    assert.match(decode(whole), /: hello\n$/);
    const known = { ...browser, 'if-none-match': whole.headers.etag };
    const isRenamed = proxy.renamesCompressed && whole.headers['content-encoding'] !== undefined;
    const isSentAgain = proxy.isCache || isRenamed;
    assert.equal((await read(proxy, room, known)).status, isSentAgain ? 200 : 304);
    await post(server, room, { username: 'ann', message: 'more' });
    assert.match(decode(await read(proxy, room, known)), /: more\n$/);
  },

  'HEAD is as GET without the body': async (proxy, server, room) => {
    await post(server, room, posted);
    const answer = await ask(proxy, { method: 'HEAD', path: `/chat/${room}`, headers: host });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-length'], '33');
    assert.equal(answer.text, '');
  },

  'a stream brings lines as they come, and resumes': async (proxy, server, room) => {
    const first = await openLive(proxy, room, { headers: reader });
    assert.equal(first.status, 200);
    await first.waitFor('the name of the server', ({ type }) => type === 'server', soonMs);
    for (const message of ['one', 'two']) {
      await post(server, room, { username: 'ann', message });
      await first.waitFor(message, ({ data }) => data.endsWith(`: ${message}`), soonMs);
    }
    const lastEventId = first.lastEventId();
    first.close();
    await post(server, room, { username: 'ann', message: 'three' });
    const second = await openLive(proxy, room, { lastEventId, headers: reader });
    await second.waitFor('three', ({ data }) => data.endsWith(': three'), soonMs);
    const types = second.events.map(({ type }) => type).filter((type) => type !== 'ping');
    assert.deepEqual(types, ['server', 'message'], 'and nothing twice');
    second.close();
  },

  '?follow brings lines as they come': async (proxy, server, room) => {
    // Some proxies hand on no header before the first bytes of a body.
    await post(server, room, { username: 'ann', message: 'old' });
    const follow = await openFollow(proxy, `/chat/${room}?follow`);
    for (const message of ['one', 'two']) {
      await post(server, room, { username: 'ann', message });
      const isFollowed = () => follow.text().endsWith(`: ${message}\n`);
      await waitUntil(`followed to ${message}`, isFollowed, soonMs);
    }
    follow.close();
  },

  'the page has all its files': async (proxy, server) => {
    const headers = { ...browser, accept: 'text/html,*/*;q=0.8' };
    const page = await get(proxy, '/lobby', headers);
    assert.match(String(page.headers['content-type']), /^text\/html/);
    const html = decode(page);
    assert.equal(html, (await get(server, '/lobby')).text);
    const paths = [...html.matchAll(/(?:src|href)="(\/static\/[^"]+)"/g)].map(([, path]) => path!);
    assert.ok(paths.length > 1);
    for (const path of paths) {
      const [seen, real] = [await get(proxy, path, browser), await get(server, path)];
      assert.equal(decode(seen), real.text, path);
      assert.equal(seen.headers['content-type'], real.headers['content-type']);
    }
  },

  'a form without a script leads back to the page': async (proxy, _, room) => {
    const headers = { ...host, accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
    const answer = await post(proxy, room, posted, headers);
    assert.equal(answer.status, 303);
    const url = new URL(String(answer.headers.location), `http://${site}/`);
    assert.deepEqual([url.hostname, url.pathname], [site, `/${room}`]);
  },

  'one connection carries a hundred requests': async (proxy, server, room) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const body = 'username=ann&message=again';
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const length = { 'content-length': body.length };
    const user = { 'user-agent': browser['user-agent'] };
    for (let count = 1; count <= 50; count += 1) {
      const path = `/chat/${room}`;
      const headers = { ...host, ...user, ...type, ...length };
      const answer = await ask(proxy, { method: 'POST', path, headers, body, agent });
      assert.match(`${answer.status} ${answer.text}`, /^201 .+ ann: again\n$/);
      const { text } = await ask(proxy, { path, headers: { ...host, ...user }, agent });
      assert.equal(text.split('\n').length - 1, count);
    }
    assert.equal((await read(server, room)).text.split('\n').length - 1, 50);
    agent.destroy();
  },

  'names of rooms arrive as they are': async (proxy, server, room) => {
    for (const name of [`${room} שלום 100%`, `${room}+a;b=c&d`, `${room}/in/it`]) {
      if (proxy.breaksSlashes && name.includes('/')) continue;
      const answer = await post(proxy, name, posted, host);
      assert.equal(answer.status, 201, `${name}: ${answer.text}`);
      assert.equal((await read(server, name)).text, answer.text, name);
    }
  },

  'operators’ pages are hidden where the configuration says so': async (proxy) => {
    const { status } = await get(proxy, '/-/metrics', host);
    assert.equal(status, proxy.hidesOperators ? 404 : 200);
  },

  'a refusal keeps its words': async (proxy, _, room) => {
    const answer = await post(proxy, room, { username: 'ann' }, browser);
    if (proxy.hides !== undefined) return;
    assert.equal(answer.status, 400);
    assert.match(decode(answer), /^message is missing; /);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  },
};

/** Less than the pings of a stream are apart, so that they don't push out what a proxy holds back. */
const soonMs = 10_000;

function decode({ headers, body, text }: Answer): string {
  const encoding = headers['content-encoding'];
  if (encoding === 'gzip') return gunzipSync(body).toString();
  if (encoding === 'br') return brotliDecompressSync(body).toString();
  assert.equal(encoding, undefined);
  return text;
}

/** A plain-text stream, as `curl -N` reads it. */
async function openFollow(
  { port }: { port: number },
  path: string,
  headers: OutgoingHttpHeaders = host,
) {
  let text = '';
  const outgoing = request({ host: '127.0.0.1', port, path, headers, agent: false });
  await new Promise<void>((resolve, reject) => {
    outgoing.once('error', reject).end();
    outgoing.once('response', (answer) => {
      answer.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      answer.on('error', () => undefined);
      resolve();
    });
  });
  outgoing.on('error', () => undefined);
  return { text: () => text, close: () => void outgoing.destroy() };
}
