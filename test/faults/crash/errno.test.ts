// Each error at each file call of the folder store, once and for a while: refused with a reason,
// nothing partial, nothing acknowledged that is not there, and service goes on.
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { ServiceError } from '../../../lib/errors.ts';
import { parseCursor } from '../../../lib/room/cursor.ts';
import type { FolderStore } from '../../../lib/store/folder/folder-store.ts';
import { attempt, FOLDER, makeDisk, openStore } from './history.ts';
import { findFaults, type Sent } from './judge.ts';
import type { ProcessDisk } from './process-disk.ts';
import { Random } from './random.ts';
import { type Call, type Fault, type Process, takeOverTime, World } from './world.ts';

before(takeOverTime);

const ERRNOS = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EROFS', 'EINTR', 'EACCES', 'ESTALE'];

/** More than is kept in memory, so that it is read in pieces. */
const LARGE_BYTES = 400 << 10;

/** What a trial did, and what came of it. */
interface Trial {
  readonly world: World;
  readonly process: Process;
  readonly sent: Sent[];
  readonly calls: Call[];
  readonly errors: unknown[];
  store: FolderStore | undefined;
}

/** A fault at one call, and another at all later calls of a name. */
interface Plan {
  readonly at: number;
  readonly fault: Fault;
  readonly also?: { readonly name: string; readonly fault: Fault };
}

function prepare(plan: Plan | undefined, hasStaleLock: boolean): Trial {
  const world = new World(makeDisk(true), new Random(1));
  const { disk } = world;
  const large = disk.create(`${FOLDER}/large.txt`, false);
  disk.write(large, Buffer.from(`${'x'.repeat(LARGE_BYTES)}\n`), 0);
  disk.write(disk.create(`${FOLDER}/hand.txt`, false), Buffer.from('by hand, no break'), 0);
  // Left by an owner that died after half a write.
  disk.write(disk.create(`${FOLDER}/stale.txt`, false), Buffer.from('[2018-02-25 14:0'), 0);
  if (hasStaleLock) {
    disk.write(disk.create(`${FOLDER}/.locks/stale.lock`, false), Buffer.from('feed 1 0\n'), 0);
  }
  const process = world.spawn();
  const calls: Call[] = [];
  world.onCall = (call) => {
    calls.push(call);
    if (plan === undefined || calls.length - 1 < plan.at) return undefined;
    if (calls.length - 1 === plan.at) return plan.fault;
    return plan.also?.name === call.name ? plan.also.fault : undefined;
  };
  return { world, process, sent: [], calls, errors: [], store: undefined };
}

async function send(trial: Trial, room: string): Promise<boolean> {
  const { world, process, sent, store } = trial;
  const message = `<1.${sent.length}>`;
  const one: Sent = { room, message, fate: 'unknown' };
  sent.push(one);
  const ask = () => process.run(() => store!.append(room, { username: 'user', message }));
  const given = await attempt(world, ask);
  assert.ok(given, `${message} to ${room} is never answered`);
  if (given.value === undefined) {
    one.fate = 'refused';
    trial.errors.push(given.error);
    return false;
  }
  const { line, cursor } = given.value;
  Object.assign(one, { fate: 'acknowledged', line: Buffer.from(line) });
  one.end = parseCursor(cursor)!.offset;
  return true;
}

async function read(trial: Trial, room: string): Promise<Buffer | undefined> {
  const { world, process, store } = trial;
  const given = await attempt(world, () =>
    process.run(async () => {
      const snapshot = await store!.snapshot(room);
      const pieces: Buffer[] = [];
      for await (const piece of snapshot.read(0, snapshot.sizeBytes))
        pieces.push(Buffer.from(piece));
      const text = Buffer.concat(pieces);
      assert.ok(text.subarray(text.length - snapshot.tail.length).equals(snapshot.tail));
      return text;
    }),
  );
  assert.ok(given, `a read of ${room} never ends`);
  if (given.error !== undefined) trial.errors.push(given.error);
  return given.value;
}

/** All that a store is asked to do. */
async function act(trial: Trial): Promise<void> {
  const { world, process } = trial;
  try {
    trial.store = openStore(process);
  } catch (error) {
    assert.match(String((error as Error).message), /injected/, 'a start fails for its reason');
    // The service ends with its exit code, and is started again when the disk works.
    world.onCall = () => undefined;
    (process.disk as ProcessDisk).closeAll();
    trial.store = openStore(process);
  }
  // Before a message shows as well that the store takes writes.
  await request(trial, (store) => store.check());
  for (const room of ['a', 'a', 'hand', 'stale', 'b']) await send(trial, room);
  for (const room of ['a', 'large', 'nobody']) await read(trial, room);
  await request(trial, (store) => store.etag('a'));
}

async function request(trial: Trial, ask: (store: FolderStore) => Promise<unknown>): Promise<void> {
  const given = await attempt(trial.world, () => trial.process.run(() => ask(trial.store!)));
  assert.ok(given, 'an etag or a check never comes');
  if (given.error !== undefined) trial.errors.push(given.error);
}

