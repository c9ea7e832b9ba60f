// Clients that come and go at any moment leave nothing behind, and many idle ones cost little.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { runCrowd } from '../../support/crowd.ts';
import { readMetric } from '../../support/http.ts';
import { type Server, startServer, waitUntil } from '../../support/server.ts';
import { openLive } from '../../support/sse.ts';
import { appendByHand, makeLines, pickLines, readLineEvents, toFile } from './rooms.ts';

const subscriberCount = 2000;

/** Opens a connection and sends a request. */
function openSocket(server: Server, request: string): Socket {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(request);
  return socket;
}

/** The ways in which a client may vanish. */
const waysToVanish: ((socket: Socket) => void)[] = [
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.end(),
  (socket) => void socket.pause().destroySoon(),
];

test('clients that vanish at any moment leave no reader, no connection and no warning', async () => {
  const server = await startServer();
  appendByHand(server.store, 'room', makeLines(20_000, 'line', 100));
  const steady = await openLive(server, 'room');
  let isOver = false;
  const writing = runCrowd({
    servers: [server],
    rooms: ['room'],
    clientCount: 3,
    isOver: () => isOver,
  });
  const paths = ['', '?since=now', '?since=1000', '?follow', '?follow&since=now', '?since=x'];
  const visits = Array.from({ length: 1500 }, async (_, n) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4000));
    const accept = n % 3 ? 'Accept: text/event-stream\r\n' : '';
    const head = `GET /chat/room${paths[n % paths.length]} HTTP/1.1\r\nHost: a\r\n${accept}\r\n`;
    // Some vanish before their request is complete, some send another one after it.
    const requests = [head, head, head, head.slice(0, -2), head + head];
    const socket = openSocket(server, requests[n % requests.length]!);
    if (n % 2) socket.resume();
    await new Promise((resolve) => setTimeout(resolve, Math.random() ** 3 * 300));
    waysToVanish[n % waysToVanish.length]!(socket);
    // A client that only ended its own side is gone completely a little later.
    setTimeout(() => socket.destroy(), 200);
  });
  await Promise.all(visits);
  isOver = true;
  await writing;
  await waitUntil('one reader', async () => (await readMetric(server, 'chat_live_streams')) === 1);
  await waitUntil(
    'two connections',
    async () => (await readMetric(server, 'chat_connections')) <= 2,
  );
  const expected = readLineEvents(server.store, 'room');
  const last = expected.at(-1)!.id;
  await steady.waitFor('the end', (event) => event.lastEventId === last);
  assert.deepEqual(pickLines(steady.events), expected);
  steady.close();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.deepEqual(server.stderr, []);
  const faults = server.stdout.filter((line) => / (warn|error) /.test(line));
  assert.deepEqual(faults, []);
});

test('each of 2,000 idle readers gets the next line, and leaves nothing behind', async (t) => {
  const server = await startServer();
  appendByHand(server.store, 'room', 'one\n');
  const before = await readMetric(server, 'process_resident_memory_bytes');
  const request =
    'GET /chat/room?since=now HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n';
  const received = new Array<string>(subscriberCount).fill('');
  const sockets: Socket[] = [];
  for (let n = 0; n < subscriberCount; n += 1) {
    const socket = openSocket(server, request);
    socket.on('data', (chunk) => {
      received[n] += chunk.toString('latin1');
    });
    sockets.push(socket);
    if (n % 100 === 99) {
      const isThere = async () => (await readMetric(server, 'chat_live_streams')) === n + 1;
      await waitUntil(`${n + 1} readers`, isThere, 60_000);
    }
  }
  const cost = (await readMetric(server, 'process_resident_memory_bytes')) - before;
  t.diagnostic(`${(cost / subscriberCount / 1024).toFixed(1)} KiB of memory per idle reader`);
  appendByHand(server.store, 'room', 'two\n');
  const text = readFileSync(toFile(server.store, 'room'));
  const isServed = () => received.every((one) => one.includes(`-${text.length}\ndata: two\n\n`));
  await waitUntil('served', isServed, 30_000);
  for (const one of received) assert.equal(one.match(/data: two/g)?.length, 1);
  for (const socket of sockets) socket.destroy();
  await waitUntil('gone', async () => (await readMetric(server, 'chat_live_streams')) === 0);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.deepEqual(server.stderr, []);
});
