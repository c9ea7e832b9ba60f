// A reader that takes nothing costs little, and loses nothing.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { suite, test } from 'node:test';
import { openWire, readMetric } from '../../support/http.ts';
import { type Server, startServer, waitUntil } from '../../support/server.ts';
import { EventParser, type LiveEvent, openLive } from '../../support/sse.ts';
import {
  appendByHand,
  type LineEvent,
  makeLines,
  pickLines,
  readLineEvents,
  toFile,
} from './rooms.ts';

const burstBytes = 50 << 20;

/** A module that makes the hub's clock 50 times as fast: it pings one group every 20 ms. */
const quickClock = `
  const { setInterval } = globalThis;
  globalThis.setInterval = (run, ms, ...rest) => setInterval(run, ms === 1000 ? 20 : ms, ...rest);
`;
const withQuickClock = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(quickClock)}`,
};

/** Opens a stream whose client reads nothing until told. */
function openStalled(server: Server, path: string, accept = 'text/event-stream'): Socket {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write(`GET ${path} HTTP/1.0\r\nAccept: ${accept}\r\n\r\n`);
  return socket;
}

/** Reads from a paused socket until it is closed or an event is the last one needed. */
async function readOn(socket: Socket, isEnough: (event: LiveEvent) => boolean) {
  const events: LiveEvent[] = [];
  let isDone = false;
  let isHead = true;
  const parser = new EventParser((event) => {
    events.push(event);
    isDone ||= isEnough(event);
  });
  socket.on('data', (chunk: Buffer) => {
    parser.push(isHead ? chunk.subarray(chunk.indexOf('\r\n\r\n') + 4) : chunk);
    isHead = false;
  });
  socket.on('close', () => {
    isDone = true;
  });
  socket.resume();
  await waitUntil('read', () => isDone, 60_000);
  socket.destroy();
  return events;
}

/** Fails with the first difference only, as the lists are long. */
function assertSame(lines: LineEvent[], expected: LineEvent[]): void {
  const at = lines.findIndex(
    (line, n) => line.id !== expected[n]?.id || line.data !== expected[n].data,
  );
  assert.deepEqual(lines[at], expected[at], `line ${at}`);
  assert.equal(lines.length, expected.length);
}

const readRss = (server: Server) => readMetric(server, 'process_resident_memory_bytes');

/** Writes 50 MB in pieces of 1 MB, and returns the highest memory use that was seen meanwhile. */
async function burst(server: Server, room: string): Promise<number> {
  const piece = makeLines(burstBytes / 50 / 500, 'burst', 500);
  let most = 0;
  for (let n = 0; n < 50; n += 1) {
    appendByHand(server.store, room, piece);
    most = Math.max(most, await readRss(server));
  }
  return most;
}

suite('a reader that takes nothing', () => {
  test('costs less than 32 MB while 50 MB are written, and gets all of them later', async (t) => {
    const server = await startServer();
    appendByHand(server.store, 'room', makeLines(1000));
    // A process that has served once needs more memory than a new one.
    const warm = await openLive(server, 'room');
    await warm.waitFor('the last line', ({ data }) => data.startsWith('line 999'));
    warm.close();
    await waitUntil('no reader', async () => (await readMetric(server, 'chat_live_streams')) === 0);
    const before = await readRss(server);
    const sockets = [
      openStalled(server, '/chat/room?since=now'),
      openStalled(server, '/chat/room?follow&since=now', '*/*'),
    ];
    await waitUntil('2 readers', async () => (await readMetric(server, 'chat_live_streams')) === 2);
    const start = readFileSync(toFile(server.store, 'room')).length;
    const most = await burst(server, 'room');
    const cost = (most - before) / 1e6;
    t.diagnostic(`${cost.toFixed(1)} MB for 2 readers while 50 MB were written`);
    assert.ok(cost < 32, `${cost} MB`);
    const expected = readLineEvents(server.store, 'room', start);
    const last = expected.at(-1)!.id;
    const events = await readOn(sockets[0]!, ({ lastEventId }) => lastEventId === last);
    assertSame(pickLines(events), expected);
    sockets[1]!.destroy();
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    assert.deepEqual(server.stderr, []);
  });

  test('is cut off in the end, and resumes where it was', async () => {
    const server = await startServer({ env: withQuickClock });
    appendByHand(server.store, 'room', makeLines(40_000, 'line', 500));
    const socket = openStalled(server, '/chat/room');
    const other = await openLive(server, 'room', { path: '/chat/room?since=now' });
    await waitUntil('2 readers', async () => (await readMetric(server, 'chat_live_streams')) === 2);
    await waitUntil('1 reader', async () => (await readMetric(server, 'chat_live_streams')) === 1);
    const pings = other.events.filter(({ type }) => type === 'ping').length;
    assert.ok(pings >= 2 && pings < 10, `${pings} pings before it was cut off`);
    const events = await readOn(socket, () => false);
    // An event that was cut in the middle does not move the cursor (HTML Standard §9.2.6).
    const { lastEventId } = events.at(-1)!;
    const expected = readLineEvents(server.store, 'room');
    const got = pickLines(events);
    assert.ok(got.length > 0 && got.length < expected.length / 2, `${got.length} lines`);
    const next = await openLive(server, 'room', { lastEventId });
    const last = expected.at(-1)!.id;
    await next.waitFor('the end', (event) => event.lastEventId === last, 60_000);
    assertSame([...got, ...pickLines(next.events)], expected);
    next.close();
    other.close();
    await server.stop();
  });

  test('delays no other reader', async () => {
    const server = await startServer();
    appendByHand(server.store, 'room', makeLines(40_000, 'line', 500));
    const stalled = Array.from({ length: 20 }, () => openStalled(server, '/chat/room'));
    const quick = await openLive(server, 'room');
    const expected = readLineEvents(server.store, 'room');
    const last = expected.at(-1)!.id;
    await quick.waitFor('the end', (event) => event.lastEventId === last, 60_000);
    assertSame(pickLines(quick.events), expected);
    for (const socket of stalled) socket.destroy();
    quick.close();
    await server.stop();
  });
});

suite('a reader of a silent room', () => {
  test('is pinged in its own second, and pings do not move its cursor', async () => {
    const server = await startServer({ env: withQuickClock });
    appendByHand(server.store, 'room', 'one\n');
    const streams = await Promise.all(Array.from({ length: 15 }, () => openLive(server, 'room')));
    for (const stream of streams) {
      await stream.waitFor('a ping', ({ type }) => type === 'ping');
      const ping = stream.events.find(({ type }) => type === 'ping')!;
      assert.deepEqual([ping.hasId, ping.data], [false, 'ping']);
      assert.equal(stream.lastEventId(), readLineEvents(server.store, 'room')[0]!.id);
    }
    const times = streams.map(({ events }) => events.find(({ type }) => type === 'ping')!.atMs);
    // 15 readers are in 15 groups, which this clock pings 20 ms apart.
    assert.ok(Math.max(...times) - Math.min(...times) > 100, 'all were pinged at once');
    for (const stream of streams) stream.close();
    await server.stop();
  });

  test('of plain text is not cut off by the limit for idle connections', async () => {
    // The limit is minutes; here it is half a second.
    const shortLimit = `
      import http from 'node:http';
      const { createServer } = http;
      http.createServer = (...given) => {
        const server = createServer(...given);
        Object.defineProperty(server, 'timeout', { get: () => 500, set() {} });
        return server;
      };
    `;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(shortLimit)}`;
    const server = await startServer({ env: { NODE_OPTIONS } });
    appendByHand(server.store, 'room', 'one\n');
    const follower = await openWire(server);
    follower.send('GET /chat/room?follow HTTP/1.1\r\nHost: a\r\n\r\n');
    await follower.waitFor(/one\n/);
    // A connection that became idle later is cut off later.
    const idle = await openWire(server);
    await idle.waitForEnd(10_000);
    appendByHand(server.store, 'room', 'two\n');
    await follower.waitFor(/two\n/);
    follower.close();
    await server.stop();
  });
});