/** The rooms hold what was acknowledged and nothing that was refused, and take messages again. */
async function judge(trial: Trial, allowRefused: boolean): Promise<void> {
  const { world, sent, errors } = trial;
  for (const error of errors) {
    assert.ok(error instanceof ServiceError, `not a refusal: ${(error as Error).stack}`);
    assert.equal(error.code, 'unavailable');
    assert.match(error.message, /^[^\n]{10,}$/);
  }
  world.onCall = () => undefined;
  for (const room of ['a', 'b', 'hand', 'stale']) {
    assert.ok(await send(trial, room), `${room} takes no message after the fault`);
    const text = await read(trial, room);
    assert.ok(text, `${room} can't be read after the fault`);
    const foreign = text
      .toString('latin1')
      .replace(/^by hand, no break\n|^\[2018-02-25 14:0\n/, '');
    const offset = text.length - foreign.length;
    const known = sent.map((one) => ({ ...one, end: (one.end ?? 0) - offset }));
    const leniency = { allowStumps: allowRefused, allowRefused, allowVanished: false };
    assert.deepEqual(findFaults(room, text.subarray(offset), known, leniency), [], room);
  }
  assert.equal((await read(trial, 'large'))?.length, LARGE_BYTES + 1);
  await attempt(world, () => trial.process.run(() => trial.store!.close()));
  assert.equal((trial.process.disk as ProcessDisk).openCount, 0, 'handles that nobody closes');
}

/**
 * The calls of a run without a fault; of a call that is made again and again only the first and
 * last.
 */
async function listCalls(hasStaleLock = false): Promise<Map<number, Call>> {
  const trial = prepare(undefined, hasStaleLock);
  await act(trial);
  assert.deepEqual(trial.errors, []);
  const { calls } = trial;
  const count = calls.length;
  await judge(trial, false);
  const chosen = new Map<number, Call>();
  for (const [at, call] of calls.slice(0, count).entries()) {
    const isSame = (other: Call): boolean => other.name === call.name && other.path === call.path;
    const isEarly = calls.slice(0, at).filter(isSame).length < 6;
    if (isEarly || calls.slice(at + 1, count).filter(isSame).length < 4) chosen.set(at, call);
  }
  return chosen;
}

function show(call: Call, index: number, what: string): string {
  return `${what} at call ${index}, ${call.name} of ${call.path}`;
}

/**
 * What each call fails with, one trial after the other, and how a trial differs from the plain one.
 */
interface Round {
  readonly fault: Fault;
  readonly only?: string;
  readonly also?: Plan['also'];
  readonly hasStaleLock?: boolean;
}

/** Makes each call fail in a trial of its own. */
async function tryEach({ fault, only, also, hasStaleLock = false }: Round): Promise<number> {
  const calls = await listCalls(hasStaleLock);
  let count = 0;
  for (const [at, call] of calls) {
    if (only !== undefined && call.name !== only) continue;
    const trial = prepare({ at, fault, ...(also ? { also } : {}) }, hasStaleLock);
    try {
      await act(trial);
      await judge(trial, also !== undefined);
    } catch (error) {
      throw new Error(`${show(call, at, JSON.stringify(fault))}: ${(error as Error).message}`);
    }
    count += 1;
  }
  return count;
}

suite('one failing call', () => {
  for (const errno of ERRNOS) {
    test(`${errno} at each call is refused with a reason, once, and leaves nothing`, async () => {
      assert.ok((await tryEach({ fault: { errno } })) > 100);
    });
  }

  test('EIO at each call while a stale lock is broken leaves nothing', async () => {
    assert.ok((await tryEach({ fault: { errno: 'EIO' }, hasStaleLock: true })) > 100);
  });

  test('a short write at each write is taken back', async () => {
    assert.ok((await tryEach({ fault: { isShort: true }, only: 'writeSync' })) > 5);
  });

  test('every kind of call is made to fail', async () => {
    const names = new Set([...(await listCalls(true)).values()].map(({ name }) => name));
    const wanted = ['openSync', 'closeSync', 'fstatSync', 'statSync', 'readSync', 'writeSync'];
    wanted.push('fdatasync', 'handle.sync', 'linkSync', 'statfsSync', 'unlinkSync', 'mkdirSync');
    wanted.push('readdirSync', 'open', 'unlink', 'read', 'handle.write', 'handle.close');
    const missing = wanted.filter((name) => !names.has(name as Call['name']));
    assert.deepEqual(missing, []);
  });
});

const CALLS = ['ftruncateSync', 'linkSync', 'unlinkSync', 'closeSync', 'fstatSync', 'openSync'];

suite('a failing call, and what should mend it failing too', () => {
  for (const name of CALLS) {
    test(`each call fails, and ${name} ever after: nothing acknowledged is lost`, async () => {
      const fault = { errno: 'EIO' };
      assert.ok((await tryEach({ fault, also: { name, fault } })) > 100);
    });
  }
});
