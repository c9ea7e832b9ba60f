// What replay puts into a room's file, and what it leaves alone.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { type Disk, realDisk } from '../../../lib/disk/disk.ts';
import type { JournalRecord } from '../../../lib/journal/record.ts';
import { type RoomReplay, replayRoom } from '../../../lib/journal/replay.ts';
import { makeTempFolder } from '../../support/paths.ts';

const folder = makeTempFolder('replay');
let count = 0;

/** Replays after a power loss. */
function replay(
  file: string,
  records: JournalRecord[],
  disk: Disk = realDisk,
): Promise<RoomReplay> {
  return replayRoom(file, records, { isAfterPowerLoss: true }, disk);
}

/** Makes a file with what a power loss left of it, and records for it from parts of a whole text. */
function makeRoom(
  left: Buffer | string,
  ...parts: [offset: number, text: string, before?: string][]
) {
  count += 1;
  const file = join(folder, `${count}.txt`);
  writeFileSync(file, left);
  const { ino, birthtimeMs } = statSync(file);
  const records = parts.map(
    ([offset, text, before = ''], index): JournalRecord => ({
      ...{ name: String(count), ino, birthtimeMs, offset },
      ...{ stamp: BigInt(index), before: Buffer.from(before), bytes: Buffer.from(text) },
    }),
  );
  return { file, records, read: () => readFileSync(file, 'utf8') };
}

suite('a record', () => {
  test('whose bytes are in place is done', async () => {
    const { file, records, read } = makeRoom('one\ntwo\n', [0, 'one\n'], [4, 'two\n']);
    const result = await replay(file, records);
    assert.deepEqual(result, { restoredBytes: 0, misfits: [] });
    assert.equal(read(), 'one\ntwo\n');
  });

  for (const [what, left] of Object.entries({
    'beyond the end of the file': 'one\n',
    'of which the file has the beginning': 'one\ntw',
    'where the file has zeros': Buffer.from('one\n\0\0\0\0'),
    'of which the file has some zeros': Buffer.from('one\n\0wo\0'),
  })) {
    test(`${what} is written`, async () => {
      const { file, records, read } = makeRoom(left, [0, 'one\n'], [4, 'two\n'], [8, 'three\n']);
      const { restoredBytes, misfits } = await replay(file, records);
      assert.deepEqual([restoredBytes, misfits], [10, []]);
      assert.equal(read(), 'one\ntwo\nthree\n');
    });
  }

  test('is replayed in the order of the stamps, whatever the order of the journals', async () => {
    const { file, records, read } = makeRoom('', [0, 'one\n'], [4, 'two\n'], [8, 'three\n']);
    await replay(file, records.reverse());
    assert.equal(read(), 'one\ntwo\nthree\n');
  });

  test('that a later one rolled back is left out', async () => {
    const { file, records, read } = makeRoom('one\n', [4, 'refused\n'], [4, 'two\n']);
    assert.deepEqual((await replay(file, records)).misfits, []);
    assert.equal(read(), 'one\ntwo\n');
  });

  test('that was truncated away is left out', async () => {
    const { file, records, read } = makeRoom('one\n', [4, 'refused\n'], [4, '']);
    assert.deepEqual(await replay(file, records), { restoredBytes: 0, misfits: [] });
    assert.equal(read(), 'one\n');
  });

  test('behind lines that somebody appended by hand brings those back as well', async () => {
    const { file, records, read } = makeRoom('one\n', [9, 'two\n', 'one\nhand\n']);
    assert.deepEqual((await replay(file, records)).misfits, []);
    assert.equal(read(), 'one\nhand\ntwo\n');
  });
});

