// A replica that shuts down ends its streams, and its readers resume on another one.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import { runCrowd } from '../../support/crowd.ts';
import { openWire, post, readMetric } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type Server, startServer, waitUntil, withDeadline } from '../../support/server.ts';
import { openLive } from '../../support/sse.ts';
import { appendByHand, makeLines, pickKinds, pickLines, readLineEvents } from './rooms.ts';

const ended = { code: 0, signal: null };

async function waitForRefusal(server: Server): Promise<void> {
  const isRefusing = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(false);
      });
      socket.once('error', () => resolve(true));
    });
  await waitUntil('refusing connections', isRefusing);
}

async function assertEnded(server: Server): Promise<void> {
  assert.deepEqual(await withDeadline(server.exited, 10_000, () => 'still running'), ended);
  assert.deepEqual(server.stderr, []);
}

suite('a replica that shuts down', () => {
  test('ends its streams as HTTP demands, and their readers resume on another replica', async () => {
    const store = makeTempFolder('rooms');
    const [one, other] = await Promise.all([0, 1].map(() => startServer({ store })));
    appendByHand(store, 'room', makeLines(1000));
    const streams = await Promise.all(Array.from({ length: 20 }, () => openLive(one!, 'room')));
    const follower = await openWire(one!);
    follower.send('GET /chat/room?follow HTTP/1.1\r\nHost: a\r\n\r\n');
    await follower.waitFor(/line 999/);
    for (const stream of streams) {
      await stream.waitFor('the last line', ({ data }) => data.startsWith('line 999'));
    }
    one!.signal('SIGTERM');
    for (const stream of streams) {
      const end = await withDeadline(stream.ended, 5000, () => 'a stream is still open');
      assert.equal(end, 'ended', 'the last chunk is missing');
    }
    assert.match(await follower.waitFor(/\r\n0\r\n\r\n$/), /line 999 [.]*\n\r\n0\r\n\r\n$/);
    follower.close();
    await post(other!, 'room', { username: 'a', message: 'meanwhile' });
    const expected = readLineEvents(store, 'room');
    for (const stream of streams) {
      const next = await openLive(other!, 'room', { lastEventId: stream.lastEventId() });
      await next.waitFor('the next line', ({ data }) => data.endsWith('meanwhile'));
      assert.deepEqual([...pickLines(stream.events), ...pickLines(next.events)], expected);
      assert.deepEqual(pickKinds(next), ['server', 'message']);
      next.close();
    }
    await assertEnded(one!);
    await other!.stop();
  });

  test('sends everything to a stream that is still requested, and ends it', async () => {
    const server = await startServer();
    appendByHand(server.store, 'room', 'one\ntwo\n');
    appendByHand(server.store, 'big', makeLines(20_000, 'line', 100));
    const paths = [
      '/chat/room',
      '/chat/room?since=now',
      '/chat/room?follow',
      '/chat/empty',
      '/chat/big',
    ];
    const wires = await Promise.all(paths.map(() => openWire(server)));
    for (const wire of wires) {
      wire.send('GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
      await wire.waitFor(/healthy\n/);
    }
    server.signal('SIGTERM');
    await waitForRefusal(server);
    for (const [n, wire] of wires.entries()) {
      wire.send(`GET ${paths[n]} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`);
    }
    const texts = await Promise.all(wires.map((wire) => wire.waitForEnd()));
    for (const text of texts) {
      assert.match(text, /healthy\nHTTP\/1\.1 200 OK\r\n[\s\S]*connection: close/i);
      assert.ok(text.endsWith('\r\n0\r\n\r\n'), text.slice(-100));
      assert.equal(text.match(/event: server/g)?.length, 1);
    }
    const counts = texts.map((text) => text.match(/^id: /gm)!.length - 1);
    assert.deepEqual(counts, [2, 0, 2, 0, 20_000], 'the number of lines in each');
    await assertEnded(server);
  });

  test('writes nothing after the end of a stream, while others still write to its room', async () => {
    const store = makeTempFolder('rooms');
    const [one, other] = await Promise.all([0, 1].map(() => startServer({ store })));
    const wires = await Promise.all(Array.from({ length: 10 }, () => openWire(one!)));
    for (const [n, wire] of wires.entries()) {
      const accept = n % 2 ? 'Accept: text/event-stream\r\n' : '';
      wire.send(`GET /chat/room?follow HTTP/1.1\r\nHost: a\r\n${accept}\r\n`);
    }
    let isOver = false;
    const writing = runCrowd({
      servers: [other!],
      rooms: ['room'],
      clientCount: 4,
      isOver: () => isOver,
    });
    for (const wire of wires) await wire.waitFor(/: c1\/3 /);
    one!.signal('SIGTERM');
    for (const wire of wires) await wire.waitFor(/\r\n0\r\n\r\n/);
    const countLines = () => readLineEvents(store, 'room').length;
    const endedAt = countLines();
    await waitUntil('20 more messages', () => countLines() >= endedAt + 20);
    // Each connection is still good: the next response follows directly after the stream.
    for (const wire of wires) wire.send('GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n');
    for (const wire of wires) {
      assert.match(
        await wire.waitForEnd(),
        /\n\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*healthy\n$/,
      );
    }
    isOver = true;
    await writing;
    await assertEnded(one!);
    await other!.stop();
  });

  test('does not wait for a reader that lags', async () => {
    const server = await startServer();
    appendByHand(server.store, 'room', makeLines(100_000, 'line', 300));
    const [slow, quick] = [0, 1].map(() => {
      const socket = connect(server.port, '127.0.0.1');
      socket.write('GET /chat/room HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n');
      const reader = { socket, countBytes: 0, tail: '' };
      socket.on('data', (chunk) => {
        reader.countBytes += chunk.length;
        reader.tail = (reader.tail + chunk.toString('latin1')).slice(-10);
      });
      return reader;
    });
    slow!.socket.pause();
    const toCount = () => readMetric(server, 'chat_live_streams');
    await waitUntil('2 readers', async () => (await toCount()) === 2);
    // The hub serves both in turn: when one has all, the socket of the other one is full.
    await waitUntil('the whole room', () => quick!.countBytes > 30e6);
    server.signal('SIGTERM');
    // By then the hub has ended its streams.
    await waitForRefusal(server);
    slow!.socket.resume();
    await waitUntil('the last chunk', () => slow!.tail.endsWith('\r\n0\r\n\r\n'), 5000);
    for (const { socket } of [slow!, quick!]) socket.destroy();
    assert.ok(slow!.countBytes < 20e6, `${slow!.countBytes} bytes`);
    await assertEnded(server);
  });
});
