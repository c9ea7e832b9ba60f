// Contract §2: how long a connection may idle, and how many there may be.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { suite, test } from 'node:test';
import { get, openWire } from '../../support/http.ts';
import { need } from '../../support/need.ts';
import { pause, type Server, startServer } from '../../support/server.ts';

const skip = need('descriptors');
const ping = 'GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n';

suite('connections', { concurrency: true }, () => {
  test('that idle for 70 s are still served; they end after 75 s, not before', async () => {
    const server = await startServer();
    const [used, left] = await Promise.all([openWire(server), openWire(server)]);
    for (const wire of [used, left]) wire.send(ping);
    await Promise.all([used, left].map((wire) => wire.waitFor(/ 200 OK[\s\S]*\r\n\r\n/)));
    const idleSinceMs = performance.now();
    await pause(70_000);
    used.send(ping);
    await used.waitFor(/ 200 OK[\s\S]* 200 OK/);
    await left.waitForEnd(30_000);
    const idleMs = performance.now() - idleSinceMs;
    assert.ok(idleMs > 74_500, `it ended after ${Math.round(idleMs)} ms`);
    used.close();
    await server.stop();
  });

  test('that never send a request end, too', async () => {
    const server = await startServer();
    const wire = await openWire(server);
    const half = await openWire(server);
    half.send('GET /-/healthy HTTP/1.1\r\nHost:');
    await Promise.all([wire, half].map((one) => one.waitForEnd(120_000)));
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
    await pause(500);
    assert.equal((await get(server, '/-/healthy')).status, 200, 'there is room again');
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
