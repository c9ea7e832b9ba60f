// Start, idle memory, and the lock by itself.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';
import { startBare } from '../lib/peers.mjs';
import { makeFolder, pause, projectFolder, readRssBytes, startChat } from '../lib/processes.mjs';
import { compare, ensure, limit } from '../lib/stats.mjs';

/** Start to first answer: beside bare node:http, and with many rooms beside none. */
export async function startUp({ rounds, manyRooms }) {
  const empty = makeFolder();
  const full = makeFolder();
  for (let n = 0; n < manyRooms; n += 1) {
    fs.writeFileSync(path.join(full, `room${n}.txt`), '[2026-01-01 00:00:00] bench: hello\n');
  }
  const starts = [
    () => startChat(empty),
    () => startBare('text', ['Content-Type', 'text/plain']),
    () => startChat(full),
  ];
  const times = starts.map(() => []);
  for (let round = 0; round <= rounds * 3; round += 1) {
    for (const [index, start] of starts.entries()) {
      const begunMs = performance.now();
      const server = await start();
      const answer = await fetch(`${server.url}/chat/room1`);
      const text = await answer.text();
      const took = performance.now() - begunMs;
      ensure(answer.status === 200 && (index !== 2 || text.includes('hello')), 'it answers');
      server.child.kill('SIGKILL');
      await server.ended;
      if (round > 0) times[index].push(took);
    }
  }
  const [ours, bare, many] = times;
  return [
    compare({
      what: 'start to first answer',
      beside: 'bare node:http',
      unit: 'ms',
      most: 1.3,
      ours,
      theirs: bare,
    }),
    compare({
      what: `start to first answer with ${manyRooms} rooms`,
      beside: 'an empty folder',
      unit: 'ms',
      most: 1.1,
      ours: many,
      theirs: ours,
    }),
  ];
}

/** Memory at rest, after one answer. */
export async function restIdle({ rounds }) {
  const differences = [];
  for (let round = 0; round < rounds; round += 1) {
    const chat = await startChat(makeFolder());
    const bare = await startBare('text', ['Content-Type', 'text/plain']);
    for (const { url } of [chat, bare]) await (await fetch(`${url}/chat/room1`)).text();
    await pause(1500);
    const [ours, theirs] = [chat, bare].map(({ pid }) => readRssBytes(pid) / (1 << 20));
    differences.push(ours - theirs);
    await Promise.all([chat.stop(), bare.stop()]);
  }
  const what = 'idle RSS, more than';
  return [limit({ what, beside: 'bare node:http', unit: 'MB', most: 6, ours: differences })];
}

/** The lock by itself, as JavaScript. */
function bundleLock() {
  const outfile = path.join(makeFolder(), 'lock.mjs');
  const source = path.join(projectFolder, 'lib', 'lock', 'lock.ts');
  buildSync({ entryPoints: [source], outfile, bundle: true, platform: 'node', format: 'esm' });
  return pathToFileURL(outfile).href;
}

/** Lock and unlock, uncontended. */
export async function lockAlone({ rounds, samples }) {
  const { LockFolder } = await import(bundleLock());
  const { default: properLockfile } = await import('proper-lockfile');
  const folder = makeFolder();
  const events = { onAcquire: () => {}, onBreak: async () => {} };
  const locks = new LockFolder(folder, events);
  const file = path.join(folder, 'room.txt');
  fs.writeFileSync(file, '');
  const sides = [
    async () => (await locks.acquire('room')).release(),
    async () => (await properLockfile.lock(file))(),
  ];
  const times = sides.map(() => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, side] of sides.entries()) {
      const begunMs = performance.now();
      for (let n = 0; n < samples; n += 1) await side();
      if (round > 0) times[index].push(((performance.now() - begunMs) * 1000) / samples);
    }
  }
  locks.close();
  // As a rate, so that more is better, as the bound is put.
  const toRates = (some) => some.map((microseconds) => 1e6 / microseconds);
  return [
    compare({
      what: 'lock and unlock, uncontended',
      beside: 'proper-lockfile',
      unit: '/s',
      least: 10,
      ours: toRates(times[0]),
      theirs: toRates(times[1]),
    }),
  ];
}
