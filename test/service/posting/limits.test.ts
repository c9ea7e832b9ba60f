// Contract §2: how long a connection may idle, and how many there may be.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { suite, test } from 'node:test';
import { get, openWire } from '../../support/http.ts';
import { need } from '../../support/need.ts';
import { type Server, startServer, waitUntil } from '../../support/server.ts';

const skip = need('descriptors');
const ping = 'GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n';

suite('connections', { concurrency: true }, () => {
  test('that idle end after 75 s, not before, whether they sent a request or not', async () => {
    const server = await startServer();
    const [used, unused] = await Promise.all([openWire(server), openWire(server)]);
    used.send(ping);
    await used.waitFor(/ 200 OK[\s\S]*\r\n\r\n/);
    const idleSinceMs = performance.now();
    await Promise.all([used, unused].map((wire) => wire.waitForEnd(120_000)));
    const idleMs = performance.now() - idleSinceMs;
    assert.ok(idleMs > 74_000, `they ended after ${Math.round(idleMs)} ms`);
    await server.stop();
  });

  test('that never send the whole of a header get 408', async () => {
    const server = await startServer();
    const wire = await openWire(server);
    wire.send('GET /-/healthy HTTP/1.1\r\nHost:');
    assert.match(await wire.waitForEnd(60_000), /^HTTP\/1\.1 408 /);
    await server.stop();
  });

  test('may be 10,000; the next one gets 503 and is closed', { skip }, async () => {
    const server = await startServer();
    const sockets = await openMany(server, 10_000);
    const next = await openWire(server);
    next.send(ping);
    const text = await next.waitForEnd();
    assert.match(text, /^HTTP\/1\.1 503 /);
    assert.match(text, /retry-after: \d+/i);
    assert.match(text, /connection: close/i);
    assert.match(text, /chat-server: /i);
    for (const socket of sockets.splice(0, 10)) socket.destroy();
    const isServed = async () => (await get(server, '/-/healthy')).status === 200;
    await waitUntil('there is room again', isServed);
    for (const socket of sockets) socket.destroy();
    await server.stop();
  });
});

/** Opens idle connections, some hundred at a time. */
async function openMany(server: Server, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(250, count - sockets.length) }, () => open(server));
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

function open(server: Server): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
}
