// The listening server: its limit, its protocol errors, and its drain.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { suite, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Listener, type ListenerOptions, MAX_OPEN_RESPONSES } from '../../../lib/http/listener.ts';
import { ask, openWire, type Wire } from '../../support/http.ts';
import { pause, waitUntil } from '../../support/server.ts';

const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const common = ['Chat-Server', 'brave-otter (host)', 'X-Content-Type-Options', 'nosniff'];

interface Listening {
  listener: Listener;
  port: number;
  connect(): Promise<Wire>;
}

async function listen(t: TestContext, options: Partial<ListenerOptions> = {}): Promise<Listening> {
  const handler: ListenerOptions['handler'] = (_, response) => answer(response);
  const listener = new Listener({ handler, common, ...options });
  const port = await listener.listen(0, '127.0.0.1');
  t.after(() => listener.drain(0));
  const connect = async () => {
    const wire = await openWire({ port });
    t.after(() => wire.close());
    return wire;
  };
  return { listener, port, connect };
}

function answer(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Length': 2 });
  response.end('ok');
}

/** Whether the system turns down who connects. */
async function isRefused(port: number): Promise<boolean> {
  try {
    (await openWire({ port })).close();
    return false;
  } catch (error) {
    assert.match(String(error), /ECONNREFUSED/);
    return true;
  }
}

/** Fills each turn of the event loop until the test is over. */
function keepBusy(t: TestContext): void {
  let isOver = false;
  t.after(() => {
    isOver = true;
  });
  const fillTurn = (): void => {
    const endMs = performance.now() + 2;
    while (performance.now() < endMs);
    if (!isOver) setImmediate(fillTurn);
  };
  fillTurn();
}

/** Holds a refusal against what every answer carries. */
function checkRefusal(text: string, status: number): void {
  assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
  assert.match(text, /\r\nChat-Server: brave-otter \(host\)\r\n/);
  assert.match(text, /\r\nX-Content-Type-Options: nosniff\r\n/);
  assert.match(text, /\r\nConnection: close\r\n/i);
  const [head = '', body = ''] = text.split('\r\n\r\n');
  assert.match(body, /^[\x20-\x7e]+\n$/, 'one line that says what is wrong');
  assert.equal(Number(/Content-Length: (\d+)/i.exec(head)?.[1]), body.length);
}

