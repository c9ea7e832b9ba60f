// The journal: one sync for all rooms, checkpoints, and what happens when the disk says no.
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, suite, test } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { Journal, type Write } from '../../../lib/journal/journal.ts';
import type { JournalLimits } from '../../../lib/journal/segment.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { readJournals } from './read-journals.ts';

const origin = { boot: 'boot-1', device: 1 };
const open: Journal[] = [];

afterEach(async () => {
  for (const journal of open.splice(0)) await journal.close();
});

/** A folder of rooms with a journal, and what was synced there by name. */
function makeWorld(limits: Partial<JournalLimits> = {}, change: Partial<Disk> = {}) {
  const rooms = makeTempFolder('journal');
  const folder = join(rooms, '.journal');
  const names = new Map<number, string>();
  const synced: string[] = [];
  const failures: unknown[] = [];
  const disk: Disk = {
    ...realDisk,
    openSync: (path, flags, mode) => {
      const fd = (change.openSync ?? realDisk.openSync)(path, flags, mode);
      names.set(fd, basename(path));
      return fd;
    },
    fdatasync: async (fd) => {
      await change.fdatasync?.(fd);
      synced.push(names.get(fd)!.replace(/^[0-9a-f]{16}/, 'own'));
    },
  };
  const events = { onSync: () => undefined, onFailure: (error: unknown) => failures.push(error) };
  const journal = new Journal({
    ...{ folder, origin, events, disk },
    limits: { growBytes: 4096, idleMs: 3_600_000, ...limits },
  });
  open.push(journal);
  /** Appends to a room's file, as the store does, and commits that. */
  const write = (name: string, text: string): Promise<void> => {
    const file = join(rooms, `${name}.txt`);
    const offset = existsSync(file) ? statSync(file).size : 0;
    appendFileSync(file, text);
    const { ino, birthtimeMs } = statSync(file);
    const fd = disk.openSync(file, 'r');
    const bytes = Buffer.from(text);
    const before = Buffer.alloc(0);
    const one: Write = { file, fd, ino, birthtimeMs, offset, before, bytes };
    return journal.commit(one).finally(() => realDisk.closeSync(fd));
  };
  const readBack = (): string[] =>
    readJournals(folder).map(({ name, offset, bytes }) => `${name} ${offset} ${bytes}`);
  const list = (): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  return { rooms, folder, journal, synced, failures, write, readBack, list, names };
}

