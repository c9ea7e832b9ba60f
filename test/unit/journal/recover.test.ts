// Finding the journals that others left: which are replayed, which are retired, which are left alone.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  futimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import { JournalFile } from '../../../lib/journal/journal-file.ts';
import {
  encodeHeader,
  FIRST_FRAME_BYTES,
  type JournalRecord,
} from '../../../lib/journal/record.ts';
import {
  findJournals,
  needsReplay,
  type Rooms,
  replayJournals,
  retireJournals,
} from '../../../lib/journal/recover.ts';
import { makeTempFolder } from '../../support/paths.ts';
import { readJournals } from './read-journals.ts';

const here = { boot: 'boot-2', device: 5 };
const earlier = { boot: 'boot-1', device: 5 };
const afterPowerLoss = { isAfterPowerLoss: true };

/** A folder with rooms and journals, as a crash left it, and who recovers. */
function makeWorld() {
  const folder = makeTempFolder('recover');
  const journals = join(folder, '.journal');
  mkdirSync(journals);
  const told: string[] = [];
  const rooms: Rooms = {
    withLock: (name, work) => work(join(folder, `${name}.txt`)),
    keep: async (name, misfits) => {
      told.push(`kept ${name} ${misfits.map(({ bytes }) => bytes).join('')}`);
    },
  };
  const plant = (name: string, text: string): void =>
    writeFileSync(join(folder, `${name}.txt`), text);
  const read = (name: string): string => readFileSync(join(folder, `${name}.txt`), 'utf8');
  const toRecord = (name: string, offset: number, text: string, stamp = 1n): JournalRecord => {
    const { ino, birthtimeMs } = statSync(join(folder, `${name}.txt`));
    const before = Buffer.alloc(0);
    return { name, ino, birthtimeMs, offset, stamp, before, bytes: Buffer.from(text) };
  };
  let made = 0;
  const makeJournal = (origin: typeof here): JournalFile => {
    made += 1;
    return new JournalFile(join(journals, `x-${made}.journal`), origin, 4096, realDisk);
  };
  const find = () => findJournals(journals, realDisk);
  const replay = () => replayJournals(journals, find(), afterPowerLoss, rooms, realDisk);
  const texts = () => readJournals(journals).map(({ bytes }) => String(bytes));
  return { folder, journals, rooms, told, plant, read, toRecord, makeJournal, find, replay, texts };
}

suite('a journal', () => {
  test('of an earlier boot or another device is replayed, and one of this boot is not', () => {
    const { makeJournal, find } = makeWorld();
    for (const origin of [earlier, here, { boot: 'boot-2', device: 6 }])
      makeJournal(origin).close();
    assert.deepEqual(
      find().map((found) => needsReplay(found, here)),
      [true, false, true],
    );
    assert.deepEqual(
      find().map((found) => needsReplay(found, undefined)),
      [true, true, true],
    );
  });

  test('without a whole header has no record', () => {
    const { journals, find, texts } = makeWorld();
    writeFileSync(join(journals, 'a.journal'), '');
    writeFileSync(join(journals, 'b.journal'), Buffer.alloc(8192));
    writeFileSync(join(journals, 'other.txt'), '');
    assert.equal(find().length, 2);
    for (const found of find()) {
      assert.equal(needsReplay(found, here), false);
    }
    assert.deepEqual(texts(), []);
  });

  test('is in the state of its newer header, and of the older one if that is damaged', async () => {
    const { makeJournal, texts, plant, toRecord, journals } = makeWorld();
    plant('a', '');
    const journal = makeJournal(earlier);
    journal.write([toRecord('a', 0, 'old\n')]);
    await journal.empty();
    assert.deepEqual(texts(), []);
    const file = join(journals, 'x-1.journal');
    const bytes = readFileSync(file);
    bytes.fill(0, 512, 600);
    writeFileSync(file, bytes);
    assert.deepEqual(texts(), ['old\n']);
  });

  test('is read on behind a frame that is damaged', () => {
    const { makeJournal, texts, plant, toRecord, journals } = makeWorld();
    plant('a', '');
    const journal = makeJournal(earlier);
    for (const text of ['one\n', 'two\n', 'three\n']) journal.write([toRecord('a', 0, text)]);
    const file = join(journals, 'x-1.journal');
    const bytes = readFileSync(file);
    bytes[FIRST_FRAME_BYTES + 512 + 40]! ^= 1;
    writeFileSync(file, bytes);
    assert.deepEqual(texts(), ['one\n', 'three\n']);
  });

  test('has nothing of an earlier generation', async () => {
    const { makeJournal, texts, plant, toRecord } = makeWorld();
    plant('a', '');
    const journal = makeJournal(earlier);
    for (const text of ['one\n', 'two\n']) journal.write([toRecord('a', 0, text)]);
    await journal.empty();
    journal.write([toRecord('a', 0, 'new\n')]);
    assert.deepEqual(texts(), ['new\n']);
  });
});