suite('connections', () => {
  test('are limited: the next one gets 503 and is closed, and goes on once one is gone', async (t) => {
    const { listener, connect } = await listen(t, { maxConnections: 3 });
    const wires = [await connect(), await connect(), await connect()];
    for (const wire of wires) {
      wire.send(request);
      await wire.waitFor(/ok$/);
    }
    assert.equal(listener.connectionCount, 3);
    const refused = await connect();
    const text = await refused.waitForEnd();
    checkRefusal(text, 503);
    assert.match(text, /\r\nRetry-After: \d+\r\n/);
    assert.equal(listener.connectionCount, 3);
    wires[0]!.close();
    await waitUntil('one less', () => listener.connectionCount === 2);
    const next = await connect();
    next.send(request);
    await next.waitFor(/ok$/);
  });

  test('that are refused get their answer though they sent a request', async (t) => {
    const { connect } = await listen(t, { maxConnections: 0 });
    for (let round = 0; round < 20; round += 1) {
      const wire = await connect();
      wire.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(5000)}`);
      checkRefusal(await wire.waitForEnd(), 503);
    }
  });
});

suite('what is no HTTP', () => {
  const malformed: Record<string, [sent: string, status: number]> = {
    'words of another protocol': ['EHLO mail.example\r\n\r\n', 400],
    'a method that there is not': ['GOT / HTTP/1.1\r\n\r\n', 405],
    'a version that there is not': ['GET / HTTP/9.9\r\nHost: a\r\n\r\n', 505],
    'a space in the target': ['GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    'a broken field': ['GET / HTTP/1.1\r\nHo st: a\r\n\r\n', 400],
    'two lengths that differ': [
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
    ],
    'a length beside chunks': [
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    'a header too large': [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
    'a tunnel': ['CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n', 405],
  };
  for (const [what, [sent, status]] of Object.entries(malformed)) {
    test(`(${what}) is ${status}, with the headers of every answer, and the end`, async (t) => {
      const { connect, port } = await listen(t);
      const wire = await connect();
      wire.send(sent);
      const text = await wire.waitForEnd();
      checkRefusal(text, status);
      if (status === 405) assert.match(text, /\r\nAllow: GET, HEAD, POST, OPTIONS\r\n/);
      assert.equal((await ask({ port }, {})).status, 200, 'and the others go on');
    });
  }

  test('in the middle of an answer cuts it, and writes nothing into it', async (t) => {
    const { connect } = await listen(t, {
      handler: (_, response) => {
        response.writeHead(200, { 'Transfer-Encoding': 'chunked' });
        response.write('first');
      },
    });
    const wire = await connect();
    wire.send(request);
    await wire.waitFor(/first/);
    wire.send('GARBAGE\r\n\r\n');
    const text = await wire.waitForEnd().catch(() => wire.received());
    assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1, text);
    assert.ok(!text.endsWith('0\r\n\r\n'), 'a cut answer does not look whole');
  });

  test('while a body is waited for is 400', async (t) => {
    const { connect } = await listen(t, { handler: () => undefined });
    const wire = await connect();
    wire.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
    checkRefusal(await wire.waitForEnd(), 400);
  });

  for (const [what, refused, status] of [
    ['bytes that are no request', 'GARBAGE\r\n\r\n', 400],
    ['bytes that are none, right behind a good one', `${request}GARBAGE\r\n\r\n`, 400],
    ['a method that there is not', 'BREW / HTTP/1.1\r\n\r\n', 405],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405],
  ] as const) {
    test(`(${what}) is refused after the answers to the requests before it`, async (t) => {
      const pending: ServerResponse[] = [];
      const { connect } = await listen(t, {
        handler: ({ url }, response) => {
          if (url === '/slow') pending.push(response);
          else answer(response);
        },
      });
      const wire = await connect();
      wire.send(request.replace('/', '/slow') + request);
      await waitUntil('the slow one is asked for', () => pending.length === 1);
      wire.send(refused);
      // Its answer comes on a connection of its own, so the server has seen the refused one.
      const other = await connect();
      other.send(request);
      await other.waitFor(/ok$/);
      answer(pending[0]!);
      const text = await wire.waitForEnd();
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]));
      const good = refused.startsWith('GET') ? [200, 200, 200] : [200, 200];
      assert.deepEqual(statuses, [...good, status]);
    });
  }

  test('may be a tunnel behind a slow request of a client that is gone: the others go on', async (t) => {
    let pending: ServerResponse | undefined;
    const { connect, port } = await listen(t, {
      handler: ({ url }, response) => {
        if (url === '/slow') pending = response;
        else answer(response);
      },
    });
    const wire = await connect();
    wire.send(`${request.replace('/', '/slow')}CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`);
    await waitUntil('the slow one is asked for', () => pending !== undefined);
    wire.socket.resetAndDestroy();
    const isClosed = new Promise((resolve) => pending!.req.socket.once('close', resolve));
    // The first write learns of the reset, if nothing was read since.
    answer(pending!);
    await isClosed;
    assert.equal((await ask({ port }, {})).status, 200);
  });

  test('but a header that never ends is 408 when its time is over', async (t) => {
    const { connect } = await listen(t, { headersTimeoutMs: 60 });
    const wire = await connect();
    wire.send('GET / HTTP/1.1\r\nHost:');
    checkRefusal(await wire.waitForEnd(), 408);
  });
});

suite('a connection with many requests at once', () => {
  test('is not read further while more than a few wait, and each is answered in its order', async (t) => {
    const open: ServerResponse[] = [];
    let mostOpen = 0;
    let next = 0;
    const answerAll = (): void => {
      mostOpen = Math.max(mostOpen, open.length);
      for (const response of open.splice(0)) {
        const body = `<${next++}>`;
        response.writeHead(200, { 'Content-Length': body.length });
        response.end(body);
      }
    };
    let ticks = 0;
    const answerLater = (): void => {
      // Late enough that the whole of what was sent could have been read.
      ticks += 1;
      if (ticks % 50 === 0) answerAll();
      if (next < count) setImmediate(answerLater);
    };
    const { connect } = await listen(t, { handler: (_, response) => void open.push(response) });
    const padded = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(1000)}\r\n\r\n`;
    const count = 2000;
    const wire = await connect();
    wire.send(padded.repeat(count));
    setImmediate(answerLater);
    const text = await wire.waitFor(new RegExp(`<${count - 1}>$`), 60_000);
    const bodies = [...text.matchAll(/<(\d+)>/g)].map((match) => Number(match[1]));
    assert.deepEqual(bodies, [...Array(count).keys()]);
    // What was read in one piece, 64 KiB, is taken in as a whole.
    const piece = 65_536 / padded.length + 1;
    assert.ok(mostOpen <= MAX_OPEN_RESPONSES + 2 * piece, `${mostOpen} were open`);
  });

  test('of which the last has a body on its way is read on once the others are answered', async (t) => {
    const open: ServerResponse[] = [];
    let body = '';
    const { connect } = await listen(t, {
      handler: (incoming, response) => {
        open.push(response);
        if (incoming.method !== 'POST') return;
        incoming.on('data', (chunk) => {
          body += chunk;
        });
        incoming.on('end', () => answer(response));
      },
    });
    const wire = await connect();
    const many = MAX_OPEN_RESPONSES + 1;
    wire.send(`${request.repeat(many)}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab`);
    await waitUntil('all are asked for', () => open.length === many + 1);
    wire.send('cd');
    for (const response of open.slice(0, many)) answer(response);
    await wire.waitFor(new RegExp(`(?:[^]*?ok){${many + 1}}$`));
    assert.equal(body, 'abcd');
  });

  test('tells each of them when it closes', async (t) => {
    const closed = new Set<ServerResponse>();
    const { connect } = await listen(t, {
      handler: (_, response) => {
        response.once('close', () => closed.add(response));
        open += 1;
      },
    });
    let open = 0;
    const wire = await connect();
    wire.send(request.repeat(3));
    await waitUntil('all are asked for', () => open === 3);
    wire.close();
    await waitUntil('all are closed', () => closed.size === 3);
  });
});

