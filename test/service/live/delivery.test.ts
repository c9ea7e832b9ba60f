// How lines reach readers: on which replica, how soon, and in how few writes.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { watchFolder } from '../../../lib/store/folder/watch.ts';
import { ask, openWire, post } from '../../support/http.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { pause, type Server, startServer, waitUntil } from '../../support/server.ts';
import { openLive } from '../../support/sse.ts';
import { appendByHand, pickKinds, pickLines, readLineEvents, toFile } from './rooms.ts';

/** Generous: a lost wake-up that only the poll makes good shows in the figures, not here. */
const deliveredWithinMs = 5000;

/** A module that takes the system's notices away, as a network mount does. */
const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(`
  import fs from 'node:fs';
  import { EventEmitter } from 'node:events';
  fs.watch = () => Object.assign(new EventEmitter(), { close() {} });
`)}`;

/** A module whose watches can't be made at all, as where the system has no more of them. */
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

/** Sends numbered messages, one after the other, and gives how long each was on its way. */
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

suite('a line reaches a reader', () => {
  test('of another process, and of its own', async (t) => {
    const store = makeTempFolder('rooms');
    const [one, other] = await Promise.all([0, 1].map(() => startServer({ store })));
    const send = (message: string) => post(one!, 'room', { username: 'a', message });
    await time(other!, 20, send);
    t.diagnostic(showTimes('POST to event, another process', await time(other!, 100, send)));
    t.diagnostic(showTimes('POST to event, the same process', await time(one!, 100, send)));
    await Promise.all([one!.stop(), other!.stop()]);
  });

  test('from another hand than the service’s', async (t) => {
    const server = await startServer();
    const send = (message: string) => appendByHand(server.store, 'room', `${message}\n`);
    t.diagnostic(showTimes('echo >> to event', await time(server, 100, send)));
    await server.stop();
  });

  for (const [name, options] of [
    ['does not tell', NODE_OPTIONS],
    ['can’t be watched', withoutWatch],
  ] as const) {
    test(`on a file system that ${name}`, async (t) => {
      const store = makeTempFolder('rooms');
      const writer = await startServer({ store });
      const reader = await startServer({ store, env: { NODE_OPTIONS: options } });
      const send = (message: string) => post(writer, 'room', { username: 'a', message });
      const times = await time(reader, 3, send);
      t.diagnostic(showTimes('POST to event by the poll', times));
      assert.ok(Math.max(...times) > 50, 'it came by the poll');
      assert.deepEqual(reader.stderr, []);
      await Promise.all([writer.stop(), reader.stop()]);
    });
  }

  test('as soon as the lock goes under which another process wrote it', async (t) => {
    const folder = makeTempFolder('rooms');
    const lock = join(folder, '.locks', '%41%2Fb.lock');
    mkdirSync(join(folder, '.locks'));
    const told: string[] = [];
    // No room is read as far as the poll knows: only the system's notices tell.
    t.after(
      watchFolder(
        folder,
        () => [],
        () => '',
        (room) => told.push(room),
      ),
    );
    writeFileSync(lock, 'owner 1 0\n');
    await waitUntil('told that a write begins', () => told.includes('A/b'));
    await pause(100);
    told.length = 0;
    rmSync(lock);
    await waitUntil('told that it is over', () => told.includes('A/b'));
  });

  test('after the folder was removed and made anew', async () => {
    const server = await startServer();
    appendByHand(server.store, 'room', 'one\ntwo\n');
    const stream = await openLive(server, 'room');
    const follower = await openLive(server, 'other');
    await stream.waitFor('two', ({ data }) => data === 'two');
    for (let round = 0; round < 2; round += 1) {
      rmSync(server.store, { recursive: true });
      await pause(50);
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

suite('messages that come in a burst', () => {
  test('travel in few writes, to a reader of this process and of another', async (t) => {
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
      const chunks = text.slice(text.indexOf('\r\n\r\n') + 4).match(/^[0-9a-f]+\r$/gm)!;
      t.diagnostic(`200 messages in ${chunks.length - 1} writes`);
      assert.ok(chunks.length - 1 <= 100, `${chunks.length - 1} writes`);
      wire.close();
    }
    await Promise.all(servers.map((server) => server.stop()));
  });

  test('that lie there already travel in pieces of 64 KB', async () => {
    const server = await startServer();
    appendByHand(
      server.store,
      'room',
      'a line of some length, as people write them\n'.repeat(10_000),
    );
    const wire = await openWire(server);
    wire.send('GET /chat/room?follow HTTP/1.1\r\nHost: a\r\n\r\n');
    const sizeBytes = statSync(toFile(server.store, 'room')).size;
    let text = '';
    const toSizes = () =>
      (text.slice(text.indexOf('\r\n\r\n') + 4).match(/^[0-9a-f]+(?=\r$)/gm) ?? []).map((size) =>
        Number.parseInt(size, 16),
      );
    for (let n = 0; n < 200; n += 1) {
      text = wire.received();
      if (toSizes().reduce((sum, size) => sum + size, 0) >= sizeBytes) break;
      await pause(50);
    }
    const sizes = toSizes();
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      sizeBytes,
    );
    assert.ok(sizes.length <= sizeBytes / 65_000 + 1, `${sizes}`);
    wire.close();
    await server.stop();
  });
});
