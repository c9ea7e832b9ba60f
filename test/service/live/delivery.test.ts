// How lines reach readers: on any replica, on any file system, and in few writes.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { watchFolder } from '../../../lib/store/folder/watch.ts';
import { ask, openWire, post } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { type Server, startServer, waitUntil } from '../../support/server.ts';
import { type LiveEvent, openLive } from '../../support/sse.ts';
import { appendByHand, pickKinds, pickLines, readLineEvents, toFile } from './rooms.ts';

/** Generous: it fails only if neither a notice nor the poll reports a change. */
const deliveredWithinMs = 5000;

/** A module in whose process the file system reports no changes, as on a network mount. */
const withoutNotices = `--import=data:text/javascript,${encodeURIComponent(`
  import fs from 'node:fs';
  import { EventEmitter } from 'node:events';
  fs.watch = () => Object.assign(new EventEmitter(), { close() {} });
`)}`;

/** A module in whose process no watch can be made, as if the system had no more of them. */
const withoutWatch = `--import=data:text/javascript,${encodeURIComponent(`
  import fs from 'node:fs';
  fs.watch = () => { throw Object.assign(new Error('no more watches'), { code: 'ENOSPC' }); };
`)}`;

function showTimes(name: string, timesMs: number[]): string {
  const sorted = timesMs.toSorted((one, other) => one - other);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
  const figures = [at(0.5), at(0.99), at(1)].map((ms) => ms.toFixed(1));
  return `${name}: p50 ${figures[0]} ms, p99 ${figures[1]} ms, most ${figures[2]} ms`;
}

/** Sends numbered messages one after the other, and returns how long each took, in milliseconds. */
async function time(
  reader: Server,
  count: number,
  send: (message: string) => unknown,
): Promise<number[]> {
  const cameMs = new Map<string, number>();
  const stream = await openLive(reader, 'room', {
    path: '/chat/room?since=now',
    onEvent: ({ data, atMs }) => void cameMs.set(data.replace(/^.*: /, ''), atMs),
  });
  await stream.waitFor('the server', ({ type }) => type === 'server');
  const times: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const message = `message ${n}`;
    const sentMs = performance.now();
    await send(message);
    await stream.waitFor(message, ({ data }) => data.endsWith(message), deliveredWithinMs);
    times.push(cameMs.get(message)! - sentMs);
  }
  stream.close();
  return times;
}