suite('after a power loss', () => {
  test('what the journals of all processes have is put back in the order of time, and they go', async () => {
    const { makeJournal, plant, read, toRecord, replay, told, journals } = makeWorld();
    plant('a', 'one\n');
    plant('b', '');
    makeJournal(earlier).write([toRecord('a', 8, 'three\n', 3n), toRecord('b', 0, 'hi\n', 4n)]);
    makeJournal(earlier).write([toRecord('a', 4, 'two\n', 2n)]);
    assert.deepEqual(await replay(), { roomCount: 2, restoredBytes: 13 });
    assert.equal(read('a'), 'one\ntwo\nthree\n');
    assert.equal(read('b'), 'hi\n');
    assert.deepEqual(told, []);
    assert.deepEqual(readdirSync(journals), []);
  });

  test('what no longer fits is kept', async () => {
    const { makeJournal, plant, read, toRecord, replay, told } = makeWorld();
    plant('a', 'edited by hand\n');
    makeJournal(earlier).write([toRecord('a', 0, 'one\n', 1n), toRecord('a', 4, 'two\n', 2n)]);
    await replay();
    assert.equal(read('a'), 'edited by hand\n');
    assert.deepEqual(told, ['kept a one\ntwo\n']);
  });

  test('journals stay until every room is good, and another try goes on', async () => {
    const { makeJournal, plant, read, toRecord, rooms, find, journals, replay } = makeWorld();
    plant('a', '');
    plant('b', '');
    makeJournal(earlier).write([toRecord('a', 0, 'one\n'), toRecord('b', 0, 'two\n')]);
    const withLock: Rooms['withLock'] = (name, work) =>
      name === 'b' ? Promise.reject(new Error('no lock')) : rooms.withLock(name, work);
    const broken = { ...rooms, withLock };
    await assert.rejects(replayJournals(journals, find(), afterPowerLoss, broken, realDisk));
    assert.equal(readdirSync(journals).length, 1);
    await replay();
    assert.deepEqual([read('a'), read('b')], ['one\n', 'two\n']);
  });
});

suite('a journal that is replayed although its owner lives', () => {
  /** A disk on which something happens as soon as a file is removed, as the owner of it sees it. */
  const onUnlink = (happen: () => void): Disk => ({
    ...realDisk,
    unlinkSync: (path) => {
      realDisk.unlinkSync(path);
      happen();
    },
  });

  test('stays if its owner goes on meanwhile', async () => {
    const { makeJournal, plant, toRecord, rooms, find, journals } = makeWorld();
    plant('a', 'one\n');
    const journal = makeJournal(earlier);
    journal.write([toRecord('a', 0, 'one\n')]);
    const withLock: Rooms['withLock'] = async (name, work) => {
      const result = await rooms.withLock(name, work);
      journal.write([toRecord('a', 4, 'two\n', 2n)]);
      futimesSync(openSync(find()[0]!.file, 'r+'), 1, 1);
      return result;
    };
    await replayJournals(journals, find(), afterPowerLoss, { ...rooms, withLock }, realDisk);
    assert.equal(journal.isAtItsPath(), true);
  });

  test('gives away what was written to it just before it went', async () => {
    const { makeJournal, plant, toRecord, rooms, find, journals, read } = makeWorld();
    plant('a', 'one\n');
    const journal = makeJournal(earlier);
    journal.write([toRecord('a', 0, 'one\n')]);
    const disk = onUnlink(() => journal.write([toRecord('a', 4, 'two\n', 2n)]));
    await replayJournals(journals, find(), afterPowerLoss, rooms, disk);
    assert.equal(read('a'), 'one\ntwo\n');
    assert.equal(journal.isAtItsPath(), false);
  });
});

test('journals go one by one, the oldest first: no record outlives the one that voids it', async () => {
  const { makeJournal, plant, toRecord, rooms, find, journals } = makeWorld();
  plant('a', 'one\n');
  makeJournal(earlier).write([toRecord('a', 4, '', 2n)]);
  makeJournal(earlier).write([toRecord('a', 4, 'refused\n', 1n)]);
  const done: string[] = [];
  const disk: Disk = {
    ...realDisk,
    unlinkSync: (path) => {
      done.push(basename(path));
      realDisk.unlinkSync(path);
    },
    open: (path, flags) => {
      done.push('sync');
      return realDisk.open(path, flags);
    },
  };
  await replayJournals(journals, find(), afterPowerLoss, rooms, disk);
  assert.deepEqual(done, ['x-2.journal', 'sync', 'x-1.journal', 'sync']);
});

suite('a journal of this boot', () => {
  // The service's own wait keeps no process alive.
  let keepAlive: NodeJS.Timeout;
  before(() => {
    keepAlive = setInterval(() => undefined, 1000);
  });
  after(() => clearInterval(keepAlive));

  test('is retired once it has not changed for a while: its rooms are synced, and it goes', async () => {
    const { makeJournal, plant, read, toRecord, rooms, find, journals } = makeWorld();
    plant('a', 'one\n');
    const journal = makeJournal(here);
    journal.write([toRecord('a', 0, 'one\n')]);
    await retireJournals(journals, find(), rooms, realDisk, 5);
    assert.deepEqual(readdirSync(journals), []);
    assert.equal(journal.isAtItsPath(), false, 'an owner that comes back sees it');
    assert.equal(read('a'), 'one\n');
  });

  test('whose lines stand nowhere gives them away before it goes', async () => {
    const { makeJournal, plant, read, toRecord, rooms, find, journals, told } = makeWorld();
    plant('a', 'one\n');
    makeJournal(here).write([toRecord('a', 0, 'one\n'), toRecord('a', 4, 'cut\n', 2n)]);
    await retireJournals(journals, find(), rooms, realDisk, 5);
    assert.deepEqual(told, ['kept a cut\n']);
    assert.equal(read('a'), 'one\n', 'no power was lost, so somebody cut it');
  });

  test('stays if its owner goes on', async () => {
    const { makeJournal, plant, toRecord, rooms, find, journals } = makeWorld();
    plant('a', 'one\n');
    const journal = makeJournal(here);
    journal.write([toRecord('a', 0, 'one\n')]);
    const retired = retireJournals(journals, find(), rooms, realDisk, 30);
    appendFileSync(
      join(journals, 'x-1.journal'),
      encodeHeader({ ...here, counter: 9, generation: 'f'.repeat(16) }),
    );
    await retired;
    assert.equal(journal.isAtItsPath(), true);
  });
});