suite('a drain', () => {
  test('closes at once what has been idle for its grace, and serves what has not', async (t) => {
    const { listener, connect } = await listen(t);
    const graceMs = 3000;
    const [old, young, fresh] = [await connect(), await connect(), await connect()];
    old.send(request);
    await old.waitFor(/ok$/);
    young.send(request);
    await young.waitFor(/ok$/);
    await pause(graceMs);
    young.send(request);
    await young.waitFor(/ok.+ok$/s);
    const drained = listener.drain(graceMs);
    assert.match(await old.waitForEnd(), /ok$/);
    assert.equal(await fresh.waitForEnd(), '', 'it never sent anything');
    young.send(request);
    await young.waitFor(/ok.+ok.+ok$/s);
    young.close();
    await drained;
  });

  test('lets people in until it is calm', async (t) => {
    const { listener, port } = await listen(t);
    keepBusy(t);
    const drained = listener.drain(20_000);
    for (let turns = 0; turns < 4; turns += 1) await nextTurn();
    assert.equal((await ask({ port }, { path: '/' })).status, 200);
    await drained;
  });

  test('lets nobody in for long, however busy it is', async (t) => {
    const { listener, port } = await listen(t);
    keepBusy(t);
    const drained = listener.drain(20_000);
    await waitUntil('nobody is let in', () => isRefused(port));
    await drained;
  });
});
