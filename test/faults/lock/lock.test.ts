// Locks between real processes that are killed and stopped (contract §9).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { need } from '../../support/need.ts';
import { listLocks, makeTempFolder, projectFolder } from '../../support/paths.ts';
import {
  type Exit,
  pause,
  type ServerProcess,
  waitUntil,
  watch,
  withDeadline,
} from '../../support/server.ts';
import type { Task } from './contender.ts';

const linux = { skip: need('linux') };
const recoveryMs = 3000;
const script = join(projectFolder, '.build', 'test', 'faults', 'lock', 'contender.js');

interface Contender extends ServerProcess {
  id: string;
  /** By the system's monotonic clock, once it was killed. */
  killedNs: bigint | undefined;
}

let made = 0;

function makeFolder(): string {
  const folder = makeTempFolder('lock');
  fs.mkdirSync(join(folder, 'locks'));
  return folder;
}

function start(task: Omit<Task, 'id'>, wrapper: string[] = []): Contender {
  made += 1;
  const id = `p${made}`;
  const [command, ...args] = [
    ...wrapper,
    process.execPath,
    script,
    JSON.stringify({ ...task, id }),
  ];
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  return { ...watch(child), id, killedNs: undefined };
}

async function kill(contender: Contender): Promise<void> {
  await contender.kill();
  // After its end: nothing that it did is later than this.
  contender.killedNs = process.hrtime.bigint();
}

interface Event {
  by: Contender;
  atNs: bigint;
  what: string;
  words: string[];
}

/** The events of all contenders, in the order of time. */
function readEvents(contenders: Contender[]): Event[] {
  const events = contenders.flatMap((by) =>
    by.stdout.map((line) => {
      const [atNs = '0', what = '', ...words] = line.split(' ');
      return { by, atNs: BigInt(atNs), what, words };
    }),
  );
  return events.sort((one, other) => (one.atNs < other.atNs ? -1 : 1));
}

/** Judges a run of sections; gives how many there were. */
function judge(contenders: Contender[], folder: string): number {
  for (const { id, stderr } of contenders) assert.deepEqual(stderr, [], id);
  const events = readEvents(contenders);
  const ends = events.filter(({ what }) => what === 'stops' || what === 'dies');
  const stopped = new Set(ends.map(({ words }) => words[0]));
  assert.deepEqual(
    events.filter(({ what }) => what === 'overlap').map(({ words }) => words),
    [],
  );
  for (const { atNs, words } of events.filter(({ what }) => what === 'found')) {
    const [name = ''] = words;
    const maker = contenders.find(({ id }) => name.startsWith(`${id}/`));
    const wasKilled = maker?.killedNs !== undefined && maker.killedNs < atNs;
    assert.ok(wasKilled || stopped.has(name), `somebody came in while ${name} was inside`);
  }
  const done = events.filter(({ what }) => what === 'did');
  const killCount = contenders.filter(({ killedNs }) => killedNs !== undefined).length;
  const rooms = new Set(done.map(({ words }) => words[1]));
  let counted = 0;
  for (const room of rooms) {
    const counts = done
      .filter(({ words }) => words[1] === room)
      .map(({ words }) => Number(words[2]));
    assert.equal(new Set(counts).size, counts.length, 'two sections counted from the same number');
    assert.deepEqual(
      counts,
      [...counts].sort((one, other) => one - other),
      'the counter went back',
    );
    counted += Number(fs.readFileSync(join(folder, `${room}.counter`), 'latin1'));
  }
  assert.ok(counted >= done.length, 'a count is lost');
  // A contender may be killed after it counted and before it told so.
  assert.ok(counted <= done.length + killCount, `${counted} counted, ${done.length} told`);
  return done.length;
}

/** Waits until another contender has found the markers of all that died or stood still inside. */
async function waitUntilFound(among: Contender[], inside: Contender[]): Promise<void> {
  const isFound = ({ id }: Contender): boolean =>
    among.some(({ stdout }) => stdout.some((line) => line.includes(` found ${id}/`)));
  await waitUntil('others inside', () => inside.every(isFound), 60_000);
}