suite('a room that somebody changed by hand', () => {
  test('is left as it is if it was edited, from the edit on', async () => {
    const { file, records, read } = makeRoom(
      'one\nTWO\n',
      [0, 'one\n'],
      [4, 'two\n'],
      [8, 'three\n'],
    );
    const { restoredBytes, misfits } = await replay(file, records);
    assert.equal(restoredBytes, 0);
    assert.deepEqual(
      misfits.map(({ bytes }) => String(bytes)),
      ['two\n', 'three\n'],
    );
    assert.equal(read(), 'one\nTWO\n');
  });

  for (const key of ['ino', 'birthtimeMs'] as const) {
    test(`is left as it is if it was replaced (another ${key})`, async () => {
      const { file, records, read } = makeRoom('new\n', [4, 'two\n'], [0, 'new\n']);
      const old = records.map((record) => ({ ...record, [key]: record[key] + 1 }));
      const { misfits } = await replay(file, old);
      assert.equal(read(), 'new\n');
      assert.equal(misfits.length, 0, 'the second one took the place of the first');
      const [first] = old;
      assert.deepEqual((await replay(file, [first!])).misfits, [first]);
      assert.equal(read(), 'new\n');
    });
  }

  test('does not get a line twice that moved up as another one was taken out', async () => {
    const { file, records, read } = makeRoom('two\nthree\n', [8, 'three\n', 'one\ntwo\n']);
    assert.deepEqual((await replay(file, records)).misfits, records);
    assert.equal(read(), 'two\nthree\n');
  });

  test('gets nothing back beyond its end if it was cut shorter than what came before', async () => {
    const { file, records, read } = makeRoom('one\n', [9, 'three\n', 'two\n']);
    assert.deepEqual((await replay(file, records)).misfits, records);
    assert.equal(read(), 'one\n');
  });

  test('gets back what was lost behind an edit that moved nothing', async () => {
    const { file, records, read } = makeRoom(
      'ONE\ntwo\n',
      [0, 'one\n'],
      [4, 'two\n'],
      [8, 'three\n'],
    );
    const { misfits } = await replay(file, records);
    assert.deepEqual(misfits, records.slice(0, 1));
    assert.equal(read(), 'ONE\ntwo\nthree\n');
  });

  test('gets back what the new room lost if it was begun anew', async () => {
    const { file, records, read } = makeRoom('', [0, 'old\n'], [0, 'new\n']);
    const [old, next] = records;
    const gone = { ...old!, ino: old!.ino + 1 };
    assert.deepEqual((await replay(file, [gone, next!])).misfits, [gone]);
    assert.equal(read(), 'new\n');
  });

  test('into what is no plain file, or can’t be written to, keeps no other room waiting', async () => {
    const { records } = makeRoom('', [0, 'one\n']);
    const pipe = join(folder, 'pipe.txt');
    spawnSync('mkfifo', [pipe]);
    for (const file of [folder, pipe]) {
      assert.deepEqual((await replay(file, records)).misfits, records);
    }
    const openSync = () => {
      throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    };
    const disk = { ...realDisk, openSync };
    assert.deepEqual((await replay(join(folder, '1.txt'), records, disk)).misfits, records);
  });

  test('is not made again if it was deleted', async () => {
    const { records } = makeRoom('', [0, 'one\n']);
    const file = join(folder, 'deleted.txt');
    assert.deepEqual((await replay(file, records)).misfits, records);
    assert.throws(() => readFileSync(file), { code: 'ENOENT' });
  });
});

suite('a room whose host did not lose power', () => {
  test('gets nothing back: what it lacks, somebody took away', async () => {
    const { file, records, read } = makeRoom('one\n', [0, 'one\n'], [4, 'two\n']);
    const { misfits } = await replayRoom(file, records, { isAfterPowerLoss: false }, realDisk);
    assert.deepEqual(misfits, records.slice(1));
    assert.equal(read(), 'one\n');
  });

  test('is written again where it is as it was, for its sync may have failed', async () => {
    const { file, records } = makeRoom('one\n', [0, 'one\n']);
    const written: string[] = [];
    const writeSync: Disk['writeSync'] = (fd, bytes, ...where) => {
      written.push(String(bytes));
      return realDisk.writeSync(fd, bytes, ...where);
    };
    const disk = { ...realDisk, writeSync };
    await replayRoom(file, records, { isAfterPowerLoss: false }, disk);
    assert.deepEqual(written, ['one\n']);
  });
});

test('a replay that is begun again writes what the failed sync of the first did not', async () => {
  const { file, records } = makeRoom('', [0, 'one\n']);
  const fdatasync = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
  await assert.rejects(replay(file, records, { ...realDisk, fdatasync }));
  let writeCount = 0;
  const writeSync: Disk['writeSync'] = (fd, bytes, ...where) => {
    writeCount += 1;
    return realDisk.writeSync(fd, bytes, ...where);
  };
  await replay(file, records, { ...realDisk, writeSync });
  assert.equal(writeCount, 1);
});

test('a room is synced before replay says that it is done, and a failing sync is told', async () => {
  const { file, records } = makeRoom('one\n', [0, 'one\n']);
  const fdatasync = (): Promise<void> =>
    Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
  await assert.rejects(replay(file, records, { ...realDisk, fdatasync }), { code: 'EIO' });
});