/** Resolves when something has come to be true. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await nextTick();
}

function isJournal(name: string): boolean {
  return name.endsWith('.journal');
}

suite('what is committed in one tick', () => {
  test('costs one sync, of the journal, whatever the number of rooms', async () => {
    const { write, synced, readBack } = makeWorld();
    await write('a', 'first\n');
    synced.splice(0);
    await Promise.all([write('a', 'second\n'), write('b', 'third\n'), write('c', 'fourth\n')]);
    assert.deepEqual(synced, ['own-1.journal']);
    assert.deepEqual(readBack(), ['a 0 first\n', 'a 6 second\n', 'b 0 third\n', 'c 0 fourth\n']);
  });

  test('is not acknowledged before that sync is done', async () => {
    let letGo = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let isHeld = false;
    const { write, synced } = makeWorld({}, { fdatasync: () => (isHeld ? gate : ok()) });
    await write('a', 'first\n');
    isHeld = true;
    let isDone = false;
    const done = write('a', 'second\n').then(() => {
      isDone = true;
    });
    for (let n = 0; n < 20; n += 1) await nextTick();
    assert.equal(isDone, false);
    letGo();
    await done;
    assert.equal(synced.at(-1), 'own-1.journal');
  });
});

suite('a checkpoint', () => {
  test('syncs the rooms, then empties the journal, and the file is used again', async () => {
    const { write, synced, readBack, list } = makeWorld({ maxBytes: 1 });
    await write('a', 'one\n');
    await write('a', 'two\n');
    await write('a', 'three\n');
    await until(() => synced.includes('a.txt'));
    await write('b', 'four\n');
    assert.ok(list().length <= 2, 'two files are enough');
    await until(() => synced.includes('b.txt') || readBack().length <= 2);
    assert.equal(new Set(synced.filter(isJournal)).size, 2);
  });

  test('happens when nothing was written for a while', async () => {
    const { write, synced, readBack } = makeWorld({ idleMs: 5 });
    await write('a', 'one\n');
    await until(() => readBack().length === 0);
    assert.deepEqual(synced.slice(-2), ['a.txt', 'own-1.journal'], 'first the room');
  });

  test('syncs a room that was renamed meanwhile', async () => {
    const { write, synced, journal, rooms } = makeWorld();
    await write('a', 'one\n');
    realDisk.linkSync(join(rooms, 'a.txt'), join(rooms, 'b.txt'));
    rmSync(join(rooms, 'a.txt'));
    await journal.close();
    assert.ok(synced.includes('a.txt'), 'by the handle that it was opened with');
  });

  test('that can’t sync a room keeps its journal for the next start', async () => {
    let isBroken = false;
    const { write, journal, readBack, failures } = makeWorld(
      {},
      { fdatasync: () => (isBroken ? fail('EIO') : Promise.resolve()) },
    );
    await write('a', 'one\n');
    isBroken = true;
    await journal.close();
    assert.deepEqual(readBack(), ['a 0 one\n']);
    assert.equal(failures.length, 1);
  });
});

suite('a room whose file can’t be covered', () => {
  test('is synced by itself, and keeps nobody else waiting', async () => {
    let slow = -1;
    const never = new Promise<void>(() => undefined);
    const world = makeWorld({}, { fdatasync: (fd) => (fd === slow ? never : ok()) });
    await world.write('a', 'one\n');
    slow = realDisk.openSync(join(world.rooms, 'a.txt'), 'r');
    const { birthtimeMs } = statSync(join(world.rooms, 'a.txt'));
    const gone = { file: join(world.rooms, 'gone.txt'), fd: slow, ino: 1, birthtimeMs };
    const bytes = Buffer.from('x\n');
    void world.journal.commit({ ...gone, offset: 0, before: Buffer.alloc(0), bytes });
    await world.write('b', 'two\n');
    await world.write('b', 'three\n');
  });
});

test('a journal that was switched and then fell idle leaves nothing behind', async () => {
  const { write, journal, list, readBack } = makeWorld({ maxBytes: 1, idleMs: 5 });
  for (const text of ['one\n', 'two\n', 'three\n']) await write('a', text);
  await until(() => list().length === 2 && readBack().length === 0);
  await write('a', 'four\n');
  await until(() => readBack().length === 0);
  await journal.close();
  assert.deepEqual(list(), []);
});

test('a journal that is old is checkpointed though the writing never pauses', async () => {
  const { write, synced, journal } = makeWorld({ maxAgeMs: 1 });
  let isOver = false;
  const writers = ['a', 'b', 'c'].map(async (name) => {
    while (!isOver) await write(name, 'text\n');
  });
  await until(() => ['a.txt', 'b.txt', 'c.txt'].every((name) => synced.includes(name)));
  isOver = true;
  await Promise.all(writers);
  await journal.close();
});

test('a disk on which checkpoints keep failing is not filled with journals', async () => {
  const { write, list, names, failures } = makeWorld(
    { maxBytes: 1, pauseMs: 0 },
    { fdatasync: (fd) => (names.get(fd) === 'a.txt' ? fail('EIO') : ok()) },
  );
  for (let n = 0; n < 20; n += 1) await write('a', 'text\n').catch(() => undefined);
  await until(() => failures.length >= 4);
  for (let n = 0; n < 20; n += 1) await write('b', 'text\n');
  assert.ok(list().length <= 5, `${list().length} journals`);
});

test('a journal that is closed leaves nothing behind', async () => {
  const { write, journal, list, synced } = makeWorld();
  await Promise.all([write('a', 'one\n'), write('b', 'two\n')]);
  await journal.close();
  assert.deepEqual(list(), []);
  assert.deepEqual(synced.filter((name) => !isJournal(name)).sort(), ['a.txt', 'b.txt']);
});

suite('if the journal', () => {
  test('can’t be synced, the rooms are, and the journal is gone before anybody hears of it', async () => {
    let fails = 0;
    const world = makeWorld(
      {},
      { fdatasync: (fd) => (isJournal(world.names.get(fd)!) && fails-- > 0 ? fail('EIO') : ok()) },
    );
    const { write, synced, failures, list } = world;
    await write('a', 'one\n');
    fails = 1;
    await Promise.all([write('a', 'two\n'), write('b', 'three\n')]);
    assert.deepEqual(list(), []);
    assert.equal(failures.length, 1);
    assert.ok(synced.includes('a.txt') && synced.includes('b.txt'));
    synced.splice(0);
    await write('c', 'four\n');
    assert.deepEqual(synced, ['c.txt'], 'for a while rooms are synced one by one');
  });

  test('can’t be synced, and neither can a room, that room alone is refused', async () => {
    const bad = ['own-1.journal', 'a.txt'];
    let isBroken = false;
    const world = makeWorld(
      {},
      {
        fdatasync: (fd) =>
          isBroken && bad.includes(world.names.get(fd)!.replace(/^[0-9a-f]{16}/, 'own'))
            ? fail('EIO')
            : ok(),
      },
    );
    await world.write('a', 'one\n');
    isBroken = true;
    const results = await Promise.allSettled([
      world.write('a', 'two\n'),
      world.write('b', 'three\n'),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'fulfilled'],
    );
  });

  test('can’t be made, the rooms are synced', async () => {
    const openSync: Disk['openSync'] = (path, flags, mode) => {
      if (isJournal(path)) throw Object.assign(new Error('EROFS'), { code: 'EROFS' });
      return realDisk.openSync(path, flags, mode);
    };
    const { write, synced, failures } = makeWorld({}, { openSync });
    await write('a', 'one\n');
    assert.deepEqual(synced, ['a.txt']);
    assert.equal(failures.length, 1);
  });

  test('was removed by another process, the rooms are synced', async () => {
    const { write, synced, folder, list } = makeWorld();
    await write('a', 'one\n');
    for (const name of list()) rmSync(join(folder, name));
    await write('a', 'two\n');
    assert.equal(synced.at(-1), 'a.txt');
  });
});

function ok(): Promise<void> {
  return Promise.resolve();
}

function fail(code: string): Promise<never> {
  return Promise.reject(Object.assign(new Error(code), { code }));
}