suite('one owner at a time', { ...linux, concurrency: true }, () => {
  test('over thousands of sections, with kills and stops at any moment', async (t) => {
    const folder = makeFolder();
    const rooms = ['a', 'b', 'c'];
    const task: Omit<Task, 'id'> = { folder, rooms, mode: 'work' };
    const workers = Array.from({ length: 4 }, () => start(task));
    const dying = rooms.map((room) => start({ ...task, rooms: [room], diesIn: 40 }));
    const all = [...workers, ...dying];
    const living = () => workers.filter(({ killedNs }) => killedNs === undefined);
    const pick = () => living()[Math.floor(Math.random() * living().length)]!;
    await waitUntil('all at work', () => all.every(({ stdout }) => stdout.length > 20));
    let isFound = false;
    const found = waitUntilFound(workers, dying).finally(() => {
      isFound = true;
    });
    for (let round = 1; !isFound || round <= 12; round += 1) {
      const victim = pick();
      if (round % 4 === 0) {
        await kill(victim);
        workers.push(start(task));
        all.push(workers.at(-1)!);
      } else {
        // Shorter than a lock takes to become stale: who stands still keeps what it holds.
        victim.signal('SIGSTOP');
        await pause(20 + Math.random() * 600);
        victim.signal('SIGCONT');
      }
    }
    await found;
    for (const contender of living()) await kill(contender);
    const sectionCount = judge(all, folder);
    t.diagnostic(`${sectionCount} sections, ${all.length} processes`);
    assert.ok(sectionCount > 500, `only ${sectionCount} sections`);
  });

  test('also if owners stand still inside for so long that others break their locks', async (t) => {
    const folder = makeFolder();
    const rooms = ['a', 'b', 'c'];
    const tasks = rooms.map((room) => ({ folder, rooms: [room], mode: 'work' as const }));
    const workers = tasks.map((task) => start(task));
    const sleepers = tasks.map((task) => start({ ...task, stopsIn: 40 }));
    const all = [...workers, ...sleepers];
    await waitUntilFound(workers, sleepers);
    for (const sleeper of sleepers) sleeper.signal('SIGCONT');
    await Promise.all(sleepers.map((sleeper) => sleeper.waitForLine(/ lost /)));
    for (const one of all) await kill(one);
    t.diagnostic(`${judge(all, folder)} sections`);
  });
});

suite('a lock whose owner died', { ...linux, concurrency: true }, () => {
  test('is acquired within 3 s by who waits already', async (t) => {
    const folder = makeFolder();
    const owner = start({ folder, rooms: ['a'], mode: 'hold' });
    await owner.waitForLine(/ has a$/);
    const waiting = start({ folder, rooms: ['a'], mode: 'once' });
    await waiting.waitForLine(/ wants a$/);
    await kill(owner);
    await endOf(waiting);
    const tookMs = toMs(timeOf(waiting, 'has') - owner.killedNs!);
    assert.ok(tookMs < recoveryMs, `after ${tookMs} ms`);
    assert.deepEqual(listLocks(join(folder, 'locks')), []);
    t.diagnostic(`${Math.round(tookMs)} ms`);
  });

  test('is acquired within 3 s by who comes later', async (t) => {
    const folder = makeFolder();
    const owner = start({ folder, rooms: ['b'], mode: 'hold' });
    await owner.waitForLine(/ has b$/);
    await kill(owner);
    const late = start({ folder, rooms: ['b'], mode: 'once' });
    await endOf(late);
    const tookMs = toMs(timeOf(late, 'has') - timeOf(late, 'wants'));
    assert.ok(tookMs < recoveryMs, `after ${tookMs} ms`);
    assert.deepEqual(listLocks(join(folder, 'locks')), []);
    t.diagnostic(`${Math.round(tookMs)} ms`);
  });

  test('is acquired though a breaker is killed at it as well, each death within 3 s', async (t) => {
    const folder = makeFolder();
    const owner = start({ folder, rooms: ['a'], mode: 'hold' });
    await owner.waitForLine(/ has a$/);
    await kill(owner);
    const breaker = start({ folder, rooms: ['a'], mode: 'once', diesAtBreak: true });
    assert.equal((await endOf(breaker)).signal, 'SIGKILL');
    const left = listLocks(join(folder, 'locks'));
    assert.equal(left.length, 2, `the lock and the breaker's guard: ${left.join(', ')}`);
    const next = Array.from({ length: 3 }, () => start({ folder, rooms: ['a'], mode: 'once' }));
    for (const one of next) assert.equal((await endOf(one)).code, 0);
    const times = next.map((one) => toMs(timeOf(one, 'has') - timeOf(one, 'wants')));
    assert.ok(Math.max(...times) < 2 * recoveryMs, times.join(' '));
    const breaks = next.flatMap(({ stdout }) => stdout.filter((line) => line.endsWith(' breaks')));
    assert.equal(breaks.length, 1);
    assert.deepEqual(listLocks(join(folder, 'locks')), []);
    t.diagnostic(`${times.map(Math.round).join(', ')} ms`);
  });

  test('costs each of several rooms 3 s, all at once, and the others nothing', async () => {
    const folder = makeFolder();
    const rooms = ['a', 'b', 'c'];
    const owner = start({ folder, rooms, mode: 'hold' });
    await owner.waitForLine(/ has c$/);
    await kill(owner);
    const one = start({ folder, rooms: ['d'], mode: 'once' });
    const next = rooms.map((room) => start({ folder, rooms: [room], mode: 'once' }));
    await endOf(one);
    assert.ok(toMs(timeOf(one, 'has') - timeOf(one, 'wants')) < 1000);
    for (const contender of next) {
      await endOf(contender);
      assert.ok(toMs(timeOf(contender, 'has') - timeOf(contender, 'wants')) < recoveryMs);
    }
  });
});

function endOf({ id, exited, stdout }: Contender): Promise<Exit> {
  return withDeadline(exited, 30_000, () => `${id} goes on: ${stdout.join('; ')}`);
}

function timeOf(contender: Contender, what: string): bigint {
  const event = readEvents([contender]).find((one) => one.what === what);
  assert.ok(event !== undefined, `${contender.id} ${what}: ${contender.stdout.join('; ')}`);
  return event.atNs;
}

function toMs(durationNs: bigint): number {
  return Number(durationNs) / 1e6;
}
