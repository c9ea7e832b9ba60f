// nginx.conf alone, in front of replicas that do as they are told.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type Answer, ask, get, openWire, postBody } from '../support/http.ts';
import { projectFolder } from '../support/paths.ts';
import { pause, waitUntil } from '../support/server.ts';
import { openLive } from '../support/sse.ts';
import { docker, openNginx, type Stack, testImage, testProject } from './stack.ts';

const script = readFileSync(join(projectFolder, 'test', 'compose', 'fake-replica.js'), 'utf8');
const fakeLabel = `com.docker.compose.project=${testProject}`;

// The tests share their replicas, as nginx takes seconds to find some and to forget them: each test
// goes on with those of the one before.
suite('nginx', () => {
  let stack: Stack;
  let silent: Awaited<ReturnType<typeof openFollow>>;
  const fakes: string[] = [];

  before(async () => {
    stack = await openNginx();
  });
  after(async () => {
    await removeFakes(fakes.length);
    await stack?.remove();
  });

  /** Starts replicas that run the script, and waits until nginx has found each that runs by now. */
  async function startFakes(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const network = ['--network', `${testProject}_default`, '--network-alias', 'chat'];
      const options = ['--detach', '--label', fakeLabel, ...network, '--entrypoint', 'node'];
      fakes.push(await docker('run', ...options, '--no-healthcheck', testImage, '-e', script));
    }
    await waitForAll();
  }

  /** Waits until every replica that runs has answered. */
  async function waitForAll(): Promise<void> {
    const found = new Set<unknown>();
    await waitUntil('each has answered', async () => {
      const answer = await get(stack, '/hello');
      if (answer.status === 200) found.add(answer.headers['chat-server']);
      return found.size === fakes.length;
    });
  }

  async function removeFakes(count: number): Promise<void> {
    if (count > 0) await docker('rm', '--force', '--volumes', ...fakes.splice(0, count));
  }

  /** How often all replicas together were asked for something. */
  async function countRequests(what: string): Promise<number> {
    const counts = new Map<unknown, number>();
    await waitUntil('the counts of each', async () => {
      const answer = await get(stack, '/counts');
      if (answer.status === 200) {
        counts.set(answer.headers['chat-server'], JSON.parse(answer.text)[what] ?? 0);
      }
      return counts.size === fakes.length;
    });
    return [...counts.values()].reduce((total, one) => total + one, 0);
  }

  function assertPlain(answer: Answer, status: number, text: RegExp): void {
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers.server, 'nginx', 'no version');
    assert.match(answer.text, text);
    assert.match(answer.text, /^[^\n]{10,200}\n$/);
  }

  test('says in one plain line that no replica is there', async () => {
    await waitUntil('it listens', async () => (await get(stack, '/').catch(() => null)) !== null);
    for (const method of ['GET', 'POST']) {
      const answer = await ask(stack, { method, path: '/chat/general' });
      assertPlain(answer, 503, /No chat server .* nothing is stored/);
      assert.equal(answer.headers['retry-after'], '1');
    }
    const live = await openLive(stack, 'general');
    assert.equal(live.status, 503);
    live.close();
  });

  test('finds a replica that comes, without a reload', async () => {
    await startFakes(1);
    await startFakes(2);
    assert.equal(fakes.length, 3);
  });

  test('neither compresses nor holds back a stream', async () => {
    const accept = { 'accept-encoding': 'gzip' };
    const live = await openLive(stack, 'events', { headers: accept });
    assert.equal(live.headers['content-encoding'], undefined);
    assert.equal((await live.waitFor('words', () => true)).data.length, 29 * 400);
    live.close();
    silent = await openFollow(stack, '/chat/follow?since=now&follow', accept);
    assert.equal(silent.headers['content-encoding'], undefined);
    await waitUntil('its first line', () => silent.text().length === 29 * 400 + 1, 5000);
  });

  test('hands on path, host and address as they came', async () => {
    const answer = await get(stack, '/chat/echo%2F%D7%A9%20..%2Fx?a=%20&b');
    assert.equal(answer.text, '/chat/echo%2F%D7%A9%20..%2Fx?a=%20&b');
    const forged = { 'x-forwarded-for': '1.2.3.4', 'x-real-ip': '1.2.3.4' };
    const { rawHeaders } = JSON.parse((await get(stack, '/echo', forged)).text) as {
      rawHeaders: string[];
    };
    const sent = new Map<string, string>();
    for (let n = 0; n < rawHeaders.length; n += 2) {
      sent.set(rawHeaders[n]!.toLowerCase(), rawHeaders[n + 1]!);
    }
    assert.equal(sent.get('host'), `127.0.0.1:${stack.port}`);
    assert.equal(sent.get('x-forwarded-host'), `127.0.0.1:${stack.port}`);
    assert.equal(sent.get('x-forwarded-proto'), 'http');
    assert.match(sent.get('x-real-ip')!, /^\d+\.\d+\.\d+\.\d+$/);
    assert.notEqual(sent.get('x-real-ip'), '1.2.3.4');
    assert.equal(sent.get('x-forwarded-for'), sent.get('x-real-ip'));
  });

  test('passes a 503 of the store on and counts it against nobody', async () => {
    const full = new Set<string>();
    const well = new Set<unknown>();
    for (let n = 0; n < 12; n += 1) {
      const answer = await postBody(stack, '/full', 'username=a&message=b');
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['retry-after'], '7');
      assert.match(answer.text, /^the disk of \w+ is full\n$/);
      full.add(answer.text);
      well.add((await get(stack, '/hello')).headers['chat-server']);
    }
    assert.equal(full.size, 3, 'after a 503 a replica is asked as before');
    assert.equal(well.size, 3);
  });

  test('compresses text', async () => {
    const answer = await get(stack, '/text', { 'accept-encoding': 'gzip' });
    assert.equal(answer.headers['content-encoding'], 'gzip');
    assert.match(String(answer.headers.vary), /accept-encoding/i);
    assert.ok(answer.body.length < 1000);
    assert.match(gunzipSync(answer.body).toString(), /^(many words, again and again\. ){400}$/);
  });

  test('refuses a body over 64 KiB in plain text', async () => {
    const fits = await postBody(stack, '/hello', 'x'.repeat(65_536));
    assert.equal(fits.status, 201);
    assertPlain(await postBody(stack, '/hello', 'x'.repeat(65_537)), 413, /64 KiB/);
  });

  test('keeps a slow sender from the replicas', async () => {
    const wire = await openWire(stack);
    wire.send('POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345');
    await pause(1000);
    assert.equal(await countRequests('POST /slow'), 0);
    wire.send('67890');
    await wire.waitFor(/^HTTP\/1\.1 201/);
    assert.equal(await countRequests('POST /slow'), 1);
    wire.close();
  });

  test('answers a flood of POSTs from one address with 429, and nobody’s GET', async () => {
    const answers = await Promise.all(
      Array.from({ length: 600 }, () => postBody(stack, '/hello', 'x')),
    );
    const refused = answers.filter(({ status }) => status === 429);
    const taken = answers.filter(({ status }) => status === 201);
    assert.equal(refused.length + taken.length, 600);
    assert.ok(taken.length >= 200, `${taken.length} taken`);
    assert.ok(refused.length > 0);
    assertPlain(refused[0]!, 429, /nothing is stored/);
    assert.equal(refused[0]!.headers['retry-after'], '1');
    assert.equal((await get(stack, '/hello')).status, 200);
    await waitUntil(
      'taken again',
      async () => (await postBody(stack, '/hello', 'x')).status === 201,
    );
  });

  test('refuses in one plain line what it gives to no replica', async () => {
    const head = 'HTTP/1.1\r\nHost: x\r\n';
    const long = 'x'.repeat(9000);
    const refused: [request: string, status: number, text: RegExp][] = [
      ['GET / HTTP/1.1\r\n\r\n', 400, /no HTTP request/],
      ['\x16\x03\x01\r\n\r\n', 400, /no HTTP request/],
      [`GET /%00 ${head}\r\n`, 400, /no HTTP request/],
      [`GET / ${head}Host: y\r\n\r\n`, 400, /no HTTP request/],
      [`TRACE / ${head}\r\n`, 405, /GET, HEAD, POST and OPTIONS/],
      [`GET /${long} ${head}\r\n`, 414, /address is too long/],
      [`GET / ${head}Cookie: ${long}\r\n\r\n`, 431, /header is too large/],
      [`POST / ${head}Transfer-Encoding: zip\r\n\r\n`, 501, /Transfer-Encoding/],
      ['GET / HTTP/2.0\r\nHost: x\r\n\r\n', 505, /HTTP\/1\.1/],
      [`GET /-/refused ${head}Connection: close\r\n\r\n`, 404, /no such page/],
    ];
    for (const [sent, status, text] of refused) {
      const wire = await openWire(stack);
      wire.send(sent);
      const [fields = '', body = ''] = (await wire.waitForEnd()).split('\r\n\r\n');
      assert.match(fields, new RegExp(`^HTTP/1\\.1 ${status} `), sent.slice(0, 40));
      assert.match(fields, /\r\nContent-Type: text\/plain; charset=utf-8\r\n/);
      assert.match(fields, /\r\nX-Content-Type-Options: nosniff(\r\n|$)/);
      assert.equal(/\r\nAllow: GET, HEAD, POST, OPTIONS\r\n/.test(fields), status === 405);
      assert.match(body, text);
      assert.match(body, /^[^<\n]{10,100}\n$/);
    }
  });

  test('opens the files that all its connections take, though it begins with 1,024', async () => {
    const file = `${join(projectFolder, 'nginx.conf')}:/etc/nginx/nginx.conf:ro`;
    const like = [
      '--user',
      '101:101',
      '--read-only',
      '--tmpfs',
      '/tmp:mode=1777',
      '--volume',
      file,
    ];
    const options = ['--detach', '--label', fakeLabel, '--ulimit', 'nofile=1024:20000', ...like];
    const id = await docker('run', ...options, 'nginx:1.30');
    await waitUntil('both workers may open 20,000', async () => {
      const limits = await docker('exec', id, 'sh', '-c', 'cat /proc/[0-9]*/limits');
      return [...limits.matchAll(/^Max open files +20000 /gm)].length === 2;
    });
    await docker('rm', '--force', '--volumes', id);
  });

  test('never sends a POST twice that may have been stored, but a GET', async () => {
    const posted = await postBody(stack, '/die', 'username=a&message=b');
    assertPlain(posted, 502, /may have been stored/);
    assert.equal(posted.headers['retry-after'], undefined);
    assert.equal(await countRequests('POST /die'), 1);
    assert.equal((await get(stack, '/die')).status, 503);
    await waitForAll();
    const count = await countRequests('GET /die');
    assert.ok(count >= 3 && count <= 9, `asked ${count} times, three times each at most`);
  });

  test('leaves a stream open that is silent for longer than an answer may be', async () => {
    await waitUntil('its next line', () => silent.text().endsWith('silence\n'), 60_000);
    silent.close();
  });

  test('skips an address that vanished and answers nothing at all', async () => {
    // On a connection that is already open a POST could only wait: nginx closes idle ones after 2 s.
    await pause(2500);
    await docker('network', 'disconnect', `${testProject}_default`, fakes[0]!);
    for (let n = 0; n < 30; n += 1) {
      const answer = await postBody(stack, '/hello', 'x');
      assert.equal(answer.status, 201, answer.text);
      await pause(20);
    }
  });

  test('forgets a replica that goes, without a reload', async () => {
    await removeFakes(2);
    for (let n = 0; n < 50; n += 1) {
      assert.equal((await get(stack, '/hello')).status, 200);
      await pause(20);
    }
  });

  test('has nothing to complain about at its start', async () => {
    await stack.compose('restart', 'nginx');
    const lines = (await stack.logs('nginx')).split('\n');
    assert.deepEqual(
      lines.filter((line) => /\[(emerg|alert|crit)\]/.test(line)),
      [],
    );
  });
});

/** A plain-text stream as `curl -N` reads it. */
async function openFollow(stack: Stack, path: string, headers: Record<string, string>) {
  const outgoing = request({ host: '127.0.0.1', port: stack.port, path, headers, agent: false });
  const answer = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject).end();
  });
  outgoing.on('error', () => {});
  answer.on('error', () => {});
  let text = '';
  answer.on('data', (chunk) => {
    text += chunk;
  });
  return { headers: answer.headers, text: () => text, close: () => void outgoing.destroy() };
}
