// The lock between real processes that are killed and stopped (contract §9).
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

/** The events of all, in the order of time. */
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
function judge(contenders: Contender[], folder: string): { didCount: number; foundCount: number } {
  for (const { id, stderr } of contenders) assert.deepEqual(stderr, [], id);
  const events = readEvents(contenders);
  const stopped = new Set(
    events.filter(({ what }) => what === 'stops').map(({ words }) => words[0]),
  );
  assert.deepEqual(
    events.filter(({ what }) => what === 'overlap').map(({ words }) => words),
    [],
  );
  const found = events.filter(({ what }) => what === 'found');
  for (const { atNs, words } of found) {
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
    assert.equal(
      new Set(counts).size,
      counts.length,
      'no two sections counted from the same number',
    );
    assert.deepEqual(
      counts,
      [...counts].sort((one, other) => one - other),
      'they rise with time',
    );
    counted += Number(fs.readFileSync(join(folder, `${room}.counter`), 'latin1'));
  }
  assert.ok(counted >= done.length, 'nothing that was counted is lost');
  // One that was killed between its count and its word about it.
  assert.ok(counted <= done.length + killCount, `${counted} counted, ${done.length} told`);
  return { didCount: done.length, foundCount: found.length };
}

suite('one at a time', linux, () => {
  test('over thousands of sections, with kills and stops at any moment', async (t) => {
    const folder = makeFolder();
    const task: Omit<Task, 'id'> = { folder, rooms: ['a', 'b'], mode: 'work' };
    const all = Array.from({ length: 5 }, () => start(task));
    const living = () => all.filter(({ killedNs }) => killedNs === undefined);
    const pick = () => living()[Math.floor(Math.random() * living().length)]!;
    await waitUntil('all at work', () => living().every(({ stdout }) => stdout.length > 20));
    const endMs = performance.now() + 12_000;
    while (performance.now() < endMs) {
      const victim = pick();
      if (Math.random() < 0.3) {
        await kill(victim);
        all.push(start(task));
      } else {
        // Shorter than a lock takes to go stale: who stands still keeps what it holds.
        victim.signal('SIGSTOP');
        await pause(20 + Math.random() * 600);
        victim.signal('SIGCONT');
      }
      await pause(Math.random() * 400);
    }
    for (const contender of living()) await kill(contender);
    const { didCount, foundCount } = judge(all, folder);
    t.diagnostic(`${didCount} sections, ${all.length} processes, ${foundCount} died inside`);
    assert.ok(didCount > 500, `only ${didCount} sections`);
    assert.ok(all.length > 8, 'some were killed while others went on');
  });

  test('where owners stand still inside for so long that others take over', async (t) => {
    const folder = makeFolder();
    const task: Omit<Task, 'id'> = { folder, rooms: ['a'], mode: 'work' };
    const workers = Array.from({ length: 3 }, () => start(task));
    const sleepers = [200, 250, 300].map((stopsEvery) => start({ ...task, stopsEvery }));
    const all = [...workers, ...sleepers];
    const stopCount = (one: Contender) => one.stdout.filter((line) => / stops /.test(line)).length;
    const wakers = sleepers.map(async (one) => {
      await waitUntil('standing still', () => stopCount(one) > 0, 60_000);
      await pause(2800);
      one.signal('SIGCONT');
    });
    await Promise.all(wakers);
    await pause(500);
    for (const one of all) await kill(one);
    const { didCount } = judge(all, folder);
    const lost = readEvents(all).filter(({ what }) => what === 'lost');
    t.diagnostic(`${didCount} sections, ${lost.length} of 3 were taken over`);
    assert.ok(lost.length >= 2, 'who slept finds that its lock is not its own any more');
  });
});

suite('a dead owner', { ...linux, concurrency: true }, () => {
  test('is survived within 3 s, by who waits already and by who comes later', async (t) => {
    const folder = makeFolder();
    const owner = start({ folder, rooms: ['a'], mode: 'hold' });
    await owner.waitForLine(/ has a$/);
    const waiting = start({ folder, rooms: ['a'], mode: 'once' });
    await waiting.waitForLine(/ wants a$/);
    await pause(300);
    await kill(owner);
    await endOf(waiting);
    const tookMs = toMs(timeOf(waiting, 'has') - owner.killedNs!);
    assert.ok(tookMs < recoveryMs, `who waited had it after ${tookMs} ms`);

    const second = start({ folder, rooms: ['b'], mode: 'hold' });
    await second.waitForLine(/ has b$/);
    await kill(second);
    await pause(500);
    const late = start({ folder, rooms: ['b'], mode: 'once' });
    await endOf(late);
    const lateMs = toMs(timeOf(late, 'has') - timeOf(late, 'wants'));
    assert.ok(lateMs < recoveryMs, `who came later had it after ${lateMs} ms`);
    assert.deepEqual(listLocks(join(folder, 'locks')), []);
    t.diagnostic(`${Math.round(tookMs)} and ${Math.round(lateMs)} ms`);
  });

  test('whose breaker is killed at it is survived, each within 3 s', async (t) => {
    const folder = makeFolder();
    const owner = start({ folder, rooms: ['a'], mode: 'hold' });
    await owner.waitForLine(/ has a$/);
    await kill(owner);
    const breaker = start({ folder, rooms: ['a'], mode: 'once', diesAtBreak: true });
    assert.equal((await endOf(breaker)).signal, 'SIGKILL');
    const left = listLocks(join(folder, 'locks'));
    assert.equal(left.length, 2, `the lock and the dead breaker's guard: ${left.join(', ')}`);
    const next = Array.from({ length: 3 }, () => start({ folder, rooms: ['a'], mode: 'once' }));
    for (const one of next) assert.equal((await endOf(one)).code, 0);
    const times = next.map((one) => toMs(timeOf(one, 'has') - timeOf(one, 'wants')));
    assert.ok(Math.max(...times) < 2 * recoveryMs, times.join(' '));
    const breaks = next.flatMap(({ stdout }) => stdout.filter((line) => line.endsWith(' breaks')));
    assert.ok(breaks.length <= 2, 'the guard once, the lock once');
    assert.deepEqual(listLocks(join(folder, 'locks')), []);
    t.diagnostic(`${times.map(Math.round).join(', ')} ms`);
  });

  test('does not come back to life with its process id and host name', {
    skip: need('root'),
  }, async () => {
    const folder = makeFolder();
    const asFirst = ['unshare', '--pid', '--fork', '--kill-child'];
    const owner = start({ folder, rooms: ['a'], mode: 'hold' }, asFirst);
    await owner.waitForLine(/ has a$/);
    const text = fs.readFileSync(join(folder, 'locks', 'a.lock'), 'latin1');
    assert.match(
      text,
      /^[0-9a-f]{16} 1 0{16}\na\.lock\n$/,
      'who it is, its first lock, the base, the name; no process id',
    );
    await kill(owner);
    const again = start({ folder, rooms: ['a'], mode: 'once' }, asFirst);
    assert.equal((await endOf(again)).code, 0);
    const tookMs = toMs(timeOf(again, 'has') - timeOf(again, 'wants'));
    assert.ok(tookMs > 1500, `it took the dead one's lock for its own: ${tookMs} ms`);
    assert.ok(tookMs < recoveryMs, `${tookMs} ms`);
  });

  test('in several rooms at once costs each of them 3 s, and the others nothing', async () => {
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