/** Returns the sizes of a chunked body's chunks (RFC 9112 §7.1). */
function readChunkSizes(response: string): number[] {
  const body = response.slice(response.indexOf('\r\n\r\n') + 4);
  return (body.match(/^[0-9a-f]+(?=\r$)/gm) ?? []).map((size) => Number.parseInt(size, 16));
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

suite('a line reaches a reader', () => {
  test('in another process and in the same process', async (t) => {
    const store = makeTempFolder('rooms');
    const [one, other] = await Promise.all([0, 1].map(() => startServer({ store })));
    const send = (message: string) => post(one!, 'room', { username: 'a', message });
    await time(other!, 20, send);
    t.diagnostic(showTimes('POST to event, another process', await time(other!, 100, send)));
    t.diagnostic(showTimes('POST to event, the same process', await time(one!, 100, send)));
    await Promise.all([one!.stop(), other!.stop()]);
  });

  test('if another program wrote it', async (t) => {
    const server = await startServer();
    const send = (message: string) => appendByHand(server.store, 'room', `${message}\n`);
    t.diagnostic(showTimes('echo >> to event', await time(server, 100, send)));
    await server.stop();
  });

  for (const [name, options] of [
    ['reports no changes', withoutNotices],
    ['cannot be watched', withoutWatch],
  ] as const) {
    test(`on a file system that ${name}`, async (t) => {
      const store = makeTempFolder('rooms');
      const writer = await startServer({ store });
      const reader = await startServer({ store, env: { NODE_OPTIONS: options } });
      const send = (message: string) => post(writer, 'room', { username: 'a', message });
      const times = await time(reader, 3, send);
      t.diagnostic(showTimes('POST to event, by the poll', times));
      assert.ok(Math.max(...times) > 50, 'the poll delivered none of them');
      assert.deepEqual(reader.stderr, []);
      await Promise.all([writer.stop(), reader.stop()]);
    });
  }

  test('as soon as another process releases the lock under which it wrote the line', async (t) => {
    const folder = makeTempFolder('rooms');
    const lock = join(folder, '.locks', '%41%2Fb.lock');
    mkdirSync(join(folder, '.locks'));
    const told: string[] = [];
    // The poll checks no room here, so only the system's notices report changes.
    t.after(
      watchFolder(
        { path: folder, locks: join(folder, '.locks') },
        () => [],
        () => '',
        (room) => told.push(room),
      ),
    );
    writeFileSync(lock, 'owner 1 0\n');
    // Notices come in order: once the barrier's notice is there, all earlier ones are.
    writeFileSync(join(folder, '.locks', 'barrier.lock'), '');
    await waitUntil('notified of the barrier', () => told.includes('barrier'));
    assert.ok(told.includes('A/b'), 'not notified that a write began');
    told.length = 0;
    rmSync(lock);
    await waitUntil('notified that the write is over', () => told.includes('A/b'));
  });

  test('after the folder was removed and made again', async () => {
    const server = await startServer();
    appendByHand(server.store, 'room', 'one\ntwo\n');
    const stream = await openLive(server, 'room');
    const follower = await openLive(server, 'other');
    await stream.waitFor('two', ({ data }) => data === 'two');
    for (let round = 0; round < 2; round += 1) {
      const removedMs = performance.now();
      rmSync(server.store, { recursive: true });
      const isNewReset = ({ type, atMs }: LiveEvent) => type === 'reset' && atMs > removedMs;
      await stream.waitFor('a reset', isNewReset, deliveredWithinMs);
      mkdirSync(server.store);
      appendByHand(server.store, 'room', `again ${round}\n`);
      await stream.waitFor('again', ({ data }) => data === `again ${round}`, deliveredWithinMs);
    }
    const { status } = await post(server, 'other', { username: 'a', message: 'b' });
    assert.equal(status, 201);
    await follower.waitFor('b', ({ data }) => data.endsWith('b'), deliveredWithinMs);
    const last = stream.events.findLastIndex(({ type }) => type === 'reset');
    assert.deepEqual(pickLines(stream.events.slice(last)), readLineEvents(server.store, 'room'));
    assert.deepEqual(pickLines(follower.events), readLineEvents(server.store, 'other'));
    stream.close();
    follower.close();
    await server.stop();
    assert.deepEqual(server.stderr, []);
  });

  test('after the folder was moved away and back', async () => {
    const server = await startServer();
    appendByHand(server.store, 'room', 'one\n');
    const stream = await openLive(server, 'room');
    await stream.waitFor('one', ({ data }) => data === 'one');
    renameSync(server.store, `${server.store}.aside`);
    await stream.waitFor('a reset', ({ type }) => type === 'reset', deliveredWithinMs);
    renameSync(`${server.store}.aside`, server.store);
    appendByHand(server.store, 'room', 'two\n');
    await stream.waitFor('two', ({ data }) => data === 'two', deliveredWithinMs);
    assert.deepEqual(pickKinds(stream), ['server', 'message', 'reset', 'message']);
    assert.deepEqual(pickLines(stream.events).slice(1), readLineEvents(server.store, 'room'));
    stream.close();
    await server.stop();
  });
});

suite('many messages', () => {
  test('that are sent in a burst reach readers of both processes in few writes', async (t) => {
    const store = makeTempFolder('rooms');
    const servers = await Promise.all([0, 1].map(() => startServer({ store })));
    const wires = await Promise.all(servers.map((server) => openWire(server)));
    for (const wire of wires) {
      wire.send('GET /chat/room HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n');
      await wire.waitFor(/event: server/);
    }
    const body = (n: number) => `username=a&message=message+${n}+`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const sent = Array.from({ length: 200 }, (_, n) =>
      ask(servers[0]!, { method: 'POST', path: '/chat/room', headers, body: body(n) }),
    );
    for (const { status } of await Promise.all(sent)) assert.equal(status, 201);
    const events = readLineEvents(store, 'room');
    assert.equal(events.length, 200);
    for (const wire of wires) {
      const text = await wire.waitFor(new RegExp(`id: ${events.at(-1)!.id}\ndata: .*\n\n\r\n`));
      // The first chunk is the event that names the server.
      const writeCount = readChunkSizes(text).length - 1;
      t.diagnostic(`200 messages in ${writeCount} writes`);
      assert.ok(writeCount <= 100, `${writeCount} writes`);
      wire.close();
    }
    await Promise.all(servers.map((server) => server.stop()));
  });

  test('that are already stored are sent in frames of 64 KB', async () => {
    const server = await startServer();
    appendByHand(
      server.store,
      'room',
      'a line of some length, as people write them\n'.repeat(10_000),
    );
    const wire = await openWire(server);
    wire.send('GET /chat/room?follow HTTP/1.1\r\nHost: a\r\n\r\n');
    const sizeBytes = statSync(toFile(server.store, 'room')).size;
    const isWhole = () => sum(readChunkSizes(wire.received())) >= sizeBytes;
    await waitUntil('the whole room', () => wire.received().length > sizeBytes && isWhole());
    const sizes = readChunkSizes(wire.received());
    assert.equal(sum(sizes), sizeBytes);
    assert.ok(sizes.length <= sizeBytes / 65_000 + 1, `${sizes}`);
    wire.close();
    await server.stop();
  });
});
